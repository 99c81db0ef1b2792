#include "auth/keeper.h"

#include "auth/password.h"
#include "base/clock.h"
#include "db/array.h"

#include <ctype.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
    QUERY_MS = 2000,
    TICK_MS = 1000,
    USES_EVERY = 60,      /* ticks */
    ATTEMPTS_EVERY = 300, /* ticks */
    USES_AT_ONCE = 100,
    STACK = 1024 * 1024, /* argon2 */
};

struct keeper {
    struct keeper_options opt;
    bool has_superadmin; /* or none is wanted */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stopping; /* guarded by lock */
};

static enum err add_superadmin(struct keeper *keeper, const char *email)
{
    char hash[PASSWORD_HASH_SIZE];
    struct db_result *result = NULL;
    enum err err = password_hash_here(keeper->opt.superadmin_password, hash);
    if (err)
        return err;
    const struct db_param params[] = {
        db_text(email),  db_text(keeper->opt.superadmin_name), db_text(NULL),
        db_text(hash),   db_text(role_name(ROLE_SUPERADMIN)),  db_text("APPROVED"),
        db_text("false")};
    err = db_pool_query(keeper->opt.pool, STATEMENT_USER_ADD, params, clock_mono_ms() + QUERY_MS,
                        &result);
    if (!err)
        log_info(keeper->opt.log, "audit", LOG_STR("action", "user.add"),
                 LOG_STR("by", "SUPERADMIN_EMAIL"), LOG_STR("target", db_value(result, 0, 1)),
                 LOG_STR("outcome", db_value(result, 0, 0)));
    db_result_free(result);
    return err;
}

/* A user of that e-mail is left as it is, whatever its role or password. */
static void ensure_superadmin(struct keeper *keeper)
{
    char *email = strdup(keeper->opt.superadmin_email);
    struct db_result *result = NULL;
    if (!email)
        return;
    for (char *c = email; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    const struct db_param params[] = {db_text(email)};
    enum err err = db_pool_query(keeper->opt.pool, STATEMENT_USER_ID, params,
                                 clock_mono_ms() + QUERY_MS, &result);
    bool there = !err && db_rows(result) > 0;
    db_result_free(result);
    if (!err && !there)
        err = add_superadmin(keeper, email);
    keeper->has_superadmin = !err;
    free(email);
}

/* A use that cannot be written is lost: the key's next one is as good. */
static void write_uses(struct keeper *keeper)
{
    struct identity_use uses[USES_AT_ONCE];
    for (size_t count;
         (count = identities_take_uses(keeper->opt.identities, uses, USES_AT_ONCE));) {
        struct buf ids = {0};
        struct buf times = {0};
        struct db_result *result = NULL;
        enum err err = ERR_NOMEM;
        array_begin(&ids, ARRAY_TEXT, count);
        array_begin(&times, ARRAY_INT8, count);
        for (size_t i = 0; i < count; i++) {
            array_add_bytes(&ids, uses[i].id, strlen(uses[i].id));
            array_add_int8(&times, uses[i].used_ms);
        }
        const struct db_param params[] = {array_param(&ids), array_param(&times)};
        if (!ids.failed && !times.failed)
            err = db_pool_query(keeper->opt.pool, STATEMENT_KEYS_NOTE_USED, params,
                                clock_mono_ms() + QUERY_MS, &result);
        db_result_free(result);
        buf_free(&ids);
        buf_free(&times);
        if (err || count < USES_AT_ONCE)
            return;
    }
}

static void drop_attempts(struct keeper *keeper)
{
    struct db_result *result = NULL;
    enum err ignored = db_pool_query(keeper->opt.pool, STATEMENT_LOGINS_EXPIRE, NULL,
                                     clock_mono_ms() + QUERY_MS, &result);
    (void)ignored; /* logged by the pool, and tried again soon */
    db_result_free(result);
}

/* Waits a tick; false when it is time to stop. */
static bool wait_tick(struct keeper *keeper)
{
    const struct timespec until = clock_mono_timespec(clock_mono_ms() + TICK_MS);
    int late = 0;
    pthread_mutex_lock(&keeper->lock);
    while (!keeper->stopping && !late)
        late = pthread_cond_timedwait(&keeper->wake, &keeper->lock, &until);
    bool go_on = !keeper->stopping;
    pthread_mutex_unlock(&keeper->lock);
    return go_on;
}

static void *keep(void *arg)
{
    struct keeper *keeper = arg;
    for (unsigned tick = 1; wait_tick(keeper); tick++) {
        if (!keeper->has_superadmin)
            ensure_superadmin(keeper);
        if (tick % USES_EVERY == 0)
            write_uses(keeper);
        if (tick % ATTEMPTS_EVERY == 0)
            drop_attempts(keeper);
    }
    write_uses(keeper);
    return NULL;
}

enum err keeper_start(const struct keeper_options *options, struct keeper **out)
{
    pthread_condattr_t cond;
    pthread_attr_t attr;
    struct keeper *keeper = calloc(1, sizeof *keeper);
    if (!keeper)
        return ERR_NOMEM;
    keeper->opt = *options;
    keeper->has_superadmin = !options->superadmin_email;
    if (!keeper->has_superadmin)
        ensure_superadmin(keeper);
    pthread_mutex_init(&keeper->lock, NULL);
    pthread_condattr_init(&cond);
    pthread_condattr_setclock(&cond, CLOCK_MONOTONIC);
    pthread_cond_init(&keeper->wake, &cond);
    pthread_condattr_destroy(&cond);
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK);
    int failed = pthread_create(&keeper->thread, &attr, keep, keeper);
    pthread_attr_destroy(&attr);
    if (failed) {
        free(keeper);
        return ERR_INTERNAL;
    }
    *out = keeper;
    return ERR_OK;
}

void keeper_stop(struct keeper *keeper)
{
    if (!keeper)
        return;
    pthread_mutex_lock(&keeper->lock);
    keeper->stopping = true;
    pthread_cond_signal(&keeper->wake);
    pthread_mutex_unlock(&keeper->lock);
    pthread_join(keeper->thread, NULL);
    pthread_cond_destroy(&keeper->wake);
    pthread_mutex_destroy(&keeper->lock);
    free(keeper);
}
