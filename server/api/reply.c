#include "api/reply.h"

#include "auth/audit.h"
#include "base/clock.h"
#include "base/text.h"

#include <ctype.h>
#include <string.h>

/* Promised: an answer within 2 s even when the database is away. The guard may have used 100 ms. */
enum { ANSWER_MS = 1800 };

int64_t reply_deadline(void)
{
    return clock_mono_ms() + ANSWER_MS;
}

void reply_failure(const struct request *req, struct response *res, enum err err)
{
    switch (err) {
    case ERR_UNAVAILABLE:
    case ERR_TIMEOUT:
    case ERR_BUSY:
    case ERR_NOMEM:
        response_header(res, "Retry-After", "1");
        response_error(res, req, 503, "service_unavailable",
                       "The service cannot do this right now; try again in a moment.");
        break;
    default:
        response_error(res, req, 500, "internal_error",
                       "The server could not answer this request; its log says why.");
    }
}

bool reply_run(struct app *app, const struct request *req, struct response *res,
               enum statement statement, const struct db_param *params, struct db_result **result)
{
    enum err err = db_pool_query(app->api_pool, statement, params, reply_deadline(), result);
    if (err == ERR_INVALID && *result) {
        const struct field_error error = {db_refused_field(*result), db_refused_message(*result)};
        response_invalid(res, req, &error, 1);
    } else if (err) {
        reply_failure(req, res, err);
    }
    if (!err)
        return true;
    db_result_free(*result);
    *result = NULL;
    return false;
}

void reply_data(struct response *res, int status, const char *json)
{
    static const char before[] = "{\"success\":true,\"data\":";
    response_json(res, status, before, sizeof before - 1);
    buf_puts(&res->body, json);
    buf_puts(&res->body, "}");
}

void reply_message(struct response *res, const char *message)
{
    static const char before[] = "{\"success\":true,\"message\":";
    response_json(res, 200, before, sizeof before - 1);
    buf_json_string(&res->body, message, strlen(message));
    buf_puts(&res->body, "}");
}

void reply_query(struct app *app, const struct request *req, struct response *res,
                 enum statement statement, const struct db_param *params, const char *missing)
{
    struct db_result *result = NULL;
    if (!reply_run(app, req, res, statement, params, &result))
        return;
    const char *json = db_rows(result) == 1 ? db_value(result, 0, 0) : NULL;
    if (json)
        reply_data(res, 200, json);
    else
        response_error(res, req, 404, "not_found", missing);
    db_result_free(result);
}

const char *reply_uuid(const struct request *req, struct response *res, size_t i,
                       const char *missing)
{
    if (!text_is_uuid(req->params[i])) {
        response_error(res, req, 404, "not_found", missing);
        return NULL;
    }
    char *id = arena_strndup(req->arena, req->params[i], strlen(req->params[i]));
    for (char *c = id; c && *c; c++)
        *c = (char)tolower((unsigned char)*c);
    if (!id)
        reply_failure(req, res, ERR_NOMEM);
    return id;
}

bool reply_is_ok(const struct request *req, struct response *res, const char *outcome,
                 const struct reply_refusal *table, size_t count)
{
    if (outcome && strcmp(outcome, "ok") == 0)
        return true;
    for (size_t i = 0; outcome && i < count; i++) {
        if (strcmp(outcome, table[i].outcome) == 0) {
            response_error(res, req, table[i].status, table[i].code, table[i].message);
            return false;
        }
    }
    reply_failure(req, res, ERR_INTERNAL);
    return false;
}

void reply_audit(const struct app *app, const struct request *req, const char *action,
                 const char *target, const char *outcome)
{
    const struct audit audit = {.action = action,
                                .by = req->caller ? req->caller->name : "anybody",
                                .target = target,
                                .outcome = outcome,
                                .request_id = req->id,
                                .remote = req->remote_address};
    audit_write(app->log, &audit);
}
