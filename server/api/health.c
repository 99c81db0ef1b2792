#include "api/handlers.h"

#include "api/app.h"
#include "base/clock.h"
#include "db/migrate.h"

#include <string.h>

enum { PROBE_MS = 1000 };

void health(struct app *app, const struct request *req, struct response *res)
{
    char now[CLOCK_ISO_SIZE];
    (void)req;
    clock_iso(clock_wall_ms(), now);
    response_json(res, 200, "", 0);
    buf_printf(&res->body,
               "{\"status\":\"healthy\",\"timestamp\":\"%s\",\"uptime\":%.3f,\"version\":\"%s\"}",
               now, (double)(clock_mono_ms() - app->started_ms) / 1000, FRONTDESK_VERSION);
}

static void not_ready(const struct request *req, struct response *res, const char *reason)
{
    response_header(res, "Retry-After", "1");
    response_error(res, req, 503, "not_ready", reason);
}

/*
 * Ready: the database answers, has the extension, and its schema is this program's, or was until a
 * later version's migrations came: those leave what the servers of the version before need, which go
 * on until each is replaced.
 */
void readiness(struct app *app, const struct request *req, struct response *res)
{
    static const char ready[] = "{\"status\":\"ready\"}";
    static const char *const unfit[] = {
        [SCHEMA_BEHIND] = "The database's schema is behind: run `frontdesk migrate`.",
        [SCHEMA_NEWER] = "The database's schema is a later version's: install that version.",
        [SCHEMA_UNKNOWN] = "The database's schema is not one that this version knows.",
        [SCHEMA_OLD_EXTENSION] =
            "The extension is too old: run `ALTER EXTENSION frontdesk UPDATE`.",
        [SCHEMA_NO_EXTENSION] = "The database lacks the extension frontdesk.",
    };
    struct db_conn *conn = NULL;
    struct buf reasons = {0};
    enum schema_state state = SCHEMA_UNKNOWN;
    int64_t deadline = clock_mono_ms() + PROBE_MS;

    if (db_pool_take(app->probe_pool, deadline, &conn)) {
        not_ready(req, res, "The database does not answer.");
        return;
    }
    enum err err = migrate_check(conn, deadline, &state, &reasons);
    if (!err && state == SCHEMA_FITS)
        atomic_store(&app->schema_fitted, true);
    if (err)
        not_ready(req, res, "The database does not answer.");
    else if (state == SCHEMA_FITS || (state == SCHEMA_NEWER && atomic_load(&app->schema_fitted)))
        response_json(res, 200, ready, sizeof ready - 1);
    else
        not_ready(req, res, unfit[state]);
    db_pool_give(app->probe_pool, conn);
    buf_free(&reasons);
}
