/*
 * Users, and the agents that they are assigned. Who may change whom is decided in the database,
 * where it is still true when it is written; the words for "no" are here.
 */
#include "api/handlers.h"
#include "api/reply.h"
#include "http/body.h"
#include "http/params.h"

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

static const char no_user[] = "There is no such user.";
static const char no_agent[] = "There is no such agent.";

static const struct reply_refusal change_refusals[] = {
    {"missing", 404, "not_found", no_user},
    {"forbidden", 403, "forbidden",
     "Only a superadministrator approves users, sets their status, or makes, changes or deletes "
     "superadministrators."},
    {"self", 403, "forbidden",
     "Nobody changes their own role or status, or deletes themselves; ask another administrator."},
    {"last", 409, "last_superadmin",
     "This is the last superadministrator; make another one first."},
};

static const struct reply_refusal assignment_refusals[] = {
    {"no_user", 404, "not_found", no_user},
    {"no_agent", 404, "not_found", no_agent},
    {"taken", 409, "conflict", "This agent is assigned to this user already."},
};

void users_list(struct app *app, const struct request *req, struct response *res)
{
    enum { ROLE, STATUS, SEARCH, LIMIT, OFFSET, INCLUDE_COUNT, SPECS };
    static const struct param_spec specs[SPECS] = {
        [ROLE] = {"role", PARAM_CHOICE, .choices = "USER|ADMIN|SUPERADMIN"},
        [STATUS] = {"status", PARAM_CHOICE, .choices = "PENDING|APPROVED|REJECTED"},
        [SEARCH] = {"search", PARAM_TEXT, .lo = 1, .hi = 500},
        [LIMIT] = PARAMS_LIMIT,
        [OFFSET] = PARAMS_OFFSET,
        [INCLUDE_COUNT] = PARAMS_INCLUDE_COUNT,
    };
    const char *values[SPECS];
    if (!params_read(req, res, specs, SPECS, values))
        return;
    const struct db_param params[] = {db_text(values[ROLE]), db_text(values[STATUS]),
                                      db_text(values[SEARCH]), db_text(values[LIMIT]),
                                      db_text(values[OFFSET])};
    reply_query(app, req, res, STATEMENT_USERS, params, no_user);
}

/* Answers what `statement` says of the user in the path. */
static void about_user(struct app *app, const struct request *req, struct response *res,
                       enum statement statement)
{
    if (!params_read(req, res, NULL, 0, NULL))
        return;
    const char *id = reply_uuid(req, res, 0, no_user);
    const struct db_param params[] = {db_text(id)};
    if (id)
        reply_query(app, req, res, statement, params, no_user);
}

void user_info(struct app *app, const struct request *req, struct response *res)
{
    about_user(app, req, res, STATEMENT_USER);
}

void user_agents(struct app *app, const struct request *req, struct response *res)
{
    about_user(app, req, res, STATEMENT_USER_AGENTS);
}

void agent_users(struct app *app, const struct request *req, struct response *res)
{
    if (!params_read(req, res, NULL, 0, NULL))
        return;
    const struct db_param params[] = {db_text(req->params[0])};
    reply_query(app, req, res, STATEMENT_AGENT_USERS, params, no_agent);
}

/* What a change says; NULL leaves a value as it is. */
struct change {
    const char *name, *role, *status, *all_agents;
};

static void change_user(struct app *app, const struct request *req, struct response *res,
                        const char *action, const struct change *change)
{
    enum { OUTCOME, PROFILE };
    const char *id = reply_uuid(req, res, 0, no_user);
    const struct db_param params[] = {db_text(req->caller->user_id),
                                      db_text(role_name(req->caller->role)),
                                      db_text(id),
                                      db_text(change->name),
                                      db_text(change->role),
                                      db_text(change->status),
                                      db_text(change->all_agents)};
    struct db_result *result = NULL;
    if (!id || !reply_run(app, req, res, STATEMENT_USER_CHANGE, params, &result))
        return;
    const char *outcome = db_value(result, 0, OUTCOME);
    reply_audit(app, req, action, id, outcome);
    if (reply_is_ok(req, res, outcome, change_refusals, COUNT(change_refusals))) {
        identities_forget(app->guard.identities, id);
        reply_data(res, 200, db_value(result, 0, PROFILE));
    }
    db_result_free(result);
}

