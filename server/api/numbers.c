#include "api/handlers.h"

#include "api/reply.h"
#include "http/params.h"

static const char no_agent[] = "There is no such agent.";

/* What numbers are asked of; each endpoint knows a stretch of these. */
enum { AGENT_ID, FROM, TO, TZ, BUCKET, SPECS };
static const struct param_spec specs[SPECS] = {
    [AGENT_ID] = {"agentId", PARAM_TEXT, .lo = 1, .hi = 500},
    [FROM] = {"from", PARAM_TIME},
    [TO] = {"to", PARAM_TIME},
    [TZ] = {"tz", PARAM_TEXT, .lo = 1, .hi = 64},
    [BUCKET] = {"bucket", PARAM_CHOICE, .choices = "hour|day|week|month"},
};

/* Reads the parameters from `first` to `last` into their places in `values`. */
static bool read_params(const struct request *req, struct response *res, size_t first, size_t last,
                        const char *values[SPECS])
{
    return params_read(req, res, specs + first, last - first + 1, values + first);
}

void agent_summary(struct app *app, const struct request *req, struct response *res)
{
    const char *values[SPECS];
    if (!read_params(req, res, FROM, BUCKET, values))
        return;
    const struct db_param params[] = {db_text(req->params[0]), db_text(req->caller->agent_ids),
                                      db_text(values[FROM]),   db_text(values[TO]),
                                      db_text(values[BUCKET]), db_text(values[TZ])};
    reply_query(app, req, res, STATEMENT_AGENT_SUMMARY, params, no_agent);
}

void summary(struct app *app, const struct request *req, struct response *res)
{
    const char *values[SPECS];
    if (!read_params(req, res, FROM, BUCKET, values))
        return;
    const struct db_param params[] = {db_text(req->caller->agent_ids), db_text(values[FROM]),
                                      db_text(values[TO]), db_text(values[BUCKET]),
                                      db_text(values[TZ])};
    reply_query(app, req, res, STATEMENT_SUMMARY, params, no_agent);
}

void analytics_agents(struct app *app, const struct request *req, struct response *res)
{
    const char *values[SPECS];
    if (!read_params(req, res, FROM, TO, values))
        return;
    const struct db_param params[] = {db_text(req->caller->agent_ids), db_text(values[FROM]),
                                      db_text(values[TO])};
    reply_query(app, req, res, STATEMENT_ANALYTICS_AGENTS, params, no_agent);
}

/* Answers about one agent or all: the parameters from agentId to `last`. */
static void answer_about(struct app *app, const struct request *req, struct response *res,
                         enum statement statement, size_t last)
{
    const char *values[SPECS] = {0};
    if (!read_params(req, res, AGENT_ID, last, values))
        return;
    const struct db_param params[] = {db_text(req->caller->agent_ids), db_text(values[AGENT_ID]),
                                      db_text(values[FROM]), db_text(values[TO]),
                                      db_text(values[TZ])};
    reply_query(app, req, res, statement, params, no_agent);
}

void analytics_calls(struct app *app, const struct request *req, struct response *res)
{
    answer_about(app, req, res, STATEMENT_ANALYTICS_CALLS, TZ);
}

void analytics_overview(struct app *app, const struct request *req, struct response *res)
{
    answer_about(app, req, res, STATEMENT_ANALYTICS_OVERVIEW, TO);
}

void analytics_sentiment(struct app *app, const struct request *req, struct response *res)
{
    answer_about(app, req, res, STATEMENT_ANALYTICS_SENTIMENT, TO);
}

/* Answers that have no parameters but who asks. */
static void answer_to(struct app *app, const struct request *req, struct response *res,
                      enum statement statement)
{
    if (!params_read(req, res, NULL, 0, NULL))
        return;
    const struct db_param params[] = {db_text(req->caller->agent_ids)};
    reply_query(app, req, res, statement, params, no_agent);
}

void overview(struct app *app, const struct request *req, struct response *res)
{
    answer_to(app, req, res, STATEMENT_OVERVIEW);
}

void stats(struct app *app, const struct request *req, struct response *res)
{
    answer_to(app, req, res, STATEMENT_STATS);
}
