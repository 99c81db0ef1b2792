#include "api/handlers.h"

#include "api/reply.h"
#include "http/params.h"

static const char no_agent[] = "There is no such agent.";

void agent_info(struct app *app, const struct request *req, struct response *res)
{
    if (!params_read(req, res, NULL, 0, NULL))
        return;
    const struct db_param params[] = {db_text(req->params[0]), db_text(req->caller->agent_ids)};
    reply_query(app, req, res, STATEMENT_AGENT, params, no_agent);
}

void agents_list(struct app *app, const struct request *req, struct response *res)
{
    enum { STATUS, SEARCH, LIMIT, OFFSET, INCLUDE_COUNT, SPECS };
    static const struct param_spec specs[SPECS] = {
        [STATUS] = {"status", PARAM_CHOICE, .choices = "ACTIVE|INACTIVE"},
        [SEARCH] = {"search", PARAM_TEXT, .lo = 1, .hi = 500},
        [LIMIT] = {"limit", PARAM_NUMBER, "20", 1, 100, NULL},
        [OFFSET] = {"offset", PARAM_NUMBER, "0", 0, INT64_MAX, NULL},
        [INCLUDE_COUNT] = {"includeCount", PARAM_CHOICE, .choices = "true|false"},
    };
    const char *values[SPECS];
    if (!params_read(req, res, specs, SPECS, values))
        return;
    const struct db_param params[] = {db_text(req->caller->agent_ids), db_text(values[STATUS]),
                                      db_text(values[SEARCH]), db_text(values[LIMIT]),
                                      db_text(values[OFFSET])};
    reply_query(app, req, res, STATEMENT_AGENTS, params, no_agent);
}
