/*
 * A total deadline for reading bodies. civetweb limits how long a client may be silent, not how
 * long it may drip, and it shows nobody its sockets. So one thread interrupts the reader whose body
 * is late by a signal that does nothing else: civetweb's poll(2) fails, and its read ends. The
 * connection stays as it was, for the answer.
 */
#ifndef FRONTDESK_HTTP_BODY_CLOCK_H
#define FRONTDESK_HTTP_BODY_CLOCK_H

#include "base/err.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct body_clock;

/* One read under way; lives on the reader's stack between begin and end. */
struct body_read {
    struct body_read *next, *previous;
    pthread_t reader;
    int64_t deadline; /* in clock_mono_ms() */
    atomic_bool expired;
};

/* Every body gets `limit_ms` from its begin. Takes SIGURG, which means nothing to anybody else. */
MUSTCHECK enum err body_clock_start(int64_t limit_ms, struct body_clock **body_clock);

/* No read may be under way. NULL is fine. */
void body_clock_stop(struct body_clock *body_clock);

/* The calling thread begins to read; it must not block but for this body until body_clock_end. */
void body_clock_begin(struct body_clock *body_clock, struct body_read *read);

/* Is the body late? To be asked before each piece. */
bool body_clock_expired(const struct body_read *read);

/* The same thread has read. true: the body came in time. */
bool body_clock_end(struct body_clock *body_clock, struct body_read *read);

#endif
