/* GET /metrics: what the process counted, and what the database says of itself at that moment. */
#include "api/handlers.h"

#include "api/app.h"
#include "base/clock.h"
#include "base/metrics.h"

#include <stdlib.h>

enum { SCRAPE_MS = 1000 };

/* The columns of STATEMENT_METRICS, in its order; NULL is "no value". */
static const enum metric of_database[] = {
    METRIC_JOURNAL_DEAD,           METRIC_CALLS_FOUND_BY_POLL,    METRIC_POLL_AGE_SECONDS,
    METRIC_POLL_PENDING_HYDRATION, METRIC_ROLLUP_DELTAS,          METRIC_ROLLUP_DELTA_AGE_SECONDS,
    METRIC_TEXT_INDEX_LAG,         METRIC_TEXT_INDEX_LAG_SECONDS,
};

static void look_at_pools(struct app *app)
{
    struct db_pool *const pools[METRIC_POOLS] = {[METRIC_POOL_API] = app->api_pool,
                                                 [METRIC_POOL_INGEST] = app->ingest_pool,
                                                 [METRIC_POOL_JOBS] = app->jobs_pool,
                                                 [METRIC_POOL_PROBES] = app->probe_pool};
    for (size_t i = 0; i < METRIC_POOLS; i++) {
        unsigned open = 0;
        unsigned waiting = 0;
        db_pool_look(pools[i], &open, &waiting);
        metrics_set(app->metrics, METRIC_DATABASE_CONNECTIONS, i, open);
        metrics_set(app->metrics, METRIC_DATABASE_WAITING, i, waiting);
    }
}

/* A database that is away has no values, rather than those of the last scrape. */
static void look_at_database(struct app *app)
{
    struct db_result *result = NULL;
    enum err err = db_pool_query(app->probe_pool, STATEMENT_METRICS, NULL,
                                 clock_mono_ms() + SCRAPE_MS, &result);
    bool answered = !err && db_rows(result) == 1;
    metrics_set(app->metrics, METRIC_DATABASE_UP, 0, answered);
    for (size_t i = 0; i < sizeof of_database / sizeof of_database[0]; i++) {
        const char *value = answered ? db_value(result, 0, (int)i) : NULL;
        if (value)
            metrics_set(app->metrics, of_database[i], 0, strtoll(value, NULL, 10));
        else
            metrics_forget(app->metrics, of_database[i], 0);
    }
    db_result_free(result);
}

void metrics_page(struct app *app, const struct request *req, struct response *res)
{
    (void)req;
    look_at_pools(app);
    look_at_database(app);
    response_json(res, 200, "", 0);
    res->content_type = "text/plain; version=0.0.4; charset=utf-8";
    metrics_write(app->metrics, &res->body);
}
