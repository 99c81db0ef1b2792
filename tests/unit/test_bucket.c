/* Hours, days and months of UTC, against the C library's calendar and at the ends of 64 bits. */
#include "bucket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

static const enum bucket_grain grains[] = {BUCKET_HOUR, BUCKET_DAY, BUCKET_MONTH};

static int64_t first_of_month(int year, int month)
{
    struct tm tm = {.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = 1};
    return (int64_t)timegm(&tm) * 1000;
}

static void months_are_those_of_the_calendar(void **state)
{
    (void)state;
    for (int year = -400; year < 4800; year++)
        for (int month = 1; month <= 12; month++) {
            int64_t start = first_of_month(year, month), end = first_of_month(year, month + 1);
            assert_true(bucket_start(BUCKET_MONTH, start) == start);
            assert_true(bucket_start(BUCKET_MONTH, end - 1) == start);
            assert_true(bucket_end(BUCKET_MONTH, start) == end);
            assert_true(bucket_end(BUCKET_MONTH, end - 1) == end);
        }
}

static void hours_and_days_begin_at_or_before_their_times(void **state)
{
    (void)state;
    assert_true(bucket_start(BUCKET_DAY, 1709210096789) == 1709164800000);
    assert_true(bucket_end(BUCKET_DAY, 1709210096789) == 1709251200000);
    assert_true(bucket_start(BUCKET_HOUR, 1709210096789) == 1709208000000);
    assert_true(bucket_start(BUCKET_HOUR, -1) == -3600000 && bucket_end(BUCKET_HOUR, -1) == 0);
    assert_true(bucket_start(BUCKET_DAY, -1) == -86400000 && bucket_end(BUCKET_DAY, -1) == 0);
    assert_true(bucket_start(BUCKET_DAY, 0) == 0 && bucket_start(BUCKET_HOUR, 0) == 0);
}

static void buckets_hold_their_times_to_the_ends_of_64_bits(void **state)
{
    (void)state;
    uint64_t seed = 5;
    for (int i = 0; i < 300000; i++) {
        seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        int64_t at = i == 0 ? INT64_MIN : i == 1 ? INT64_MAX : (int64_t)seed >> (i % 60);
        for (size_t g = 0; g < 3; g++) {
            int64_t start = bucket_start(grains[g], at), end = bucket_end(grains[g], at);
            assert_true(start <= at && (at < end || end == INT64_MAX));
            assert_true(bucket_start(grains[g], start) == start);
            if (end != INT64_MAX)
                assert_true(bucket_start(grains[g], end) == end &&
                            bucket_start(grains[g], end - 1) == start);
        }
    }
    assert_true(bucket_start(BUCKET_MONTH, INT64_MIN) == INT64_MIN);
    assert_true(bucket_end(BUCKET_MONTH, INT64_MAX) == INT64_MAX);
}

static void finer_buckets_lie_within_coarser_ones(void **state)
{
    (void)state;
    uint64_t seed = 9;
    for (int i = 0; i < 100000; i++) {
        seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        int64_t at = (int64_t)(seed >> 22);
        for (size_t g = 1; g < 3; g++) {
            assert_true(bucket_start(grains[g], at) <= bucket_start(grains[g - 1], at));
            assert_true(bucket_end(grains[g], at) >= bucket_end(grains[g - 1], at));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(months_are_those_of_the_calendar),
        cmocka_unit_test(hours_and_days_begin_at_or_before_their_times),
        cmocka_unit_test(buckets_hold_their_times_to_the_ends_of_64_bits),
        cmocka_unit_test(finer_buckets_lie_within_coarser_ones),
    };
    return cmocka_run_group_tests_name("bucket", tests, NULL, NULL);
}
