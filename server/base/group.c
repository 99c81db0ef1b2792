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

static bool leads(const struct group_item *item)
{
    return atomic_load_explicit(&item->leads, memory_order_acquire);
}

static void tell_to_lead(struct group_item *item)
{
    atomic_store_explicit(&item->leads, true, memory_order_release);
    (void)sem_post(&item->news);
}

static bool out_of_time(const struct group *group, const struct group_item *item)
{
    return item->deadline < clock_mono_ms() + group->options.last_moment_ms;
}

/*
 * The first from `item` on that may be taken, or told to lead; NULL: none. Those out of time are
 * finished on the way. The lock is held.
 */
static struct group_item *first_free(struct group *group, struct group_item *item)
{
    for (struct group_item *next; item; item = next) {
        next = item->next;
        if (leads(item))
            continue;
        if (!out_of_time(group, item))
            return item;
        refuse(group, item, ERR_TIMEOUT);
    }
    return NULL;
}

static void take(struct group *group, struct group_item *item)
{
    queue_remove(group, item);
    atomic_store_explicit(&item->state, TAKEN, memory_order_release);
}

/* Takes the item of a thread that was told to lead. false: it was refused, or is too late. */
static bool take_own(struct group *group, struct group_item *own)
{
    if (atomic_load_explicit(&own->state, memory_order_relaxed) != QUEUED)
        return false;
    if (out_of_time(group, own)) {
        refuse(group, own, ERR_TIMEOUT);
        return false;
    }
    take(group, own);
    return true;
}

/* Adds what waits to a batch of which the first is taken; how many are in it then. */
static size_t fill_batch(struct group *group, struct group_item **batch)
{
    const struct group_options *opt = &group->options;
    size_t bytes = batch[0]->bytes;
    size_t count = 1;
    struct group_item *item = first_free(group, group->head);
    while (item && count < opt->batch_items && bytes + item->bytes <= opt->batch_bytes) {
        struct group_item *next = item->next;
        take(group, item);
        bytes += item->bytes;
        batch[count++] = item;
        item = first_free(group, next);
    }
    return count;
}

/* Hands the lead to the next that waits, or ends it. The lock is held. */
static void hand_on(struct group *group)
{
    struct group_item *next = first_free(group, group->head);
    if (next)
        tell_to_lead(next);
    else
        group->leaders--;
}

/* Does what was taken as the first of a batch, and what joins it; how many that were. */
static size_t lead_batch(struct group *group, unsigned number, struct group_item **batch)
{
    const struct group_options *opt = &group->options;
    batch[0]->err = opt->prepare ? opt->prepare(opt->context, batch[0]) : ERR_OK;
    if (batch[0]->err)
        return 1;
    pthread_mutex_lock(&group->lock);
    size_t count = fill_batch(group, batch);
    pthread_mutex_unlock(&group->lock);
    opt->perform(opt->context, number, batch, count);
    return count;
}

/* Leads the batch of `own`, if that can still be done; hands the lead on, lets the followers go. */
static void lead(struct group *group, struct group_item *own)
{
    struct group_item *batch[GROUP_MAX_BATCH];

    pthread_mutex_lock(&group->lock);
    unsigned number = (unsigned)__builtin_ctz(~group->numbers);
    group->numbers |= 1u << number;
    bool taken = take_own(group, own);
    pthread_mutex_unlock(&group->lock);

    batch[0] = own;
    size_t count = taken ? lead_batch(group, number, batch) : 0;

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
    bool may = atomic_load_explicit(&item->state, memory_order_relaxed) == QUEUED && !leads(item);
    if (may)
        queue_remove(group, item);
    pthread_mutex_unlock(&group->lock);
    return may;
}

/*
 * Waits until `item` is DONE, leading when told to, which is once at most. Every post is waited for
 * before the item goes. `leads` is looked at after the state: it is never set once the item is TAKEN or
 * DONE, so an item that is DONE and is not to lead never will be.
 */
static enum err await(struct group *group, struct group_item *item)
{
    const struct timespec until = clock_mono_timespec(item->deadline);
    int expected = 1; /* posts: that it is DONE, and that for leading */
    bool led = false;
    for (;;) {
        int state = atomic_load_explicit(&item->state, memory_order_acquire);
        if (!led && leads(item)) {
            led = true;
            expected++;
            lead(group, item);
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
        if (group->leaders < opt->leaders) {
            group->leaders++;
            tell_to_lead(item);
        }
    }
    pthread_mutex_unlock(&group->lock);
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
