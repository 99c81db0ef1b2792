/*
 * JSON bodies: a table per body says what its fields are; one call checks the whole body and
 * collects every mistake, as params.h does for queries.
 *
 *     enum { EMAIL, PASSWORD, NAME, FIELDS };
 *     static const struct body_spec specs[FIELDS] = {
 *         [EMAIL] = {"email", BODY_EMAIL, .required = true},
 *         [PASSWORD] = {"password", BODY_TEXT, .required = true, .lo = 8, .hi = 128,
 *                       .not_blank = true},
 *         [NAME] = {"name", BODY_TEXT, .nullable = true, .hi = 120},
 *     };
 *     struct body_value values[FIELDS];
 *     if (!body_read(req, res, specs, FIELDS, values))
 *         return;
 */
#ifndef FRONTDESK_HTTP_BODY_H
#define FRONTDESK_HTTP_BODY_H

#include "http/request.h"
#include "http/response.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum body_kind {
    BODY_TEXT,   /* lo to hi characters; with `not_blank` not only white space */
    BODY_EMAIL,  /* an address of at most 254 ASCII characters; becomes lower case */
    BODY_CHOICE, /* one of `choices` (separated by |), exactly */
    BODY_BOOL,   /* true or false */
    BODY_NUMBER, /* a whole number from lo to hi, without sign, point or exponent */
    BODY_TIME,   /* text as clock_parse takes it, or a number: milliseconds since the epoch */
    BODY_UUID,   /* becomes lower case */
    BODY_TEXTS, /* a list of at most `max_items` texts, each lo to hi characters, no two the same */
};

struct body_spec {
    const char *name;
    enum body_kind kind;
    bool required;
    bool nullable; /* null may be said */
    bool not_blank;
    int64_t lo, hi;
    size_t max_items;
    const char *choices;
};

/* What one field said; arena memory. All zero when it was not given. */
struct body_value {
    bool given; /* the body has it, if only as null */
    /*
     * The value as text, fit for a database parameter: "true", digits, a time in ISO 8601, a list
     * as JSON. NULL when it is null or was not given.
     */
    const char *text;
    int64_t number; /* BODY_NUMBER; BODY_BOOL: 1 or 0; BODY_TIME: milliseconds since the epoch */
    const char *const *items; /* BODY_TEXTS: `count` of them */
    size_t count;
};

enum { BODY_MAX_ITEMS = 1000 };

/*
 * Fills `values[i]` for each of `count` specs from the body of `req`; no body at all is an empty
 * object, and a query is refused. false: the response is a 400 that says what is no JSON or names
 * every field at fault, or a 500 when memory is short.
 */
bool body_read(const struct request *req, struct response *res, const struct body_spec *specs,
               size_t count, struct body_value *values);

#endif
