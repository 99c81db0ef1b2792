/*
 * The write group against a database that is made up here: it commits, refuses, breaks and hangs as
 * told. Whatever happens to the others, each thread must learn what became of its own event, and
 * "stored" must mean committed. ThreadSanitizer watches it too.
 */
#include "ingest/writer.h"

#include "base/clock.h"

#include "unit.h"

#include <endian.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONNECTIONS = 2, MAX_BATCH = 64, MAX_BATCH_BYTES = 256 * 1024, MAX_EVENTS = 8192 };
enum { THREADS = 48, EACH = 100, PATIENCE_MS = 20000 };

/* ---- the database ---- */

struct db_conn {
    bool broken, rolled_back;
};

/* The only database, and what it is told to do. */
struct db_pool {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned free;
    bool frozen;        /* statements wait until it is not, or for their deadline */
    bool freezing;      /* it freezes once it has refused something */
    bool unruly;        /* some statements break their connection, before or after the commit */
    uint64_t noise;     /* decides which; never 0 */
    unsigned deadlocks; /* so many statements are given up for others, and stored by none */
    unsigned batches, under_way;
    size_t largest;
    unsigned committed[MAX_EVENTS]; /* how often, by the event's number */
};

static struct db_pool database = {.lock = PTHREAD_MUTEX_INITIALIZER, .noise = 88172645463325252u};

/* Its rows come in reverse; the error column says the event's number, to see who is told what. */
struct db_result {
    size_t count;
    char values[MAX_BATCH][3][24]; /* ord, outcome, error */
};

static void wait_for_change(struct db_pool *pool, int64_t deadline)
{
    const struct timespec until = clock_mono_timespec(deadline);
    (void)pthread_cond_timedwait(&pool->changed, &pool->lock, &until);
}

enum err db_pool_take(struct db_pool *pool, int64_t deadline, struct db_conn **conn)
{
    pthread_mutex_lock(&pool->lock);
    while (!pool->free && clock_mono_ms() < deadline)
        wait_for_change(pool, deadline);
    bool got = pool->free > 0;
    pool->free -= got;
    pthread_mutex_unlock(&pool->lock);
    *conn = got ? calloc(1, sizeof **conn) : NULL;
    return *conn ? ERR_OK : ERR_TIMEOUT;
}

void db_pool_give(struct db_pool *pool, struct db_conn *conn)
{
    free(conn);
    pthread_mutex_lock(&pool->lock);
    pool->free++;
    pthread_cond_broadcast(&pool->changed);
    pthread_mutex_unlock(&pool->lock);
}

static uint32_t wire_int32(const char **at)
{
    uint32_t wire;
    memcpy(&wire, *at, sizeof wire);
    *at += sizeof wire;
    return be32toh(wire);
}

/*
 * Reads a batch off the wire: numbers of events, and what is wrong with one of them: bad data
 * ("17!"), or something that the database has no name for ("17?").
 */
static size_t read_bodies(const struct db_param *bodies, unsigned *numbers, enum err *bad)
{
    const char *at = bodies->data + 12; /* dimensions, NULLs, type */
    size_t count = wire_int32(&at);
    size_t bytes = 0;
    at += 4; /* lower bound */
    assert_true(count >= 1 && count <= MAX_BATCH);
    for (size_t i = 0; i < count; i++) {
        size_t len = wire_int32(&at);
        char *rest = NULL;
        numbers[i] = (unsigned)strtoul(at, &rest, 10);
        assert_true(numbers[i] < MAX_EVENTS);
        if (*rest == '!' || *rest == '?')
            *bad = *rest == '!' ? ERR_DATA : ERR_INTERNAL;
        at += len;
        bytes += len;
    }
    assert_true(count == 1 || bytes <= MAX_BATCH_BYTES);
    assert_ptr_equal(at, bodies->data + bodies->len);
    return count;
}

/* 0: all goes well; 1: broken before the commit; 2: after it. The lock is held. */
static int fate(struct db_pool *pool)
{
    pool->noise ^= pool->noise << 13; /* xorshift64, Marsaglia 2003 */
    pool->noise ^= pool->noise >> 7;
    pool->noise ^= pool->noise << 17;
    return pool->unruly && pool->noise % 8 < 3 ? (int)(pool->noise % 8) : 0;
}

