/*
 * What the server counts about itself: counters, gauges and histograms, in the text form that
 * Prometheus reads (exposition format 0.0.4). One table (metrics.c) names them all, with their
 * labels; a value is an atomic integer, so counting takes no lock and costs a few nanoseconds.
 * Thread-safe. A NULL `metrics` counts nothing.
 */
#ifndef FRONTDESK_BASE_METRICS_H
#define FRONTDESK_BASE_METRICS_H

#include "base/buf.h"

#include <stddef.h>
#include <stdint.h>

/* The order is that of the table, which is the order of the names. */
enum metric {
    METRIC_BUILD_INFO,
    METRIC_CALLS_FOUND_BY_POLL,
    METRIC_DATABASE_CONNECTIONS,
    METRIC_DATABASE_UP,
    METRIC_DATABASE_WAITING,
    METRIC_HTTP_IN_FLIGHT,
    METRIC_HTTP_REQUEST_SECONDS,
    METRIC_HTTP_REQUESTS,
    METRIC_HTTP_WORKERS,
    METRIC_JOURNAL_DEAD,
    METRIC_LOGIN_FAILURES,
    METRIC_POLL_AGE_SECONDS,
    METRIC_POLL_PENDING_HYDRATION,
    METRIC_RATE_LIMITED,
    METRIC_ROLLUP_DELTA_AGE_SECONDS,
    METRIC_ROLLUP_DELTAS,
    METRIC_START_TIME_SECONDS,
    METRIC_TEXT_INDEX_LAG,
    METRIC_TEXT_INDEX_LAG_SECONDS,
    METRIC_WEBHOOK_ACK_SECONDS,
    METRIC_WEBHOOKS,
    METRIC_WRITE_GROUP_EVENTS,
    METRIC_COUNT
};

/* Values of the label `code` of METRIC_HTTP_REQUESTS: the first digit of the status. */
enum metric_code { METRIC_1XX, METRIC_2XX, METRIC_3XX, METRIC_4XX, METRIC_5XX, METRIC_CODES };

/* Values of the label `pool` of the METRIC_DATABASE_ ones. */
enum metric_pool {
    METRIC_POOL_API,
    METRIC_POOL_INGEST,
    METRIC_POOL_JOBS,
    METRIC_POOL_PROBES,
    METRIC_POOLS
};

/* Values of the label `result` of METRIC_WEBHOOKS. */
enum metric_webhook {
    METRIC_WEBHOOK_STORED,        /* something new */
    METRIC_WEBHOOK_UNCHANGED,     /* a duplicate, or nothing new */
    METRIC_WEBHOOK_KEPT,          /* no call to merge it into */
    METRIC_WEBHOOK_DEAD,          /* kept, not understood */
    METRIC_WEBHOOK_BAD_SIGNATURE, /* 401 */
    METRIC_WEBHOOK_BAD_BODY,      /* 400 */
    METRIC_WEBHOOK_NOT_STORED,    /* 503: Retell delivers it again, or the poller finds it */
    METRIC_WEBHOOK_RESULTS
};

struct metrics;

/*
 * All zero, gauges without a value. `routes` are the values of the label `route`, which must
 * outlive the metrics; observations name them by their index, and `route_count` itself is "none".
 * NULL: memory is short.
 */
struct metrics *metrics_new(const char *const *routes, size_t route_count);
void metrics_free(struct metrics *metrics);

/*
 * Adds to a counter, sets a gauge, or observes one value in a histogram. `label` is the index of
 * the label's value, 0 when there is none. Units are the table's: microseconds for what is called
 * _seconds and is a histogram, milliseconds for gauges in seconds.
 */
void metrics_add(struct metrics *metrics, enum metric metric, size_t label, uint64_t amount);
void metrics_set(struct metrics *metrics, enum metric metric, size_t label, int64_t value);
void metrics_observe(struct metrics *metrics, enum metric metric, size_t label, uint64_t value);

/* Moves a gauge without labels that has a value. */
void metrics_shift(struct metrics *metrics, enum metric metric, int64_t by);

/* A request that was answered: its route (index or route_count), its status, how long it took. */
void metrics_request(struct metrics *metrics, size_t route, int status, uint64_t microseconds);

/* A gauge whose value is not known now is not shown. */
void metrics_forget(struct metrics *metrics, enum metric metric, size_t label);

/* Everything as text, families in the order of their names. */
void metrics_write(const struct metrics *metrics, struct buf *out);

#endif
