/*
 * What the validation of queries and of bodies shares: a list of mistakes that is answered as a
 * whole, and the checks that do not care where a value came from.
 */
#ifndef FRONTDESK_HTTP_FIELDS_H
#define FRONTDESK_HTTP_FIELDS_H

#include "http/response.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FIELDS_MAX_ERRORS = 48 };

/* Every mistake found so far; those beyond FIELDS_MAX_ERRORS are not told. */
struct field_errors {
    struct field_error items[FIELDS_MAX_ERRORS];
    size_t count;
};

/*
 * Notes that `field` is wrong. Both texts must live as long as the request; for one that is NULL,
 * because memory was short, something general is said.
 */
void fields_add(struct field_errors *errors, const char *field, const char *message);

/* Is `value` one of `choices`, which are separated by |? */
bool fields_is_choice(const char *choices, const char *value);

/* Plain digits from `lo` to `hi`? Fills `out` when they are. */
bool fields_number(const char *digits, int64_t lo, int64_t hi, int64_t *out);

/* What is said of a time that clock_parse does not take. */
extern const char fields_bad_time[];

/* Is `s` valid UTF-8 throughout? */
bool fields_is_utf8(const char *s);

/* Is `s` valid UTF-8 of `lo` to `hi` characters (code points)? */
bool fields_is_text(const char *s, int64_t lo, int64_t hi);

/*
 * Is `s` an e-mail address: good enough to write to, and nothing that could be read in two ways: local part and domain of
 * RFC 5321 in ASCII, without quotes and comments.
 */
bool fields_is_email(const char *s);

/* Is `s` a UUID, in any case? */
bool fields_is_uuid(const char *s);

#endif
