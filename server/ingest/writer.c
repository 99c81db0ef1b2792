#include "ingest/writer.h"

#include "base/clock.h"
#include "db/array.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
    BATCH_EVENTS = WRITER_BATCH_EVENTS,
    BATCH_BYTES = 256 * 1024,
    QUEUE_EVENTS = 1024,
    QUEUE_BYTES = 16 * 1024 * 1024,
    LAST_MOMENT_MS = 200, /* with less time left than this an event is not taken any more */
};

/*
 * QUEUED: in the queue; its thread may give it up. TAKEN: a leader has it, and nobody else touches
 * it. DONE: its thread may go, and the item with it.
 */
enum state { QUEUED, TAKEN, DONE };

/* One waiting thread's event; lives on that thread's stack. */
struct item {
    const struct writer_event *event;
    struct writer_outcome *outcome;
    struct item *next, *previous; /* in the queue, while QUEUED */
    int64_t deadline;
    enum err err;
    atomic_int state;
    atomic_bool leads; /* its thread must lead the next batch; set while QUEUED only */
    sem_t news;        /* posted once after each time that `leads` is set, and once when DONE */
};

/* A leader's parameters, kept from batch to batch so that their memory is. */
struct arrays {
    struct arrays *next; /* in the list of those that nobody uses */
    struct buf bodies, sources, times;
};

struct writer {
    struct db_pool *pool;
    const struct log *log;
    struct metrics *metrics;
    struct arrays all_arrays[WRITER_LEADERS];
    pthread_mutex_t lock; /* guards all below, and what becomes of a QUEUED item */
    struct item *head, *tail;
    size_t queued, queued_bytes;
    unsigned leaders; /* threads that lead, or were told to; at most WRITER_LEADERS */
    struct arrays *arrays;
};

struct writer *writer_new(struct db_pool *pool, const struct log *log, struct metrics *metrics)
{
    struct writer *writer = calloc(1, sizeof *writer);
    if (!writer)
        return NULL;
    writer->pool = pool;
    writer->log = log;
    writer->metrics = metrics;
    pthread_mutex_init(&writer->lock, NULL);
    for (size_t i = 0; i < WRITER_LEADERS; i++) {
        writer->all_arrays[i].next = writer->arrays;
        writer->arrays = &writer->all_arrays[i];
    }
    return writer;
}

void writer_free(struct writer *writer)
{
    if (!writer)
        return;
    for (size_t i = 0; i < WRITER_LEADERS; i++) {
        buf_free(&writer->all_arrays[i].bodies);
        buf_free(&writer->all_arrays[i].sources);
        buf_free(&writer->all_arrays[i].times);
    }
    pthread_mutex_destroy(&writer->lock);
    free(writer);
}

static void queue_add(struct writer *writer, struct item *item)
{
    item->previous = writer->tail;
    *(writer->tail ? &writer->tail->next : &writer->head) = item;
    writer->tail = item;
    writer->queued++;
    writer->queued_bytes += item->event->len;
}

static void queue_remove(struct writer *writer, struct item *item)
{
    *(item->previous ? &item->previous->next : &writer->head) = item->next;
    *(item->next ? &item->next->previous : &writer->tail) = item->previous;
    item->next = item->previous = NULL;
    writer->queued--;
    writer->queued_bytes -= item->event->len;
}

/* The post is the last that is done to an item: its thread goes then, and the semaphore with it. */
static void finish(struct item *item, enum err err)
{
    item->err = err;
    atomic_store_explicit(&item->state, DONE, memory_order_release);
    (void)sem_post(&item->news);
}

/* Takes a batch off the head of the queue; events out of time are finished on the way. */
static size_t take_batch(struct writer *writer, struct item **batch)
{
    int64_t latest = clock_mono_ms() + LAST_MOMENT_MS;
    size_t count = 0;
    size_t bytes = 0;
    while (writer->head && count < BATCH_EVENTS) {
        struct item *item = writer->head;
        if (item->deadline < latest) {
            queue_remove(writer, item);
            finish(item, ERR_TIMEOUT);
            continue;
        }
        if (count && bytes + item->event->len > BATCH_BYTES)
            break;
        queue_remove(writer, item);
        atomic_store_explicit(&item->state, TAKEN, memory_order_release);
        bytes += item->event->len;
        batch[count++] = item;
    }
    return count;
}

