#include "api/handlers.h"

#include "api/reply.h"
#include "http/params.h"

static const char no_agent[] = "There is no such agent.";
static const char no_call[] = "There is no such call.";

/* The parameters of every page of calls; filters join here. */
enum { SORT_BY, ORDER, LIMIT, OFFSET, INCLUDE_COUNT, PAGE_SPECS, AGENT_ID = PAGE_SPECS, SPECS };
static const struct param_spec page_specs[SPECS] = {
    [SORT_BY] = {"sortBy", PARAM_CHOICE, "date", .choices = "date|duration|cost"},
    [ORDER] = {"order", PARAM_CHOICE, "desc", .choices = "desc|asc"},
    [LIMIT] = {"limit", PARAM_NUMBER, "20", 1, 100, NULL},
    [OFFSET] = {"offset", PARAM_NUMBER, "0", 0, INT64_MAX, NULL},
    [INCLUDE_COUNT] = {"includeCount", PARAM_CHOICE, .choices = "true|false"},
    [AGENT_ID] = {"agentId", PARAM_TEXT, .lo = 1, .hi = 500}, /* not where the path has one */
};

static void one_agents_page(struct app *app, const struct request *req, struct response *res,
                            const char *agent_id, const char *const *values)
{
    const struct db_param params[] = {db_text(agent_id),        db_text(req->caller->agent_ids),
                                      db_text(values[SORT_BY]), db_text(values[ORDER]),
                                      db_text(values[LIMIT]),   db_text(values[OFFSET])};
    reply_query(app, req, res, STATEMENT_CALL_HISTORY, params, no_agent);
}

void call_history(struct app *app, const struct request *req, struct response *res)
{
    const char *values[PAGE_SPECS];
    if (params_read(req, res, page_specs, PAGE_SPECS, values))
        one_agents_page(app, req, res, req->params[0], values);
}

void calls_list(struct app *app, const struct request *req, struct response *res)
{
    const char *values[SPECS];
    if (!params_read(req, res, page_specs, SPECS, values))
        return;
    if (values[AGENT_ID]) {
        one_agents_page(app, req, res, values[AGENT_ID], values);
        return;
    }
    const struct db_param params[] = {db_text(req->caller->agent_ids), db_text(values[SORT_BY]),
                                      db_text(values[ORDER]), db_text(values[LIMIT]),
                                      db_text(values[OFFSET])};
    reply_query(app, req, res, STATEMENT_CALLS, params, no_agent);
}

void call_detail(struct app *app, const struct request *req, struct response *res)
{
    if (!params_read(req, res, NULL, 0, NULL))
        return;
    const struct db_param params[] = {db_text(req->params[0]), db_text(req->caller->agent_ids)};
    reply_query(app, req, res, STATEMENT_CALL, params, no_call);
}
