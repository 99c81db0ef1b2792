/*
 * Hours, days, weeks and months of a time zone, as ranges of ms since epoch.
 *
 * A day begins at the first moment of its date, whatever the clocks do then; it may be 23, 23.5, 25
 * or other hours long, and one that a zone skipped is not there. Weeks begin on Mondays, months on
 * their first day. An hour begins when the clock says :00, and also when the clocks change: of an
 * hour that is lived twice there are two, and an hour never holds times of two offsets.
 *
 * Times outside of EPOCH_MIN_MS and EPOCH_MAX_MS are taken for these.
 */
#ifndef FRONTDESK_CALENDAR_H
#define FRONTDESK_CALENDAR_H

#include "c.h"
#include "pgtime.h"

enum calendar_unit { CALENDAR_HOUR, CALENDAR_DAY, CALENDAR_WEEK, CALENDAR_MONTH, CALENDAR_UNITS };

struct calendar {
    const pg_tz *zone;
    enum calendar_unit unit;
};

/*
 * The unit of that name (hour, day, week or month) in the zone of that name (any that PostgreSQL
 * knows). Raises 22023 for either, naming its parameter: bucket or tz.
 */
extern struct calendar calendar_of(const char *unit, const char *zone);

/* Where the range ends that the time is in, and the next one begins. Always after `ms`. */
extern int64 calendar_next(const struct calendar *calendar, int64 ms);

/* Where the range begins that the time is in. */
extern int64 calendar_start(const struct calendar *calendar, int64 ms);

/* The date, in the calendar's zone, of a time. */
extern void calendar_date(const struct calendar *calendar, int64 ms, int *year, int *month,
                          int *day);

#endif
