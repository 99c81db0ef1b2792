/*
 * Months by the count of days in the proleptic Gregorian calendar, in years that begin in March, so
 * that the leap day is the last: 400 years have 146097 days, and the months of such a year begin
 * after (153 m + 2) / 5 of its days.
 */
#include "bucket.h"

enum { DAYS_OF_ERA = 146097, EPOCH_DAY = 719468 /* from 0000-03-01 to 1970-01-01 */ };

static const int64_t hour_ms = 3600000;
static const int64_t day_ms = 86400000;

static int64_t floor_divide(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static int64_t times(int64_t count, int64_t unit)
{
    int64_t product;
    if (__builtin_mul_overflow(count, unit, &product))
        return count < 0 ? INT64_MIN : INT64_MAX;
    return product;
}

/* Months since March of the year 0 of the day, counted from 1970-01-01. */
static int64_t month_of_day(int64_t day)
{
    int64_t since = day + EPOCH_DAY;
    int64_t era = floor_divide(since, DAYS_OF_ERA);
    int64_t day_of_era = since - era * DAYS_OF_ERA;
    int64_t year =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / (DAYS_OF_ERA - 1)) /
        365;
    int64_t day_of_year = day_of_era - (365 * year + year / 4 - year / 100);
    return (era * 400 + year) * 12 + (5 * day_of_year + 2) / 153;
}

/* The first day of the month, counted as above. */
static int64_t day_of_month(int64_t month)
{
    int64_t years = floor_divide(month, 12);
    int64_t era = floor_divide(years, 400);
    int64_t year = years - era * 400;
    int64_t day_of_year = (153 * (month - years * 12) + 2) / 5;
    return era * DAYS_OF_ERA + year * 365 + year / 4 - year / 100 + day_of_year - EPOCH_DAY;
}

/* The start of the bucket `further` buckets after that of `at`. */
static int64_t start_of(enum bucket_grain grain, int64_t at, int64_t further)
{
    if (grain == BUCKET_HOUR)
        return times(floor_divide(at, hour_ms) + further, hour_ms);
    int64_t day = floor_divide(at, day_ms);
    if (grain == BUCKET_MONTH)
        return times(day_of_month(month_of_day(day) + further), day_ms);
    return times(day + further, day_ms);
}

int64_t bucket_start(enum bucket_grain grain, int64_t at)
{
    return start_of(grain, at, 0);
}

int64_t bucket_end(enum bucket_grain grain, int64_t at)
{
    return start_of(grain, at, 1);
}
