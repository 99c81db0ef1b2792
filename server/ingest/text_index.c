#include "ingest/text_index.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    ROUND_MS = 6000, /* above the database's own limit for a statement */
    BATCH = 300      /* entries of the queue: well below a second's work */
};

enum job_result text_index_update(struct job *job)
{
    const struct jobs_options *opt = job_options(job);
    struct db_result *result = NULL;
    char batch[16];
    (void)snprintf(batch, sizeof batch, "%d", BATCH);
    const struct db_param params[] = {db_text(batch)};
    enum err err =
        db_pool_query(opt->pool, STATEMENT_TEXT_INDEX, params, clock_mono_ms() + ROUND_MS, &result);
    const char *taken = !err && db_rows(result) == 1 ? db_value(result, 0, 0) : NULL;
    bool more = taken && strtoll(taken, NULL, 10) >= BATCH;
    db_result_free(result);
    if (err)
        return JOB_FAILED; /* logged by the pool */
    return more ? JOB_MORE : JOB_DONE;
}
