/* What all resources share: from one statement's json value to the answer. */
#ifndef FRONTDESK_API_REPLY_H
#define FRONTDESK_API_REPLY_H

#include "api/app.h"
#include "base/err.h"
#include "db/statements.h"
#include "http/request.h"
#include "http/response.h"

/* Until when a handler that begins now should have asked all that it needs. */
int64_t reply_deadline(void);

/*
 * Runs `statement` on the API's pool and answers `{"success":true,"data":<its json value>}`, or 404
 * with `missing` when the value is NULL. What the extension refuses of a parameter becomes 400,
 * failures of the database 503 or 500.
 */
void reply_query(struct app *app, const struct request *req, struct response *res,
                 enum statement statement, const struct db_param *params, const char *missing);

/*
 * Runs `statement` as reply_query does, but leaves the answer to the caller, who must free `*result`.
 * false: it failed, and the response says so.
 */
bool reply_run(struct app *app, const struct request *req, struct response *res,
               enum statement statement, const struct db_param *params, struct db_result **result);

/* `status` with {"success":true,"data":<json>}. */
void reply_data(struct response *res, int status, const char *json);

/* 200 with {"success":true,"message":"…"}. */
void reply_message(struct response *res, const char *message);

/*
 * The UUID that is path part `i`, in lower case (arena memory). NULL: it is none, and the answer is
 * 404 with `missing`, as for one that is not there.
 */
const char *reply_uuid(const struct request *req, struct response *res, size_t i,
                       const char *missing);

/* Why something was refused, by the one word that the database gave for it. */
struct reply_refusal {
    const char *outcome;
    int status;
    const char *code, *message;
};

/* Is `outcome` "ok"? Else answers as the row of `table` says that has it. */
bool reply_is_ok(const struct request *req, struct response *res, const char *outcome,
                 const struct reply_refusal *table, size_t count);

/*
 * One line in the log of what somebody did, or tried, to whom, from where: no secrets and no
 * e-mails. `target` may be NULL.
 */
void reply_audit(const struct app *app, const struct request *req, const char *action,
                 const char *target, const char *outcome);

/* A failure below as an answer: 503 with Retry-After for what passes by itself, else 500. */
void reply_failure(const struct request *req, struct response *res, enum err err);

#endif
