#include "auth/password.h"

#include "base/clock.h"
#include "base/crypto.h"
#include "base/thread.h"

#include <crypt.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    PASSES = 2,
    MEMORY = 19 * 1024 * 1024,
    QUEUE_PER_THREAD = 16, /* about 200 ms of waiting */
    MAX_THREADS = 64,
    NICENESS = 5,
    BCRYPT_LEN = 60, /* "$2b$10$", 22 characters of salt, 31 of digest */
};

_Static_assert((int)PASSWORD_HASH_SIZE >= (int)crypto_pwhash_STRBYTES, "a hash must fit");

enum state { QUEUED, TAKEN, DONE };

/* One waiting thread's password; lives on that thread's stack until it is DONE or given up. */
struct job {
    const char *password;
    const char *hash; /* to check against; NULL: to make one */
    char *made;
    struct password_verdict verdict;
    struct job *next;
    pthread_cond_t done;
    enum state state;
    enum err err;
};

struct passwords {
    pthread_mutex_t lock; /* guards all below, and every job's state */
    pthread_cond_t work;
    struct job *head, **tail;
    unsigned queued, threads;
    bool stopping;
    pthread_t thread[MAX_THREADS];
    char dummy[PASSWORD_HASH_SIZE]; /* of a password that nobody knows */
};

enum err password_hash_here(const char *password, char *hash)
{
    if (sodium_init() < 0)
        return ERR_INTERNAL;
    return crypto_pwhash_str_alg(hash, password, strlen(password), PASSES, MEMORY,
                                 crypto_pwhash_ALG_ARGON2ID13)
               ? ERR_NOMEM
               : ERR_OK;
}

/*
 * bcrypt, of a user who came from another back end: verified here until the first login has the
 * password hashed anew. Its cost is bounded where users are imported, and once more here.
 */
static bool is_bcrypt(const char *hash)
{
    return hash[0] == '$' && hash[1] == '2' && strlen(hash) == BCRYPT_LEN && hash[4] <= '1' &&
           (hash[4] == '0' || hash[5] <= '4');
}

static enum err check_bcrypt(struct job *job)
{
    struct crypt_data *data = calloc(1, sizeof *data); /* 32 KB */
    if (!data)
        return ERR_NOMEM;
    const char *made = crypt_r(job->password, job->hash, data);
    job->verdict.matches =
        made && strlen(made) == BCRYPT_LEN && sodium_memcmp(made, job->hash, BCRYPT_LEN) == 0;
    job->verdict.outdated = job->verdict.matches;
    sodium_memzero(data, sizeof *data);
    free(data);
    return ERR_OK;
}

static void run(struct job *job)
{
    if (!job->hash) {
        job->err = password_hash_here(job->password, job->made);
        return;
    }
    if (is_bcrypt(job->hash)) {
        job->err = check_bcrypt(job);
        return;
    }
    job->verdict.matches =
        crypto_pwhash_str_verify(job->hash, job->password, strlen(job->password)) == 0;
    job->verdict.outdated =
        job->verdict.matches && crypto_pwhash_str_needs_rehash(job->hash, PASSES, MEMORY) != 0;
}

static struct job *take(struct passwords *passwords)
{
    struct job *job = passwords->head;
    passwords->head = job->next;
    if (!passwords->head)
        passwords->tail = &passwords->head;
    passwords->queued--;
    job->state = TAKEN;
    return job;
}

static void *work(void *arg)
{
    struct passwords *passwords = arg;
    /* On Linux this is the thread's alone. A login may wait; an event of Retell's should not. */
    (void)setpriority(PRIO_PROCESS, 0, NICENESS);
    pthread_mutex_lock(&passwords->lock);
    while (!passwords->stopping) {
        if (!passwords->head) {
            pthread_cond_wait(&passwords->work, &passwords->lock);
            continue;
        }
        struct job *job = take(passwords);
        pthread_mutex_unlock(&passwords->lock);
        run(job);
        pthread_mutex_lock(&passwords->lock);
        job->state = DONE;
        pthread_cond_signal(&job->done);
    }
    pthread_mutex_unlock(&passwords->lock);
    return NULL;
}

