/* Times as callers write them: what is understood, to the millisecond, and what is refused. */
#include "base/clock.h"

#include "unit.h"

#include <stdio.h>
#include <time.h>

static void understands_iso_dates_and_milliseconds(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } cases[] = {
        {"0", 0},
        {"1704067200123", INT64_C(1704067200123)},
        {"2024-01-01", INT64_C(1704067200000)},
        {"2024-01-01T00:00:00Z", INT64_C(1704067200000)},
        {"2024-01-01T00:00Z", INT64_C(1704067200000)},
        {"2024-01-01T00:00:00.1Z", INT64_C(1704067200100)},
        {"2024-01-01T00:00:00.123999999Z", INT64_C(1704067200123)},
        {"2024-01-01 05:30:00+05:30", INT64_C(1704067200000)},
        {"2024-01-01T05:30:00 0530", INT64_C(1704067200000)},
        {"2023-12-31T19:00:00-05:00", INT64_C(1704067200000)},
        {"2024-02-29", INT64_C(1709164800000)},
        {"1969-12-31T23:59:59.999Z", -1},
        {"0001-01-01", INT64_C(-62135596800000)},
        {"9999-12-31T23:59:59.999Z", INT64_C(253402300799999)},
        {"253402300799999", INT64_C(253402300799999)},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t ms = 0;
        if (!clock_parse(cases[i].text, &ms))
            fail_msg("%s is refused", cases[i].text);
        assert_int_equal(ms, cases[i].ms);
    }
}

static void refuses_what_is_no_moment(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        " ",
        "-1",
        "+1",
        "1e3",
        "1.5",
        "0x10",
        "1234567890123456",
        "now",
        "2024-01",
        "2024-1-1",
        "2024-02-30",
        "2023-02-29",
        "2024-13-01",
        "2024-00-10",
        "2024-01-00",
        "2024-01-01T",
        "2024-01-01T00:00:00",
        "2024-01-01T24:00:00Z",
        "2024-01-01T00:60:00Z",
        "2024-01-01T00:00:60Z",
        "2024-01-01T00:00:00.Z",
        "2024-01-01T00:00:00.1234567890Z",
        "2024-01-01T00:00:00Zx",
        "2024-01-01T00:00:00+5",
        "2024-01-01T00:00:00+24:00",
        "2024-01-01T00:00:00+05:60",
        "2024-01-01T0:00Z",
        "2024-01-01Z",
        "01/02/2024",
        "2024-01-01T00:00:00UTC",
        "24-01-01",
        "0000-12-31",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59.999-00:01",
        "253402300800000",
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t ms = 0;
        if (clock_parse(cases[i], &ms))
            fail_msg("%s is taken", cases[i]);
    }
}

static void writes_what_it_reads(void **state)
{
    (void)state;
    static const int64_t cases[] = {0, 1, 999, 1000, -1, -1000, -1001, INT64_C(1704067200123)};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char iso[CLOCK_ISO_SIZE];
        int64_t ms = 0;
        clock_iso(cases[i], iso);
        assert_true(clock_parse(iso, &ms));
        assert_int_equal(ms, cases[i]);
    }
}

/* Every day of four centuries and more, and then leaps to the ends of what a caller may name. */
static void writes_what_libc_would(void **state)
{
    (void)state;
    const int64_t day_ms = 86400000, year_ms = 366 * day_ms;
    const int64_t first = -800 * year_ms, last = INT64_C(999999999999999);
    for (int64_t ms = first; ms <= last; ms += ms < 500 * year_ms ? day_ms - 1 : 977 * day_ms) {
        char iso[CLOCK_ISO_SIZE], date[24], expected[CLOCK_ISO_SIZE];
        int64_t part = (ms % 1000 + 1000) % 1000;
        time_t seconds = (time_t)((ms - part) / 1000);
        struct tm tm;
        assert_non_null(gmtime_r(&seconds, &tm));
        assert_true(strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &tm) > 0);
        (void)snprintf(expected, sizeof expected, "%s.%03dZ", date, (int)part);
        clock_iso(ms, iso);
        assert_string_equal(iso, expected);
    }
    char iso[CLOCK_ISO_SIZE];
    clock_iso(INT64_C(-62198755200000), iso);
    assert_string_equal(iso, "-0001-01-01T00:00:00.000Z");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(understands_iso_dates_and_milliseconds),
        cmocka_unit_test(refuses_what_is_no_moment),
        cmocka_unit_test(writes_what_it_reads),
        cmocka_unit_test(writes_what_libc_would),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
