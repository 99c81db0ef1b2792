#include "base/thread.h"

#include <sched.h>
#include <sys/prctl.h>
#include <time.h>

enum { STACK = 1024 * 1024, FUTEX_LISTS = 2048 };

#ifndef PR_FUTEX_HASH
#define PR_FUTEX_HASH 78
#define PR_FUTEX_HASH_SET_SLOTS 1
#endif

enum err thread_start(pthread_t *thread, void *(*run)(void *), void *arg)
{
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK);
    int failed = pthread_create(thread, &attr, run, arg);
    pthread_attr_destroy(&attr);
    return failed ? ERR_INTERNAL : ERR_OK;
}

void thread_expect_many(void)
{
    const struct sched_param param = {0};
    (void)prctl(PR_FUTEX_HASH, PR_FUTEX_HASH_SET_SLOTS, FUTEX_LISTS, 0, 0);
    (void)sched_setscheduler(0, SCHED_BATCH, &param);
}

void thread_cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attr);
    pthread_condattr_destroy(&attr);
}
