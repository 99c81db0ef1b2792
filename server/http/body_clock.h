/*
 * A total deadline for reading bodies. civetweb limits how long a client may be silent, not how
 * long it may drip; here one thread shuts the receiving side of a socket whose body is late, which
 * ends the worker's read. The sending side stays open for the answer.
 */
#ifndef FRONTDESK_HTTP_BODY_CLOCK_H
#define FRONTDESK_HTTP_BODY_CLOCK_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct body_clock;

/* One read under way; lives on the reader's stack between begin and end. */
struct body_read {
    struct body_read *next, *previous;
    int64_t deadline;
    int fd;
    bool expired;
};

/* Every body gets `limit_ms` from its begin. */
MUSTCHECK enum err body_clock_start(int64_t limit_ms, struct body_clock **body_clock);

/* No read may be under way. NULL is fine. */
void body_clock_stop(struct body_clock *body_clock);

/* `fd` must stay open until body_clock_end. Thread-safe. */
void body_clock_begin(struct body_clock *body_clock, struct body_read *read, int fd);

/* true: the body came in time. */
bool body_clock_end(struct body_clock *body_clock, struct body_read *read);

#endif
