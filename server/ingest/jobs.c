#include "ingest/jobs.h"

#include "base/clock.h"
#include "base/thread.h"
#include "ingest/expiry.h"
#include "ingest/fold.h"
#include "ingest/text_index.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

/* After a failure a job is tried again soon, and then ever later. */
enum { RETRY_MIN_MS = 1000, RETRY_MAX_MS = 60000 };

/* At the end: how long a statement may go on, and how often it is interrupted then. */
enum { LAST_MS = 2000, AGAIN_MS = 50 };

static enum job_result outcome(bool good)
{
    return good ? JOB_DONE : JOB_FAILED;
}

/* auth's work; auth itself knows nothing of jobs. */

static enum job_result ensure_superadmin(struct job *job)
{
    return outcome(keeper_ensure_superadmin(job_options(job)->keeper));
}

static enum job_result write_key_uses(struct job *job)
{
    return outcome(keeper_write_uses(job_options(job)->keeper));
}

static enum job_result drop_login_attempts(struct job *job)
{
    return outcome(keeper_drop_attempts(job_options(job)->keeper));
}

/* A new job gets a row here. */
static const struct work {
    const char *name;
    int64_t every_ms;
    enum job_result (*run)(struct job *job);
} table[] = {
    {"drop login attempts", 300000, drop_login_attempts},
    {"ensure superadmin", 10000, ensure_superadmin},
    {"expire journal", 60000, expire_journal},
    {"fold rollups", 1000, fold_rollups},
    {"index texts", 1000, text_index_update},
    {"write key uses", 60000, write_key_uses},
};

enum { JOB_COUNT = sizeof table / sizeof table[0] };

struct job {
    struct jobs *jobs;
    const struct work *work;
    pthread_t thread;
    bool started;
};

struct jobs {
    struct jobs_options opt;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_cond_t ended;
    bool stopping;    /* guarded by lock, as is the next */
    unsigned running; /* threads */
    struct job list[JOB_COUNT];
};

const struct jobs_options *job_options(const struct job *job)
{
    return &job->jobs->opt;
}

bool job_is_stopping(struct job *job)
{
    pthread_mutex_lock(&job->jobs->lock);
    bool stopping = job->jobs->stopping;
    pthread_mutex_unlock(&job->jobs->lock);
    return stopping;
}

/* Waits so long, or until all jobs must end. */
static void pause_for(struct job *job, int64_t ms)
{
    struct jobs *jobs = job->jobs;
    const struct timespec until = clock_mono_timespec(clock_mono_ms() + ms);
    int late = 0;
    pthread_mutex_lock(&jobs->lock);
    while (!jobs->stopping && !late)
        late = pthread_cond_timedwait(&jobs->wake, &jobs->lock, &until);
    pthread_mutex_unlock(&jobs->lock);
}

static void *run_job(void *arg)
{
    struct job *job = arg;
    int64_t retry = RETRY_MIN_MS;
    while (!job_is_stopping(job)) {
        enum job_result result = job->work->run(job);
        if (result == JOB_FAILED) {
            pause_for(job, retry);
            retry = retry * 2 > RETRY_MAX_MS ? RETRY_MAX_MS : retry * 2;
            continue;
        }
        retry = RETRY_MIN_MS;
        if (result == JOB_DONE)
            pause_for(job, job->work->every_ms);
    }
    pthread_mutex_lock(&job->jobs->lock);
    job->jobs->running--;
    pthread_cond_signal(&job->jobs->ended);
    pthread_mutex_unlock(&job->jobs->lock);
    return NULL;
}

enum err jobs_start(const struct jobs_options *options, struct jobs **out)
{
    bool failed = false;
    struct jobs *jobs = calloc(1, sizeof *jobs);
    if (!jobs)
        return ERR_NOMEM;
    jobs->opt = *options;
    pthread_mutex_init(&jobs->lock, NULL);
    thread_cond_init(&jobs->wake);
    thread_cond_init(&jobs->ended);
    pthread_mutex_lock(&jobs->lock);
    for (size_t i = 0; i < JOB_COUNT && !failed; i++) {
        struct job *job = &jobs->list[i];
        job->jobs = jobs;
        job->work = &table[i];
        failed = thread_start(&job->thread, run_job, job) != ERR_OK;
        job->started = !failed;
        jobs->running += job->started;
    }
    pthread_mutex_unlock(&jobs->lock);
    if (failed) {
        jobs_stop(jobs);
        return ERR_INTERNAL;
    }
    *out = jobs;
    return ERR_OK;
}

void jobs_stop(struct jobs *jobs)
{
    if (!jobs)
        return;
    pthread_mutex_lock(&jobs->lock);
    jobs->stopping = true;
    pthread_cond_broadcast(&jobs->wake);
    struct timespec until = clock_mono_timespec(clock_mono_ms() + LAST_MS);
    while (jobs->running) {
        if (pthread_cond_timedwait(&jobs->ended, &jobs->lock, &until)) {
            db_pool_interrupt(jobs->opt.pool);
            until = clock_mono_timespec(clock_mono_ms() + AGAIN_MS);
        }
    }
    pthread_mutex_unlock(&jobs->lock);
    for (size_t i = 0; i < JOB_COUNT; i++)
        if (jobs->list[i].started)
            pthread_join(jobs->list[i].thread, NULL);
    pthread_cond_destroy(&jobs->ended);
    pthread_cond_destroy(&jobs->wake);
    pthread_mutex_destroy(&jobs->lock);
    free(jobs);
}
