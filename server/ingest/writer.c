#include "ingest/writer.h"

#include "base/clock.h"
#include "db/array.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BATCH_EVENTS = WRITER_BATCH_EVENTS,
    BATCH_BYTES = 256 * 1024,
    QUEUE_EVENTS = 1024,
    QUEUE_BYTES = 16 * 1024 * 1024,
    LAST_MOMENT_MS = 200, /* with less time left than this an event is not taken any more */
};

enum state { QUEUED, TAKEN, DONE };

/* One waiting thread's event; lives on that thread's stack until it is DONE or given up. */
struct item {
    const struct writer_event *event;
    struct writer_outcome *outcome;
    struct item *next, *previous; /* in the queue, while QUEUED */
    pthread_cond_t changed;
    int64_t deadline;
    enum state state;
    bool leads; /* its thread must lead the next batch */
    enum err err;
};

struct writer {
    struct db_pool *pool;
    const struct log *log;
    struct metrics *metrics;
    pthread_mutex_t lock; /* guards all below, and every item's state */
    struct item *head, *tail;
    size_t queued, queued_bytes;
    unsigned leaders; /* threads that lead, or were told to; at most WRITER_LEADERS */
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
    return writer;
}

void writer_free(struct writer *writer)
{
    if (!writer)
        return;
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

static void finish(struct item *item, enum err err)
{
    item->err = err;
    item->state = DONE;
    pthread_cond_signal(&item->changed);
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
        item->state = TAKEN;
        bytes += item->event->len;
        batch[count++] = item;
    }
    return count;
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
        const char *error = db_value(result, row, ERROR);
        size_t index = ord ? strtoul(ord, NULL, 10) : 0;
        if (index < 1 || index > count || !outcome)
            return ERR_INTERNAL;
        struct writer_outcome *out = batch[index - 1]->outcome;
        (void)snprintf(out->outcome, sizeof out->outcome, "%s", outcome);
        (void)snprintf(out->error, sizeof out->error, "%s", error ? error : "");
    }
    return ERR_OK;
}

/* One statement on one connection. `*again`: the connection broke, another may do. */
static enum err try_batch(struct writer *writer, struct item **batch, size_t count,
                          const struct db_param *params, bool *again)
{
    int64_t deadline = batch[0]->deadline; /* first come, so the earliest */
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
        *again = err == ERR_UNAVAILABLE && !db_conn_usable(conn);
    }
    db_result_free(result);
    db_pool_give(writer->pool, conn);
    return err;
}

static enum err write_batch(struct writer *writer, struct item **batch, size_t count)
{
    struct buf bodies = {0};
    struct buf sources = {0};
    struct buf times = {0};
    enum err err = ERR_NOMEM;

    array_begin(&bodies, ARRAY_BYTEA, count);
    array_begin(&sources, ARRAY_TEXT, count);
    array_begin(&times, ARRAY_INT8, count);
    for (size_t i = 0; i < count; i++) {
        const struct writer_event *event = batch[i]->event;
        array_add_bytes(&bodies, event->body, event->len);
        array_add_bytes(&sources, event->source, strlen(event->source));
        array_add_int8(&times, event->sent_ms);
    }
    if (!bodies.failed && !sources.failed && !times.failed) {
        const struct db_param params[] = {array_param(&bodies), array_param(&sources),
                                          array_param(&times)};
        bool again = false;
        err = try_batch(writer, batch, count, params, &again);
        if (again)
            err = try_batch(writer, batch, count, params, &again);
    }
    buf_free(&bodies);
    buf_free(&sources);
    buf_free(&times);
    return err;
}

/* Tells the first that waits to lead; if there is none, or it was told already, one leads less. */
static void hand_on_lead(struct writer *writer)
{
    if (writer->head && !writer->head->leads) {
        writer->head->leads = true;
        pthread_cond_signal(&writer->head->changed);
    } else {
        writer->leaders--;
    }
}

/* Leads one batch, then hands the lead on. Called and returns with the lock held. */
static void lead(struct writer *writer)
{
    struct item *batch[BATCH_EVENTS];
    enum err errs[BATCH_EVENTS];
    size_t count = take_batch(writer, batch);

    pthread_mutex_unlock(&writer->lock);
    enum err err = count ? write_batch(writer, batch, count) : ERR_OK;
    if (count && !err)
        metrics_observe(writer->metrics, METRIC_WRITE_GROUP_EVENTS, 0, count);
    for (size_t i = 0; i < count; i++) /* one bad event must not fail the others */
        errs[i] = err == ERR_DATA && count > 1 ? write_batch(writer, &batch[i], 1) : err;
    pthread_mutex_lock(&writer->lock);

    for (size_t i = 0; i < count; i++)
        finish(batch[i], errs[i]);
    hand_on_lead(writer);
}

/* Waits until `item` is DONE, leading when asked to. Called and returns with the lock held. */
static void await(struct writer *writer, struct item *item)
{
    const struct timespec until = clock_mono_timespec(item->deadline);
    while (item->state != DONE) {
        if (item->leads) {
            item->leads = false;
            lead(writer);
        } else if (item->state == TAKEN) {
            pthread_cond_wait(&item->changed, &writer->lock); /* the leader has a deadline */
        } else if (pthread_cond_timedwait(&item->changed, &writer->lock, &until) &&
                   item->state == QUEUED && !item->leads) {
            queue_remove(writer, item);
            finish(item, ERR_TIMEOUT);
        }
    }
    if (item->leads) /* another leader was faster than the word of it */
        hand_on_lead(writer);
}

enum err writer_store(struct writer *writer, const struct writer_event *event, int64_t deadline,
                      struct writer_outcome *outcome)
{
    struct item item = {.event = event, .outcome = outcome, .deadline = deadline};
    pthread_condattr_t attr;

    *outcome = (struct writer_outcome){{0}, {0}};
    pthread_mutex_lock(&writer->lock);
    if (writer->queued >= QUEUE_EVENTS ||
        (writer->queued && writer->queued_bytes + event->len > QUEUE_BYTES)) {
        pthread_mutex_unlock(&writer->lock);
        return ERR_BUSY;
    }
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&item.changed, &attr);
    pthread_condattr_destroy(&attr);
    queue_add(writer, &item);
    item.leads = writer->leaders < WRITER_LEADERS;
    writer->leaders += item.leads;
    await(writer, &item);
    pthread_mutex_unlock(&writer->lock);
    pthread_cond_destroy(&item.changed);
    return item.err;
}
