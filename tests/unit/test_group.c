/*
 * A group by itself: what it promises of batches, leaders and deadlines whoever uses it. The write
 * group's own tests (test_writer.c) have the storms. ThreadSanitizer watches it too.
 */
#include "base/group.h"

#include "base/clock.h"

#include "unit.h"

#include <poll.h>
#include <pthread.h>
#include <stdbool.h>

enum { LEADERS = 3, BATCH = 8, BATCH_BYTES = 100, QUEUE = 64, THREADS = 40, EACH = 200 };
enum { PATIENCE_MS = 20000 };

/* What a thread wants: its number doubled. */
struct wish {
    struct group_item in_group; /* first: a pointer to it is one to the wish */
    int number, doubled;
};

static struct group *group;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t thawed = PTHREAD_COND_INITIALIZER;
static bool frozen;
static unsigned under_way, most_under_way, broken_promises;
static bool leads[LEADERS]; /* which numbers of leaders are in use */
static size_t largest;

static void check_batch(unsigned leader, struct group_item *const *batch, size_t count)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += batch[i]->bytes;
    broken_promises += leader >= LEADERS || leads[leader] || count < 1 || count > BATCH ||
                       (count > 1 && bytes > BATCH_BYTES);
    if (count > largest)
        largest = count;
}

static void perform(void *context, unsigned leader, struct group_item *const *batch, size_t count)
{
    assert_ptr_equal(context, &group);
    pthread_mutex_lock(&lock);
    check_batch(leader, batch, count);
    leads[leader % LEADERS] = true;
    if (++under_way > most_under_way)
        most_under_way = under_way;
    while (frozen)
        pthread_cond_wait(&thawed, &lock);
    under_way--;
    leads[leader % LEADERS] = false;
    pthread_mutex_unlock(&lock);
    for (size_t i = 0; i < count; i++) {
        struct wish *wish = (struct wish *)batch[i];
        wish->doubled = 2 * wish->number;
        batch[i]->err = wish->number % 10 == 9 ? ERR_DATA : ERR_OK;
    }
}

static void freeze(bool how)
{
    pthread_mutex_lock(&lock);
    frozen = how;
    pthread_cond_broadcast(&thawed);
    pthread_mutex_unlock(&lock);
}

static int fresh(void **state)
{
    (void)state;
    const struct group_options options = {.perform = perform,
                                          .context = &group,
                                          .leaders = LEADERS,
                                          .batch_items = BATCH,
                                          .batch_bytes = BATCH_BYTES,
                                          .queue_items = QUEUE,
                                          .queue_bytes = 100 * BATCH_BYTES};
    most_under_way = broken_promises = 0;
    largest = 0;
    group = group_new(&options);
    return group ? 0 : -1;
}

static int done(void **state)
{
    (void)state;
    assert_int_equal(broken_promises, 0);
    group_free(group);
    return 0;
}

static enum err wish_for(struct wish *wish, int number, size_t bytes, int64_t patience_ms)
{
    *wish = (struct wish){.in_group = {.bytes = bytes, .deadline = clock_mono_ms() + patience_ms},
                          .number = number};
    return group_run(group, &wish->in_group);
}

struct thread {
    pthread_t id;
    int number;
    int64_t patience_ms;
    enum err err;
    struct wish wish;
};

static void *one_wish(void *arg)
{
    struct thread *t = arg;
    t->err = wish_for(&t->wish, t->number, 1, t->patience_ms);
    return NULL;
}

static void start(struct thread *threads, int from, int to, int64_t patience_ms)
{
    for (int i = from; i < to; i++) {
        threads[i] = (struct thread){.number = i, .patience_ms = patience_ms};
        assert_int_equal(pthread_create(&threads[i].id, NULL, one_wish, &threads[i]), 0);
    }
}

static unsigned batches_under_way(void)
{
    pthread_mutex_lock(&lock);
    unsigned now = under_way;
    pthread_mutex_unlock(&lock);
    return now;
}

/* Lets threads take all the leads there are, with a batch of one each, and keeps them at it. */
static void occupy(struct thread *threads)
{
    int64_t give_up = clock_mono_ms() + PATIENCE_MS;
    freeze(true);
    for (int i = 0; i < LEADERS; i++) {
        start(threads, i, i + 1, PATIENCE_MS);
        while (batches_under_way() != (unsigned)i + 1 && clock_mono_ms() < give_up)
            (void)poll(NULL, 0, 1);
    }
    assert_int_equal(batches_under_way(), LEADERS);
}

