#include "http/body_clock.h"

#include "base/clock.h"
#include "base/thread.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

/* A reader may be about to block when the signal comes, so it comes again until the reader ends. */
enum { AGAIN_MS = 20 };

/* All deadlines are equally far off, so the list in order of arrival is in order of deadline. */
struct body_clock {
    pthread_mutex_t lock;
    pthread_cond_t changed; /* the list is not empty any more, or it is time to end */
    struct body_read *first, *last;
    int64_t limit_ms;
    int64_t looks_at; /* when the thread looks again by itself; INT64_MAX: when it is told to */
    bool stopping;
    pthread_t thread;
};

static void unlink_read(struct body_clock *body_clock, struct body_read *read)
{
    *(read->previous ? &read->previous->next : &body_clock->first) = read->next;
    *(read->next ? &read->next->previous : &body_clock->last) = read->previous;
}

static void ignore(int signal_number)
{
    (void)signal_number;
}

/* Interrupts all that are late; returns when to look again, INT64_MAX when nobody reads. */
static int64_t interrupt_late(struct body_clock *body_clock, int64_t now)
{
    struct body_read *read = body_clock->first;
    int64_t again = read && read->deadline <= now ? now + AGAIN_MS : INT64_MAX;
    for (; read && read->deadline <= now; read = read->next) {
        atomic_store(&read->expired, true);
        (void)pthread_kill(read->reader, SIGURG);
    }
    return read && read->deadline < again ? read->deadline : again;
}

static void *watch(void *arg)
{
    struct body_clock *body_clock = arg;

    pthread_mutex_lock(&body_clock->lock);
    while (!body_clock->stopping) {
        body_clock->looks_at = interrupt_late(body_clock, clock_mono_ms());
        if (body_clock->looks_at == INT64_MAX) {
            pthread_cond_wait(&body_clock->changed, &body_clock->lock);
        } else {
            const struct timespec until = clock_mono_timespec(body_clock->looks_at);
            pthread_cond_timedwait(&body_clock->changed, &body_clock->lock, &until);
        }
    }
    pthread_mutex_unlock(&body_clock->lock);
    return NULL;
}

enum err body_clock_start(int64_t limit_ms, struct body_clock **body_clock)
{
    const struct sigaction interrupt = {.sa_handler = ignore}; /* without SA_RESTART */
    struct body_clock *made = calloc(1, sizeof *made);
    if (!made || sigaction(SIGURG, &interrupt, NULL)) {
        free(made);
        return ERR_NOMEM;
    }
    made->limit_ms = limit_ms;
    made->looks_at = INT64_MAX;
    pthread_mutex_init(&made->lock, NULL);
    thread_cond_init(&made->changed);
    if (thread_start(&made->thread, watch, made)) {
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

void body_clock_begin(struct body_clock *body_clock, struct body_read *read)
{
    *read = (struct body_read){.reader = pthread_self(),
                               .deadline = clock_mono_ms() + body_clock->limit_ms};
    pthread_mutex_lock(&body_clock->lock);
    read->previous = body_clock->last;
    *(body_clock->last ? &body_clock->last->next : &body_clock->first) = read;
    body_clock->last = read;
    if (read->deadline < body_clock->looks_at) { /* hardly ever: it looked for an older one */
        body_clock->looks_at = read->deadline;
        pthread_cond_signal(&body_clock->changed);
    }
    pthread_mutex_unlock(&body_clock->lock);
}

bool body_clock_expired(const struct body_read *read)
{
    return atomic_load(&read->expired);
}

bool body_clock_end(struct body_clock *body_clock, struct body_read *read)
{
    pthread_mutex_lock(&body_clock->lock);
    unlink_read(body_clock, read);
    pthread_mutex_unlock(&body_clock->lock);
    return !body_clock_expired(read);
}
