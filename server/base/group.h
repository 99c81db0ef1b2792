/*
 * A group: what many threads want done at the same time is done in batches, by one of them.
 *
 * A thread queues its item. If nobody leads, it leads: it takes its item and what waits, up to a batch,
 * does it, tells each follower that its item is done, and hands the lead to the next that waits. There
 * is no lingering and no thread of the group's own: an item alone is done at once, and batches grow
 * only while others are under way. The pattern is the writer queue of LevelDB (db/db_impl.cc,
 * DBImpl::Write).
 *
 * Nobody leads a batch that its own item is not in: its time would not bound how long that takes.
 */
#ifndef FRONTDESK_BASE_GROUP_H
#define FRONTDESK_BASE_GROUP_H

#include "base/err.h"

#include <semaphore.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum { GROUP_MAX_LEADERS = 8, GROUP_MAX_BATCH = 64 };

struct group;

/* What one thread wants done; lives on that thread's stack, within a struct of the caller's. */
struct group_item {
    size_t bytes;     /* how much of the batch's and the queue's bytes it takes */
    int64_t deadline; /* clock_mono_ms() by which its thread is told, whatever becomes of it */
    enum err err;     /* what becomes of it: set by the one who does the batch */
    /* The group's own. */
    struct group_item *next, *previous; /* in the queue */
    atomic_int state;
    atomic_bool leads; /* its thread must lead the next batch: nobody else takes the item */
    sem_t news;        /* posted once after `leads` is set, and once when done */
};

/*
 * Gets what a batch needs, in the thread that leads it, by the deadline of `first`, its item. Others may
 * join the batch until this returns. Unless it is ERR_OK, that is the `err` of `first`, and there is no
 * batch.
 */
typedef enum err group_prepare_fn(void *context, struct group_item *first);

/*
 * Does a batch, in the thread that leads it: sets the `err` of each of the `count` items, of which the
 * first is that thread's. `leader` is below the options' `leaders`, and no other batch under way has the
 * same.
 */
typedef void group_do_fn(void *context, unsigned leader, struct group_item *const *batch,
                         size_t count);

struct group_options {
    group_prepare_fn *prepare; /* NULL: a batch needs nothing */
    group_do_fn *perform;
    void *context;
    unsigned leaders;                /* batches under way at a time, at most GROUP_MAX_LEADERS */
    size_t batch_items, batch_bytes; /* at most GROUP_MAX_BATCH; one item may have more bytes */
    size_t queue_items, queue_bytes; /* of those that nobody has taken yet; likewise */
    int64_t last_moment_ms;          /* with less time left than this an item is not taken */
};

/* NULL when memory is short. */
struct group *group_new(const struct group_options *options);

/* No thread may be inside group_run. NULL is fine. */
void group_free(struct group *group);

/*
 * Has `item` done, by this thread or another: its `err`. By its deadline, and not done at all:
 * ERR_BUSY, at once, when the queue is full; ERR_TIMEOUT when it was still in the queue. Whoever does
 * a batch must see to the deadlines of what is in it. Thread-safe.
 */
MUSTCHECK enum err group_run(struct group *group, struct group_item *item);

/* Whoever's item is in the queue is told `err` at once; batches under way go on. Thread-safe. */
void group_refuse(struct group *group, enum err err);

/* How many items are in the queue. Thread-safe. */
size_t group_waiting(struct group *group);

/* The earliest deadline in a batch. */
int64_t group_deadline(struct group_item *const *batch, size_t count);

#endif
