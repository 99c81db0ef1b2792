#include "http/params.h"

#include "base/clock.h"
#include "base/codec.h"
#include "base/text.h"
#include "http/fields.h"

#include <stdlib.h>
#include <string.h>

struct check {
    const struct request *req;
    const struct param_spec *specs;
    size_t count;
    const char **values;
    bool seen[PARAMS_MAX];
    bool given[PARAMS_MAX]; /* and not empty */
    struct field_errors errors;
    bool no_memory;
};

char *params_decode(struct arena *arena, const char *s, size_t len, bool form)
{
    char *out = arena_alloc(arena, len + 1), *to = out;
    for (size_t i = 0; out && i < len; i++) {
        if (s[i] == '%' && len - i > 2) {
            *to++ = (char)(codec_hex_digit(s[i + 1]) * 16 + codec_hex_digit(s[i + 2]));
            i += 2;
        } else {
            *to++ = form && s[i] == '+' ? ' ' : s[i];
        }
    }
    return out;
}

static void check_list(struct check *c, const struct param_spec *spec, const char *value)
{
    struct arena *arena = c->req->arena;
    size_t items = 0;
    for (const char *p = value; p; items++) {
        size_t len = strcspn(p, ",");
        char *item = arena_strndup(arena, p, len);
        c->no_memory |= !item;
        if (!item || items == PARAMS_MAX_ITEMS)
            break;
        if (spec->choices && !text_is_choice(spec->choices, item)) {
            fields_add(&c->errors, spec->name,
                       arena_printf(arena, "must be one or more of %s, separated by commas",
                                    spec->choices));
            return;
        }
        if (!spec->choices && !text_fits(item, spec->lo, spec->hi))
            break;
        p = p[len] ? p + len + 1 : NULL;
        if (!p)
            return;
    }
    fields_add(&c->errors, spec->name,
               arena_printf(arena,
                            "must be a list of at most %d, separated by commas, each of %lld to "
                            "%lld characters",
                            PARAMS_MAX_ITEMS, (long long)spec->lo, (long long)spec->hi));
}

/* The value as handlers get it; what is wrong with it is noted. NULL when memory is short. */
static const char *check_value(struct check *c, const struct param_spec *spec, const char *value)
{
    struct arena *arena = c->req->arena;
    switch (spec->kind) {
    case PARAM_NUMBER: {
        int64_t number = 0;
        if (!text_number(value, spec->lo, spec->hi, &number))
            fields_add(&c->errors, spec->name,
                       arena_printf(arena, "must be a whole number from %lld to %lld, in digits",
                                    (long long)spec->lo, (long long)spec->hi));
        break;
    }
    case PARAM_CHOICE:
        if (!text_is_choice(spec->choices, value))
            fields_add(&c->errors, spec->name,
                       arena_printf(arena, "must be one of %s", spec->choices));
        break;
    case PARAM_TIME: {
        int64_t ms = 0;
        if (clock_parse(value, &ms))
            return arena_printf(arena, "%lld", (long long)ms);
        fields_add(&c->errors, spec->name, fields_bad_time);
        break;
    }
    case PARAM_LIST:
        check_list(c, spec, value);
        break;
    case PARAM_TEXT:
        if (!text_fits(value, spec->lo, spec->hi))
            fields_add(&c->errors, spec->name,
                       arena_printf(arena, "must be %lld to %lld characters of UTF-8 text",
                                    (long long)spec->lo, (long long)spec->hi));
        break;
    }
    return value;
}

static void take_pair(struct check *c, const char *name, const char *value)
{
    for (size_t i = 0; i < c->count; i++) {
        if (strcmp(c->specs[i].name, name) != 0 &&
            !(c->specs[i].alias && strcmp(c->specs[i].alias, name) == 0))
            continue;
        if (c->seen[i]) {
            fields_add(&c->errors, name, "is given twice");
            return;
        }
        c->seen[i] = true;
        if (!*value)
            return;
        c->given[i] = true;
        c->values[i] = check_value(c, &c->specs[i], value);
        c->no_memory |= !c->values[i];
        return;
    }
    fields_add(&c->errors, text_is_utf8(name) ? name : "?", "is not a parameter of this endpoint");
}

static bool is_given(const struct check *c, const char *name)
{
    for (size_t i = 0; i < c->count; i++)
        if (strcmp(c->specs[i].name, name) == 0)
            return c->given[i];
    return false;
}

/* What can be said only once all are known. */
static void check_together(struct check *c)
{
    for (size_t i = 0; i < c->count; i++) {
        const struct param_spec *spec = &c->specs[i];
        if (spec->required && !c->given[i])
            fields_add(&c->errors, spec->name, "is required");
        if (spec->not_with && c->given[i] && is_given(c, spec->not_with))
            fields_add(
                &c->errors, spec->name,
                arena_printf(c->req->arena, "cannot be used together with %s", spec->not_with));
    }
}

bool params_read(const struct request *req, struct response *res, const struct param_spec *specs,
                 size_t count, const char **values)
{
    struct check c = {.req = req, .specs = specs, .count = count, .values = values};
    for (size_t i = 0; i < count; i++)
        values[i] = specs[i].fallback;

    for (const char *p = req->query; p && *p;) {
        size_t len = strcspn(p, "&");
        const char *equals = memchr(p, '=', len);
        size_t name_len = equals ? (size_t)(equals - p) : len;
        if (len) {
            char *name = params_decode(req->arena, p, name_len, true);
            char *value = equals ? params_decode(req->arena, equals + 1, len - name_len - 1, true)
                                 : params_decode(req->arena, "", 0, true);
            if (!name || !value)
                return false;
            take_pair(&c, name, value);
        }
        p += len + (p[len] == '&');
    }
    check_together(&c);
    if (c.no_memory)
        return false;
    if (c.errors.count)
        response_invalid(res, req, c.errors.items, c.errors.count);
    return c.errors.count == 0;
}
