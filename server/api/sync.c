/* Polling by hand, and how it stands. The work is the poller's; a worker only waits for it. */
#include "api/handlers.h"

#include "api/reply.h"
#include "base/clock.h"
#include "http/body.h"
#include "http/params.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum {
    STATUS_MS = 1900,
    BEGIN_MS = 10000, /* until a run has begun */
    RUN_MS = 600000,  /* until it is over; a longer one goes on without whoever asked for it */
};

void sync_status(struct app *app, const struct request *req, struct response *res)
{
    if (params_read(req, res, NULL, 0, NULL))
        reply_query(app, req, res, STATEMENT_SYNC_STATUS, NULL, "There is no status.");
}

/* A run is under way: 409 with how far it is. */
static void reply_busy(struct app *app, const struct request *req, struct response *res)
{
    struct db_result *result = NULL;
    enum err err = db_pool_query(app->api_pool, STATEMENT_SYNC_STATUS, NULL,
                                 clock_mono_ms() + STATUS_MS, &result);
    const char *status = !err && db_rows(result) == 1 ? db_value(result, 0, 0) : NULL;
    response_header(res, "Retry-After", "5");
    response_error(res, req, 409, "sync_running",
                   "A sync is running; its progress is in `sync`. Ask again when it is done.");
    if (status && res->body.len) {
        res->body.len--; /* the error's closing brace */
        buf_puts(&res->body, ",\"sync\":");
        buf_puts(&res->body, status);
        buf_puts(&res->body, "}");
    }
    db_result_free(result);
}

/* Anything but a run that is done. False when it is done. */
static bool reply_not_done(struct app *app, const struct request *req, struct response *res,
                           const struct sync_report *report)
{
    switch (report->outcome) {
    case SYNC_DONE:
    case SYNC_NOT_DUE:
        return false;
    case SYNC_BUSY:
        reply_busy(app, req, res);
        return true;
    case SYNC_FAILED:
        response_error(res, req, 502, "retell_failed", report->message);
        return true;
    case SYNC_CANCELLED:
    case SYNC_NO_DATABASE:
        break;
    }
    reply_failure(req, res, ERR_UNAVAILABLE);
    return true;
}

static bool wants_async(const struct request *req)
{
    const char *prefer = request_header(req, "Prefer");
    return prefer && strcasestr(prefer, "respond-async") != NULL;
}

/* Asks the poller and waits. False when the answer is given already. */
static bool run(struct app *app, const struct request *req, struct response *res,
                const struct sync_order *order, struct sync_report *report)
{
    bool async = wants_async(req);
    int64_t deadline = clock_mono_ms() + (async ? BEGIN_MS : RUN_MS);
    enum poller_answer answer = poller_request(app->poller, order, async, deadline, report);
    if (answer == POLLER_DONE && reply_not_done(app, req, res, report))
        return false;
    if (answer == POLLER_DONE && !async)
        return true;
    if (async)
        response_header(res, "Preference-Applied", "respond-async");
    response_header(res, "Location", "/api/dashboard/sync-status");
    reply_query(app, req, res, STATEMENT_SYNC_STATUS, NULL, "There is no status.");
    if (res->status == 200)
        res->status = 202;
    return false;
}

static void reply_counts(struct response *res, const char *what, const char *suffix, int64_t added,
                         int64_t changed, const struct sync_report *report)
{
    response_json(res, 200, "", 0);
    buf_printf(&res->body,
               "{\"success\":true,\"message\":\"%s sync completed\",\"%ssSynced\":%" PRId64
               ",\"%ssUpdated\":%" PRId64 ",\"errors\":%" PRId64,
               what, suffix, added, suffix, changed, report->calls.failed);
    if (report->message[0]) {
        buf_puts(&res->body, ",\"firstError\":");
        buf_json_string(&res->body, report->message, strlen(report->message));
    }
    buf_puts(&res->body, "}");
}

void sync_calls(struct app *app, const struct request *req, struct response *res)
{
    enum { AGENT_ID, FIELDS };
    static const struct body_spec specs[FIELDS] = {
        [AGENT_ID] = {"agentId", BODY_TEXT, .nullable = true, .lo = 1, .hi = SYNC_AGENT_SIZE - 1},
    };
    struct body_value values[FIELDS];
    struct sync_order order = {.since_ms = -1, .forced = true};
    struct sync_report report;
    if (!body_read(req, res, specs, FIELDS, values))
        return;
    const char *agent_id = values[AGENT_ID].text ? values[AGENT_ID].text : "";
    if (strlen(agent_id) >= sizeof order.agent_id) {
        response_error(res, req, 404, "not_found", "There is no such agent.");
        return;
    }
    (void)snprintf(order.agent_id, sizeof order.agent_id, "%s", agent_id);
    if (run(app, req, res, &order, &report))
        reply_counts(res, "Call", "call", report.calls.added, report.calls.changed, &report);
}

void sync_agents_list(struct app *app, const struct request *req, struct response *res)
{
    const struct sync_order order = {.since_ms = -1, .forced = true, .only_agents = true};
    struct sync_report report;
    if (body_read(req, res, NULL, 0, NULL) && run(app, req, res, &order, &report))
        reply_counts(res, "Agent", "agent", report.agents_added, report.agents_changed, &report);
}
