/*
 * The limiter: windows and what is left of them, that memory is fixed under a flood of addresses
 * and the flood frees no flooder, and that counts are exact when threads count at once.
 */
#include "http/limiter.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { MAX = 5, WINDOW_MS = 1000, THREADS = 8, EACH = 20000 };

static struct limiter *new_limiter(int64_t max)
{
    struct limiter *limiter = limiter_new(max, WINDOW_MS);
    assert_non_null(limiter);
    return limiter;
}

static struct address address_of(uint32_t n)
{
    struct address address = {.bytes = {[10] = 0xff, [11] = 0xff}};
    for (int i = 0; i < 4; i++)
        address.bytes[12 + i] = (unsigned char)(n >> (24 - 8 * i));
    return address;
}

static struct limit_state count(struct limiter *limiter, uint32_t n, int64_t now_ms)
{
    const struct address address = address_of(n);
    return limiter_count(limiter, LIMIT_REQUESTS, &address, now_ms);
}

static void counts_down_and_refuses_what_is_over(void **state)
{
    (void)state;
    struct limiter *limiter = new_limiter(MAX);
    for (int i = 1; i <= MAX + 3; i++) {
        const struct limit_state now = count(limiter, 1, 1000 + i * 10);
        assert_int_equal(now.within, i <= MAX);
        assert_int_equal(now.remaining, i < MAX ? MAX - i : 0);
        assert_int_equal(now.max, MAX);
        assert_int_equal(now.window_ms, WINDOW_MS);
        assert_int_equal(now.reset_ms, WINDOW_MS - (i - 1) * 10);
    }
    limiter_free(limiter);
}

static void begins_anew_when_the_window_is_over(void **state)
{
    (void)state;
    struct limiter *limiter = new_limiter(MAX);
    for (int i = 0; i < 2 * MAX; i++)
        (void)count(limiter, 1, 5000);
    assert_false(count(limiter, 1, 5000 + WINDOW_MS - 1).within);
    const struct limit_state anew = count(limiter, 1, 5000 + WINDOW_MS);
    assert_true(anew.within);
    assert_int_equal(anew.remaining, MAX - 1);
    assert_int_equal(anew.reset_ms, WINDOW_MS);
    limiter_free(limiter);
}

static void keeps_clients_and_limits_apart(void **state)
{
    (void)state;
    struct limiter *limiter = new_limiter(MAX);
    const struct address one = address_of(1);
    for (int i = 0; i < 2 * MAX; i++)
        (void)count(limiter, 1, 5000);
    assert_true(count(limiter, 2, 5000).within);
    assert_int_equal(limiter_count(limiter, LIMIT_FAILURES, &one, 5000).remaining, MAX - 1);
    limiter_free(limiter);
}

/* 1M addresses of one request each, while one floods: it stays refused, and so do ten others. */
static void forgets_no_flooder_for_a_million_addresses(void **state)
{
    (void)state;
    struct limiter *limiter = new_limiter(MAX);
    for (uint32_t flooder = 1; flooder <= 10; flooder++)
        for (int i = 0; i <= MAX; i++)
            (void)count(limiter, flooder, 5000);
    for (uint32_t n = 0; n < 1000000; n++) {
        assert_true(count(limiter, 1000 + n, 5001).within); /* a newcomer is not made to pay */
        if (n % 10000 == 0)
            assert_false(count(limiter, 1, 5001).within);
    }
    for (uint32_t flooder = 1; flooder <= 10; flooder++)
        assert_false(count(limiter, flooder, 5002).within);
    limiter_free(limiter);
}

struct crowd {
    struct limiter *limiter;
    pthread_barrier_t start;
    int within[THREADS];
};

struct member {
    struct crowd *crowd;
    int number;
};

/* Every thread counts the same client, and many that only it knows. */
static void *count_in_a_crowd(void *arg)
{
    const struct member *member = arg;
    struct crowd *crowd = member->crowd;
    (void)pthread_barrier_wait(&crowd->start);
    for (int i = 0; i < EACH; i++) {
        crowd->within[member->number] += count(crowd->limiter, 1, 5000).within;
        (void)count(crowd->limiter, (uint32_t)(member->number * EACH + i + 1000), 5000);
    }
    return NULL;
}

static void is_exact_when_threads_count_at_once(void **state)
{
    (void)state;
    enum { ALLOWED = THREADS * EACH / 2 };
    struct crowd crowd = {.limiter = new_limiter(ALLOWED)};
    struct member members[THREADS];
    pthread_t threads[THREADS];
    int within = 0;
    assert_int_equal(pthread_barrier_init(&crowd.start, NULL, THREADS), 0);
    for (int i = 0; i < THREADS; i++) {
        members[i] = (struct member){&crowd, i};
        assert_int_equal(pthread_create(&threads[i], NULL, count_in_a_crowd, &members[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        within += crowd.within[i];
    }
    assert_int_equal(within, ALLOWED);
    (void)pthread_barrier_destroy(&crowd.start);
    limiter_free(crowd.limiter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_down_and_refuses_what_is_over),
        cmocka_unit_test(begins_anew_when_the_window_is_over),
        cmocka_unit_test(keeps_clients_and_limits_apart),
        cmocka_unit_test(forgets_no_flooder_for_a_million_addresses),
        cmocka_unit_test(is_exact_when_threads_count_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
