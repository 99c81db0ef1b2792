/*
 * The webhooks of made-up calls, signed and ready to be sent: what the benchmarks send, so that the
 * time taken is the server's and not that of making events up.
 */
#ifndef FRONTDESK_BENCH_TRAFFIC_H
#define FRONTDESK_BENCH_TRAFFIC_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct traffic_options {
    size_t size;        /* wanted mean size of an event's body, bytes; within a fifth */
    size_t calls;       /* three events each: call_started, call_ended, call_analyzed */
    uint64_t seed;      /* the same calls for the same seed */
    const char *key;    /* signs; NULL: bodies only, no requests */
    const char *target; /* of the requests, such as "/api/webhooks/retell" */
};

struct traffic_event {
    struct buf body;
    struct buf request; /* the whole HTTP request, body included */
    int64_t sent_ms;
};

struct traffic {
    struct traffic_event *events;
    size_t count;
    size_t bytes; /* of all bodies */
};

/*
 * Makes the events, in the order that an office would send them: a call's own three in order, but
 * those of a few hundred other calls between them. Three calls of ten are one agent's. false: memory
 * is short or no call of that size was found; `traffic` is to be freed all the same.
 */
bool traffic_make(const struct traffic_options *options, struct traffic *traffic);
void traffic_free(struct traffic *traffic);

#endif
