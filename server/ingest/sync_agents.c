/* Takes over Retell's list of agents, all pages at once: one that is in none of them has vanished. */
#include "db/array.h"
#include "ingest/sync_steps.h"
#include "retell/listing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_AGENTS = 100000 };

/* The list so far: texts one after the other, each with its NUL. */
struct agents {
    struct buf ids, names;
    size_t count;
};

/* Appends a string value and a NUL; anything else is the empty text. */
static size_t add_text(struct buf *out, struct json_text item, const char *name)
{
    struct json_text value = {NULL, 0};
    size_t len = 0;
    if (json_member(item.s, item.len, name, &value.s, &value.len) &&
        json_kind(value.s, value.len) == JSON_STRING &&
        buf_reserve(out, JSON_TEXT_MAX(value.len) + 1))
        len = json_string_decode(value.s, value.len, out->data + out->len);
    out->len += len;
    buf_add(out, "", 1);
    return len;
}

static void add_agent(struct sync *sync, struct agents *agents, struct json_text item)
{
    size_t before = agents->ids.len;
    if (json_kind(item.s, item.len) == JSON_OBJECT &&
        add_text(&agents->ids, item, "agent_id") > 0) {
        (void)add_text(&agents->names, item, "agent_name");
        agents->count++;
        return;
    }
    agents->ids.len = before;
    sync->report->calls.failed++;
    (void)snprintf(sync->report->message, sizeof sync->report->message,
                   "an agent in Retell's list has no agent_id");
}

static bool read_page(struct sync *sync, struct agents *agents, struct listing_place *place,
                      bool *more)
{
    struct retell_request request = {
        .body = "{\"filter_criteria\":{\"channel\":{\"type\":\"string\",\"op\":\"eq\","
                "\"value\":\"voice\"}}}"};
    struct buf path = {0};
    struct listing_page page;
    listing_agents_path(place->key.data ? place->key.data : "", &path);
    request.path = path.data;
    bool good =
        path.failed ? sync_fail(sync, SYNC_FAILED, "out of memory") : sync_ask(sync, &request);
    const char *wrong = good ? listing_read(request.answer.data, request.answer.len, &page) : NULL;
    *more = good && !wrong && page.has_more;
    for (struct json_text item; good && !wrong && json_elements_next(&page.items, &item);)
        add_agent(sync, agents, item);
    if (good && !wrong)
        wrong = agents->count > MAX_AGENTS ? "it does not end" : listing_next(&page, place);
    if (good && wrong) {
        char message[SYNC_MESSAGE_SIZE];
        (void)snprintf(message, sizeof message, "Retell's list of agents is not as documented: %s",
                       wrong);
        good = sync_fail(sync, SYNC_FAILED, message);
    }
    buf_free(&request.answer);
    buf_free(&path);
    return good && (!(place->key.failed || agents->ids.failed || agents->names.failed) ||
                    sync_fail(sync, SYNC_FAILED, "out of memory"));
}

/* The texts as an array. */
static struct db_param array_of(struct buf *out, const struct buf *texts, size_t count)
{
    if (count == 0)
        return db_text("{}");
    array_begin(out, ARRAY_TEXT, count);
    const char *text = texts->data;
    for (size_t i = 0; i < count; i++, text += strlen(text) + 1)
        array_add_bytes(out, text, strlen(text));
    return array_param(out);
}

static bool store(struct sync *sync, const struct agents *agents)
{
    struct buf ids = {0}, names = {0};
    struct db_result *result = NULL;
    const struct db_param params[] = {array_of(&ids, &agents->ids, agents->count),
                                      array_of(&names, &agents->names, agents->count)};
    bool good = ids.failed || names.failed
                    ? sync_fail(sync, SYNC_FAILED, "out of memory")
                    : sync_exec(sync, STATEMENT_SYNC_AGENTS, params, &result);
    if (good) {
        sync->report->agents_added = sync_value(result, 0, 0);
        sync->report->agents_changed = sync_value(result, 0, 1);
    }
    db_result_free(result);
    buf_free(&ids);
    buf_free(&names);
    return good;
}

bool sync_agents(struct sync *sync)
{
    struct agents agents = {0};
    struct listing_place place = {0};
    bool more = true, good = true;
    while (good && more)
        good = read_page(sync, &agents, &place, &more);
    good = good && store(sync, &agents);
    buf_free(&agents.ids);
    buf_free(&agents.names);
    listing_place_free(&place);
    return good;
}
