#include "db/migrate.h"

#include "base/clock.h"
#include "base/crypto.h"
#include "db/migration_files.h"
#include "db/sql_split.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

enum {
    CONNECT_MS = 10000,
    STEP_MS = 10000,        /* bookkeeping */
    STATEMENT_MS = 3600000, /* one statement of a migration: building an index takes its time */
    LOCK_MS = 60000,
    LOCK_PAUSE_MS = 100,
    IN_USE_MS = 60000, /* how long a migration is tried anew while its tables are in use */
    IN_USE_PAUSE_MS = 500,
    SAID_SIZE = 80,
};

/*
 * Whoever comes after a migration that waits for a table waits too, webhooks among them: it gives up
 * soon, before PostgreSQL looks for deadlocks (1 s) and ends somebody else, and is tried anew.
 */
static const char lock_options[] = "-c lock_timeout=300";

enum applied_column { APPLIED_VERSION, APPLIED_NAME, APPLIED_CHECKSUM, APPLIED_AT };

static int64_t from_now(int64_t ms)
{
    return clock_mono_ms() + ms;
}

static enum err checksum(const struct migration_file *file, char out[CRYPTO_SHA256_HEX_SIZE])
{
    return crypto_sha256_hex(file->sql, strlen(file->sql), out);
}

static enum err exec(struct db_conn *conn, enum statement statement, const struct db_param *params,
                     int64_t deadline, struct buf *said)
{
    struct db_result *result = NULL;
    enum err err = db_conn_exec(conn, statement, params, deadline, &result);
    if (err)
        buf_printf(said, "%s\n", db_conn_error(conn));
    db_result_free(result);
    return err;
}

/* A statement whose only value is a boolean. */
static enum err ask(struct db_conn *conn, enum statement statement, int64_t deadline, bool *yes)
{
    struct db_result *result = NULL;
    enum err err = db_conn_exec(conn, statement, NULL, deadline, &result);
    if (!err) {
        const char *value = db_rows(result) == 1 ? db_value(result, 0, 0) : NULL;
        *yes = value && value[0] == 't';
    }
    db_result_free(result);
    return err;
}

/* The applied migrations; `*applied` is NULL when the table is not there yet. */
static enum err read_applied(struct db_conn *conn, int64_t deadline, struct db_result **applied)
{
    bool exists = false;
    *applied = NULL;
    enum err err = ask(conn, STATEMENT_MIGRATIONS_TABLE_EXISTS, deadline, &exists);
    if (!err && exists)
        err = db_conn_exec(conn, STATEMENT_MIGRATIONS_APPLIED, NULL, deadline, applied);
    return err;
}

static size_t applied_rows(const struct db_result *applied)
{
    return applied ? db_rows(applied) : 0;
}

static int applied_version(const struct db_result *applied, size_t row)
{
    return (int)strtol(db_value(applied, row, APPLIED_VERSION), NULL, 10);
}

/* The row of `version` in `applied`, or -1. */
static long find_applied(const struct db_result *applied, int version)
{
    for (size_t i = 0; i < applied_rows(applied); i++)
        if (applied_version(applied, i) == version)
            return (long)i;
    return -1;
}

static const struct migration_file *find_file(int version)
{
    for (size_t i = 0; i < migration_file_count; i++)
        if (migration_files[i].version == version)
            return &migration_files[i];
    return NULL;
}

