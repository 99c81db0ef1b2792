#include "db/pool.h"

#include "base/clock.h"
#include "base/group.h"
#include "base/thread.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdlib.h>

enum { RETRY_MIN_MS = 100, RETRY_MAX_MS = 1000, CONNECT_MS = 5000 };

/*
 * Round trips that brief statements share: so many at a time, with so many statements each. With less
 * than the last moment left a statement is not begun.
 */
enum { SHARED_TRIPS = 2, SHARED_STATEMENTS = 32, LAST_MOMENT_MS = 100 };

/* With more bytes of parameters no statement is brief: a caller of many agents names them all. */
enum { BRIEF_BYTES = 4096 };

/* A taker in the queue; lives on its stack. */
struct waiter {
    struct waiter *next;
    bool waits;           /* in the queue; the pool's lock guards this */
    struct db_conn *conn; /* set by whoever takes it off the queue; NULL: the database went away */
    sem_t answered;       /* posted once then, which is the last that is done to it */
};

struct db_pool {
    struct db_pool_options opt;
    pthread_mutex_t lock;
    pthread_cond_t keeper_wakes;
    pthread_t keeper;
    struct group *brief;                    /* queries that may share a round trip */
    struct db_conn **idle;                  /* a stack: the warmest first */
    struct db_conn **taken;                 /* in no order */
    unsigned idle_count, taken_count, open; /* open counts idle and taken ones */
    struct waiter *first, **last;
    unsigned waiting;
    bool away; /* the last attempt to connect failed */
    bool stopping;
};

static struct waiter *pop_waiter(struct db_pool *pool)
{
    struct waiter *w = pool->first;
    if (!w)
        return NULL;
    pool->first = w->next;
    if (!pool->first)
        pool->last = &pool->first;
    pool->waiting--;
    w->waits = false;
    return w;
}

static void remove_waiter(struct db_pool *pool, struct waiter *w)
{
    struct waiter **at = &pool->first;
    while (*at != w)
        at = &(*at)->next;
    *at = w->next;
    if (!*at)
        pool->last = at;
    pool->waiting--;
}

/* Hands `conn` to the longest waiting taker, or keeps it. The lock is held. */
static void offer(struct db_pool *pool, struct db_conn *conn)
{
    struct waiter *w = pop_waiter(pool);
    if (!w) {
        pool->idle[pool->idle_count++] = conn;
        return;
    }
    pool->taken[pool->taken_count++] = conn;
    w->conn = conn;
    (void)sem_post(&w->answered);
}

static void refuse_all(struct db_pool *pool)
{
    for (struct waiter *w; (w = pop_waiter(pool));)
        (void)sem_post(&w->answered);
}

/* One attempt to connect, without the lock. */
static struct db_conn *connect_once(struct db_pool *pool, bool was_away)
{
    struct db_conn *conn = NULL;
    char *message = NULL;
    enum err err = db_conn_open(pool->opt.url, pool->opt.name, pool->opt.options,
                                clock_mono_ms() + CONNECT_MS, &conn, &message);
    if (err && !was_away)
        log_error(pool->opt.log, "database is away", LOG_STR("pool", pool->opt.name),
                  LOG_STR("error", message));
    else if (!err && was_away)
        log_info(pool->opt.log, "database is back", LOG_STR("pool", pool->opt.name));
    free(message);
    return err ? NULL : conn;
}

static void keeper_pause(struct db_pool *pool, int64_t ms)
{
    struct timespec until = clock_mono_timespec(clock_mono_ms() + ms);
    pthread_cond_timedwait(&pool->keeper_wakes, &pool->lock, &until);
}

