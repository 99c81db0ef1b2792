/* Every handler, named by what the route table calls; each lives in its resource's file. */
#ifndef FRONTDESK_API_HANDLERS_H
#define FRONTDESK_API_HANDLERS_H

#include "http/request.h"
#include "http/response.h"

struct app;

/* agents.c */
void agent_info(struct app *app, const struct request *req, struct response *res);
void agents_list(struct app *app, const struct request *req, struct response *res);

/* calls.c */
void call_detail(struct app *app, const struct request *req, struct response *res);
void call_history(struct app *app, const struct request *req, struct response *res);
void calls_list(struct app *app, const struct request *req, struct response *res);

/* health.c */
void health(struct app *app, const struct request *req, struct response *res);
void readiness(struct app *app, const struct request *req, struct response *res);

/* metrics.c */
void metrics_page(struct app *app, const struct request *req, struct response *res);

/* webhooks.c */
void webhook_retell(struct app *app, const struct request *req, struct response *res);

#endif
