/*
 * How many requests one client may make in a window of time. A window begins with a client's first
 * request and forgets it when it ends. Memory is fixed however many addresses come: 1.5 MB for
 * 65536 clients; when more are active at once, those with the fewest requests are forgotten first,
 * so that a flood of addresses frees no flooder.
 */
#ifndef FRONTDESK_HTTP_LIMITER_H
#define FRONTDESK_HTTP_LIMITER_H

#include "base/address.h"

#include <stdbool.h>
#include <stdint.h>

struct limiter;

/* What of a route counts against its client. */
enum limit {
    LIMIT_REQUESTS, /* every request */
    LIMIT_FAILURES, /* what never comes to the handler, and its 401; nothing else is refused */
    LIMIT_NONE,     /* nothing */
};

/* The constant's name without its prefix, lower case: also the policy's name in the headers. */
const char *limiter_limit_name(enum limit limit);

struct limit_state {
    bool within;       /* this request is one of those that are allowed */
    int64_t max;       /* requests a window */
    int64_t window_ms; /* how long one lasts */
    int64_t remaining; /* how many more are allowed in this one */
    int64_t reset_ms;  /* until it ends */
};

/*
 * At most `max` ≥ 1 requests per `window_ms` and client. NULL when memory or randomness is short.
 */
struct limiter *limiter_new(int64_t max, int64_t window_ms);

/* NULL is fine. Nobody may be using it. */
void limiter_free(struct limiter *limiter);

/*
 * Counts one request of `client` against `limit` at `now_ms` of the monotonic clock. Thread-safe,
 * never waits for I/O.
 */
struct limit_state limiter_count(struct limiter *limiter, enum limit limit,
                                 const struct address *client, int64_t now_ms);

#endif
