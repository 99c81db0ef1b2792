/*
 * What the validation of queries and of bodies shares: a list of mistakes that is answered as a
 * whole. The checks themselves are base/text.h.
 */
#ifndef FRONTDESK_HTTP_FIELDS_H
#define FRONTDESK_HTTP_FIELDS_H

#include "http/response.h"

#include <stddef.h>

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

/* What is said of a time that clock_parse does not take. */
extern const char fields_bad_time[];

#endif