static void copy_text(char *out, size_t size, const char *text)
{
    size_t len = text ? strnlen(text, size - 1) : 0;
    if (len)
        memcpy(out, text, len);
    out[len] = '\0';
}

/* Copies what ingest says of each event into its outcome. */
static enum err read_outcomes(struct item **batch, size_t count, const struct db_result *result)
{
    enum { ORD, OUTCOME, AGENT_ID, CALL_ID, EVENT, ERROR };
    if (db_rows(result) != count)
        return ERR_INTERNAL;
    for (size_t row = 0; row < count; row++) {
        const char *ord = db_value(result, row, ORD);
        const char *outcome = db_value(result, row, OUTCOME);
        size_t index = ord ? strtoul(ord, NULL, 10) : 0;
        if (index < 1 || index > count || !outcome)
            return ERR_INTERNAL;
        struct writer_outcome *out = batch[index - 1]->outcome;
        copy_text(out->outcome, sizeof out->outcome, outcome);
        copy_text(out->error, sizeof out->error, db_value(result, row, ERROR));
    }
    return ERR_OK;
}

static int64_t earliest_deadline(struct item **batch, size_t count)
{
    int64_t earliest = batch[0]->deadline;
    for (size_t i = 1; i < count; i++)
        if (batch[i]->deadline < earliest)
            earliest = batch[i]->deadline;
    return earliest;
}

/*
 * One statement on one connection. `*again`: the connection broke, another may do; or another session
 * was in the way, as one that changes many calls by hand.
 */
static enum err try_batch(struct writer *writer, struct item **batch, size_t count,
                          const struct db_param *params, bool *again)
{
    int64_t deadline = earliest_deadline(batch, count);
    struct db_conn *conn = NULL;
    struct db_result *result = NULL;

    *again = false;
    enum err err = db_pool_take(writer->pool, deadline, &conn);
    if (err)
        return err == ERR_BUSY ? ERR_UNAVAILABLE : err;
    err = db_conn_exec(conn, STATEMENT_INGEST, params, deadline, &result);
    if (!err)
        err = read_outcomes(batch, count, result);
    if (err) {
        log_warn(writer->log, "ingest failed", LOG_STR("error", err_name(err)),
                 LOG_STR("detail", db_conn_error(conn)), LOG_INT("events", (int64_t)count));
        *again = err == ERR_UNAVAILABLE && (!db_conn_usable(conn) || db_conn_rolled_back(conn));
    }
    db_result_free(result);
    db_pool_give(writer->pool, conn);
    return err;
}

/* Empties an array, and gives its memory back when one large event has made it too large to keep. */
static void array_reset(struct buf *buf)
{
    buf->len = 0;
    if (buf->size > (size_t)2 * BATCH_BYTES || buf->failed)
        buf_free(buf);
}

static enum err write_batch(struct writer *writer, struct arrays *arrays, struct item **batch,
                            size_t count)
{
    enum err err = ERR_NOMEM;

    array_begin(&arrays->bodies, ARRAY_BYTEA, count);
    array_begin(&arrays->sources, ARRAY_TEXT, count);
    array_begin(&arrays->times, ARRAY_INT8, count);
    for (size_t i = 0; i < count; i++) {
        const struct writer_event *event = batch[i]->event;
        array_add_bytes(&arrays->bodies, event->body, event->len);
        array_add_bytes(&arrays->sources, event->source, strlen(event->source));
        array_add_int8(&arrays->times, event->sent_ms);
    }
    if (!arrays->bodies.failed && !arrays->sources.failed && !arrays->times.failed) {
        const struct db_param params[] = {array_param(&arrays->bodies),
                                          array_param(&arrays->sources),
                                          array_param(&arrays->times)};
        bool again = false;
        err = try_batch(writer, batch, count, params, &again);
        if (again)
            err = try_batch(writer, batch, count, params, &again);
    }
    array_reset(&arrays->bodies);
    array_reset(&arrays->sources);
    array_reset(&arrays->times);
    return err;
}

