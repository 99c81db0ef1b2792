#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

static int64_t read_ms(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t clock_wall_ms(void)
{
    return read_ms(CLOCK_REALTIME);
}

int64_t clock_mono_ms(void)
{
    return read_ms(CLOCK_MONOTONIC);
}

int64_t clock_mono_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

struct timespec clock_mono_timespec(int64_t mono_ms)
{
    return (struct timespec){.tv_sec = mono_ms / 1000, .tv_nsec = mono_ms % 1000 * 1000000};
}

/* Writes `value` with at least `digits` digits, then `after`; returns where that ends. */
static char *put(char *at, int64_t value, int digits, char after)
{
    for (int64_t rest = value; digits < 12 && rest >= 10000; rest /= 10)
        digits++;
    for (int i = digits - 1; i >= 0; i--, value /= 10)
        at[i] = (char)('0' + value % 10);
    at[digits] = after;
    return at + digits + 1;
}

/*
 * By hand, because every line of the log has one: libc's gmtime takes a lock that all threads share.
 * Years are counted from March, so that the leap day is the last; 146097 days are 400 of them.
 */
void clock_iso(int64_t wall_ms, char out[CLOCK_ISO_SIZE])
{
    const int64_t day_ms = 86400000;
    int64_t ms = (wall_ms % day_ms + day_ms) % day_ms;
    int64_t days = (wall_ms - ms) / day_ms + 719468; /* since 0000-03-01 */
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t day = days - era * 146097; /* of the era */
    int64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    int64_t day_of_year = day - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * day_of_year + 2) / 153; /* 0: March */
    int64_t day_of_month = day_of_year - (153 * month + 2) / 5 + 1;
    char *at = out;

    month = month < 10 ? month + 3 : month - 9;
    year += era * 400 + (month <= 2);
    if (year < 0) {
        *at++ = '-';
        year = -year;
    }
    at = put(at, year, 4, '-');
    at = put(at, month, 2, '-');
    at = put(at, day_of_month, 2, 'T');
    at = put(at, ms / 3600000, 2, ':');
    at = put(at, ms / 60000 % 60, 2, ':');
    at = put(at, ms / 1000 % 60, 2, '.');
    at = put(at, ms % 1000, 3, 'Z');
    *at = '\0';
}

/* Takes exactly `count` digits and moves on; false when they are not there. */
static bool take_digits(const char **at, int count, int *out)
{
    int value = 0;
    for (int i = 0; i < count; i++) {
        char c = (*at)[i];
        if (c < '0' || c > '9')
            return false;
        value = value * 10 + (c - '0');
    }
    *at += count;
    *out = value;
    return true;
}

static bool take_char(const char **at, const char *any_of)
{
    if (!**at || !strchr(any_of, **at))
        return false;
    (*at)++;
    return true;
}

/* "YYYY-MM-DD"; the calendar is asked by whoever adds it all up. */
static bool take_date(const char **at, struct tm *tm)
{
    if (!take_digits(at, 4, &tm->tm_year) || !take_char(at, "-") ||
        !take_digits(at, 2, &tm->tm_mon) || !take_char(at, "-") ||
        !take_digits(at, 2, &tm->tm_mday))
        return false;
    tm->tm_year -= 1900;
    tm->tm_mon -= 1;
    return true;
}

/* "HH:MM[:SS[.fraction]]"; what is finer than a millisecond is cut off. */
static bool take_clock(const char **at, struct tm *tm, int *ms)
{
    if (!take_digits(at, 2, &tm->tm_hour) || !take_char(at, ":") ||
        !take_digits(at, 2, &tm->tm_min))
        return false;
    if (tm->tm_hour > 23 || tm->tm_min > 59)
        return false;
    if (!take_char(at, ":"))
        return true;
    if (!take_digits(at, 2, &tm->tm_sec) || tm->tm_sec > 59)
        return false;
    if (!take_char(at, ".,"))
        return true;
    int digit = 0;
    int count = 0;
    for (int scale = 100; count < 9 && take_digits(at, 1, &digit); count++, scale /= 10)
        *ms += digit * scale;
    return count > 0;
}

/* "Z", "+HH:MM" or "+HHMM": minutes east of Greenwich. */
static bool take_zone(const char **at, int *minutes)
{
    int hours = 0;
    *minutes = 0;
    if (take_char(at, "Zz"))
        return true;
    int sign = **at == '-' ? -1 : 1;
    if (!take_char(at, "+- ") || !take_digits(at, 2, &hours))
        return false;
    (void)take_char(at, ":");
    if (!take_digits(at, 2, minutes) || hours > 23 || *minutes > 59)
        return false;
    *minutes = sign * (hours * 60 + *minutes);
    return true;
}

/* In the years 1 to 9999: ISO 8601 has four digits for a year, and the database no year 0. */
static bool can_be_written(int64_t wall_ms)
{
    return wall_ms >= INT64_C(-62135596800000) && wall_ms <= INT64_C(253402300799999);
}

bool clock_parse(const char *text, int64_t *wall_ms)
{
    struct tm tm = {0};
    int ms = 0;
    int zone = 0;
    size_t len = strlen(text);

    if (len && len <= 15 && strspn(text, "0123456789") == len) {
        *wall_ms = strtoll(text, NULL, 10);
        return can_be_written(*wall_ms);
    }
    if (!take_date(&text, &tm))
        return false;
    if (*text && (!take_char(&text, "Tt ") || !take_clock(&text, &tm, &ms) ||
                  !take_zone(&text, &zone) || *text))
        return false;
    const struct tm meant = tm;
    time_t seconds = timegm(&tm);
    if (tm.tm_mday != meant.tm_mday || tm.tm_mon != meant.tm_mon)
        return false; /* timegm moved it to a day that there is */
    *wall_ms = ((int64_t)seconds - (int64_t)zone * 60) * 1000 + ms;
    return can_be_written(*wall_ms);
}
