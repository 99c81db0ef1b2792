/* Keys of programs, as administrators manage them. */
#include "api/handlers.h"
#include "api/reply.h"
#include "auth/api_key.h"
#include "base/clock.h"
#include "http/body.h"
#include "http/params.h"

#include <string.h>

static const char no_key[] = "There is no such key.";

void keys_list(struct app *app, const struct request *req, struct response *res)
{
    enum { LIMIT, OFFSET, INCLUDE_COUNT, SPECS };
    static const struct param_spec specs[SPECS] = {
        [LIMIT] = PARAMS_LIMIT,
        [OFFSET] = PARAMS_OFFSET,
        [INCLUDE_COUNT] = PARAMS_INCLUDE_COUNT,
    };
    const char *values[SPECS];
    if (!params_read(req, res, specs, SPECS, values))
        return;
    const struct db_param params[] = {db_text(values[LIMIT]), db_text(values[OFFSET])};
    reply_query(app, req, res, STATEMENT_KEYS, params, no_key);
}

enum { NAME, ROLE, AGENTS, EXPIRES_AT, FIELDS };

/* What one field alone cannot say. false: the response is filled. */
static bool check_together(const struct request *req, struct response *res,
                           const struct body_value *values)
{
    struct field_error errors[2];
    size_t count = 0;
    if (strcmp(values[ROLE].text, role_name(ROLE_ADMIN)) == 0 && values[AGENTS].text)
        errors[count++] = (struct field_error){
            "agents", "goes with the role USER only: an ADMIN key sees all agents"};
    if (values[EXPIRES_AT].text && values[EXPIRES_AT].number <= clock_wall_ms())
        errors[count++] = (struct field_error){"expiresAt", "must be in the future"};
    if (count)
        response_invalid(res, req, errors, count);
    return count == 0;
}

/* Answers with the key as it was stored, and for this once the key itself. */
static void show(struct response *res, const char *json, const char *key)
{
    reply_data(res, 201, json);
    res->body.len -= 2; /* the two last braces */
    buf_printf(&res->body, ", \"key\" : \"%s\"}}", key);
}

void key_add(struct app *app, const struct request *req, struct response *res)
{
    static const struct body_spec specs[FIELDS] = {
        [NAME] = {"name", BODY_TEXT, .required = true, .lo = 1, .hi = 120, .not_blank = true},
        [ROLE] = {"role", BODY_CHOICE, .required = true, .choices = "USER|ADMIN"},
        [AGENTS] = {"agents", BODY_TEXTS, .nullable = true, .lo = 1, .hi = 500, .max_items = 500},
        [EXPIRES_AT] = {"expiresAt", BODY_TIME, .nullable = true},
    };
    struct body_value values[FIELDS];
    char key[API_KEY_LEN + 1];
    unsigned char digest[API_KEY_DIGEST_SIZE];
    struct db_result *result = NULL;

    if (!params_read(req, res, NULL, 0, NULL) || !body_read(req, res, specs, FIELDS, values) ||
        !check_together(req, res, values))
        return;
    if (api_key_make(key, digest)) {
        reply_failure(req, res, ERR_INTERNAL);
        return;
    }
    const struct db_param params[] = {
        db_text(values[NAME].text),
        db_text(values[ROLE].text),
        db_text(values[AGENTS].text),
        db_text(values[EXPIRES_AT].text),
        {.data = key, .len = API_KEY_SHOWN, .binary = true},
        {.data = (const char *)digest, .len = sizeof digest, .binary = true},
        db_text(req->caller->user_id)};
    if (!reply_run(app, req, res, STATEMENT_KEY_ADD, params, &result))
        return;
    const char *json = db_value(result, 0, 0);
    const char *unknown = db_value(result, 0, 1);
    if (json) {
        show(res, json, key);
    } else {
        const struct field_error error = {
            "agents",
            arena_printf(req->arena, "names no agent of ours: %s", unknown ? unknown : "")};
        response_invalid(res, req, &error, 1);
    }
    char shown[API_KEY_SHOWN + 1] = {0};
    memcpy(shown, key, API_KEY_SHOWN);
    reply_audit(app, req, "key.create", json ? shown : NULL, json ? "ok" : "unknown agents");
    db_result_free(result);
}

void key_remove(struct app *app, const struct request *req, struct response *res)
{
    struct db_result *result = NULL;
    if (!params_read(req, res, NULL, 0, NULL))
        return;
    const char *id = reply_uuid(req, res, 0, no_key);
    const struct db_param params[] = {db_text(id)};
    if (!id || !reply_run(app, req, res, STATEMENT_KEY_REMOVE, params, &result))
        return;
    bool removed = db_rows(result) == 1;
    reply_audit(app, req, "key.revoke", id, removed ? "ok" : "missing");
    if (removed) {
        identities_forget(app->guard.identities, id);
        reply_message(res, "Key revoked successfully");
    } else {
        response_error(res, req, 404, "not_found", no_key);
    }
    db_result_free(result);
}
