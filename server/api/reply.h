/* What all resources share: from one statement's json value to the answer. */
#ifndef FRONTDESK_API_REPLY_H
#define FRONTDESK_API_REPLY_H

#include "api/app.h"
#include "base/err.h"
#include "db/statements.h"
#include "http/request.h"
#include "http/response.h"

/*
 * Runs `statement` on the API's pool and answers `{"success":true,"data":<its json value>}`, or 404
 * with `missing` when the value is NULL. What the extension refuses of a parameter becomes 400,
 * failures of the database 503 or 500.
 */
void reply_query(struct app *app, const struct request *req, struct response *res,
                 enum statement statement, const struct db_param *params, const char *missing);

/* A failure below as an answer: 503 with Retry-After for what passes by itself, else 500. */
void reply_failure(const struct request *req, struct response *res, enum err err);

#endif