void user_change(struct app *app, const struct request *req, struct response *res)
{
    enum { NAME, ROLE, STATUS, ALL_AGENTS, FIELDS };
    static const struct body_spec specs[FIELDS] = {
        [NAME] = {"name", BODY_TEXT, .hi = 120},
        [ROLE] = {"role", BODY_CHOICE, .choices = "USER|ADMIN|SUPERADMIN"},
        [STATUS] = {"status", BODY_CHOICE, .choices = "PENDING|APPROVED|REJECTED"},
        [ALL_AGENTS] = {"all_agents", BODY_BOOL},
    };
    struct body_value values[FIELDS];
    if (!params_read(req, res, NULL, 0, NULL) || !body_read(req, res, specs, FIELDS, values))
        return;
    const struct change change = {.name = values[NAME].text,
                                  .role = values[ROLE].text,
                                  .status = values[STATUS].text,
                                  .all_agents = values[ALL_AGENTS].text};
    change_user(app, req, res, "user.change", &change);
}

void user_approve(struct app *app, const struct request *req, struct response *res)
{
    static const struct change approval = {.status = "APPROVED"};
    if (params_read(req, res, NULL, 0, NULL) && body_read(req, res, NULL, 0, NULL))
        change_user(app, req, res, "user.approve", &approval);
}

void user_remove(struct app *app, const struct request *req, struct response *res)
{
    if (!params_read(req, res, NULL, 0, NULL))
        return;
    const char *id = reply_uuid(req, res, 0, no_user);
    const struct db_param params[] = {db_text(req->caller->user_id),
                                      db_text(role_name(req->caller->role)), db_text(id)};
    struct db_result *result = NULL;
    if (!id || !reply_run(app, req, res, STATEMENT_USER_REMOVE, params, &result))
        return;
    const char *outcome = db_value(result, 0, 0);
    reply_audit(app, req, "user.delete", id, outcome);
    if (reply_is_ok(req, res, outcome, change_refusals, COUNT(change_refusals))) {
        identities_forget(app->guard.identities, id);
        reply_message(res, "User deleted successfully");
    }
    db_result_free(result);
}

/* The two ids of an assignment. false: the response is filled. */
static bool read_assignment(const struct request *req, struct response *res,
                            struct db_param params[2])
{
    enum { USER_ID, AGENT_ID, FIELDS };
    static const struct body_spec specs[FIELDS] = {
        [USER_ID] = {"userId", BODY_UUID, .required = true},
        [AGENT_ID] = {"agentId", BODY_TEXT, .required = true, .lo = 1, .hi = 500},
    };
    struct body_value values[FIELDS];
    if (!params_read(req, res, NULL, 0, NULL) || !body_read(req, res, specs, FIELDS, values))
        return false;
    params[0] = db_text(values[USER_ID].text);
    params[1] = db_text(values[AGENT_ID].text);
    return true;
}

void assignment_add(struct app *app, const struct request *req, struct response *res)
{
    enum { OUTCOME, ASSIGNMENT };
    struct db_param params[2];
    struct db_result *result = NULL;
    if (!read_assignment(req, res, params) ||
        !reply_run(app, req, res, STATEMENT_ASSIGNMENT_ADD, params, &result))
        return;
    const char *outcome = db_value(result, 0, OUTCOME);
    reply_audit(app, req, "assignment.add", params[0].data, outcome);
    if (reply_is_ok(req, res, outcome, assignment_refusals, COUNT(assignment_refusals))) {
        identities_forget(app->guard.identities, params[0].data);
        reply_data(res, 201, db_value(result, 0, ASSIGNMENT));
    }
    db_result_free(result);
}

void assignment_remove(struct app *app, const struct request *req, struct response *res)
{
    struct db_param params[2];
    struct db_result *result = NULL;
    if (!read_assignment(req, res, params) ||
        !reply_run(app, req, res, STATEMENT_ASSIGNMENT_REMOVE, params, &result))
        return;
    bool removed = db_rows(result) == 1;
    db_result_free(result);
    reply_audit(app, req, "assignment.remove", params[0].data, removed ? "ok" : "missing");
    identities_forget(app->guard.identities, params[0].data);
    if (removed)
        reply_message(res, "Assignment removed successfully");
    else
        response_error(res, req, 404, "not_found", "This agent is not assigned to this user.");
}
