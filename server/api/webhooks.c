#include "api/handlers.h"

#include "api/reply.h"
#include "base/clock.h"
#include "json_scan.h"
#include "retell/signature.h"

#include <string.h>

enum { STORE_MS = 1900 }; /* promised: 503 within 2 s when it cannot be stored */

static const char *const refusals[] = {
    [SIGNATURE_MISSING] = "The x-retell-signature header is missing.",
    [SIGNATURE_MALFORMED] = "The x-retell-signature header is not of the form v=<ms>,d=<hex>.",
    [SIGNATURE_STALE] = "The signature is more than 5 minutes away from this server's clock.",
    [SIGNATURE_WRONG] = "The signature does not match; check RETELL_WEBHOOK_KEYS.",
};

static void count(struct app *app, enum metric_webhook result)
{
    metrics_add(app->metrics, METRIC_WEBHOOKS, result, 1);
}

static bool refuse(struct app *app, const struct request *req, struct response *res,
                   enum signature_result result)
{
    count(app, METRIC_WEBHOOK_BAD_SIGNATURE);
    response_header(res, "WWW-Authenticate", "Bearer");
    response_error(res, req, 401, "unauthorized", refusals[result]);
    return false;
}

/* What the header alone gives away is refused before a body of any size is read. */
bool webhook_admit(struct app *app, const struct request *req, struct response *res)
{
    const char *header = request_header(req, SIGNATURE_HEADER);
    enum signature_result result =
        signature_check_header(header, header ? strlen(header) : 0, clock_wall_ms());
    if (request_header_count(req, SIGNATURE_HEADER) > 1)
        result = SIGNATURE_MALFORMED;
    return result == SIGNATURE_OK || refuse(app, req, res, result);
}

/* The body must not be looked at before this. false: the response is filled. */
static bool check_signature(struct app *app, const struct request *req, struct response *res,
                            int64_t *sent_ms)
{
    const char *header = request_header(req, SIGNATURE_HEADER);
    enum signature_result result =
        signature_verify(header, header ? strlen(header) : 0, req->body, req->body_len,
                         app->webhook_keys, clock_wall_ms(), sent_ms);
    return result == SIGNATURE_OK || refuse(app, req, res, result);
}

/* Told of the body's members; of several named `event` the last counts, as it does for ingest. */
static void find_event(void *context, int depth, struct json_text key, struct json_text value)
{
    bool *string = context;
    if (depth == 1 && json_string_equals(key.s, key.len, "event"))
        *string = json_kind(value.s, value.len) == JSON_STRING;
}

/*
 * A JSON object with a string `event`: the least that Retell is told was understood. frontdesk.ingest
 * reads every body anyway, so only one that it did not understand, or could not be given, is looked at
 * here.
 */
static bool check_envelope(const struct request *req, struct response *res)
{
    struct json_scan scan;
    bool has_event = false;
    bool good = json_scan_members(req->body, req->body_len, &scan, find_event, &has_event);
    if (good && has_event)
        return true;
    response_error(res, req, 400, "bad_request",
                   good ? "The body is not a JSON object with a string `event`."
                        : "The body is not JSON.");
    return false;
}

/* How frontdesk.ingest calls what became of an event, and how it is counted. */
static enum metric_webhook counted_as(const char *outcome)
{
    static const struct {
        const char *outcome;
        enum metric_webhook result;
    } results[] = {{"unchanged", METRIC_WEBHOOK_UNCHANGED},
                   {"kept", METRIC_WEBHOOK_KEPT},
                   {"dead", METRIC_WEBHOOK_DEAD}};
    for (size_t i = 0; i < sizeof results / sizeof results[0]; i++)
        if (strcmp(outcome, results[i].outcome) == 0)
            return results[i].result;
    return METRIC_WEBHOOK_STORED;
}

void webhook_retell(struct app *app, const struct request *req, struct response *res)
{
    struct writer_event event = {.body = req->body, .len = req->body_len, .source = "webhook"};
    struct writer_outcome outcome;

    if (!check_signature(app, req, res, &event.sent_ms))
        return;
    enum err err = writer_store(app->writer, &event, clock_mono_ms() + STORE_MS, &outcome);
    enum metric_webhook result = err ? METRIC_WEBHOOK_NOT_STORED : counted_as(outcome.outcome);
    if (err)
        log_error(app->log, "webhook not stored", LOG_STR("id", req->id),
                  LOG_STR("error", err_name(err)));
    else if (result == METRIC_WEBHOOK_DEAD)
        log_warn(app->log, "webhook kept but not understood", LOG_STR("id", req->id),
                 LOG_STR("error", outcome.error));
    if ((err || result == METRIC_WEBHOOK_DEAD) && !check_envelope(req, res)) {
        result = METRIC_WEBHOOK_BAD_BODY;
    } else if (err) {
        reply_failure(req, res, err == ERR_DATA ? ERR_INTERNAL : err);
    } else {
        metrics_observe(app->metrics, METRIC_WEBHOOK_ACK_SECONDS, 0,
                        (uint64_t)(clock_mono_us() - req->started_us));
        response_empty(res, 204);
    }
    count(app, result);
}
