/*
 * Hours, days and months of UTC, in ms since epoch. Integers only, and right for every 64-bit
 * number, as nothing else would do for a time that somebody else says. Pure C.
 */
#ifndef FRONTDESK_BUCKET_H
#define FRONTDESK_BUCKET_H

#include <stdint.h>

enum bucket_grain { BUCKET_HOUR = 'h', BUCKET_DAY = 'd', BUCKET_MONTH = 'm' };

/*
 * The first ms of the bucket that `at` falls into, and the first ms after that bucket. At the ends
 * of 64 bits, where those do not fit, INT64_MIN and INT64_MAX.
 */
int64_t bucket_start(enum bucket_grain grain, int64_t at);
int64_t bucket_end(enum bucket_grain grain, int64_t at);

#endif
