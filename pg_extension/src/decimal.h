/*
 * Quotients and decimal fractions in integers, so that what is said to be exact is. One rule rounds
 * everything: half up.
 */
#ifndef FRONTDESK_DECIMAL_H
#define FRONTDESK_DECIMAL_H

#include "lib/stringinfo.h"

/* part * scale / whole, rounded half up; 0 when `whole` is 0. None is negative. */
extern int64 decimal_quotient(int64 part, int64 scale, int64 whole);

/* Appends value / 10^decimals without zeros at its end: 170035 with 4 is 17.0035, 50000 is 5. */
extern void decimal_append(StringInfo out, int64 value, int decimals);

/* The same as a numeric. */
extern Datum decimal_numeric(int64 value, int decimals);

#endif
