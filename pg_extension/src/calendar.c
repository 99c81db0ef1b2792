/*
 * Everything is found by one step, calendar_next(): from the local date of a time follows the local
 * date and time at which the next range begins, and from the offset that holds until the clocks
 * change next, when that is. Only if it is not reached before they change does one look beyond.
 *
 * PostgreSQL's date_trunc() with a zone is nearly this; but of a midnight that is lived twice it
 * takes the second, and of hours in a zone that shifts by half of one it makes ranges that overlap.
 */
#include "postgres.h"

#include "utils/datetime.h"
#include "utils/timestamp.h"

#include "calendar.h"
#include "epoch.h"

/* More than the longest range, in hours: from so far back the start of one is looked for. */
static const struct {
    const char *name;
    int longest;
} units[CALENDAR_UNITS] = {
    [CALENDAR_HOUR] = {"hour", 3},
    [CALENDAR_DAY] = {"day", 3 * HOURS_PER_DAY},
    [CALENDAR_WEEK] = {"week", 9 * HOURS_PER_DAY},
    [CALENDAR_MONTH] = {"month", 33 * HOURS_PER_DAY},
};

/*
 * Is it a name, and not a zone that is made up on the spot, such as ABC-1:30? PostgreSQL remembers
 * every zone that it has seen, 25 kB each, for as long as the session lives: so there must be an
 * end to them. Those made up have an offset, and hence a digit; of names few have one.
 */
static bool is_name(const char *zone)
{
    static const char *const with_digits[] = {"CST6CDT", "EST5EDT", "MST7MDT", "PST8PDT"};

    if (strpbrk(zone, "0123456789") == NULL)
        return true;
    for (int i = 0; i < (int)lengthof(with_digits); i++)
        if (pg_strcasecmp(zone, with_digits[i]) == 0)
            return true;
    if (pg_strncasecmp(zone, "Etc/", 4) == 0)
        zone += 4;
    if (pg_strncasecmp(zone, "GMT", 3) != 0)
        return false;
    zone += 3;
    zone += *zone == '+' || *zone == '-';
    return strspn(zone, "0123456789") == strlen(zone) && strlen(zone) <= 2;
}

struct calendar calendar_of(const char *unit, const char *zone)
{
    struct calendar calendar = {.zone = is_name(zone) ? pg_tzset(zone) : NULL,
                                .unit = CALENDAR_UNITS};

    for (int i = 0; i < CALENDAR_UNITS; i++)
        if (strcmp(unit, units[i].name) == 0)
            calendar.unit = i;
    if (calendar.unit == CALENDAR_UNITS)
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("unknown bucket \"%s\"", unit),
                 errhint("Use hour, day, week or month."),
                 err_generic_string(PG_DIAG_COLUMN_NAME, "bucket")));
    if (calendar.zone == NULL || !pg_tz_acceptable(unconstify(pg_tz *, calendar.zone)))
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("unknown time zone \"%s\"", zone),
                 errhint("Use a name such as UTC or Europe/Berlin."),
                 err_generic_string(PG_DIAG_COLUMN_NAME, "tz")));
    return calendar;
}

static int64 seconds_of(int64 ms)
{
    ms = Min(Max(ms, EPOCH_MIN_MS), EPOCH_MAX_MS);
    return ms / 1000 - (ms % 1000 < 0);
}

/* Seconds since epoch, by the local clock, when the range after the one of `local` begins. */
static int64 next_local(enum calendar_unit unit, int64 local)
{
    int64 day = local / SECS_PER_DAY - (local % SECS_PER_DAY < 0);
    int year, month, mday;

    switch (unit) {
    case CALENDAR_HOUR:
        return (local / SECS_PER_HOUR - (local % SECS_PER_HOUR < 0) + 1) * SECS_PER_HOUR;
    case CALENDAR_DAY:
        return (day + 1) * SECS_PER_DAY;
    case CALENDAR_WEEK: {
        int64 since_monday = ((day + 3) % 7 + 7) % 7; /* the epoch was a Thursday */
        return (day - since_monday + 7) * SECS_PER_DAY;
    }
    case CALENDAR_MONTH:
    case CALENDAR_UNITS:
        break;
    }
    j2date((int)(day + UNIX_EPOCH_JDATE), &year, &month, &mday);
    return ((int64)date2j(month == 12 ? year + 1 : year, month % 12 + 1, 1) - UNIX_EPOCH_JDATE) *
           SECS_PER_DAY;
}

static int64 next_in_seconds(const struct calendar *calendar, int64 at)
{
    int64 target = 0;

    for (bool first = true;; first = false) {
        long int before, after = 0;
        int before_dst, after_dst;
        pg_time_t change = 0;
        int found = pg_next_dst_boundary(&at, &before, &before_dst, &change, &after, &after_dst,
                                         calendar->zone);
        if (first)
            target = next_local(calendar->unit, at + before);
        if (found <= 0 || target - before < change)
            return target - before;
        /* An hour ends with its offset; other ranges when the clock is at or beyond the target. */
        if ((calendar->unit == CALENDAR_HOUR && after != before) || change + after >= target)
            return change;
        at = change;
    }
}

int64 calendar_next(const struct calendar *calendar, int64 ms)
{
    return next_in_seconds(calendar, seconds_of(ms)) * 1000;
}

int64 calendar_start(const struct calendar *calendar, int64 ms)
{
    int64 at = seconds_of(ms), start = at - (int64)units[calendar->unit].longest * SECS_PER_HOUR;

    for (int64 next = start; next <= at; next = next_in_seconds(calendar, next))
        start = next;
    return start * 1000;
}

static int64 offset_at(const struct calendar *calendar, int64 at)
{
    long int before, after;
    int before_dst, after_dst;
    pg_time_t change;

    if (pg_next_dst_boundary(&at, &before, &before_dst, &change, &after, &after_dst,
                             calendar->zone) < 0)
        elog(ERROR, "a time zone has no offset");
    return before;
}

void calendar_date(const struct calendar *calendar, int64 ms, int *year, int *month, int *day)
{
    int64 local = seconds_of(ms);

    local += offset_at(calendar, local);
    j2date((int)(local / SECS_PER_DAY - (local % SECS_PER_DAY < 0) + UNIX_EPOCH_JDATE), year, month,
           day);
}