/* Compares both lists: the state is not one of the extension's. */
static enum err compare(const struct db_result *applied, enum schema_state *state,
                        struct buf *reasons)
{
    bool changed = false;
    bool newer = false;
    size_t pending = 0;
    for (size_t i = 0; i < applied_rows(applied); i++) {
        int version = applied_version(applied, i);
        const struct migration_file *file = find_file(version);
        char sum[CRYPTO_SHA256_HEX_SIZE];
        if (!file) {
            newer = true;
            buf_printf(reasons,
                       "the database has migration %d (%s), which this program does not know: it "
                       "was made by a newer Frontdesk; install that version\n",
                       version, db_value(applied, i, APPLIED_NAME));
            continue;
        }
        enum err err = checksum(file, sum);
        if (err)
            return err;
        if (strcmp(sum, db_value(applied, i, APPLIED_CHECKSUM)) != 0) {
            changed = true;
            buf_printf(reasons,
                       "migration %d (%s) was changed after it was applied: its checksum differs; "
                       "install the Frontdesk that applied it, or restore the file and put the "
                       "change into a new migration\n",
                       version, file->name);
        }
    }
    for (size_t i = 0; i < migration_file_count; i++)
        pending += find_applied(applied, migration_files[i].version) < 0;
    if (pending && !changed && !newer)
        buf_printf(reasons,
                   "the database lacks %zu of this program's migrations: run `frontdesk migrate`\n",
                   pending);
    if (changed || (newer && pending))
        *state = SCHEMA_UNKNOWN;
    else if (newer)
        *state = SCHEMA_NEWER;
    else
        *state = pending ? SCHEMA_BEHIND : SCHEMA_FITS;
    return ERR_OK;
}

static const char no_files[] =
    "the database's server lacks the files of the extension frontdesk: run `make install` on its "
    "machine, then as a superuser `CREATE EXTENSION frontdesk`. A hosted database that takes no C "
    "extension of yours (Supabase's cloud, RDS and the like) cannot be used: run a PostgreSQL of "
    "your own, or Supabase self-hosted\n";

bool migrate_version_is_before(const char *a, const char *b)
{
    while (*a || *b) {
        char *after_a = NULL;
        char *after_b = NULL;
        long x = strtol(a, &after_a, 10);
        long y = strtol(b, &after_b, 10);
        if (x != y)
            return x < y;
        if (after_a == a && after_b == b)
            return false; /* neither is a number */
        a = after_a + (*after_a == '.');
        b = after_b + (*after_b == '.');
    }
    return false;
}

enum schema_state migrate_judge_extension(const char *installed, const char *available,
                                          struct buf *reasons)
{
    if (!available && !installed) {
        buf_puts(reasons, no_files);
        return SCHEMA_NO_EXTENSION;
    }
    if (!installed) {
        buf_puts(reasons, "the extension frontdesk is not in this database: as its superuser run "
                          "`CREATE EXTENSION frontdesk`\n");
        return SCHEMA_NO_EXTENSION;
    }
    if (!migrate_version_is_before(installed, migration_extension))
        return SCHEMA_FITS;
    buf_printf(
        reasons,
        "the extension frontdesk is %s in this database, and this program needs %s: %sas its "
        "superuser run `ALTER EXTENSION frontdesk UPDATE`\n",
        installed, migration_extension,
        available && !migrate_version_is_before(available, migration_extension)
            ? ""
            : "run `make install` of this version on its machine, then ");
    return SCHEMA_OLD_EXTENSION;
}

static enum err check_extension(struct db_conn *conn, int64_t deadline, enum schema_state *state,
                                struct buf *reasons)
{
    struct db_result *result = NULL;
    enum err err = db_conn_exec(conn, STATEMENT_READINESS, NULL, deadline, &result);
    if (!err)
        *state = migrate_judge_extension(db_value(result, 0, 0), db_value(result, 0, 1), reasons);
    db_result_free(result);
    return err;
}

enum err migrate_check(struct db_conn *conn, int64_t deadline, enum schema_state *state,
                       struct buf *reasons)
{
    struct db_result *applied = NULL;
    enum schema_state extension = SCHEMA_NO_EXTENSION;
    enum err err = check_extension(conn, deadline, &extension, reasons);
    if (!err)
        err = read_applied(conn, deadline, &applied);
    if (!err)
        err = compare(applied, state, reasons);
    if (!err && extension != SCHEMA_FITS && *state != SCHEMA_UNKNOWN)
        *state = extension;
    db_result_free(applied);
    return err;
}

