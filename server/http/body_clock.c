#include "http/body_clock.h"

#include "base/clock.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>

/* All deadlines are equally far off, so the list in order of arrival is in order of deadline. */
struct body_clock {
    pthread_mutex_t lock;
    pthread_cond_t changed; /* the list is not empty any more, or it is time to end */
    struct body_read *first, *last;
    int64_t limit_ms;
    bool stopping;
    pthread_t thread;
};

static void unlink_read(struct body_clock *body_clock, struct body_read *read)
{
    *(read->previous ? &read->previous->next : &body_clock->first) = read->next;
    *(read->next ? &read->next->previous : &body_clock->last) = read->previous;
}

static void *watch(void *arg)
{
    struct body_clock *body_clock = arg;

    pthread_mutex_lock(&body_clock->lock);
    while (!body_clock->stopping) {
        struct body_read *read = body_clock->first;
        if (!read) {
            pthread_cond_wait(&body_clock->changed, &body_clock->lock);
        } else if (read->deadline > clock_mono_ms()) {
            const struct timespec until = clock_mono_timespec(read->deadline);
            pthread_cond_timedwait(&body_clock->changed, &body_clock->lock, &until);
        } else {
            read->expired = true;
            unlink_read(body_clock, read);
            (void)shutdown(read->fd, SHUT_RD);
        }
    }
    pthread_mutex_unlock(&body_clock->lock);
    return NULL;
}

enum err body_clock_start(int64_t limit_ms, struct body_clock **body_clock)
{
    struct body_clock *made = calloc(1, sizeof *made);
    pthread_condattr_t attr;
    if (!made)
        return ERR_NOMEM;
    made->limit_ms = limit_ms;
    pthread_mutex_init(&made->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&made->changed, &attr);
    pthread_condattr_destroy(&attr);
    if (pthread_create(&made->thread, NULL, watch, made)) {
        pthread_cond_destroy(&made->changed);
        pthread_mutex_destroy(&made->lock);
        free(made);
        return ERR_INTERNAL;
    }
    *body_clock = made;
    return ERR_OK;
}

void body_clock_stop(struct body_clock *body_clock)
{
    if (!body_clock)
        return;
    pthread_mutex_lock(&body_clock->lock);
    body_clock->stopping = true;
    pthread_cond_signal(&body_clock->changed);
    pthread_mutex_unlock(&body_clock->lock);
    pthread_join(body_clock->thread, NULL);
    pthread_cond_destroy(&body_clock->changed);
    pthread_mutex_destroy(&body_clock->lock);
    free(body_clock);
}

void body_clock_begin(struct body_clock *body_clock, struct body_read *read, int fd)
{
    *read = (struct body_read){.fd = fd, .deadline = clock_mono_ms() + body_clock->limit_ms};
    pthread_mutex_lock(&body_clock->lock);
    read->previous = body_clock->last;
    *(body_clock->last ? &body_clock->last->next : &body_clock->first) = read;
    body_clock->last = read;
    if (body_clock->first == read)
        pthread_cond_signal(&body_clock->changed);
    pthread_mutex_unlock(&body_clock->lock);
}

bool body_clock_end(struct body_clock *body_clock, struct body_read *read)
{
    pthread_mutex_lock(&body_clock->lock);
    if (!read->expired)
        unlink_read(body_clock, read);
    pthread_mutex_unlock(&body_clock->lock);
    return !read->expired;
}
