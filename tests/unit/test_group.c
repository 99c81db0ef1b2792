/*
 * A group by itself: what it promises of batches, leaders and deadlines whoever uses it. The write
 * group's own tests (test_writer.c) have the storms. ThreadSanitizer watches it too.
 */
#include "base/group.h"

#include "base/clock.h"
#include "base/thread.h"

#include "unit.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

enum { LEADERS = 3, BATCH = 8, BATCH_BYTES = 100, QUEUE = 64, THREADS = 40, EACH = 200 };
enum { PATIENCE_MS = 20000, LAST_MOMENT_MS = 100, LATE_MS = 300 };

/* What a thread wants: its number doubled. */
struct wish {
    struct group_item in_group; /* first: a pointer to it is one to the wish */
    int number, doubled;
};

static struct group *group;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t thawed;
static bool frozen;                        /* batches wait until it is not, or for their deadline */
static bool scarce;                        /* the same of what they need */
static enum err prepared;                  /* what comes of that then */
static unsigned under_way, being_prepared; /* batches */
static unsigned most_under_way, broken_promises;
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

/* The lock is held. */
static void wait_while(const bool *what, int64_t deadline)
{
    const struct timespec until = clock_mono_timespec(deadline);
    while (*what && clock_mono_ms() < deadline)
        (void)pthread_cond_timedwait(&thawed, &lock, &until);
}

static enum err prepare(void *context, struct group_item *first)
{
    assert_ptr_equal(context, &group);
    pthread_mutex_lock(&lock);
    being_prepared++;
    wait_while(&scarce, first->deadline);
    being_prepared--;
    enum err err = prepared;
    pthread_mutex_unlock(&lock);
    return err;
}

static void perform(void *context, unsigned leader, struct group_item *const *batch, size_t count)
{
    assert_ptr_equal(context, &group);
    pthread_mutex_lock(&lock);
    check_batch(leader, batch, count);
    leads[leader % LEADERS] = true;
    if (++under_way > most_under_way)
        most_under_way = under_way;
    wait_while(&frozen, group_deadline(batch, count));
    under_way--;
    leads[leader % LEADERS] = false;
    pthread_mutex_unlock(&lock);
    for (size_t i = 0; i < count; i++) {
        struct wish *wish = (struct wish *)batch[i];
        wish->doubled = 2 * wish->number;
        batch[i]->err = wish->number % 10 == 9 ? ERR_DATA : ERR_OK;
    }
}

static void set(bool *what, bool how)
{
    pthread_mutex_lock(&lock);
    *what = how;
    pthread_cond_broadcast(&thawed);
    pthread_mutex_unlock(&lock);
}

static int fresh(void **state)
{
    (void)state;
    const struct group_options options = {.prepare = prepare,
                                          .perform = perform,
                                          .context = &group,
                                          .leaders = LEADERS,
                                          .batch_items = BATCH,
                                          .batch_bytes = BATCH_BYTES,
                                          .queue_items = QUEUE,
                                          .queue_bytes = (size_t)100 * BATCH_BYTES,
                                          .last_moment_ms = LAST_MOMENT_MS};
    thread_cond_init(&thawed);
    prepared = ERR_OK;
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
    pthread_cond_destroy(&thawed);
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
    atomic_bool returned;
    enum err err;
    struct wish wish;
};

static void *one_wish(void *arg)
{
    struct thread *t = arg;
    t->err = wish_for(&t->wish, t->number, 1, t->patience_ms);
    atomic_store(&t->returned, true);
    return NULL;
}

static void start(struct thread *threads, int from, int to, int64_t patience_ms)
{
    for (int i = from; i < to; i++) {
        threads[i] = (struct thread){.number = i, .patience_ms = patience_ms};
        assert_int_equal(pthread_create(&threads[i].id, NULL, one_wish, &threads[i]), 0);
    }
}

/* Waits until so many batches are at that. */
static void wait_for(const unsigned *batches, unsigned wanted)
{
    int64_t give_up = clock_mono_ms() + PATIENCE_MS;
    pthread_mutex_lock(&lock);
    while (*batches != wanted && clock_mono_ms() < give_up) {
        pthread_mutex_unlock(&lock);
        (void)poll(NULL, 0, 1);
        pthread_mutex_lock(&lock);
    }
    assert_int_equal(*batches, wanted);
    pthread_mutex_unlock(&lock);
}

/* Lets threads take all the leads there are, with a batch of one each, and keeps them at it. */
static void occupy(struct thread *threads, int64_t patience_of_first_ms)
{
    set(&frozen, true);
    for (int i = 0; i < LEADERS; i++) {
        start(threads, i, i + 1, i ? PATIENCE_MS : patience_of_first_ms);
        wait_for(&under_way, (unsigned)i + 1);
    }
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
    occupy(threads, PATIENCE_MS);
    queue_up(threads, LEADERS, THREADS, PATIENCE_MS);
    set(&frozen, false);
    assert_int_equal(count_errs(threads, THREADS, ERR_OK), THREADS - THREADS / 10);
    assert_int_equal(largest, BATCH);
}

