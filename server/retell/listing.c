#include "retell/listing.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct listing_query listing_query(unsigned limit)
{
    return (struct listing_query){.started_from = -1,
                                  .started_before = -1,
                                  .ended_from = -1,
                                  .ascending = true,
                                  .limit = limit};
}

/* ---- asking ---- */

static void add_string(struct buf *out, const char *s)
{
    buf_json_string(out, s, strlen(s));
}

/* Starts a member of filter_criteria. */
static void add_filter(struct buf *out, const char *name)
{
    if (out->len && out->data[out->len - 1] != '{')
        buf_puts(out, ",");
    add_string(out, name);
    buf_puts(out, ":");
}

static void add_number_filter(struct buf *out, const char *name, const char *op, int64_t value)
{
    add_filter(out, name);
    buf_printf(out, "{\"type\":\"number\",\"op\":\"%s\",\"value\":%" PRId64 "}", op, value);
}

static void add_start_filter(const struct listing_query *query, struct buf *out)
{
    bool from = query->started_from >= 0, before = query->started_before >= 0;
    if (from && before) { /* one field has one filter; a range includes both of its ends */
        add_filter(out, "start_timestamp");
        buf_printf(out, "{\"type\":\"range\",\"op\":\"bt\",\"value\":[%" PRId64 ",%" PRId64 "]}",
                   query->started_from, query->started_before);
    } else if (from) {
        add_number_filter(out, "start_timestamp", "ge", query->started_from);
    } else if (before) {
        add_number_filter(out, "start_timestamp", "lt", query->started_before);
    }
}

static void add_ids_filter(const struct listing_query *query, struct buf *out)
{
    add_filter(out, "call_id");
    buf_puts(out, "{\"type\":\"enum\",\"op\":\"in\",\"value\":[");
    for (size_t i = 0; i < query->call_id_count; i++) {
        buf_puts(out, i ? "," : "");
        add_string(out, query->call_ids[i]);
    }
    buf_puts(out, "]}");
}

void listing_write(const struct listing_query *query, const char *key, struct buf *out)
{
    buf_puts(out, "{\"filter_criteria\":{");
    add_start_filter(query, out);
    if (query->ended_from >= 0)
        add_number_filter(out, "end_timestamp", "ge", query->ended_from);
    if (query->agent_id && *query->agent_id) {
        add_filter(out, "agent");
        buf_puts(out, "[{\"agent_id\":");
        add_string(out, query->agent_id);
        buf_puts(out, "}]");
    }
    if (query->unconnected) {
        add_filter(out, "call_status");
        buf_puts(out, "{\"type\":\"enum\",\"op\":\"in\",\"value\":[\"not_connected\",\"error\"]}");
    }
    if (query->call_id_count)
        add_ids_filter(query, out);
    buf_printf(out, "},\"sort_order\":\"%s\",\"limit\":%u",
               query->ascending ? "ascending" : "descending", query->limit);
    if (query->total)
        buf_puts(out, ",\"include_total\":true");
    if (*key) {
        buf_puts(out, ",\"pagination_key\":");
        add_string(out, key);
    }
    buf_puts(out, "}");
}

/* Percent-encodes all but the unreserved characters of RFC 3986. */
static void add_escaped(struct buf *out, const char *s)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    for (; *s; s++) {
        if (strchr(plain, *s))
            buf_add(out, s, 1);
        else
            buf_printf(out, "%%%02X", (unsigned char)*s);
    }
}

void listing_call_path(const char *call_id, struct buf *out)
{
    buf_puts(out, "/v2/get-call/");
    add_escaped(out, call_id);
}

void listing_agents_path(const char *key, struct buf *out)
{
    buf_puts(out, "/v2/list-agents?limit=1000&sort_order=ascending");
    if (*key) {
        buf_puts(out, "&pagination_key=");
        add_escaped(out, key);
    }
}

/* ---- reading ---- */

static bool find(const char *s, size_t len, const char *name, struct json_text *value)
{
    return json_member(s, len, name, &value->s, &value->len) &&
           json_kind(value->s, value->len) != JSON_NULL;
}

/* A number that is not negative, cut to a whole one; -1 for anything else. */
static int64_t whole_number(struct json_text value)
{
    char digits[32];
    if (json_kind(value.s, value.len) != JSON_NUMBER || value.len >= sizeof digits)
        return -1;
    memcpy(digits, value.s, value.len);
    digits[value.len] = '\0';
    double number = strtod(digits, NULL);
    return number >= 0 && number < 9e15 ? (int64_t)number : -1;
}

const char *listing_read(const char *answer, size_t len, struct listing_page *page)
{
    struct json_text items, more, value;
    *page = (struct listing_page){.total = -1};
    if (!find(answer, len, "items", &items) || json_kind(items.s, items.len) != JSON_ARRAY)
        return "it has no `items`";
    if (!find(answer, len, "has_more", &more) || json_kind(more.s, more.len) != JSON_BOOL)
        return "it does not say `has_more`";
    page->has_more = more.s[0] == 't';
    if (find(answer, len, "pagination_key", &value)) {
        if (json_kind(value.s, value.len) != JSON_STRING)
            return "its `pagination_key` is not a string";
        page->key = value;
    }
    if (find(answer, len, "total", &value))
        page->total = whole_number(value);
    json_elements_begin(&page->items, items.s, items.len);
    struct json_members counting = page->items;
    while (json_elements_next(&counting, &value))
        page->count++;
    return NULL;
}

static bool is_key(const struct buf *key, const char *text)
{
    return key->data && strcmp(key->data, text) == 0;
}

/* The mark moves up after 1, 2, 4, … pages (Brent, 1980): a circle of n pages is seen within 3n. */
static void move_mark(struct listing_place *place)
{
    if (place->pages++ < place->next_mark)
        return;
    place->next_mark = 2 * place->pages;
    place->mark.len = 0;
    buf_add(&place->mark, place->key.data, place->key.len + 1);
    place->key.failed |= place->mark.failed;
}

const char *listing_next(const struct listing_page *page, struct listing_place *place)
{
    struct buf next = {0};
    const char *wrong = NULL;
    if (page->has_more && page->key.len <= 2)
        wrong = "it says `has_more` and gives no `pagination_key`";
    if (page->has_more && !wrong && buf_reserve(&next, JSON_TEXT_MAX(page->key.len))) {
        next.len = json_string_decode(page->key.s, page->key.len, next.data);
        next.data[next.len] = '\0';
        if (is_key(&place->key, next.data) || is_key(&place->mark, next.data))
            wrong = "it gives the same `pagination_key` twice";
    }
    buf_free(&place->key);
    place->key = next;
    if (next.data)
        move_mark(place);
    return wrong;
}

void listing_place_free(struct listing_place *place)
{
    buf_free(&place->key);
    buf_free(&place->mark);
    *place = (struct listing_place){0};
}

int64_t listing_time(struct json_text item, const char *name)
{
    struct json_text value;
    if (json_kind(item.s, item.len) != JSON_OBJECT || !find(item.s, item.len, name, &value))
        return -1;
    return whole_number(value);
}