static enum err connect_to(const char *url, struct db_conn **conn, struct buf *said)
{
    char *message = NULL;
    enum err err =
        db_conn_open(url, "frontdesk-migrate", lock_options, from_now(CONNECT_MS), conn, &message);
    if (err)
        buf_printf(said, "cannot connect to the database (MIGRATION_DATABASE_URL): %s\n",
                   message ? message : err_name(err));
    free(message);
    return err;
}

static enum err take_lock(struct db_conn *conn, struct buf *said)
{
    int64_t until = from_now(LOCK_MS);
    for (;;) {
        bool locked = false;
        enum err err = ask(conn, STATEMENT_MIGRATIONS_LOCK, from_now(STEP_MS), &locked);
        if (err) {
            buf_printf(said, "%s\n", db_conn_error(conn));
            return err;
        }
        if (locked)
            return ERR_OK;
        if (clock_mono_ms() >= until) {
            buf_puts(said, "another `frontdesk migrate` has been at work for a minute: wait until "
                           "it ends, then try again\n");
            return ERR_TIMEOUT;
        }
        (void)poll(NULL, 0, LOCK_PAUSE_MS);
    }
}

static enum err run_statements(struct db_conn *conn, const struct migration_file *file,
                               struct buf *said)
{
    const char *at = file->sql;
    const char *text = NULL;
    size_t len = 0;
    while (sql_split_next(&at, &text, &len)) {
        char *sql = strndup(text, len);
        if (!sql)
            return ERR_NOMEM;
        enum err err = db_conn_exec_text(conn, sql, from_now(STATEMENT_MS));
        if (err)
            buf_printf(said,
                       "migration %d (%s) failed and was rolled back: %s\n  in the statement: "
                       "%.*s%s\n",
                       file->version, file->name, db_conn_error(conn), SAID_SIZE, sql,
                       len > SAID_SIZE ? "…" : "");
        free(sql);
        if (err)
            return err;
    }
    return ERR_OK;
}

static enum err record(struct db_conn *conn, const struct migration_file *file, struct buf *said)
{
    char sum[CRYPTO_SHA256_HEX_SIZE];
    struct buf version = {0};
    enum err err = checksum(file, sum);
    buf_printf(&version, "%d", file->version);
    if (!err && version.failed)
        err = ERR_NOMEM;
    if (!err) {
        const struct db_param params[] = {db_text(version.data), db_text(file->name), db_text(sum)};
        err = exec(conn, STATEMENT_MIGRATIONS_RECORD, params, from_now(STEP_MS), said);
    }
    buf_free(&version);
    return err;
}

/* Did the last statement fail for a lock that others held: lock_not_available, deadlock_detected? */
static bool is_in_use(const struct db_conn *conn)
{
    const char *error = db_conn_error(conn);
    return strncmp(error, "55P03:", 6) == 0 || strncmp(error, "40P01:", 6) == 0;
}

static enum err try_to_apply(struct db_conn *conn, const struct migration_file *file,
                             struct buf *said, bool *in_use)
{
    enum err err = exec(conn, STATEMENT_MIGRATIONS_BEGIN, NULL, from_now(STEP_MS), said);
    if (err)
        return err;
    err = run_statements(conn, file, said);
    if (!err)
        err = record(conn, file, said);
    *in_use = err && is_in_use(conn);
    if (!err)
        err = exec(conn, STATEMENT_MIGRATIONS_COMMIT, NULL, from_now(STEP_MS), said);
    else
        (void)!exec(conn, STATEMENT_MIGRATIONS_ROLLBACK, NULL, from_now(STEP_MS), said);
    if (!err)
        buf_printf(said, "applied %d %s\n", file->version, file->name);
    return err;
}

