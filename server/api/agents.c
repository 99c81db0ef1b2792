#include "api/handlers.h"

#include "api/reply.h"
#include "http/body.h"
#include "http/params.h"

static const char no_agent[] = "There is no such agent.";

void agent_info(struct app *app, const struct request *req, struct response *res)
{
    if (!params_read(req, res, NULL, 0, NULL))
        return;
    const struct db_param params[] = {db_text(req->params[0]), db_text(req->caller->agent_ids)};
    reply_query(app, req, res, STATEMENT_AGENT, params, no_agent);
}

enum { STATUS, SEARCH, LIMIT, OFFSET, INCLUDE_COUNT, SPECS };

/* Pages of agents; `search` says what the part of a name or id to look for is called. */
static void answer_page(struct app *app, const struct request *req, struct response *res,
                        struct param_spec search)
{
    const struct param_spec specs[SPECS] = {
        [STATUS] = {"status", PARAM_CHOICE, .choices = "ACTIVE|INACTIVE"},
        [SEARCH] = search,
        [LIMIT] = PARAMS_LIMIT,
        [OFFSET] = PARAMS_OFFSET,
        [INCLUDE_COUNT] = PARAMS_INCLUDE_COUNT,
    };
    const char *values[SPECS];
    if (!params_read(req, res, specs, SPECS, values))
        return;
    const struct db_param params[] = {db_text(req->caller->agent_ids), db_text(values[STATUS]),
                                      db_text(values[SEARCH]), db_text(values[LIMIT]),
                                      db_text(values[OFFSET])};
    reply_query(app, req, res, STATEMENT_AGENTS, params, no_agent);
}

void agents_list(struct app *app, const struct request *req, struct response *res)
{
    answer_page(app, req, res, (struct param_spec){"search", PARAM_TEXT, .lo = 1, .hi = 500});
}

void agents_search(struct app *app, const struct request *req, struct response *res)
{
    answer_page(app, req, res,
                (struct param_spec){"query", PARAM_TEXT, .lo = 1, .hi = 500, .required = true});
}

enum { CHANGE_NAME, CHANGE_STATUS, CHANGE_FIELDS, ADD_ID = CHANGE_FIELDS, ADD_FIELDS };

void agent_add(struct app *app, const struct request *req, struct response *res)
{
    static const struct body_spec specs[ADD_FIELDS] = {
        [ADD_ID] = {"agent_id", BODY_TEXT, .required = true, .lo = 1, .hi = 500, .not_blank = true},
        [CHANGE_NAME] = {"agent_name", BODY_TEXT, .required = true, .lo = 1, .hi = 500,
                         .not_blank = true},
        [CHANGE_STATUS] = {"status", BODY_CHOICE, .choices = "ACTIVE|INACTIVE"},
    };
    struct body_value values[ADD_FIELDS];
    struct db_result *result = NULL;
    if (!params_read(req, res, NULL, 0, NULL) || !body_read(req, res, specs, ADD_FIELDS, values))
        return;
    const struct db_param params[] = {db_text(values[ADD_ID].text),
                                      db_text(values[CHANGE_NAME].text),
                                      db_text(values[CHANGE_STATUS].text)};
    if (!reply_run(app, req, res, STATEMENT_AGENT_ADD, params, &result))
        return;
    const char *json = db_rows(result) == 1 ? db_value(result, 0, 0) : NULL;
    reply_audit(app, req, "agent.add", values[ADD_ID].text, json ? "ok" : "taken");
    if (json)
        reply_data(res, 201, json);
    else
        response_error(res, req, 409, "conflict", "There is an agent of this agent_id already.");
    db_result_free(result);
}

/* Changes the agent in the path; json of it, valid until `*result` is freed. NULL: answered. */
static const char *change_agent(struct app *app, const struct request *req, struct response *res,
                                const char *name, const char *status, struct db_result **result)
{
    const struct db_param params[] = {db_text(req->params[0]), db_text(name), db_text(status)};
    if (!reply_run(app, req, res, STATEMENT_AGENT_CHANGE, params, result))
        return NULL;
    const char *json = db_rows(*result) == 1 ? db_value(*result, 0, 0) : NULL;
    reply_audit(app, req, "agent.change", req->params[0], json ? "ok" : "missing");
    if (!json)
        response_error(res, req, 404, "not_found", no_agent);
    return json;
}

void agent_change(struct app *app, const struct request *req, struct response *res)
{
    static const struct body_spec specs[CHANGE_FIELDS] = {
        [CHANGE_NAME] = {"agent_name", BODY_TEXT, .lo = 1, .hi = 500, .not_blank = true},
        [CHANGE_STATUS] = {"status", BODY_CHOICE, .choices = "ACTIVE|INACTIVE"},
    };
    struct body_value values[CHANGE_FIELDS];
    struct db_result *result = NULL;
    if (!params_read(req, res, NULL, 0, NULL) || !body_read(req, res, specs, CHANGE_FIELDS, values))
        return;
    const char *json =
        change_agent(app, req, res, values[CHANGE_NAME].text, values[CHANGE_STATUS].text, &result);
    if (json)
        reply_data(res, 200, json);
    db_result_free(result);
}

/* An agent keeps its calls, so it is never deleted. */
void agent_deactivate(struct app *app, const struct request *req, struct response *res)
{
    struct db_result *result = NULL;
    if (params_read(req, res, NULL, 0, NULL) &&
        change_agent(app, req, res, NULL, "INACTIVE", &result))
        reply_message(res, "Agent deactivated successfully");
    db_result_free(result);
}
