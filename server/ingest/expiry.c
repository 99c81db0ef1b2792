#include "ingest/expiry.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    ROUND_MS = 6000, /* above the database's own limit for a statement */
    FULL_ROUND = 500 /* rows: the LIMIT of the statement */
};

enum job_result expire_journal(struct job *job)
{
    const struct jobs_options *opt = job_options(job);
    struct db_result *result = NULL;
    char days[24];
    (void)snprintf(days, sizeof days, "%lld", (long long)opt->journal_retention_days);
    const struct db_param params[] = {db_text(days)};
    enum err err = db_pool_query(opt->pool, STATEMENT_JOURNAL_EXPIRE, params,
                                 clock_mono_ms() + ROUND_MS, &result);
    const char *gone = !err && db_rows(result) == 1 ? db_value(result, 0, 0) : NULL;
    bool more = gone && strtoll(gone, NULL, 10) >= FULL_ROUND;
    db_result_free(result);
    if (err)
        return JOB_FAILED; /* logged by the pool */
    return more ? JOB_MORE : JOB_DONE;
}
