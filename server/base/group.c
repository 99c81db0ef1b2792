#include "base/group.h"

#include "base/clock.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

/*
 * QUEUED: in the queue; its thread may give it up. TAKEN: a leader has it, and nobody else touches
 * it. DONE: its thread may go, and the item with it.
 */
enum state { QUEUED, TAKEN, DONE };

struct group {
    struct group_options options;
    pthread_mutex_t lock; /* guards all below, and what becomes of a QUEUED item */
    struct group_item *head, *tail;
    size_t queued, queued_bytes;
    unsigned leaders; /* threads that lead, or were told to */
    unsigned numbers; /* a bit for each number of a leader that a batch under way has */
};

struct group *group_new(const struct group_options *options)
{
    struct group *group = calloc(1, sizeof *group);
    if (!group)
        return NULL;
    group->options = *options;
    pthread_mutex_init(&group->lock, NULL);
    return group;
}

void group_free(struct group *group)
{
    if (!group)
        return;
    pthread_mutex_destroy(&group->lock);
    free(group);
}

static void queue_add(struct group *group, struct group_item *item)
{
    item->previous = group->tail;
    *(group->tail ? &group->tail->next : &group->head) = item;
    group->tail = item;
    group->queued++;
    group->queued_bytes += item->bytes;
}

static void queue_remove(struct group *group, struct group_item *item)
{
    *(item->previous ? &item->previous->next : &group->head) = item->next;
    *(item->next ? &item->next->previous : &group->tail) = item->previous;
    item->next = item->previous = NULL;
    group->queued--;
    group->queued_bytes -= item->bytes;
}

/* The post is the last that is done to an item: its thread goes then, and the semaphore with it. */
static void finish(struct group_item *item)
{
    atomic_store_explicit(&item->state, DONE, memory_order_release);
    (void)sem_post(&item->news);
}

static void refuse(struct group *group, struct group_item *item, enum err err)
{
    queue_remove(group, item);
    item->err = err;
    finish(item);
}

/* Takes a batch off the head of the queue; items out of time are finished on the way. */
static size_t take_batch(struct group *group, struct group_item **batch)
{
    const struct group_options *opt = &group->options;
    int64_t latest = clock_mono_ms() + opt->last_moment_ms;
    size_t count = 0;
    size_t bytes = 0;
    while (group->head && count < opt->batch_items) {
        struct group_item *item = group->head;
        if (item->deadline < latest) {
            refuse(group, item, ERR_TIMEOUT);
            continue;
        }
        if (count && bytes + item->bytes > opt->batch_bytes)
            break;
        queue_remove(group, item);
        atomic_store_explicit(&item->state, TAKEN, memory_order_release);
        bytes += item->bytes;
        batch[count++] = item;
    }
    return count;
}

/* Hands the lead to the next that waits, or ends it. The lock is held. */
static void hand_on(struct group *group)
{
    struct group_item *next = group->head;
    while (next && atomic_load_explicit(&next->leads, memory_order_relaxed))
        next = next->next;
    if (!next) {
        group->leaders--;
        return;
    }
    atomic_store_explicit(&next->leads, true, memory_order_release);
    (void)sem_post(&next->news);
}

/* Leads one batch: takes it, does it, hands the lead on and lets the followers go. */
static void lead(struct group *group)
{
    struct group_item *batch[GROUP_MAX_BATCH];

    pthread_mutex_lock(&group->lock);
    unsigned number = (unsigned)__builtin_ctz(~group->numbers);
    group->numbers |= 1u << number;
    size_t count = take_batch(group, batch);
    pthread_mutex_unlock(&group->lock);

    if (count)
        group->options.perform(group->options.context, number, batch, count);

    pthread_mutex_lock(&group->lock);
    group->numbers &= ~(1u << number);
    hand_on(group);
    pthread_mutex_unlock(&group->lock);
    for (size_t i = 0; i < count; i++)
        finish(batch[i]);
}

/* Takes an item out of the queue whose time is up. false: too late, it is TAKEN or must lead. */
static bool give_up(struct group *group, struct group_item *item)
{
    pthread_mutex_lock(&group->lock);
    bool may = atomic_load_explicit(&item->state, memory_order_relaxed) == QUEUED &&
               !atomic_load_explicit(&item->leads, memory_order_relaxed);
    if (may)
        queue_remove(group, item);
    pthread_mutex_unlock(&group->lock);
    return may;
}

/*
 * Waits until `item` is DONE, leading when asked to. Every post is waited for before the item goes.
 * `leads` is looked at after the state: it is never set once the item is TAKEN, so an item that is
 * DONE and is not to lead never will be.
 */
static enum err await(struct group *group, struct group_item *item)
{
    const struct timespec until = clock_mono_timespec(item->deadline);
    int expected = 1; /* posts: that it is DONE, and those for leading */
    for (;;) {
        int state = atomic_load_explicit(&item->state, memory_order_acquire);
        if (atomic_exchange_explicit(&item->leads, false, memory_order_acquire)) {
            expected++;
            lead(group);
        } else if (state == DONE && expected == 0) {
            return item->err;
        } else if (state != QUEUED) { /* DONE, or soon: the leader has a deadline */
            expected -= sem_wait(&item->news) == 0;
        } else if (sem_clockwait(&item->news, CLOCK_MONOTONIC, &until) == 0) {
            expected--;
        } else if (errno == ETIMEDOUT && give_up(group, item)) {
            return ERR_TIMEOUT;
        }
    }
}

enum err group_run(struct group *group, struct group_item *item)
{
    const struct group_options *opt = &group->options;
    bool leads = false;

    if (sem_init(&item->news, 0, 0))
        return ERR_INTERNAL;
    item->next = item->previous = NULL;
    atomic_init(&item->state, QUEUED);
    atomic_init(&item->leads, false);
    pthread_mutex_lock(&group->lock);
    bool full = group->queued >= opt->queue_items ||
                (group->queued && group->queued_bytes + item->bytes > opt->queue_bytes);
    if (!full) {
        queue_add(group, item);
        leads = group->leaders < opt->leaders;
        group->leaders += leads;
    }
    pthread_mutex_unlock(&group->lock);
    if (leads)
        lead(group);
    enum err err = full ? ERR_BUSY : await(group, item);
    (void)sem_destroy(&item->news);
    return err;
}

void group_refuse(struct group *group, enum err err)
{
    pthread_mutex_lock(&group->lock);
    while (group->head)
        refuse(group, group->head, err);
    pthread_mutex_unlock(&group->lock);
}

size_t group_waiting(struct group *group)
{
    pthread_mutex_lock(&group->lock);
    size_t waiting = group->queued;
    pthread_mutex_unlock(&group->lock);
    return waiting;
}

int64_t group_deadline(struct group_item *const *batch, size_t count)
{
    int64_t earliest = batch[0]->deadline;
    for (size_t i = 1; i < count; i++)
        if (batch[i]->deadline < earliest)
            earliest = batch[i]->deadline;
    return earliest;
}