static void what_is_in_the_queue_can_be_refused_and_what_is_under_way_goes_on(void **state)
{
    (void)state;
    struct thread threads[THREADS];
    struct wish wish;
    occupy(threads, PATIENCE_MS);
    queue_up(threads, LEADERS, THREADS, PATIENCE_MS);
    group_refuse(group, ERR_UNAVAILABLE);
    assert_int_equal(group_waiting(group), 0);
    set(&frozen, false);
    assert_int_equal(count_errs(threads, THREADS, ERR_UNAVAILABLE), THREADS - LEADERS);
    assert_int_equal(wish_for(&wish, 1, 1, PATIENCE_MS), ERR_OK);
}

static void nobody_waits_in_the_queue_past_its_deadline(void **state)
{
    (void)state;
    struct thread threads[LEADERS];
    struct thread late[BATCH];
    occupy(threads, PATIENCE_MS);
    start(late, 0, BATCH, 100);
    assert_int_equal(count_errs(late, BATCH, ERR_TIMEOUT), BATCH);
    assert_int_equal(group_waiting(group), 0);
    set(&frozen, false);
    assert_int_equal(count_errs(threads, LEADERS, ERR_OK), LEADERS);
}

/* The first batch ends when `late` has some of its last moment left: too little to lead with. */
static void nobody_leads_past_its_deadline(void **state)
{
    (void)state;
    struct thread threads[LEADERS + 2];
    struct thread *late = &threads[LEADERS];
    int64_t give_up = clock_mono_ms() + PATIENCE_MS / 2;
    occupy(threads, LATE_MS);
    queue_up(threads, LEADERS, LEADERS + 1, LATE_MS);
    start(threads, LEADERS + 1, LEADERS + 2, PATIENCE_MS);
    while (!atomic_load(&late->returned) && clock_mono_ms() < give_up)
        (void)poll(NULL, 0, 1);
    assert_true(atomic_load(&late->returned));
    wait_for(&under_way, LEADERS); /* the last leads in its place */
    set(&frozen, false);
    (void)count_errs(threads, LEADERS + 2, ERR_OK);
}

static void what_comes_while_a_batch_is_prepared_joins_it(void **state)
{
    (void)state;
    struct thread threads[LEADERS + BATCH - 1];
    set(&scarce, true);
    start(threads, 0, LEADERS, PATIENCE_MS);
    wait_for(&being_prepared, LEADERS);
    queue_up(threads, LEADERS, LEADERS + BATCH - 1, PATIENCE_MS);
    set(&scarce, false);
    (void)count_errs(threads, LEADERS + BATCH - 1, ERR_OK);
    assert_int_equal(largest, BATCH);
}

static void each_is_told_by_itself_when_a_batch_cannot_be_prepared(void **state)
{
    (void)state;
    struct thread threads[THREADS];
    set(&scarce, true);
    start(threads, 0, LEADERS, PATIENCE_MS);
    wait_for(&being_prepared, LEADERS);
    queue_up(threads, LEADERS, THREADS, PATIENCE_MS);
    pthread_mutex_lock(&lock);
    prepared = ERR_UNAVAILABLE;
    pthread_mutex_unlock(&lock);
    set(&scarce, false);
    assert_int_equal(count_errs(threads, THREADS, ERR_UNAVAILABLE), THREADS);
    assert_int_equal(largest, 0);
}

static void a_queue_that_is_full_says_so_at_once(void **state)
{
    (void)state;
    enum { ALL = LEADERS + QUEUE };
    struct thread threads[ALL];
    struct wish wish;
    occupy(threads, PATIENCE_MS);
    queue_up(threads, LEADERS, ALL, PATIENCE_MS);
    assert_int_equal(wish_for(&wish, 1, 1, PATIENCE_MS), ERR_BUSY);
    set(&frozen, false);
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
        cmocka_unit_test_setup_teardown(nobody_leads_past_its_deadline, fresh, done),
        cmocka_unit_test_setup_teardown(what_comes_while_a_batch_is_prepared_joins_it, fresh, done),
        cmocka_unit_test_setup_teardown(each_is_told_by_itself_when_a_batch_cannot_be_prepared,
                                        fresh, done),
        cmocka_unit_test_setup_teardown(a_queue_that_is_full_says_so_at_once, fresh, done),
    };
    return cmocka_run_group_tests_name("group", tests, NULL, NULL);
}
