#include "ingest/fold.h"

#include "base/clock.h"

#include <stdlib.h>

enum {
    ROUND_MS = 61000, /* above the database's own limit for a statement */
    FULL_ROUND = 5000 /* changes: half of what a round takes at most */
};

enum job_result fold_rollups(struct job *job)
{
    const struct jobs_options *opt = job_options(job);
    struct db_result *result = NULL;
    enum err err =
        db_pool_query(opt->pool, STATEMENT_ROLLUPS_FOLD, NULL, clock_mono_ms() + ROUND_MS, &result);
    const char *folded = !err && db_rows(result) == 1 ? db_value(result, 0, 0) : NULL;
    bool more = folded && strtoll(folded, NULL, 10) >= FULL_ROUND;
    db_result_free(result);
    if (err)
        return JOB_FAILED; /* logged by the pool */
    return more ? JOB_MORE : JOB_DONE;
}