static enum err apply(struct db_conn *conn, const struct migration_file *file, struct buf *said)
{
    int64_t until = from_now(IN_USE_MS);
    for (;;) {
        struct buf tried = {0};
        bool in_use = false;
        enum err err = try_to_apply(conn, file, &tried, &in_use);
        bool again = in_use && clock_mono_ms() < until;
        if (!again && tried.data)
            buf_puts(said, tried.data);
        buf_free(&tried);
        if (!again && in_use)
            buf_puts(said, "  others have held its tables for a minute: pg_stat_activity says who; "
                           "then try again\n");
        if (!again)
            return err;
        (void)poll(NULL, 0, IN_USE_PAUSE_MS);
    }
}

/* Migrations name the functions of the extension's version that they come with. */
static enum err require_extension(struct db_conn *conn, struct buf *said)
{
    enum schema_state state = SCHEMA_NO_EXTENSION;
    enum err err = check_extension(conn, from_now(STEP_MS), &state, said);
    if (err)
        buf_printf(said, "%s\n", db_conn_error(conn));
    else if (state != SCHEMA_FITS)
        err = ERR_INVALID;
    return err;
}

/* Applies all that is missing, with the lock held. */
static enum err apply_pending(struct db_conn *conn, struct buf *said)
{
    struct db_result *applied = NULL;
    struct buf reasons = {0};
    enum schema_state state = SCHEMA_UNKNOWN;
    enum err err = require_extension(conn, said);
    if (!err)
        err = exec(conn, STATEMENT_MIGRATIONS_CREATE_TABLE, NULL, from_now(STEP_MS), said);
    if (!err)
        err = read_applied(conn, from_now(STEP_MS), &applied);
    if (!err)
        err = compare(applied, &state, &reasons);
    if (!err && (state == SCHEMA_UNKNOWN || state == SCHEMA_NEWER)) {
        buf_puts(said, reasons.data ? reasons.data : "");
        err = ERR_INVALID;
    }
    for (size_t i = 0; !err && i < migration_file_count; i++)
        if (find_applied(applied, migration_files[i].version) < 0)
            err = apply(conn, &migration_files[i], said);
    if (!err && state == SCHEMA_FITS)
        buf_puts(said, "nothing to apply: the schema is up to date\n");
    db_result_free(applied);
    buf_free(&reasons);
    return err;
}

enum err migrate_run(const char *url, struct buf *said)
{
    struct db_conn *conn = NULL;
    enum err err = connect_to(url, &conn, said);
    if (err)
        return err;
    err = take_lock(conn, said);
    if (!err) {
        err = apply_pending(conn, said);
        if (db_conn_usable(conn))
            (void)!exec(conn, STATEMENT_MIGRATIONS_UNLOCK, NULL, from_now(STEP_MS), said);
    }
    db_conn_close(conn); /* frees the lock, whatever happened */
    return err;
}

enum err migrate_status(const char *url, struct buf *said)
{
    struct db_conn *conn = NULL;
    struct db_result *applied = NULL;
    struct buf reasons = {0};
    enum schema_state state = SCHEMA_UNKNOWN;
    enum err err = connect_to(url, &conn, said);
    if (!err) {
        err = read_applied(conn, from_now(STEP_MS), &applied);
        if (err)
            buf_printf(said, "%s\n", db_conn_error(conn));
    }
    for (size_t i = 0; !err && i < migration_file_count; i++) {
        const struct migration_file *file = &migration_files[i];
        long row = find_applied(applied, file->version);
        buf_printf(said, "%04d  %-32s  %s\n", file->version, file->name,
                   row < 0 ? "pending" : db_value(applied, (size_t)row, APPLIED_AT));
    }
    if (!err)
        err = compare(applied, &state, &reasons);
    if (!err && (state == SCHEMA_UNKNOWN || state == SCHEMA_NEWER))
        err = ERR_INVALID;
    if (state != SCHEMA_FITS && reasons.data)
        buf_puts(said, reasons.data);
    buf_free(&reasons);
    db_result_free(applied);
    if (conn)
        db_conn_close(conn);
    return err;
}
