/* All that handlers need, built once by serve and passed down; nothing else in here changes later. */
#ifndef FRONTDESK_API_APP_H
#define FRONTDESK_API_APP_H

#include "auth/guard.h"
#include "auth/password.h"
#include "base/config.h"
#include "base/log.h"
#include "base/metrics.h"
#include "db/pool.h"
#include "http/cors.h"
#include "http/limiter.h"
#include "ingest/poller.h"
#include "ingest/writer.h"
#include "retell/signature.h"

#include <stdatomic.h>
#include <stdint.h>

struct app {
    const struct config *config;
    const struct log *log;
    struct db_pool *api_pool;    /* pages and rows; never waits behind ingest */
    struct db_pool *ingest_pool; /* the writer's */
    struct db_pool *jobs_pool;   /* periodic work */
    struct db_pool *probe_pool;  /* readiness and metrics; never waits behind periodic work */
    struct metrics *metrics;
    struct writer *writer;
    struct poller *poller;
    struct guard guard;
    struct passwords *passwords;
    struct signature_keys *webhook_keys;
    struct cors cors;
    struct limiter *limiter;   /* NULL: nobody is limited */
    int64_t started_ms;        /* clock_mono_ms() */
    atomic_bool schema_fitted; /* once, the database's schema was this program's */
};

#endif
