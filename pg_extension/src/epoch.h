/* Times as calls have them, ms since 1970, and as PostgreSQL has them. */
#ifndef FRONTDESK_EPOCH_H
#define FRONTDESK_EPOCH_H

#include "datatype/timestamp.h"

/*
 * Rounded up, so that a call is before a time, or not before it, as the time itself would say;
 * infinite times are the ends of 64 bits.
 */
extern int64 epoch_ms_of_time(TimestampTz time);

/* What lies outside of the years 1 to 275760 is brought back to their ends. */
extern TimestampTz epoch_time_of_ms(int64 ms);

#define EPOCH_MIN_MS INT64CONST(-62135596800000)
#define EPOCH_MAX_MS INT64CONST(8640000000000000)

#endif
