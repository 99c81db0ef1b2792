/* The cells of the histogram: every one of them, both ways, and what lies at their edges. */
#include "histogram.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void every_cell_holds_its_own_edges_and_middle(void **state)
{
    (void)state;
    for (uint32_t cell = 0; cell < HISTOGRAM_CELLS; cell++) {
        assert_int_equal(histogram_cell(histogram_low(cell)), cell);
        assert_int_equal(histogram_cell(histogram_high(cell)), cell);
        assert_int_equal(histogram_cell(histogram_middle(cell)), cell);
    }
}

static void cells_follow_each_other_without_gap_or_overlap(void **state)
{
    (void)state;
    assert_int_equal(histogram_low(0), 0);
    for (uint32_t cell = 1; cell < HISTOGRAM_CELLS; cell++) {
        assert_true(histogram_low(cell) == histogram_high(cell - 1) + 1);
        assert_int_equal(histogram_cell(histogram_low(cell) - 1), cell - 1);
    }
    assert_true(histogram_high(HISTOGRAM_CELLS - 1) == INT64_MAX);
    assert_int_equal(histogram_cell(INT64_MAX), HISTOGRAM_CELLS - 1);
}

static void small_values_are_exact(void **state)
{
    (void)state;
    for (int64_t value = 0; value < 128; value++) {
        assert_int_equal(histogram_cell(value), value);
        assert_int_equal(histogram_middle((uint32_t)value), value);
    }
    assert_true(histogram_low(128) == 128 && histogram_high(128) == 129);
}

static void the_middle_is_within_eight_thousandths_of_every_value(void **state)
{
    (void)state;
    for (uint32_t cell = 1; cell < HISTOGRAM_CELLS; cell++) {
        double low = (double)histogram_low(cell);
        double middle = (double)histogram_middle(cell);
        double high = (double)histogram_high(cell);
        assert_true((middle - low) / low <= 0.0079);
        assert_true((high - middle) / high <= 0.0079);
    }
}

static void edges_are_where_they_were_when_the_first_value_was_stored(void **state)
{
    (void)state;
    static const struct {
        int64_t value;
        uint32_t cell;
    } golden[] = {{127, 127},
                  {128, 128},
                  {255, 191},
                  {256, 192},
                  {60000, 693},
                  {3600000, 1069},
                  {86400000, 1362},
                  {INT64_C(1) << 32, 1728},
                  {INT64_C(1) << 62, 3648}};
    for (size_t i = 0; i < sizeof golden / sizeof *golden; i++)
        assert_int_equal(histogram_cell(golden[i].value), golden[i].cell);
}

static void cells_rise_with_values(void **state)
{
    (void)state;
    uint64_t seed = 1;
    for (int i = 0; i < 1000000; i++) {
        seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        int64_t value = (int64_t)(seed >> 1 >> (i % 63));
        uint32_t cell = histogram_cell(value);
        assert_true(histogram_low(cell) <= value && value <= histogram_high(cell));
        if (value > 0)
            assert_true(histogram_cell(value - 1) <= cell);
    }
}

static void what_is_outside_lands_at_the_ends(void **state)
{
    (void)state;
    assert_int_equal(histogram_cell(-1), 0);
    assert_int_equal(histogram_cell(INT64_MIN), 0);
    assert_true(histogram_low(UINT32_MAX) == histogram_low(HISTOGRAM_CELLS - 1));
    assert_true(histogram_high(UINT32_MAX) == INT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cell_holds_its_own_edges_and_middle),
        cmocka_unit_test(cells_follow_each_other_without_gap_or_overlap),
        cmocka_unit_test(small_values_are_exact),
        cmocka_unit_test(the_middle_is_within_eight_thousandths_of_every_value),
        cmocka_unit_test(edges_are_where_they_were_when_the_first_value_was_stored),
        cmocka_unit_test(cells_rise_with_values),
        cmocka_unit_test(what_is_outside_lands_at_the_ends),
    };
    return cmocka_run_group_tests_name("histogram", tests, NULL, NULL);
}