/* Hands the lead to the next that waits, or ends it. The lock is held. */
static void hand_on(struct writer *writer)
{
    struct item *next = writer->head;
    while (next && atomic_load_explicit(&next->leads, memory_order_relaxed))
        next = next->next;
    if (!next) {
        writer->leaders--;
        return;
    }
    atomic_store_explicit(&next->leads, true, memory_order_release);
    (void)sem_post(&next->news);
}

/* May the error be the fault of one event, so that the others would be stored without it? */
static bool may_be_of_one(enum err err)
{
    return err == ERR_DATA || err == ERR_INTERNAL;
}

/* Leads one batch: takes it, writes it, hands the lead on and lets the followers go. */
static void lead(struct writer *writer)
{
    struct item *batch[BATCH_EVENTS];
    enum err errs[BATCH_EVENTS];

    pthread_mutex_lock(&writer->lock);
    struct arrays *arrays = writer->arrays;
    writer->arrays = arrays->next;
    size_t count = take_batch(writer, batch);
    pthread_mutex_unlock(&writer->lock);

    enum err err = count ? write_batch(writer, arrays, batch, count) : ERR_OK;
    if (count && !err)
        metrics_observe(writer->metrics, METRIC_WRITE_GROUP_EVENTS, 0, count);
    for (size_t i = 0; i < count; i++) /* one bad event must not fail the others */
        errs[i] = may_be_of_one(err) && count > 1 ? write_batch(writer, arrays, &batch[i], 1) : err;

    pthread_mutex_lock(&writer->lock);
    arrays->next = writer->arrays;
    writer->arrays = arrays;
    hand_on(writer);
    pthread_mutex_unlock(&writer->lock);
    for (size_t i = 0; i < count; i++)
        finish(batch[i], errs[i]);
}

/* Takes an item out of the queue whose time is up. false: too late, it is TAKEN or must lead. */
static bool give_up(struct writer *writer, struct item *item)
{
    pthread_mutex_lock(&writer->lock);
    bool may = atomic_load_explicit(&item->state, memory_order_relaxed) == QUEUED &&
               !atomic_load_explicit(&item->leads, memory_order_relaxed);
    if (may)
        queue_remove(writer, item);
    pthread_mutex_unlock(&writer->lock);
    return may;
}

/*
 * Waits until `item` is DONE, leading when asked to. Every post is waited for before the item goes.
 * `leads` is looked at after the state: it is never set once the item is TAKEN, so an item that is
 * DONE and is not to lead never will be.
 */
static enum err await(struct writer *writer, struct item *item)
{
    const struct timespec until = clock_mono_timespec(item->deadline);
    int expected = 1; /* posts: that it is DONE, and those for leading */
    for (;;) {
        int state = atomic_load_explicit(&item->state, memory_order_acquire);
        if (atomic_exchange_explicit(&item->leads, false, memory_order_acquire)) {
            expected++;
            lead(writer);
        } else if (state == DONE && expected == 0) {
            return item->err;
        } else if (state != QUEUED) { /* DONE, or soon: the leader has a deadline */
            expected -= sem_wait(&item->news) == 0;
        } else if (sem_clockwait(&item->news, CLOCK_MONOTONIC, &until) == 0) {
            expected--;
        } else if (errno == ETIMEDOUT && give_up(writer, item)) {
            return ERR_TIMEOUT;
        }
    }
}

enum err writer_store(struct writer *writer, const struct writer_event *event, int64_t deadline,
                      struct writer_outcome *outcome)
{
    struct item item = {.event = event, .outcome = outcome, .deadline = deadline};
    bool leads = false;

    *outcome = (struct writer_outcome){{0}, {0}};
    if (sem_init(&item.news, 0, 0))
        return ERR_INTERNAL;
    pthread_mutex_lock(&writer->lock);
    bool full = writer->queued >= QUEUE_EVENTS ||
                (writer->queued && writer->queued_bytes + event->len > QUEUE_BYTES);
    if (!full) {
        queue_add(writer, &item);
        leads = writer->leaders < WRITER_LEADERS;
        writer->leaders += leads;
    }
    pthread_mutex_unlock(&writer->lock);
    if (leads)
        lead(writer);
    enum err err = full ? ERR_BUSY : await(writer, &item);
    (void)sem_destroy(&item.news);
    return err;
}
