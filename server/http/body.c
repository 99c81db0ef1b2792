/*
 * The text is scanned first (strict, to a fixed depth, without recursion) and then read where it
 * lies by the walkers of json_scan.h. So names are compared exactly, a key given twice is seen, and
 * no number loses digits: each a thing that a general JSON tree would hide.
 */
#include "http/body.h"

#include "base/clock.h"
#include "base/text.h"
#include "http/fields.h"
#include "http/params.h"
#include "json_scan.h"

#include <ctype.h>
#include <string.h>

struct check {
    const struct request *req;
    const struct body_spec *specs;
    size_t count;
    struct body_value *values;
    struct field_errors errors;
    bool no_memory;
};

static void mistake(struct check *c, const char *field, const char *message)
{
    fields_add(&c->errors, field, message);
}

/* A copy of what a string value stands for; NULL, and noted, when memory is short. */
static char *copy_string(struct check *c, struct json_text value)
{
    char *out = arena_alloc(c->req->arena, value.len + 1); /* zeroed: ends the text */
    if (out)
        (void)json_string_decode(value.s, value.len, out);
    c->no_memory |= !out;
    return out;
}

static char *copy_raw(struct check *c, struct json_text value)
{
    char *out = arena_strndup(c->req->arena, value.s, value.len);
    c->no_memory |= !out;
    return out;
}

static void lower(char *s)
{
    for (; *s; s++)
        *s = (char)tolower((unsigned char)*s);
}

static const char *text_rule(struct check *c, const struct body_spec *spec)
{
    return arena_printf(c->req->arena, "must be text of %lld to %lld characters%s",
                        (long long)spec->lo, (long long)spec->hi,
                        spec->not_blank ? ", not only spaces" : "");
}

/* Text of its length and, where asked for, not blank. */
static bool is_text(const struct body_spec *spec, const char *text)
{
    return text_fits(text, spec->lo, spec->hi) && !(spec->not_blank && text_is_blank(text));
}

/* A string value of the kinds that are spelt as one. */
static void take_string(struct check *c, const struct body_spec *spec, struct json_text value,
                        struct body_value *out)
{
    char *text = copy_string(c, value);
    const char *rule = NULL;
    if (!text)
        return;
    switch (spec->kind) {
    case BODY_EMAIL:
        lower(text);
        rule = text_is_email(text) ? NULL : "must be an e-mail address";
        break;
    case BODY_UUID:
        lower(text);
        rule = text_is_uuid(text) ? NULL : "must be a UUID";
        break;
    case BODY_CHOICE:
        if (!text_is_choice(spec->choices, text))
            rule = arena_printf(c->req->arena, "must be one of %s", spec->choices);
        break;
    default:
        if (!is_text(spec, text))
            rule = text_rule(c, spec);
    }
    if (rule)
        mistake(c, spec->name, rule);
    out->text = text;
}

static void take_number(struct check *c, const struct body_spec *spec, struct json_text value,
                        struct body_value *out)
{
    out->text = copy_raw(c, value);
    if (out->text && !text_number(out->text, spec->lo, spec->hi, &out->number))
        mistake(c, spec->name,
                arena_printf(c->req->arena, "must be a whole number from %lld to %lld",
                             (long long)spec->lo, (long long)spec->hi));
}

static void take_time(struct check *c, const struct body_spec *spec, struct json_text value,
                      struct body_value *out)
{
    char iso[CLOCK_ISO_SIZE];
    bool string = json_kind(value.s, value.len) == JSON_STRING;
    const char *text = string ? copy_string(c, value) : copy_raw(c, value);
    if (!text)
        return;
    if (!clock_parse(text, &out->number)) {
        mistake(c, spec->name, fields_bad_time);
        return;
    }
    clock_iso(out->number, iso);
    out->text = arena_strndup(c->req->arena, iso, strlen(iso));
    c->no_memory |= !out->text;
}

static bool is_listed(const char *const *items, size_t count, const char *text)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(items[i], text) == 0)
            return true;
    return false;
}

static void take_texts(struct check *c, const struct body_spec *spec, struct json_text value,
                       struct body_value *out)
{
    struct json_members elements;
    struct json_text element;
    size_t count = 0;
    size_t most = spec->max_items < BODY_MAX_ITEMS ? spec->max_items : BODY_MAX_ITEMS;
    const char **items = arena_alloc(c->req->arena, (most + 1) * sizeof *items);
    bool good = items != NULL;

    c->no_memory |= !items;
    json_elements_begin(&elements, value.s, value.len);
    while (good && json_elements_next(&elements, &element)) {
        const char *text = count < most && json_kind(element.s, element.len) == JSON_STRING
                               ? copy_string(c, element)
                               : NULL;
        good = text && is_text(spec, text) && !is_listed(items, count, text);
        if (good)
            items[count++] = text;
    }
    if (!good)
        mistake(c, spec->name,
                arena_printf(c->req->arena,
                             "must be a list of at most %zu different texts, each of %lld to %lld "
                             "characters",
                             most, (long long)spec->lo, (long long)spec->hi));
    out->items = items;
    out->count = count;
    out->text = copy_raw(c, value);
}

