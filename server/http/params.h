/*
 * Query parameters: a table per endpoint says what is allowed; one call validates the whole query
 * and collects every mistake, so that a caller sees all of them at once.
 */
#ifndef FRONTDESK_HTTP_PARAMS_H
#define FRONTDESK_HTTP_PARAMS_H

#include "base/text.h"
#include "http/request.h"
#include "http/response.h"

enum param_kind {
    PARAM_NUMBER, /* plain digits from lo to hi */
    PARAM_CHOICE, /* one of `choices` (separated by |) */
    PARAM_TEXT,   /* lo to hi characters of UTF-8 */
    PARAM_TIME,   /* as clock_parse takes it; the value is milliseconds since the epoch in digits */
    PARAM_LIST, /* up to PARAMS_MAX_ITEMS, separated by commas, each of lo to hi characters, or one
                   of `choices` */
};

struct param_spec {
    const char *name;
    enum param_kind kind;
    const char *fallback; /* value when absent or empty; may be NULL */
    int64_t lo, hi;
    const char *choices;
    const char *alias;    /* a second name; giving both is giving it twice */
    const char *not_with; /* the name of a parameter that cannot be given beside this one */
    bool required;
};

enum { PARAMS_MAX = 32, PARAMS_MAX_ITEMS = 50 };

/* What every list takes; includeCount is for callers that save a count: here it costs nothing. */
#define PARAMS_LIMIT                                                                               \
    {                                                                                              \
        "limit", PARAM_NUMBER, "20", 1, 100, NULL                                                  \
    }
#define PARAMS_OFFSET                                                                              \
    {                                                                                              \
        "offset", PARAM_NUMBER, "0", 0, TEXT_MAX_NUMBER, NULL                                      \
    }
#define PARAMS_INCLUDE_COUNT                                                                       \
    {                                                                                              \
        "includeCount", PARAM_CHOICE, .choices = "true|false"                                      \
    }

/*
 * Fills `values[i]` (arena memory) for each of `count` specs. false: the response is a 400 that
 * names every field at fault, or a 500 when memory is short.
 */
bool params_read(const struct request *req, struct response *res, const struct param_spec *specs,
                 size_t count, const char **values);

/* %-decodes `len` bytes of `s` ('+' becomes a space if `form`); NULL when memory is short. */
char *params_decode(struct arena *arena, const char *s, size_t len, bool form);

#endif