enum err db_conn_exec(struct db_conn *conn, enum statement statement, const struct db_param *params,
                      int64_t deadline, struct db_result **result)
{
    unsigned numbers[MAX_BATCH];
    enum err bad = ERR_OK;
    size_t count = read_bodies(&params[0], numbers, &bad);
    assert_int_equal(statement, STATEMENT_INGEST);
    *result = NULL;
    (void)poll(NULL, 0, count % 16 == 2); /* some take longer, so that others queue */

    pthread_mutex_lock(&database.lock);
    database.batches++;
    database.under_way++;
    database.largest = count > database.largest ? count : database.largest;
    while (database.frozen && clock_mono_ms() < deadline)
        wait_for_change(&database, deadline);
    int what = database.frozen ? 1 : fate(&database);
    bool late = database.frozen;
    conn->rolled_back = database.deadlocks > 0;
    if (conn->rolled_back) {
        database.deadlocks--;
        bad = ERR_UNAVAILABLE;
    }
    for (size_t i = 0; i < count && !bad && what != 1; i++)
        database.committed[numbers[i]]++;
    database.frozen |= bad && database.freezing;
    database.under_way--;
    pthread_mutex_unlock(&database.lock);
    conn->broken = what != 0;
    if (bad || what)
        return late ? ERR_TIMEOUT : what ? ERR_UNAVAILABLE : bad;

    struct db_result *made = calloc(1, sizeof *made);
    assert_non_null(made);
    made->count = count;
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(made->values[i][0], sizeof made->values[i][0], "%zu", count - i);
        (void)snprintf(made->values[i][1], sizeof made->values[i][1], "inserted");
        (void)snprintf(made->values[i][2], sizeof made->values[i][2], "%u", numbers[count - 1 - i]);
    }
    *result = made;
    return ERR_OK;
}

bool db_conn_rolled_back(const struct db_conn *conn)
{
    return conn->rolled_back;
}

bool db_conn_usable(const struct db_conn *conn)
{
    return !conn->broken;
}

const char *db_conn_error(const struct db_conn *conn)
{
    (void)conn;
    return "made up";
}

size_t db_rows(const struct db_result *result)
{
    return result->count;
}

const char *db_value(const struct db_result *result, size_t row, int column)
{
    return column == 0   ? result->values[row][0]
           : column == 1 ? result->values[row][1]
           : column == 2 ? result->values[row][2]
                         : NULL;
}

void db_result_free(struct db_result *result)
{
    free(result);
}

static void tell(bool frozen, bool unruly)
{
    pthread_mutex_lock(&database.lock);
    database.frozen = frozen;
    database.unruly = unruly;
    pthread_cond_broadcast(&database.changed);
    pthread_mutex_unlock(&database.lock);
}

static unsigned committed(unsigned number)
{
    pthread_mutex_lock(&database.lock);
    unsigned times = database.committed[number];
    pthread_mutex_unlock(&database.lock);
    return times;
}

static struct writer *writer;

static int fresh(void **state)
{
    (void)state;
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&database.changed, &attr);
    pthread_condattr_destroy(&attr);
    database.free = CONNECTIONS;
    database.batches = 0;
    database.deadlocks = 0;
    database.freezing = false;
    database.largest = 0;
    memset(database.committed, 0, sizeof database.committed);
    tell(false, false);
    writer = writer_new(&database, NULL, NULL);
    return writer ? 0 : -1;
}

static int done(void **state)
{
    (void)state;
    writer_free(writer);
    pthread_cond_destroy(&database.changed);
    return 0;
}

/* ---- threads that store ---- */

struct store {
    pthread_t thread;
    const char *body; /* starts with its number */
    size_t len;
    int64_t patience_ms;
    _Atomic int err; /* -1: not known yet */
    struct writer_outcome outcome;
};

static enum err store(const char *body, size_t len, int64_t patience_ms, struct writer_outcome *out)
{
    const struct writer_event event = {body, len, "webhook", 1};
    return writer_store(writer, &event, clock_mono_ms() + patience_ms, out);
}

static void *run_store(void *arg)
{
    struct store *s = arg;
    s->err = (int)store(s->body, s->len, s->patience_ms, &s->outcome);
    return NULL;
}

static void begin(struct store *s, const char *body, size_t len, int64_t patience_ms)
{
    *s = (struct store){.body = body, .len = len, .patience_ms = patience_ms, .err = -1};
    assert_int_equal(pthread_create(&s->thread, NULL, run_store, s), 0);
}

static enum err end(struct store *s)
{
    assert_int_equal(pthread_join(s->thread, NULL), 0);
    return (enum err)s->err;
}

/* ---- tests ---- */

static void an_event_alone_is_written_at_once_and_told_its_outcome(void **state)
{
    (void)state;
    struct writer_outcome outcome;
    assert_int_equal(store("7", 1, PATIENCE_MS, &outcome), ERR_OK);
    assert_string_equal(outcome.outcome, "inserted");
    assert_string_equal(outcome.error, "7");
    assert_int_equal(database.batches, 1);
    assert_int_equal(committed(7), 1);
}

