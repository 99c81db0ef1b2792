#include "http/params.h"

#include "base/utf8.h"

#include <stdlib.h>
#include <string.h>

struct check {
    const struct request *req;
    const struct param_spec *specs;
    size_t count;
    const char **values;
    bool seen[PARAMS_MAX];
    struct field_error errors[PARAMS_MAX * 2];
    size_t error_count;
};

static int hex_value(char c)
{
    return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}

char *params_decode(struct arena *arena, const char *s, size_t len, bool form)
{
    char *out = arena_alloc(arena, len + 1), *to = out;
    for (size_t i = 0; out && i < len; i++) {
        if (s[i] == '%' && len - i > 2) {
            *to++ = (char)(hex_value(s[i + 1]) * 16 + hex_value(s[i + 2]));
            i += 2;
        } else {
            *to++ = form && s[i] == '+' ? ' ' : s[i];
        }
    }
    return out;
}

bool params_is_utf8(const char *s)
{
    const unsigned char *p = (const unsigned char *)s;
    size_t len = strlen(s);
    for (size_t i = 0, n; i < len; i += n)
        if (!(n = utf8_sequence(p + i, len - i)))
            return false;
    return true;
}

static void add_error(struct check *c, const char *field, const char *message)
{
    if (c->error_count < sizeof c->errors / sizeof c->errors[0] && field && message)
        c->errors[c->error_count++] = (struct field_error){field, message};
}

static bool is_choice(const char *choices, const char *value)
{
    size_t len = strlen(value);
    for (const char *p = choices; p;) {
        const char *bar = strchr(p, '|');
        if ((bar ? (size_t)(bar - p) : strlen(p)) == len && memcmp(p, value, len) == 0)
            return true;
        p = bar ? bar + 1 : NULL;
    }
    return false;
}

static void check_value(struct check *c, const struct param_spec *spec, const char *value)
{
    struct arena *arena = c->req->arena;
    size_t len = strlen(value);
    switch (spec->kind) {
    case PARAM_NUMBER: {
        bool digits = len && len <= 18 && strspn(value, "0123456789") == len;
        long long number = digits ? strtoll(value, NULL, 10) : -1;
        if (!digits || number < spec->lo || number > spec->hi)
            add_error(c, spec->name,
                      arena_printf(arena, "must be a whole number from %lld to %lld, in digits",
                                   (long long)spec->lo, (long long)spec->hi));
        break;
    }
    case PARAM_CHOICE:
        if (!is_choice(spec->choices, value))
            add_error(c, spec->name, arena_printf(arena, "must be one of %s", spec->choices));
        break;
    case PARAM_TEXT:
        if ((int64_t)len < spec->lo || (int64_t)len > spec->hi || !params_is_utf8(value))
            add_error(c, spec->name,
                      arena_printf(arena, "must be %lld to %lld bytes of UTF-8 text",
                                   (long long)spec->lo, (long long)spec->hi));
        break;
    }
}

static void take_pair(struct check *c, const char *name, const char *value)
{
    for (size_t i = 0; i < c->count; i++) {
        if (strcmp(c->specs[i].name, name) != 0)
            continue;
        if (c->seen[i]) {
            add_error(c, name, "is given twice");
            return;
        }
        c->seen[i] = true;
        if (!*value)
            return;
        c->values[i] = value;
        check_value(c, &c->specs[i], value);
        return;
    }
    add_error(c, params_is_utf8(name) ? name : "?", "is not a parameter of this endpoint");
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
    if (c.error_count)
        response_invalid(res, req, c.errors, c.error_count);
    return c.error_count == 0;
}
