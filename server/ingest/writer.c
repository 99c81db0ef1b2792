#include "ingest/writer.h"

#include "base/clock.h"
#include "base/group.h"
#include "db/array.h"

#include <stdlib.h>
#include <string.h>

enum {
    BATCH_BYTES = 256 * 1024,
    QUEUE_EVENTS = 1024,
    QUEUE_BYTES = 16 * 1024 * 1024,
    LAST_MOMENT_MS = 200, /* with less time left than this an event is not taken any more */
};

/* One waiting thread's event; lives on that thread's stack. */
struct item {
    struct group_item in_group; /* first: a pointer to it is one to the item */
    const struct writer_event *event;
    struct writer_outcome *outcome;
};

/* A leader's parameters, kept from batch to batch so that their memory is. */
struct arrays {
    struct buf bodies, sources, times;
};

struct writer {
    struct db_pool *pool;
    const struct log *log;
    struct metrics *metrics;
    struct group *group;
    struct arrays arrays[WRITER_LEADERS];
};

static struct item *item_of(struct group_item *in_group)
{
    return (struct item *)in_group;
}

static void copy_text(char *out, size_t size, const char *text)
{
    size_t len = text ? strnlen(text, size - 1) : 0;
    if (len)
        memcpy(out, text, len);
    out[len] = '\0';
}

/* Copies what ingest says of each event into its outcome. */
static enum err read_outcomes(struct group_item *const *batch, size_t count,
                              const struct db_result *result)
{
    enum { ORD, OUTCOME, ERROR };
    if (db_rows(result) != count)
        return ERR_INTERNAL;
    for (size_t row = 0; row < count; row++) {
        const char *ord = db_value(result, row, ORD);
        const char *outcome = db_value(result, row, OUTCOME);
        size_t index = ord ? strtoul(ord, NULL, 10) : 0;
        if (index < 1 || index > count || !outcome)
            return ERR_INTERNAL;
        struct writer_outcome *out = item_of(batch[index - 1])->outcome;
        copy_text(out->outcome, sizeof out->outcome, outcome);
        copy_text(out->error, sizeof out->error, db_value(result, row, ERROR));
    }
    return ERR_OK;
}

/*
 * One statement on one connection. `*again`: the connection broke, another may do; or another session
 * was in the way, as one that changes many calls by hand.
 */
static enum err try_batch(struct writer *writer, struct group_item *const *batch, size_t count,
                          const struct db_param *params, int64_t deadline, bool *again)
{
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

static enum err write_batch(struct writer *writer, struct arrays *arrays,
                            struct group_item *const *batch, size_t count, int64_t deadline)
{
    enum err err = ERR_NOMEM;

    array_begin(&arrays->bodies, ARRAY_BYTEA, count);
    array_begin(&arrays->sources, ARRAY_TEXT, count);
    array_begin(&arrays->times, ARRAY_INT8, count);
    for (size_t i = 0; i < count; i++) {
        const struct writer_event *event = item_of(batch[i])->event;
        array_add_bytes(&arrays->bodies, event->body, event->len);
        array_add_bytes(&arrays->sources, event->source, strlen(event->source));
        array_add_int8(&arrays->times, event->sent_ms);
    }
    if (!arrays->bodies.failed && !arrays->sources.failed && !arrays->times.failed) {
        const struct db_param params[] = {array_param(&arrays->bodies),
                                          array_param(&arrays->sources),
                                          array_param(&arrays->times)};
        bool again = false;
        err = try_batch(writer, batch, count, params, deadline, &again);
        if (again)
            err = try_batch(writer, batch, count, params, deadline, &again);
    }
    array_reset(&arrays->bodies);
    array_reset(&arrays->sources);
    array_reset(&arrays->times);
    return err;
}

/* May the error be the fault of one event, so that the others would be stored without it? */
static bool may_be_of_one(enum err err)
{
    return err == ERR_DATA || err == ERR_INTERNAL;
}

/* All by the first deadline of all: what is not written by then one by one, Retell sends again. */
static void write_events(void *context, unsigned leader, struct group_item *const *batch,
                         size_t count)
{
    struct writer *writer = context;
    struct arrays *arrays = &writer->arrays[leader];
    int64_t deadline = group_deadline(batch, count);
    enum err err = write_batch(writer, arrays, batch, count, deadline);
    if (!err)
        metrics_observe(writer->metrics, METRIC_WRITE_GROUP_EVENTS, 0, count);
    for (size_t i = 0; i < count; i++) {
        batch[i]->err = err;
        if (count > 1 && may_be_of_one(err)) /* one bad event must not fail the others */
            batch[i]->err = clock_mono_ms() < deadline
                                ? write_batch(writer, arrays, &batch[i], 1, deadline)
                                : ERR_TIMEOUT;
    }
}

struct writer *writer_new(struct db_pool *pool, const struct log *log, struct metrics *metrics)
{
    struct writer *writer = calloc(1, sizeof *writer);
    if (!writer)
        return NULL;
    writer->pool = pool;
    writer->log = log;
    writer->metrics = metrics;
    const struct group_options options = {
        .perform = write_events,
        .context = writer,
        .leaders = WRITER_LEADERS,
        .batch_items = WRITER_BATCH_EVENTS,
        .batch_bytes = BATCH_BYTES,
        .queue_items = QUEUE_EVENTS,
        .queue_bytes = QUEUE_BYTES,
        .last_moment_ms = LAST_MOMENT_MS,
    };
    writer->group = group_new(&options);
    if (writer->group)
        return writer;
    free(writer);
    return NULL;
}

void writer_free(struct writer *writer)
{
    if (!writer)
        return;
    for (size_t i = 0; i < WRITER_LEADERS; i++) {
        buf_free(&writer->arrays[i].bodies);
        buf_free(&writer->arrays[i].sources);
        buf_free(&writer->arrays[i].times);
    }
    group_free(writer->group);
    free(writer);
}

enum err writer_store(struct writer *writer, const struct writer_event *event, int64_t deadline,
                      struct writer_outcome *outcome)
{
    struct item item = {.in_group = {.bytes = event->len, .deadline = deadline},
                        .event = event,
                        .outcome = outcome};
    *outcome = (struct writer_outcome){{0}, {0}};
    return group_run(writer->group, &item.in_group);
}