static atomic_uint wrong, unavailable;

/* Stores EACH events of its own, every 17th a bad one, and checks each answer. */
static void *store_many(void *arg)
{
    unsigned first = *(const unsigned *)arg * EACH;
    for (unsigned number = first; number < first + EACH; number++) {
        char body[16];
        char text[16];
        struct writer_outcome outcome;
        bool bad = number % 17 == 0;
        (void)snprintf(text, sizeof text, "%u", number);
        int len = snprintf(body, sizeof body, "%u%c", number, bad ? '!' : ' ');
        enum err err = store(body, (size_t)len, PATIENCE_MS, &outcome);
        unsigned times = committed(number);
        if (err == ERR_OK)
            wrong += bad || times == 0 || strcmp(outcome.error, text) != 0;
        else if (err == ERR_DATA)
            wrong += !bad || times != 0;
        else if (err == ERR_UNAVAILABLE)
            unavailable++;
        else
            wrong++;
    }
    return NULL;
}

static void stress(void)
{
    pthread_t threads[THREADS];
    unsigned numbers[THREADS];
    wrong = unavailable = 0;
    for (unsigned i = 0; i < THREADS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, store_many, &numbers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(wrong, 0);
}

static void each_of_many_threads_learns_what_became_of_its_own_event(void **state)
{
    (void)state;
    stress();
    assert_int_equal(unavailable, 0);
    for (unsigned number = 0; number < THREADS * EACH; number++)
        assert_int_equal(committed(number), number % 17 != 0);
}

static void stored_means_committed_when_connections_break_too(void **state)
{
    (void)state;
    tell(false, true);
    stress();
    assert_true(unavailable > 0); /* both attempts failed: Retell will deliver it again */
    assert_true(unavailable < THREADS * EACH / 2);
}

static void share_a_commit_but_for_one(char mark, enum err expected)
{
    struct store stores[THREADS];
    char bodies[THREADS][8];
    tell(true, false);
    for (unsigned i = 0; i < THREADS; i++) {
        int len = snprintf(bodies[i], sizeof bodies[i], "%u%c", i, i == THREADS - 1 ? mark : ' ');
        begin(&stores[i], bodies[i], (size_t)len, PATIENCE_MS);
    }
    (void)poll(NULL, 0, 100); /* the more of them wait by now the better; two are enough */
    tell(false, false);
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(end(&stores[i]), i == THREADS - 1 ? expected : ERR_OK);
        assert_int_equal(committed(i), i != THREADS - 1);
    }
    assert_true(database.largest > 1);
}

static void events_that_wait_share_a_commit_and_one_bad_one_fails_alone(void **state)
{
    (void)state;
    share_a_commit_but_for_one('!', ERR_DATA);
}

static void one_that_fails_for_a_reason_of_its_own_fails_alone_too(void **state)
{
    (void)state;
    share_a_commit_but_for_one('?', ERR_INTERNAL);
}

static void one_that_a_deadlock_stopped_is_tried_again_once(void **state)
{
    (void)state;
    struct writer_outcome outcome;
    database.deadlocks = 1;
    assert_int_equal(store("7", 1, PATIENCE_MS, &outcome), ERR_OK);
    assert_string_equal(outcome.outcome, "inserted");
    assert_int_equal(committed(7), 1);
    assert_int_equal(database.batches, 2);
    database.deadlocks = 2;
    assert_int_equal(store("8", 1, PATIENCE_MS, &outcome), ERR_UNAVAILABLE);
    assert_int_equal(committed(8), 0);
}

static void a_queue_that_is_full_says_so_at_once(void **state)
{
    (void)state;
    enum { LARGE = 5 * 1024 * 1024, MANY = 10 };
    struct store stores[MANY];
    char *body = calloc(1, LARGE);
    assert_non_null(body);
    *body = '1';
    tell(true, false);
    for (int i = 0; i < MANY; i++)
        begin(&stores[i], body, LARGE, PATIENCE_MS);
    int64_t give_up = clock_mono_ms() + PATIENCE_MS;
    unsigned busy = 0;
    while (!busy && clock_mono_ms() < give_up) {
        (void)poll(NULL, 0, 1);
        for (int i = 0; i < MANY; i++)
            busy += stores[i].err == ERR_BUSY;
    }
    tell(false, false);
    unsigned stored = 0;
    for (int i = 0; i < MANY; i++) {
        enum err err = end(&stores[i]);
        assert_true(err == ERR_OK || err == ERR_BUSY);
        stored += err == ERR_OK;
    }
    assert_true(busy > 0);
    assert_true(stored >= 4); /* one under way, and 16 MB in the queue */
    assert_int_equal(committed(1), stored);
    free(body);
}