/* Which kinds of JSON value a kind of field takes, and what is said to the others. */
static const struct {
    enum json_kind json, or_json;
    void (*take)(struct check *c, const struct body_spec *spec, struct json_text value,
                 struct body_value *out);
    const char *rule; /* NULL: the rule for its text */
} kinds[] = {
    [BODY_TEXT] = {JSON_STRING, JSON_STRING, take_string, NULL},
    [BODY_EMAIL] = {JSON_STRING, JSON_STRING, take_string, "must be an e-mail address"},
    [BODY_CHOICE] = {JSON_STRING, JSON_STRING, take_string, "must be text"},
    [BODY_BOOL] = {JSON_BOOL, JSON_BOOL, NULL, "must be true or false"},
    [BODY_NUMBER] = {JSON_NUMBER, JSON_NUMBER, take_number, "must be a number"},
    [BODY_TIME] = {JSON_STRING, JSON_NUMBER, take_time, fields_bad_time},
    [BODY_UUID] = {JSON_STRING, JSON_STRING, take_string, "must be a UUID"},
    [BODY_TEXTS] = {JSON_ARRAY, JSON_ARRAY, take_texts, "must be a list of texts"},
};

static void take_value(struct check *c, const struct body_spec *spec, struct json_text value,
                       struct body_value *out)
{
    enum json_kind kind = json_kind(value.s, value.len);
    out->given = true;
    if (kind == JSON_NULL) {
        if (!spec->nullable)
            mistake(c, spec->name, "must not be null");
    } else if (kind != kinds[spec->kind].json && kind != kinds[spec->kind].or_json) {
        const char *rule = kinds[spec->kind].rule;
        mistake(c, spec->name, rule ? rule : text_rule(c, spec));
    } else if (kinds[spec->kind].take) {
        kinds[spec->kind].take(c, spec, value, out);
    } else {
        out->text = copy_raw(c, value);
        out->number = value.s[0] == 't';
    }
}

/* A key that no field has, as it is told: cut to a length that fits a message. */
static const char *name_of(struct check *c, struct json_text key)
{
    enum { LONGEST = 64 };
    char *name = copy_string(c, key);
    size_t len = name ? strlen(name) : 0;
    if (len > LONGEST) {
        len = LONGEST;
        while (len && ((unsigned char)name[len] & 0xc0) == 0x80)
            len--;
        name[len] = '\0';
    }
    return name;
}

static void take_member(struct check *c, struct json_text key, struct json_text value)
{
    for (size_t i = 0; i < c->count; i++) {
        if (!json_string_equals(key.s, key.len, c->specs[i].name))
            continue;
        if (c->values[i].given)
            mistake(c, c->specs[i].name, "is given twice");
        else
            take_value(c, &c->specs[i], value, &c->values[i]);
        return;
    }
    if (c->errors.count < FIELDS_MAX_ERRORS)
        mistake(c, name_of(c, key), "is not a field of this request");
}

/* One JSON object whose every text can be stored? false: the response is filled. */
static bool check_json(const struct request *req, struct response *res)
{
    struct json_scan scan;
    const char *problem = NULL;
    if (!json_scan(req->body, req->body_len, &scan))
        problem = arena_printf(req->arena, "The body is not JSON: %s at byte %zu.", scan.error,
                               scan.error_offset);
    else if (json_kind(req->body, req->body_len) != JSON_OBJECT)
        problem = "The body is not a JSON object.";
    else if (scan.dirty)
        problem = "The body holds text that is not Unicode: NUL, half of a surrogate pair, or "
                  "bytes that are not UTF-8.";
    else
        return true;
    response_error(res, req, 400, "bad_request", problem ? problem : "The body is not JSON.");
    return false;
}

bool body_read(const struct request *req, struct response *res, const struct body_spec *specs,
               size_t count, struct body_value *values)
{
    struct check c = {.req = req, .specs = specs, .count = count, .values = values};
    struct json_members members;
    struct json_text key;
    struct json_text value;

    for (size_t i = 0; i < count; i++)
        values[i] = (struct body_value){0};
    if (!params_read(req, res, NULL, 0, NULL))
        return false;
    if (req->body_len) {
        if (!check_json(req, res))
            return false;
        json_members_begin(&members, req->body, req->body_len);
        while (json_members_next(&members, &key, &value))
            take_member(&c, key, value);
    }
    for (size_t i = 0; i < count; i++)
        if (specs[i].required && !values[i].given)
            mistake(&c, specs[i].name, "is required");
    if (c.no_memory)
        return false;
    if (c.errors.count)
        response_invalid(res, req, c.errors.items, c.errors.count);
    return c.errors.count == 0;
}
