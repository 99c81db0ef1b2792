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
 * Tells the kernel that hundreds of threads will wait at a time. Since 6.16 it keeps the waiters of
 * a process in lists of its own, and has as few lists as the machine has cores: waking one thread
 * then walks past all the idle ones that share its list. Kernels that know nothing of this need
 * nothing. Before any thread is started.
 */
void thread_expect_many(void);

/* Initialises a condition whose deadlines are clock_mono_timespec()'s. */
void thread_cond_init(pthread_cond_t *cond);

#endif