static enum err start_threads(struct passwords *passwords)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned wanted = cores < 1 ? 1 : cores > MAX_THREADS ? MAX_THREADS : (unsigned)cores;
    while (passwords->threads < wanted &&
           thread_start(&passwords->thread[passwords->threads], work, passwords) == ERR_OK)
        passwords->threads++;
    return passwords->threads ? ERR_OK : ERR_INTERNAL;
}

enum err passwords_start(struct passwords **out)
{
    char nobody_knows[33] = {0};
    unsigned char random[16];
    struct passwords *passwords = calloc(1, sizeof *passwords);
    if (!passwords)
        return ERR_NOMEM;
    passwords->tail = &passwords->head;
    pthread_mutex_init(&passwords->lock, NULL);
    pthread_cond_init(&passwords->work, NULL);
    enum err err = crypto_random(random, sizeof random);
    if (!err) {
        (void)sodium_bin2hex(nobody_knows, sizeof nobody_knows, random, sizeof random);
        err = password_hash_here(nobody_knows, passwords->dummy);
    }
    if (!err)
        err = start_threads(passwords);
    if (err) {
        passwords_stop(passwords);
        return err;
    }
    *out = passwords;
    return ERR_OK;
}

void passwords_stop(struct passwords *passwords)
{
    if (!passwords)
        return;
    pthread_mutex_lock(&passwords->lock);
    passwords->stopping = true;
    pthread_cond_broadcast(&passwords->work);
    pthread_mutex_unlock(&passwords->lock);
    for (unsigned i = 0; i < passwords->threads; i++)
        pthread_join(passwords->thread[i], NULL);
    pthread_cond_destroy(&passwords->work);
    pthread_mutex_destroy(&passwords->lock);
    free(passwords);
}

/* Takes a job that nobody has begun out of the queue. The lock is held. */
static void withdraw(struct passwords *passwords, struct job *job)
{
    struct job **at = &passwords->head;
    while (*at != job)
        at = &(*at)->next;
    *at = job->next;
    if (!*at)
        passwords->tail = at;
    passwords->queued--;
}

/* Queues the job and waits until it is done, or for a thread to begin it until `deadline`. */
static enum err submit(struct passwords *passwords, struct job *job, int64_t deadline)
{
    const struct timespec until = clock_mono_timespec(deadline);

    pthread_mutex_lock(&passwords->lock);
    if (passwords->queued >= passwords->threads * QUEUE_PER_THREAD) {
        pthread_mutex_unlock(&passwords->lock);
        return ERR_BUSY;
    }
    thread_cond_init(&job->done);
    *passwords->tail = job;
    passwords->tail = &job->next;
    passwords->queued++;
    pthread_cond_signal(&passwords->work);
    while (job->state != DONE) {
        if (job->state == TAKEN) {
            pthread_cond_wait(&job->done, &passwords->lock); /* a thread is at it: 13 ms */
        } else if (pthread_cond_timedwait(&job->done, &passwords->lock, &until) &&
                   job->state == QUEUED) {
            withdraw(passwords, job);
            job->err = ERR_TIMEOUT;
            job->state = DONE;
        }
    }
    pthread_mutex_unlock(&passwords->lock);
    pthread_cond_destroy(&job->done);
    return job->err;
}

enum err password_hash(struct passwords *passwords, const char *password, int64_t deadline,
                       char *hash)
{
    struct job job = {.password = password, .made = hash};
    return submit(passwords, &job, deadline);
}

enum err password_check(struct passwords *passwords, const char *password, const char *hash,
                        int64_t deadline, struct password_verdict *verdict)
{
    struct job job = {.password = password, .hash = hash ? hash : passwords->dummy};
    enum err err = submit(passwords, &job, deadline);
    *verdict = hash ? job.verdict : (struct password_verdict){0};
    return err;
}
