#include "api/handlers.h"

#include "api/reply.h"
#include "http/params.h"

#include <string.h>

static const char no_agent[] = "There is no such agent.";
static const char no_call[] = "There is no such call.";

/* The parameters of every page of calls, in the order of the statements' from the sort on. */
enum {
    SORT_BY,
    ORDER,
    LIMIT,
    OFFSET,
    CURSOR,
    FIELDS,
    STATUS,
    SENTIMENT,
    SUCCESSFUL,
    DIRECTION,
    TYPE,
    REASON,
    FROM,
    TO,
    MIN_DURATION,
    MAX_DURATION,
    MIN_COST,
    MAX_COST,
    CALLER,
    WORDS,
    QUERY, /* a search's; the statements have it, pages without a search do not */
    STATEMENT_SPECS,
    INCLUDE_COUNT = STATEMENT_SPECS,
    AGENT_ID, /* not where the path has one */
    SPECS
};

static const struct param_spec page_specs[SPECS] = {
    [SORT_BY] = {"sortBy", PARAM_CHOICE, "date", .choices = "date|duration|cost"},
    [ORDER] = {"order", PARAM_CHOICE, "desc", .choices = "desc|asc"},
    [LIMIT] = PARAMS_LIMIT,
    [OFFSET] = {"offset", PARAM_NUMBER, .lo = 0, .hi = TEXT_MAX_NUMBER},
    [CURSOR] = {"cursor", PARAM_TEXT, .lo = 1, .hi = 2000, .not_with = "offset"},
    [FIELDS] = {"fields", PARAM_LIST,
                .choices = "id|agent_id|call_id|caller_info|start_timestamp|end_timestamp|"
                           "duration_ms|duration_seconds|transcript|call_status|"
                           "disconnection_reason|cost|call_summary|user_sentiment|"
                           "call_successful|recording_url|call_type|direction|from_number|"
                           "to_number|created_at|updated_at|agent"},
    [STATUS] = {"status", PARAM_LIST, .lo = 1, .hi = 100, .alias = "callStatus"},
    [SENTIMENT] = {"sentiment", PARAM_LIST, .lo = 1, .hi = 100},
    [SUCCESSFUL] = {"successful", PARAM_LIST, .choices = "true|false|unknown"},
    [DIRECTION] = {"direction", PARAM_LIST, .choices = "inbound|outbound"},
    [TYPE] = {"type", PARAM_LIST, .lo = 1, .hi = 100},
    [REASON] = {"reason", PARAM_LIST, .lo = 1, .hi = 100},
    [FROM] = {"from", PARAM_TIME},
    [TO] = {"to", PARAM_TIME},
    [MIN_DURATION] = {"minDuration", PARAM_NUMBER, .lo = 0, .hi = TEXT_MAX_NUMBER},
    [MAX_DURATION] = {"maxDuration", PARAM_NUMBER, .lo = 0, .hi = TEXT_MAX_NUMBER},
    [MIN_COST] = {"minCost", PARAM_NUMBER, .lo = 0, .hi = TEXT_MAX_NUMBER},
    [MAX_COST] = {"maxCost", PARAM_NUMBER, .lo = 0, .hi = TEXT_MAX_NUMBER},
    [CALLER] = {"caller", PARAM_LIST, .lo = 1, .hi = 100},
    [WORDS] = {"q", PARAM_TEXT, .lo = 1, .hi = 500},
    [QUERY] = {"query", PARAM_TEXT, .lo = 1, .hi = 500, .required = true},
    [INCLUDE_COUNT] = PARAMS_INCLUDE_COUNT,
    [AGENT_ID] = {"agentId", PARAM_TEXT, .lo = 1, .hi = 500},
};

/*
 * Reads the query by page_specs, less `without` that this endpoint does not have: their values are
 * NULL. False: answered.
 */
static bool read_page(const struct request *req, struct response *res, const int *without,
                      size_t without_count, const char **values)
{
    struct param_spec specs[SPECS];
    const char *read[SPECS];
    int places[SPECS];
    size_t count = 0;

    for (int i = 0; i < SPECS; i++) {
        bool has = true;
        for (size_t j = 0; j < without_count; j++)
            has = has && without[j] != i;
        values[i] = NULL;
        if (has) {
            places[count] = i;
            specs[count++] = page_specs[i];
        }
    }
    if (!params_read(req, res, specs, count, read))
        return false;
    for (size_t i = 0; i < count; i++)
        values[places[i]] = read[i];
    return true;
}

/*
 * Numbers as they are stored, "+4912345": a plus that was not encoded comes as a space. NULL when
 * memory is short.
 */
static const char *caller_numbers(struct arena *arena, const char *list)
{
    char *numbers = arena_strndup(arena, list, strlen(list));
    for (char *p = numbers; p && *p; p++)
        if (*p == ' ' && (p == numbers || p[-1] == ','))
            *p = '+';
    return numbers;
}

/* Answers with the page of one agent, or of all that the caller sees when agent_id is NULL. */
static void answer_page(struct app *app, const struct request *req, struct response *res,
                        const char *agent_id, const char **values)
{
    struct db_param params[2 + STATEMENT_SPECS];
    size_t count = 0;

    if (values[CALLER] && !(values[CALLER] = caller_numbers(req->arena, values[CALLER])))
        return;
    if (agent_id)
        params[count++] = db_text(agent_id);
    params[count++] = db_text(req->caller->agent_ids);
    for (int i = 0; i < STATEMENT_SPECS; i++)
        params[count++] = db_text(values[i]);
    reply_query(app, req, res, agent_id ? STATEMENT_CALL_HISTORY : STATEMENT_CALLS, params,
                no_agent);
}

void call_history(struct app *app, const struct request *req, struct response *res)
{
    static const int without[] = {QUERY, AGENT_ID};
    const char *values[SPECS];
    if (read_page(req, res, without, 2, values))
        answer_page(app, req, res, req->params[0], values);
}

void calls_list(struct app *app, const struct request *req, struct response *res)
{
    static const int without[] = {QUERY};
    const char *values[SPECS];
    if (read_page(req, res, without, 1, values))
        answer_page(app, req, res, values[AGENT_ID], values);
}

void calls_search(struct app *app, const struct request *req, struct response *res)
{
    const char *values[SPECS];
    if (read_page(req, res, NULL, 0, values))
        answer_page(app, req, res, values[AGENT_ID], values);
}

void call_detail(struct app *app, const struct request *req, struct response *res)
{
    if (!params_read(req, res, NULL, 0, NULL))
        return;
    const struct db_param params[] = {db_text(req->params[0]), db_text(req->caller->agent_ids)};
    reply_query(app, req, res, STATEMENT_CALL, params, no_call);
}
