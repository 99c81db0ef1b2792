/*
 * Periodic work: one table (jobs.c) of names, intervals and functions. Each runs on a thread of its
 * own with a stack of 1 MiB, so that none waits for another's; what several servers must not do at
 * once says so itself, by an advisory lock.
 *
 * Work that fails is tried again after a second, then ever later, up to a minute; work that says
 * there is more goes on at once. A job is asked to end by jobs_stop(), which waits for it: long work
 * looks at job_is_stopping() between its steps, and a statement that takes longer than 2 s more is
 * interrupted.
 */
#ifndef FRONTDESK_INGEST_JOBS_H
#define FRONTDESK_INGEST_JOBS_H

#include "auth/keeper.h"
#include "base/err.h"
#include "base/log.h"
#include "db/pool.h"

#include <stdbool.h>
#include <stdint.h>

struct jobs;
struct job;

/* What all jobs may use. Everything must outlive the jobs. */
struct jobs_options {
    struct db_pool *pool;
    const struct log *log;
    struct keeper *keeper;
    int64_t journal_retention_days;
};

/* Starts all of them. ERR_NOMEM, ERR_INTERNAL. */
MUSTCHECK enum err jobs_start(const struct jobs_options *options, struct jobs **jobs);

/* Ends all of them and waits for that. NULL is fine. */
void jobs_stop(struct jobs *jobs);

/* For the functions in the table. */

enum job_result {
    JOB_DONE,   /* again after the interval */
    JOB_MORE,   /* again at once */
    JOB_FAILED, /* again after a pause that grows */
};

const struct jobs_options *job_options(const struct job *job);
bool job_is_stopping(struct job *job);

#endif
