/* Checks of a value as text that do not care where it came from: a query, a body, a command line. */
#ifndef FRONTDESK_BASE_TEXT_H
#define FRONTDESK_BASE_TEXT_H

#include <stdbool.h>
#include <stdint.h>

/* The largest number that text_number takes: any 18 digits. Sums of a few of them are no overflow. */
#define TEXT_MAX_NUMBER INT64_C(999999999999999999)

/* Is `value` one of `choices`, which are separated by |? */
bool text_is_choice(const char *choices, const char *value);

/* Plain digits, 18 at most, from `lo` to `hi`? Fills `out` when they are. */
bool text_number(const char *digits, int64_t lo, int64_t hi, int64_t *out);

/* Is `s` valid UTF-8 throughout? */
bool text_is_utf8(const char *s);

/* Is `s` valid UTF-8 of `lo` to `hi` characters (code points)? */
bool text_fits(const char *s, int64_t lo, int64_t hi);

/* Only white space, also as Unicode has it where people meet it: no-break and wide spaces? */
bool text_is_blank(const char *s);

/*
 * Is `s` an e-mail address: good enough to write to, and nothing that could be read in two ways:
 * local part and domain of RFC 5321 in ASCII, without quotes and comments.
 */
bool text_is_email(const char *s);

/* Is `s` a UUID, in any case? */
bool text_is_uuid(const char *s);

#endif