/* The others, who must wait until nothing is frozen any more. */
static void queue_up(struct thread *threads, int from, int to, int64_t patience_ms)
{
    int64_t give_up = clock_mono_ms() + PATIENCE_MS;
    start(threads, from, to, patience_ms);
    while (group_waiting(group) != (size_t)(to - from) && clock_mono_ms() < give_up)
        (void)poll(NULL, 0, 1);
    assert_int_equal(group_waiting(group), to - from);
}

static unsigned count_errs(struct thread *threads, int count, enum err err)
{
    unsigned found = 0;
    for (int i = 0; i < count; i++) {
        assert_int_equal(pthread_join(threads[i].id, NULL), 0);
        found += threads[i].err == err;
    }
    return found;
}

static void *many_wishes(void *arg)
{
    int first = *(const int *)arg * EACH;
    int wrong = 0;
    for (int number = first; number < first + EACH; number++) {
        struct wish wish;
        enum err err = wish_for(&wish, number, (size_t)number % 150, PATIENCE_MS);
        wrong += err != (number % 10 == 9 ? ERR_DATA : ERR_OK) || wish.doubled != 2 * number;
    }
    pthread_mutex_lock(&lock);
    broken_promises += (unsigned)wrong;
    pthread_mutex_unlock(&lock);
    return NULL;
}

static void each_thread_gets_its_own_answer_and_batches_keep_their_bounds(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    int numbers[THREADS];
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, many_wishes, &numbers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_true(most_under_way <= LEADERS);
    assert_int_equal(group_waiting(group), 0);
}

static void what_waits_is_done_together(void **state)
{
    (void)state;
    struct thread threads[THREADS];
    occupy(threads);
    queue_up(threads, LEADERS, THREADS, PATIENCE_MS);
    freeze(false);
    assert_int_equal(count_errs(threads, THREADS, ERR_OK), THREADS - THREADS / 10);
    assert_int_equal(largest, BATCH);
}

static void what_is_in_the_queue_can_be_refused_and_what_is_under_way_goes_on(void **state)
{
    (void)state;
    struct thread threads[THREADS];
    struct wish wish;
    occupy(threads);
    queue_up(threads, LEADERS, THREADS, PATIENCE_MS);
    group_refuse(group, ERR_UNAVAILABLE);
    assert_int_equal(group_waiting(group), 0);
    freeze(false);
    assert_int_equal(count_errs(threads, THREADS, ERR_UNAVAILABLE), THREADS - LEADERS);
    assert_int_equal(wish_for(&wish, 1, 1, PATIENCE_MS), ERR_OK);
}

static void nobody_waits_in_the_queue_past_its_deadline(void **state)
{
    (void)state;
    struct thread threads[LEADERS];
    struct thread late[BATCH];
    occupy(threads);
    start(late, 0, BATCH, 100);
    assert_int_equal(count_errs(late, BATCH, ERR_TIMEOUT), BATCH);
    assert_int_equal(group_waiting(group), 0);
    freeze(false);
    assert_int_equal(count_errs(threads, LEADERS, ERR_OK), LEADERS);
}

static void a_queue_that_is_full_says_so_at_once(void **state)
{
    (void)state;
    enum { ALL = LEADERS + QUEUE };
    struct thread threads[ALL];
    struct wish wish;
    occupy(threads);
    queue_up(threads, LEADERS, ALL, PATIENCE_MS);
    assert_int_equal(wish_for(&wish, 1, 1, PATIENCE_MS), ERR_BUSY);
    freeze(false);
    assert_int_equal(count_errs(threads, ALL, ERR_BUSY), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            each_thread_gets_its_own_answer_and_batches_keep_their_bounds, fresh, done),
        cmocka_unit_test_setup_teardown(what_waits_is_done_together, fresh, done),
        cmocka_unit_test_setup_teardown(
            what_is_in_the_queue_can_be_refused_and_what_is_under_way_goes_on, fresh, done),
        cmocka_unit_test_setup_teardown(nobody_waits_in_the_queue_past_its_deadline, fresh, done),
        cmocka_unit_test_setup_teardown(a_queue_that_is_full_says_so_at_once, fresh, done),
    };
    return cmocka_run_group_tests_name("group", tests, NULL, NULL);
}
