/* Every handler, named by what the route table calls; each lives in its resource's file. */
#ifndef FRONTDESK_API_HANDLERS_H
#define FRONTDESK_API_HANDLERS_H

#include "http/request.h"
#include "http/response.h"

struct app;

/* agents.c */
void agent_add(struct app *app, const struct request *req, struct response *res);
void agent_change(struct app *app, const struct request *req, struct response *res);
void agent_deactivate(struct app *app, const struct request *req, struct response *res);
void agent_info(struct app *app, const struct request *req, struct response *res);
void agents_list(struct app *app, const struct request *req, struct response *res);
void agents_search(struct app *app, const struct request *req, struct response *res);

/* calls.c */
void call_detail(struct app *app, const struct request *req, struct response *res);
void call_history(struct app *app, const struct request *req, struct response *res);
void calls_list(struct app *app, const struct request *req, struct response *res);
void calls_search(struct app *app, const struct request *req, struct response *res);

/* health.c */
void health(struct app *app, const struct request *req, struct response *res);
void readiness(struct app *app, const struct request *req, struct response *res);

/* metrics.c */
void metrics_page(struct app *app, const struct request *req, struct response *res);

/* keys.c */
void key_add(struct app *app, const struct request *req, struct response *res);
void key_remove(struct app *app, const struct request *req, struct response *res);
void keys_list(struct app *app, const struct request *req, struct response *res);

/* numbers.c */
void agent_summary(struct app *app, const struct request *req, struct response *res);
void analytics_agents(struct app *app, const struct request *req, struct response *res);
void analytics_calls(struct app *app, const struct request *req, struct response *res);
void analytics_overview(struct app *app, const struct request *req, struct response *res);
void analytics_sentiment(struct app *app, const struct request *req, struct response *res);
void overview(struct app *app, const struct request *req, struct response *res);
void stats(struct app *app, const struct request *req, struct response *res);
void summary(struct app *app, const struct request *req, struct response *res);

/* openapi.c */
void openapi(struct app *app, const struct request *req, struct response *res);

/* session.c */
void session_login(struct app *app, const struct request *req, struct response *res);
void session_logout_all(struct app *app, const struct request *req, struct response *res);
void session_me(struct app *app, const struct request *req, struct response *res);
void session_password(struct app *app, const struct request *req, struct response *res);
void session_register(struct app *app, const struct request *req, struct response *res);

/* users.c */
void agent_users(struct app *app, const struct request *req, struct response *res);
void assignment_add(struct app *app, const struct request *req, struct response *res);
void assignment_remove(struct app *app, const struct request *req, struct response *res);
void user_agents(struct app *app, const struct request *req, struct response *res);
void user_approve(struct app *app, const struct request *req, struct response *res);
void user_change(struct app *app, const struct request *req, struct response *res);
void user_info(struct app *app, const struct request *req, struct response *res);
void user_remove(struct app *app, const struct request *req, struct response *res);
void users_list(struct app *app, const struct request *req, struct response *res);

/* sync.c */
void sync_agents_list(struct app *app, const struct request *req, struct response *res);
void sync_calls(struct app *app, const struct request *req, struct response *res);
void sync_status(struct app *app, const struct request *req, struct response *res);

/* webhooks.c */
/* Before the body is read: false, and the response filled, when its signature cannot be good. */
bool webhook_admit(struct app *app, const struct request *req, struct response *res);
void webhook_retell(struct app *app, const struct request *req, struct response *res);

#endif
