/* What every thread of ours and every wait with a deadline need, said once. */
#ifndef FRONTDESK_BASE_THREAD_H
#define FRONTDESK_BASE_THREAD_H

#include "base/err.h"

#include <pthread.h>

/*
 * Starts a thread with a stack of 1 MiB: enough for libcurl, argon2 and PostgreSQL's client, whatever
 * the machine's default is. ERR_INTERNAL: the system has no thread to give.
 */
MUSTCHECK enum err thread_start(pthread_t *thread, void *(*run)(void *), void *arg);

/*
 * Tells the kernel what to make of hundreds of threads that wait for each other. Before any of them
 * is started; a kernel that knows nothing of this, or may not do it, does without.
 *
 * Lists of waiters: since 6.16 a process has its own, and as few as the machine has cores, so that
 * waking one thread walks past all the idle ones that share its list.
 *
 * Turns (SCHED_BATCH, sched(7)): a thread that is woken does not interrupt one that runs. Who has
 * stored a batch wakes many, and each of them would; then none of them gets far at a time.
 */
void thread_expect_many(void);

/* Initialises a condition whose deadlines are clock_mono_timespec()'s. */
void thread_cond_init(pthread_cond_t *cond);

#endif