static void *keep(void *arg)
{
    struct db_pool *pool = arg;
    int64_t pause = RETRY_MIN_MS;

    pthread_mutex_lock(&pool->lock);
    while (!pool->stopping) {
        if (pool->open == pool->opt.size) {
            pthread_cond_wait(&pool->keeper_wakes, &pool->lock);
            continue;
        }
        bool was_away = pool->away;
        pthread_mutex_unlock(&pool->lock);
        struct db_conn *conn = connect_once(pool, was_away);
        pthread_mutex_lock(&pool->lock);
        if (conn) {
            pool->away = false;
            pool->open++;
            offer(pool, conn);
            pause = RETRY_MIN_MS;
            continue;
        }
        if (pool->open == 0) {
            pool->away = true;
            refuse_all(pool);
        }
        if (!pool->stopping)
            keeper_pause(pool, pause);
        pause = pause * 2 > RETRY_MAX_MS ? RETRY_MAX_MS : pause * 2;
    }
    refuse_all(pool);
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

/* What has been made of a pool that has no keeper, yet or any more. */
static void free_pool(struct db_pool *pool)
{
    group_free(pool->brief);
    free(pool->idle);
    free(pool);
}

static group_prepare_fn take_for_brief;
static group_do_fn run_brief;

enum err db_pool_start(const struct db_pool_options *options, struct db_pool **out)
{
    struct db_pool *pool = calloc(1, sizeof *pool);
    if (!pool)
        return ERR_NOMEM;
    const struct group_options brief = {
        .prepare = take_for_brief,
        .perform = run_brief,
        .context = pool,
        .leaders = SHARED_TRIPS,
        .batch_items = SHARED_STATEMENTS,
        .queue_items = (size_t)options->max_waiting + 1, /* and one to lead */
        .last_moment_ms = LAST_MOMENT_MS,
    };
    pool->opt = *options;
    pool->brief = group_new(&brief);
    pool->idle = calloc(2 * (size_t)options->size, sizeof(struct db_conn *));
    if (!pool->idle || !pool->brief) {
        free_pool(pool);
        return ERR_NOMEM;
    }
    pool->taken = pool->idle + options->size;
    pool->last = &pool->first;
    pthread_mutex_init(&pool->lock, NULL);
    thread_cond_init(&pool->keeper_wakes);

    if (thread_start(&pool->keeper, keep, pool)) {
        free_pool(pool);
        return ERR_INTERNAL;
    }
    *out = pool;
    return ERR_OK;
}

void db_pool_close(struct db_pool *pool)
{
    if (!pool)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->stopping = true;
    pthread_cond_signal(&pool->keeper_wakes);
    pthread_mutex_unlock(&pool->lock);
}

void db_pool_interrupt(struct db_pool *pool)
{
    group_refuse(pool->brief, ERR_UNAVAILABLE);
    pthread_mutex_lock(&pool->lock);
    refuse_all(pool);
    for (unsigned i = 0; i < pool->taken_count; i++)
        db_conn_interrupt(pool->taken[i]);
    pthread_mutex_unlock(&pool->lock);
}

void db_pool_stop(struct db_pool *pool)
{
    if (!pool)
        return;
    db_pool_close(pool);
    pthread_join(pool->keeper, NULL);
    while (pool->idle_count)
        db_conn_close(pool->idle[--pool->idle_count]);
    pthread_cond_destroy(&pool->keeper_wakes);
    pthread_mutex_destroy(&pool->lock);
    free_pool(pool);
}

/* Forgets a connection that was counted as open; the keeper makes another. The lock is held. */
static void forget(struct db_pool *pool)
{
    pool->open--;
    pthread_cond_signal(&pool->keeper_wakes);
}

/* An idle connection that the peer has not closed; closes those it has. The lock is held. */
static struct db_conn *take_idle(struct db_pool *pool)
{
    while (pool->idle_count) {
        struct db_conn *conn = pool->idle[--pool->idle_count];
        if (!db_conn_gone(conn))
            return conn;
        db_conn_close(conn);
        forget(pool);
    }
    return NULL;
}

/* Takes a place in the queue. The lock is held. */
static void join_line(struct db_pool *pool, struct waiter *w)
{
    w->waits = true;
    *pool->last = w;
    pool->last = &w->next;
    pool->waiting++;
}

/* Waits in line for as long as the deadline lets it. */
static enum err wait_in_line(struct db_pool *pool, struct waiter *w, int64_t deadline)
{
    const struct timespec until = clock_mono_timespec(deadline);
    while (sem_clockwait(&w->answered, CLOCK_MONOTONIC, &until)) {
        if (errno == EINTR)
            continue;
        pthread_mutex_lock(&pool->lock);
        bool late = w->waits;
        if (late)
            remove_waiter(pool, w);
        pthread_mutex_unlock(&pool->lock);
        if (late)
            return ERR_TIMEOUT;
        while (sem_wait(&w->answered)) /* the answer is on its way */
            continue;
        break;
    }
    return w->conn ? ERR_OK : ERR_UNAVAILABLE;
}

enum err db_pool_take(struct db_pool *pool, int64_t deadline, struct db_conn **conn)
{
    struct waiter w = {0};
    enum err err = ERR_OK;
    if (sem_init(&w.answered, 0, 0))
        return ERR_INTERNAL;
    pthread_mutex_lock(&pool->lock);
    *conn = pool->stopping ? NULL : take_idle(pool);
    if (!*conn) {
        if (pool->stopping || (pool->away && pool->open == 0))
            err = ERR_UNAVAILABLE;
        else if (pool->waiting >= pool->opt.max_waiting)
            err = ERR_BUSY;
        else
            join_line(pool, &w);
    }
    if (*conn)
        pool->taken[pool->taken_count++] = *conn;
    bool waits = w.waits;
    pthread_mutex_unlock(&pool->lock);
    if (waits) {
        err = wait_in_line(pool, &w, deadline);
        *conn = w.conn;
    }
    (void)sem_destroy(&w.answered);
    return err;
}

/* The lock is held. */
static void remove_taken(struct db_pool *pool, const struct db_conn *conn)
{
    unsigned i = 0;
    while (pool->taken[i] != conn)
        i++;
    pool->taken[i] = pool->taken[--pool->taken_count];
}

void db_pool_give(struct db_pool *pool, struct db_conn *conn)
{
    bool usable = db_conn_usable(conn);
    pthread_mutex_lock(&pool->lock);
    remove_taken(pool, conn);
    if (usable)
        offer(pool, conn);
    pthread_mutex_unlock(&pool->lock);
    if (usable)
        return;
    db_conn_close(conn); /* before the keeper may open another in its place */
    pthread_mutex_lock(&pool->lock);
    forget(pool);
    pthread_mutex_unlock(&pool->lock);
}

void db_pool_look(struct db_pool *pool, unsigned *open, unsigned *waiting)
{
    pthread_mutex_lock(&pool->lock);
    *open = pool->open;
    *waiting = pool->waiting;
    pthread_mutex_unlock(&pool->lock);
    *waiting += (unsigned)group_waiting(pool->brief);
}

/* One thread's query; lives on that thread's stack. */
struct query {
    struct group_item in_group; /* first: a pointer to it is one to the query */
    struct db_ask ask;
    struct db_conn *conn; /* what its thread has taken, for it and for those that share the trip */
    bool asked;           /* a connection was there for it: what failed then has been logged */
    bool alone;           /* its own thread runs it, and nothing else with it */
};

static struct query *query_of(struct group_item *in_group)
{
    return (struct query *)in_group;
}

static enum err failed(struct db_pool *pool, const struct query *query, struct db_conn *conn,
                       enum err err)
{
    const char *why = db_conn_error(conn);
    log_error(pool->opt.log, "statement failed",
              LOG_STR("statement", statement_text(query->ask.statement)->name),
              LOG_STR("error", *why ? why : err_name(err)));
    return err;
}

static enum err run_on(struct db_pool *pool, struct db_conn *conn, struct query *query)
{
    struct db_ask *ask = &query->ask;
    query->asked = true;
    enum err err =
        db_conn_exec(conn, ask->statement, ask->params, query->in_group.deadline, &ask->result);
    return err && err != ERR_INVALID ? failed(pool, query, conn, err) : err;
}

static enum err run_alone(struct db_pool *pool, struct query *query)
{
    enum err err = db_pool_take(pool, query->in_group.deadline, &query->conn);
    if (err)
        return err;
    err = run_on(pool, query->conn, query);
    db_pool_give(pool, query->conn);
    return err;
}

/*
 * Runs several in one round trip. What comes to nothing in company is left to its own thread to run
 * alone, so that none of them waits for another; not so when the connection broke, or too late.
 */
static void run_together(struct db_pool *pool, struct db_conn *conn,
                         struct group_item *const *batch, size_t count)
{
    struct db_ask asks[SHARED_STATEMENTS];
    for (size_t i = 0; i < count; i++)
        asks[i] = query_of(batch[i])->ask;
    enum err err = db_conn_exec_together(conn, asks, count, group_deadline(batch, count));
    int64_t latest = clock_mono_ms() + LAST_MOMENT_MS;
    for (size_t i = 0; i < count; i++) {
        struct query *query = query_of(batch[i]);
        query->ask = asks[i];
        query->alone = !asks[i].result && err != ERR_UNAVAILABLE && batch[i]->deadline >= latest;
        query->asked = !query->alone;
        batch[i]->err = asks[i].result || query->alone
                            ? ERR_OK
                            : failed(pool, query, conn, err ? err : ERR_TIMEOUT);
    }
}

static enum err take_for_brief(void *context, struct group_item *first)
{
    return db_pool_take(context, first->deadline, &query_of(first)->conn);
}

static void run_brief(void *context, unsigned leader, struct group_item *const *batch, size_t count)
{
    struct db_pool *pool = context;
    struct query *first = query_of(batch[0]);
    (void)leader;
    if (count == 1)
        batch[0]->err = run_on(pool, first->conn, first);
    else
        run_together(pool, first->conn, batch, count);
    db_pool_give(pool, first->conn);
}

static bool is_brief(const struct statement_text *text, const struct db_param *params)
{
    size_t bytes = 0;
    for (int i = 0; i < text->params; i++)
        bytes += params[i].len;
    return text->brief && bytes <= BRIEF_BYTES;
}

enum err db_pool_query(struct db_pool *pool, enum statement statement,
                       const struct db_param *params, int64_t deadline, struct db_result **result)
{
    const struct statement_text *text = statement_text(statement);
    struct query query = {.in_group.deadline = deadline,
                          .ask = {.statement = statement, .params = params},
                          .alone = !is_brief(text, params)};
    if (!query.alone)
        query.ask.room = db_result_room();
    enum err err = query.alone ? ERR_OK : group_run(pool->brief, &query.in_group);
    if (!err && query.alone)
        err = run_alone(pool, &query);
    if (err && !query.asked)
        log_warn(pool->opt.log, "no database connection", LOG_STR("statement", text->name),
                 LOG_STR("error", err_name(err)));
    db_result_free(query.ask.room);
    *result = query.ask.result;
    return err;
}
