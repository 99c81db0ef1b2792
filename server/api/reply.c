#include "api/reply.h"

#include "base/clock.h"

#include <string.h>

enum { QUERY_MS = 1900 }; /* promised: an answer within 2 s even when the database is away */

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

void reply_query(struct app *app, const struct request *req, struct response *res,
                 enum statement statement, const struct db_param *params, const char *missing)
{
    static const char before[] = "{\"success\":true,\"data\":";
    struct db_result *result = NULL;
    enum err err =
        db_pool_query(app->api_pool, statement, params, clock_mono_ms() + QUERY_MS, &result);
    const char *json = !err && db_rows(result) == 1 ? db_value(result, 0, 0) : NULL;
    if (err == ERR_INVALID && result) {
        const struct field_error error = {db_refused_field(result), db_refused_message(result)};
        response_invalid(res, req, &error, 1);
    } else if (err) {
        reply_failure(req, res, err);
    } else if (!json) {
        response_error(res, req, 404, "not_found", missing);
    } else {
        response_json(res, 200, before, sizeof before - 1);
        buf_add(&res->body, json, db_value_len(result, 0, 0));
        buf_puts(&res->body, "}");
    }
    db_result_free(result);
}
