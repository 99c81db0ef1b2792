/* Time: the wall clock for what people and Retell see, the monotonic one for every deadline. */
#ifndef FRONTDESK_BASE_CLOCK_H
#define FRONTDESK_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* Milliseconds since the epoch (UTC). */
int64_t clock_wall_ms(void);

/* Milliseconds that never jump; compare only with each other. */
int64_t clock_mono_ms(void);

/* The same clock in microseconds, for what is measured. */
int64_t clock_mono_us(void);

/* The absolute CLOCK_MONOTONIC time of `mono_ms`, for pthread_cond_timedwait. */
struct timespec clock_mono_timespec(int64_t mono_ms);

enum { CLOCK_ISO_SIZE = 32 };

/* `wall_ms` as ISO 8601 UTC with milliseconds ("2024-01-01T00:00:00.000Z") into `out`. */
void clock_iso(int64_t wall_ms, char out[CLOCK_ISO_SIZE]);

/*
 * The moment that a caller names: ISO 8601 with a zone ("2024-01-01T09:30Z", seconds and up to nine
 * decimals of them as you like, "+05:30" or "+0530" for Z), a date (midnight UTC), or milliseconds
 * since the epoch in plain digits. A space may stand for the T, and for the plus, which is what
 * becomes of a plus in a query. False when it is none of these, no day of the calendar, or outside
 * of the years 1 to 9999.
 */
bool clock_parse(const char *text, int64_t *wall_ms);

#endif