static void nobody_waits_past_its_deadline_and_the_group_recovers(void **state)
{
    (void)state;
    enum { DEADLINE_MS = 500 };
    struct store stores[THREADS];
    struct writer_outcome outcome;
    tell(true, false);
    int64_t since = clock_mono_ms();
    for (unsigned i = 0; i < THREADS; i++)
        begin(&stores[i], "5 ", 2, DEADLINE_MS);
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(end(&stores[i]), ERR_TIMEOUT);
    assert_true(clock_mono_ms() - since < PATIENCE_MS);
    assert_int_equal(committed(5), 0);
    tell(false, false);
    assert_int_equal(store("5 ", 2, PATIENCE_MS, &outcome), ERR_OK);
    assert_int_equal(committed(5), 1);
}

static bool all_lead(void)
{
    pthread_mutex_lock(&database.lock);
    bool all = database.under_way == WRITER_LEADERS;
    pthread_mutex_unlock(&database.lock);
    return all;
}

/* The first that waits leads the others, and is bad: they are written alone, and that hangs. */
static void who_writes_the_others_one_by_one_is_told_in_time_too(void **state)
{
    (void)state;
    struct store leaders[WRITER_LEADERS];
    struct store bad, other;
    int64_t give_up = clock_mono_ms() + PATIENCE_MS / 2;
    tell(true, false);
    for (size_t i = 0; i < COUNT(leaders); i++)
        begin(&leaders[i], "1 ", 2, PATIENCE_MS);
    while (!all_lead() && clock_mono_ms() < give_up)
        (void)poll(NULL, 0, 1);
    pthread_mutex_lock(&database.lock);
    database.freezing = true;
    pthread_mutex_unlock(&database.lock);
    begin(&bad, "2?", 2, 1000);
    (void)poll(NULL, 0, 100); /* it waits first: else it leads nobody, and is told all the sooner */
    begin(&other, "3 ", 2, PATIENCE_MS);
    (void)poll(NULL, 0, 100);
    tell(false, false);
    while (bad.err == -1 && clock_mono_ms() < give_up)
        (void)poll(NULL, 0, 1);
    assert_int_not_equal(bad.err, -1);
    tell(false, false);
    (void)end(&bad);
    (void)end(&other);
    for (size_t i = 0; i < COUNT(leaders); i++)
        assert_int_equal(end(&leaders[i]), ERR_OK);
}

static void no_lead_is_lost_in_a_storm(void **state)
{
    (void)state;
    struct store stores[WRITER_LEADERS];
    for (int round = 0; round < 5; round++) {
        stress();
        tell(true, false);
        for (size_t i = 0; i < COUNT(stores); i++)
            begin(&stores[i], "9 ", 2, PATIENCE_MS);
        int64_t give_up = clock_mono_ms() + PATIENCE_MS / 4;
        while (!all_lead() && clock_mono_ms() < give_up)
            (void)poll(NULL, 0, 1);
        bool all = all_lead();
        tell(false, false);
        for (size_t i = 0; i < COUNT(stores); i++)
            assert_int_equal(end(&stores[i]), ERR_OK);
        assert_true(all);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_event_alone_is_written_at_once_and_told_its_outcome,
                                        fresh, done),
        cmocka_unit_test_setup_teardown(each_of_many_threads_learns_what_became_of_its_own_event,
                                        fresh, done),
        cmocka_unit_test_setup_teardown(stored_means_committed_when_connections_break_too, fresh,
                                        done),
        cmocka_unit_test_setup_teardown(events_that_wait_share_a_commit_and_one_bad_one_fails_alone,
                                        fresh, done),
        cmocka_unit_test_setup_teardown(one_that_fails_for_a_reason_of_its_own_fails_alone_too,
                                        fresh, done),
        cmocka_unit_test_setup_teardown(one_that_a_deadlock_stopped_is_tried_again_once, fresh,
                                        done),
        cmocka_unit_test_setup_teardown(a_queue_that_is_full_says_so_at_once, fresh, done),
        cmocka_unit_test_setup_teardown(nobody_waits_past_its_deadline_and_the_group_recovers,
                                        fresh, done),
        cmocka_unit_test_setup_teardown(who_writes_the_others_one_by_one_is_told_in_time_too, fresh,
                                        done),
        cmocka_unit_test_setup_teardown(no_lead_is_lost_in_a_storm, fresh, done),
    };
    return cmocka_run_group_tests_name("writer", tests, NULL, NULL);
}
