/* The deadline of bodies, against poll(2) as civetweb waits in it, with many readers at once. */
#include "http/body_clock.h"

#include "base/clock.h"

#include "unit.h"

#include <poll.h>
#include <unistd.h>

enum { LIMIT_MS = 100, READERS = 32, HANG_MS = 30000 };

static struct body_clock *started(void)
{
    struct body_clock *body_clock = NULL;
    assert_int_equal(body_clock_start(LIMIT_MS, &body_clock), ERR_OK);
    return body_clock;
}

/* Waits for a body that never comes until it is late; says whether it was told so. */
static bool wait_for_nothing(struct body_clock *body_clock)
{
    struct body_read reading;
    int64_t give_up = clock_mono_ms() + HANG_MS;
    body_clock_begin(body_clock, &reading);
    while (!body_clock_expired(&reading) && clock_mono_ms() < give_up)
        (void)poll(NULL, 0, HANG_MS);
    return !body_clock_end(body_clock, &reading);
}

static void a_reader_that_blocks_is_interrupted(void **state)
{
    (void)state;
    struct body_clock *body_clock = started();
    int64_t since = clock_mono_ms();
    assert_true(wait_for_nothing(body_clock));
    assert_true(clock_mono_ms() - since >= LIMIT_MS);
    assert_true(clock_mono_ms() - since < HANG_MS);
    body_clock_stop(body_clock);
}

/* A signal that comes before the reader blocks must not be the last. */
static void a_reader_that_was_busy_when_its_time_came_is_interrupted_later(void **state)
{
    (void)state;
    struct body_clock *body_clock = started();
    struct body_read reading;
    body_clock_begin(body_clock, &reading);
    while (!body_clock_expired(&reading))
        ;
    int64_t since = clock_mono_ms();
    assert_int_equal(poll(NULL, 0, HANG_MS), -1);
    assert_true(clock_mono_ms() - since < HANG_MS);
    assert_false(body_clock_end(body_clock, &reading));
    body_clock_stop(body_clock);
}

static void a_body_in_time_is_left_alone(void **state)
{
    (void)state;
    struct body_clock *body_clock = started();
    for (int i = 0; i < 1000; i++) {
        struct body_read reading;
        body_clock_begin(body_clock, &reading);
        assert_false(body_clock_expired(&reading));
        assert_true(body_clock_end(body_clock, &reading));
    }
    assert_int_equal(poll(NULL, 0, 3 * LIMIT_MS), 0); /* and nobody interrupts it afterwards */
    body_clock_stop(body_clock);
    body_clock_stop(NULL);
}

/* Every second one is in time, and must not be disturbed by the others. */
static void *read_one(void *arg)
{
    struct body_clock *body_clock = arg;
    for (int i = 0; i < 3; i++) {
        struct body_read reading;
        body_clock_begin(body_clock, &reading);
        bool good = poll(NULL, 0, 1) == 0;
        if (!body_clock_end(body_clock, &reading) || !good || !wait_for_nothing(body_clock))
            return arg;
    }
    return NULL;
}

static void many_readers_come_and_go(void **state)
{
    (void)state;
    struct body_clock *body_clock = started();
    pthread_t readers[READERS];
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, read_one, body_clock), 0);
    for (int i = 0; i < READERS; i++) {
        void *failed = NULL;
        assert_int_equal(pthread_join(readers[i], &failed), 0);
        assert_null(failed);
    }
    body_clock_stop(body_clock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reader_that_blocks_is_interrupted),
        cmocka_unit_test(a_reader_that_was_busy_when_its_time_came_is_interrupted_later),
        cmocka_unit_test(a_body_in_time_is_left_alone),
        cmocka_unit_test(many_readers_come_and_go),
    };
    return cmocka_run_group_tests_name("body_clock", tests, NULL, NULL);
}
