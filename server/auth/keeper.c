#include "auth/keeper.h"

#include "auth/audit.h"
#include "auth/password.h"
#include "base/clock.h"
#include "db/array.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { QUERY_MS = 2000, USES_AT_ONCE = 100 };

static enum err add_superadmin(const struct keeper *keeper, const char *email)
{
    char hash[PASSWORD_HASH_SIZE];
    struct db_result *result = NULL;
    enum err err = password_hash_here(keeper->superadmin_password, hash);
    if (err)
        return err;
    const struct db_param params[] = {
        db_text(email),  db_text(keeper->superadmin_name),    db_text(NULL),
        db_text(hash),   db_text(role_name(ROLE_SUPERADMIN)), db_text("APPROVED"),
        db_text("false")};
    err = db_pool_query(keeper->pool, STATEMENT_USER_ADD, params, clock_mono_ms() + QUERY_MS,
                        &result);
    if (!err) {
        const struct audit audit = {.action = "user.add",
                                    .by = "SUPERADMIN_EMAIL",
                                    .target = db_value(result, 0, 1),
                                    .outcome = db_value(result, 0, 0)};
        audit_write(keeper->log, &audit);
    }
    db_result_free(result);
    return err;
}

/* A user of that e-mail is left as it is, whatever its role or password. */
static enum err find_or_add(const struct keeper *keeper, char *email)
{
    struct db_result *result = NULL;
    for (char *c = email; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    const struct db_param params[] = {db_text(email)};
    enum err err =
        db_pool_query(keeper->pool, STATEMENT_USER_ID, params, clock_mono_ms() + QUERY_MS, &result);
    bool there = !err && db_rows(result) > 0;
    db_result_free(result);
    return err || there ? err : add_superadmin(keeper, email);
}

bool keeper_ensure_superadmin(struct keeper *keeper)
{
    if (keeper->has_superadmin || !keeper->superadmin_email)
        return true;
    char *email = strdup(keeper->superadmin_email);
    keeper->has_superadmin = email && !find_or_add(keeper, email);
    free(email);
    return keeper->has_superadmin;
}

static enum err write_some(const struct keeper *keeper, const struct identity_use *uses,
                           size_t count)
{
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
        err = db_pool_query(keeper->pool, STATEMENT_KEYS_NOTE_USED, params,
                            clock_mono_ms() + QUERY_MS, &result);
    db_result_free(result);
    buf_free(&ids);
    buf_free(&times);
    return err;
}

bool keeper_write_uses(const struct keeper *keeper)
{
    struct identity_use uses[USES_AT_ONCE];
    size_t count;
    do {
        count = identities_take_uses(keeper->identities, uses, USES_AT_ONCE);
        if (count && write_some(keeper, uses, count))
            return false;
    } while (count == USES_AT_ONCE);
    return true;
}

bool keeper_drop_attempts(const struct keeper *keeper)
{
    struct db_result *result = NULL;
    enum err err = db_pool_query(keeper->pool, STATEMENT_LOGINS_EXPIRE, NULL,
                                 clock_mono_ms() + QUERY_MS, &result);
    db_result_free(result);
    return !err;
}
