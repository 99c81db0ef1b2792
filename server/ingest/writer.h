/*
 * The write group: events of many threads share one transaction, and nobody is told "stored"
 * before its commit.
 *
 * A group (base/group.h) whose batches are at most 64 events and 256 KB, each written by one
 * `frontdesk.ingest`, which commits.
 */
#ifndef FRONTDESK_INGEST_WRITER_H
#define FRONTDESK_INGEST_WRITER_H

#include "base/err.h"
#include "base/log.h"
#include "base/metrics.h"
#include "db/pool.h"

#include <stddef.h>
#include <stdint.h>

/* tests/bench builds a server with other numbers, to see what these gain. */
#ifndef WRITER_LEADERS
#define WRITER_LEADERS 2 /* batches under way at a time, each on a connection of its own */
#define WRITER_BATCH_EVENTS 64
#endif

struct writer;

/* One observation: the raw envelope as it came, and when its sender says it was sent. */
struct writer_event {
    const char *body;
    size_t len;
    const char *source; /* "webhook", "poll" or "replay" */
    int64_t sent_ms;    /* ms since the epoch */
};

/* What became of an event, in the words of frontdesk.ingest ("inserted", "dead", …). */
struct writer_outcome {
    char outcome[16];
    char error[200]; /* why it is dead, else empty */
};

/* NULL when memory is short. What it is given must outlive the writer. */
struct writer *writer_new(struct db_pool *pool, const struct log *log, struct metrics *metrics);

/* No thread may be inside writer_store. */
void writer_free(struct writer *writer);

/*
 * Stores one event and returns after its commit (ERR_OK), or by `deadline` (clock_mono_ms) with
 * ERR_BUSY: the queue is full; ERR_TIMEOUT, ERR_UNAVAILABLE: not known to be stored, deliver it
 * again (that is safe: duplicates change nothing); ERR_DATA: the database refuses this event, and
 * will again. The body must stay until the return. Thread-safe.
 */
MUSTCHECK enum err writer_store(struct writer *writer, const struct writer_event *event,
                                int64_t deadline, struct writer_outcome *outcome);

#endif
