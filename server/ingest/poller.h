/*
 * The thread that polls: every interval, and when somebody asks for it. What a run does is said in
 * sync.h; here is only when.
 */
#ifndef FRONTDESK_INGEST_POLLER_H
#define FRONTDESK_INGEST_POLLER_H

#include "base/err.h"
#include "ingest/sync.h"

#include <stdbool.h>
#include <stdint.h>

struct poller;

struct poller_options {
    const char *database_url;
    const char *base_url, *key; /* Retell's */
    const struct log *log;
    int64_t interval_ms; /* 0: only when asked */
    int64_t window_ms;
};

/* Requests to Retell that are under way at a time. */
enum { POLLER_PARALLEL = 4 };

/*
 * Starts the thread; strings and log must outlive it. ERR_NOMEM or ERR_INTERNAL. curl_global_init()
 * must have been called.
 */
MUSTCHECK enum err poller_start(const struct poller_options *options, struct poller **poller);

/*
 * Cancels the run under way: whoever waits for it gets SYNC_CANCELLED within moments, and so does
 * whoever asks from now on. The poller must still be stopped.
 */
void poller_cancel(struct poller *poller);

/* Cancels, waits for the thread to end and frees everything. NULL is fine. */
void poller_stop(struct poller *poller);

/* How poller_request() ended. */
enum poller_answer {
    POLLER_DONE,    /* the run is over: see the report */
    POLLER_RUNNING, /* it goes on, and the caller has waited enough */
};

/*
 * Asks for a run and waits for its end, or with `only_begin` for its beginning, until `deadline`
 * (clock_mono_ms). While this process runs one for somebody, the report says SYNC_BUSY. Thread-safe;
 * needs little stack.
 */
enum poller_answer poller_request(struct poller *poller, const struct sync_order *order,
                                  bool only_begin, int64_t deadline, struct sync_report *report);

#endif
