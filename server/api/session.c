/*
 * Users about themselves: register, log in, who am I, change the password, log out everywhere.
 *
 * What a stranger gets to know of who has an account is what a closed door says: a login that fails
 * takes the same statements and the same hash, and gets the same bytes, whether or not the e-mail is
 * known. Attempts are counted before the password is looked at (frontdesk.login_begin).
 */
#include "api/handlers.h"
#include "api/reply.h"
#include "base/address.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "http/body.h"
#include "http/params.h"

#include <stdlib.h>
#include <string.h>

/* ---- tokens ---- */

/* Signs a token and answers 200 with it. */
static void answer_token(struct app *app, const struct request *req, struct response *res,
                         struct token_claims *claims)
{
    char token[TOKEN_MAX + 1];
    char expires[CLOCK_ISO_SIZE];
    if (token_sign(&app->guard.tokens, claims, token)) {
        reply_failure(req, res, ERR_NOMEM);
        return;
    }
    clock_iso(claims->expires_at * 1000, expires);
    response_json(res, 200, "", 0);
    buf_printf(&res->body, "{\"success\":true,\"token\":\"%s\",\"expiresAt\":\"%s\"}", token,
               expires);
}

/* The claims of a user's new token, from three values of the database. */
static bool read_claims(struct token_claims *claims, const char *id, const char *role,
                        const char *issued_at)
{
    if (!id || !issued_at || strlen(id) >= sizeof claims->subject ||
        !role_parse(role, &claims->role))
        return false;
    memcpy(claims->subject, id, strlen(id) + 1);
    claims->issued_at = strtoll(issued_at, NULL, 10);
    return true;
}

/* ---- attempts ---- */

/* A login, or a password given again, on its way. */
struct attempt {
    unsigned char account[CRYPTO_SHA256_SIZE], address[CRYPTO_SHA256_SIZE];
    struct db_result *row; /* of login_begin */
    int64_t deadline;
};

/* The columns of login_begin. */
enum { WAIT_SECONDS, USER_ID, PASSWORD_HASH, ROLE, STATUS, ISSUED_AT };

/* What stands for an account or an address in the table of attempts: it need not know which. */
static enum err digest_subject(const struct request *req, const char *kind, const char *subject,
                               unsigned char digest[CRYPTO_SHA256_SIZE])
{
    const char *text = arena_printf(req->arena, "%s %s", kind, subject);
    return text ? crypto_sha256(text, strlen(text), digest) : ERR_NOMEM;
}

static struct db_param digest_param(const unsigned char digest[CRYPTO_SHA256_SIZE])
{
    return (struct db_param){
        .data = (const char *)digest, .len = CRYPTO_SHA256_SIZE, .binary = true};
}

/* Counts the attempt. false: the response is filled, with 429 if it is not yet time for one. */
static bool begin_attempt(struct app *app, const struct request *req, struct response *res,
                          const char *email, struct attempt *attempt)
{
    char address[ADDRESS_TEXT_SIZE];
    const struct address client = address_client(&req->client);
    address_format(&client, address);
    if (digest_subject(req, "account", email, attempt->account) ||
        digest_subject(req, "address", address, attempt->address)) {
        reply_failure(req, res, ERR_NOMEM);
        return false;
    }
    const struct db_param params[] = {db_text(email), digest_param(attempt->account),
                                      digest_param(attempt->address)};
    if (!reply_run(app, req, res, STATEMENT_LOGIN_BEGIN, params, &attempt->row))
        return false;
    const char *wait = db_value(attempt->row, 0, WAIT_SECONDS);
    if (wait && strcmp(wait, "0") == 0)
        return true;
    response_header(res, "Retry-After", wait ? wait : "1");
    response_error(res, req, 429, "too_many_attempts",
                   "Too many attempts have failed; wait as the Retry-After header says.");
    reply_audit(app, req, "login", NULL, "refused for now");
    db_result_free(attempt->row);
    return false;
}

/* Takes the attempt back; that it may fail costs the user one attempt, not more. */
static void end_attempt(struct app *app, const struct attempt *attempt, bool succeeded)
{
    struct db_result *result = NULL;
    const struct db_param params[] = {digest_param(attempt->account),
                                      digest_param(attempt->address),
                                      db_text(succeeded ? "true" : "false")};
    enum err ignored =
        db_pool_query(app->api_pool, STATEMENT_LOGIN_END, params, attempt->deadline, &result);
    (void)ignored; /* the pool has logged it */
    db_result_free(result);
}

/* A hash of other parameters is replaced while the password is at hand. */
static void hash_anew(struct app *app, const struct attempt *attempt, const char *password)
{
    char hash[PASSWORD_HASH_SIZE];
    struct db_result *result = NULL;
    if (password_hash(app->passwords, password, attempt->deadline, hash))
        return;
    const struct db_param params[] = {db_text(db_value(attempt->row, 0, USER_ID)),
                                      db_text(db_value(attempt->row, 0, PASSWORD_HASH)),
                                      db_text(hash)};
    enum err ignored =
        db_pool_query(app->api_pool, STATEMENT_USER_REHASH, params, attempt->deadline, &result);
    (void)ignored; /* the next login tries again */
    db_result_free(result);
}

/*
 * Is it the right password? Ends the attempt; false: the response is filled with 401 and `message`,
 * or with 503 when too many ask at once. `*outdated`: its hash wants to be made anew.
 */
static bool check_attempt(struct app *app, const struct request *req, struct response *res,
                          const struct attempt *attempt, const char *password, const char *message,
                          bool *outdated)
{
    struct password_verdict verdict;
    const char *id = db_value(attempt->row, 0, USER_ID);
    enum err err =
        password_check(app->passwords, password, db_value(attempt->row, 0, PASSWORD_HASH),
                       attempt->deadline, &verdict);
    if (err) {
        end_attempt(app, attempt, false);
        reply_failure(req, res, err);
        return false;
    }
    if (!verdict.matches) {
        response_header(res, "WWW-Authenticate", "Bearer");
        response_error(res, req, 401, "unauthorized", message);
        reply_audit(app, req, "login", id, id ? "wrong password" : "unknown user");
        metrics_add(app->metrics, METRIC_LOGIN_FAILURES, 0, 1);
        return false;
    }
    end_attempt(app, attempt, true);
    *outdated = verdict.outdated;
    return true;
}

/* ---- endpoints ---- */

/* The right password of somebody who may not come in. */
static const struct reply_refusal status_refusals[] = {
    {"PENDING", 403, "account_pending", "This account waits for a superadministrator's approval."},
    {"REJECTED", 403, "account_rejected", "This account has been disabled."},
};

static void log_in(struct app *app, const struct request *req, struct response *res,
                   const struct attempt *attempt, const char *password)
{
    struct token_claims claims;
    bool outdated = false;
    const char *id = db_value(attempt->row, 0, USER_ID);
    if (!check_attempt(app, req, res, attempt, password,
                       "The e-mail address or the password is wrong.", &outdated))
        return;
    if (outdated)
        hash_anew(app, attempt, password);
    const char *status = db_value(attempt->row, 0, STATUS);
    const char *outcome = status && strcmp(status, "APPROVED") == 0 ? "ok" : status;
    reply_audit(app, req, "login", id, outcome);
    if (!reply_is_ok(req, res, outcome, status_refusals,
                     sizeof status_refusals / sizeof status_refusals[0]))
        return;
    if (read_claims(&claims, id, db_value(attempt->row, 0, ROLE),
                    db_value(attempt->row, 0, ISSUED_AT)))
        answer_token(app, req, res, &claims);
    else
        reply_failure(req, res, ERR_INTERNAL);
}

void session_login(struct app *app, const struct request *req, struct response *res)
{
    enum { EMAIL, PASSWORD, FIELDS };
    static const struct body_spec specs[FIELDS] = {
        [EMAIL] = {"email", BODY_EMAIL, .required = true},
        [PASSWORD] = {"password", BODY_TEXT, .required = true, .lo = 1, .hi = 1024},
    };
    struct body_value values[FIELDS];
    struct attempt attempt = {.deadline = reply_deadline()};
    if (!params_read(req, res, NULL, 0, NULL) || !body_read(req, res, specs, FIELDS, values) ||
        !begin_attempt(app, req, res, values[EMAIL].text, &attempt))
        return;
    log_in(app, req, res, &attempt, values[PASSWORD].text);
    db_result_free(attempt.row);
}

/* 201 with the new user, and a token or word of what must come first. */
static void answer_registered(struct app *app, const struct request *req, struct response *res,
                              const char *profile, struct token_claims *claims)
{
    char token[TOKEN_MAX + 1];
    bool open = app->config->registration == REGISTRATION_OPEN;
    if (open && token_sign(&app->guard.tokens, claims, token)) {
        reply_failure(req, res, ERR_NOMEM);
        return;
    }
    reply_data(res, 201, profile);
    res->body.len--; /* the last brace */
    if (open)
        buf_printf(&res->body, ",\"token\":\"%s\"}", token);
    else
        buf_puts(&res->body, ",\"message\":\"Your account waits for approval; you can log in once "
                             "a superadministrator has approved it.\"}");
}

static void register_user(struct app *app, const struct request *req, struct response *res,
                          const char *email, const char *name, const char *phone, const char *hash)
{
    enum { OUTCOME, ID, USER_ROLE, ISSUED, PROFILE };
    static const struct reply_refusal refusals[] = {
        {"taken", 409, "email_taken", "There is an account of this e-mail address already."}};
    bool open = app->config->registration == REGISTRATION_OPEN;
    struct token_claims claims;
    struct db_result *result = NULL;
    const struct db_param params[] = {
        db_text(email),
        db_text(name),
        db_text(phone),
        db_text(hash),
        db_text(open ? NULL : role_name(ROLE_USER)), /* NULL: the first ever is a superadmin */
        db_text(open ? "APPROVED" : "PENDING"),
        db_text("false")};
    if (!reply_run(app, req, res, STATEMENT_USER_ADD, params, &result))
        return;
    const char *outcome = db_value(result, 0, OUTCOME);
    const char *id = db_value(result, 0, ID);
    reply_audit(app, req, "register", id, outcome);
    if (reply_is_ok(req, res, outcome, refusals, 1)) {
        if (read_claims(&claims, id, db_value(result, 0, USER_ROLE), db_value(result, 0, ISSUED)))
            answer_registered(app, req, res, db_value(result, 0, PROFILE), &claims);
        else
            reply_failure(req, res, ERR_INTERNAL);
    }
    db_result_free(result);
}

void session_register(struct app *app, const struct request *req, struct response *res)
{
    enum { EMAIL, PASSWORD, NAME, PHONE, FIELDS };
    static const struct body_spec specs[FIELDS] = {
        [EMAIL] = {"email", BODY_EMAIL, .required = true},
        [PASSWORD] = {"password", BODY_TEXT, .required = true, .lo = PASSWORD_MIN,
                      .hi = PASSWORD_MAX, .not_blank = true},
        [NAME] = {"name", BODY_TEXT, .nullable = true, .hi = 120},
        [PHONE] = {"phone", BODY_TEXT, .nullable = true, .hi = 40},
    };
    struct body_value values[FIELDS];
    char hash[PASSWORD_HASH_SIZE];
    if (app->config->registration == REGISTRATION_CLOSED) {
        response_error(res, req, 403, "registration_closed",
                       "Registration is closed; ask an administrator for an account.");
        return;
    }
    if (!params_read(req, res, NULL, 0, NULL) || !body_read(req, res, specs, FIELDS, values))
        return;
    enum err err = password_hash(app->passwords, values[PASSWORD].text, reply_deadline(), hash);
    if (err)
        reply_failure(req, res, err);
    else
        register_user(app, req, res, values[EMAIL].text, values[NAME].text, values[PHONE].text,
                      hash);
}

void session_me(struct app *app, const struct request *req, struct response *res)
{
    const struct db_param params[] = {db_text(req->caller->user_id)};
    if (params_read(req, res, NULL, 0, NULL))
        reply_query(app, req, res, STATEMENT_USER_ME, params, "There is no such user.");
}

/* The caller's e-mail in the arena, or NULL and the response is filled. */
static const char *own_email(struct app *app, const struct request *req, struct response *res)
{
    enum { PROFILE, EMAIL };
    const struct db_param params[] = {db_text(req->caller->user_id)};
    struct db_result *result = NULL;
    if (!reply_run(app, req, res, STATEMENT_USER_ME, params, &result))
        return NULL;
    const char *email = db_rows(result) == 1 ? db_value(result, 0, EMAIL) : NULL;
    const char *copy = email ? arena_strndup(req->arena, email, strlen(email)) : NULL;
    db_result_free(result);
    if (!copy)
        response_error(res, req, 404, "not_found", "There is no such user.");
    return copy;
}

/* Stores the new hash, unless the password was changed by somebody else since it was checked. */
static void change_password(struct app *app, const struct request *req, struct response *res,
                            const char *old_hash, const char *new_hash)
{
    enum { USER_ROLE, ISSUED };
    const char *id = req->caller->user_id;
    struct token_claims claims;
    struct db_result *result = NULL;
    const struct db_param params[] = {db_text(id), db_text(old_hash), db_text(new_hash)};
    if (!reply_run(app, req, res, STATEMENT_USER_SET_PASSWORD, params, &result))
        return;
    bool changed = db_rows(result) == 1;
    reply_audit(app, req, "password", id, changed ? "ok" : "changed meanwhile");
    identities_forget(app->guard.identities, id);
    if (!changed)
        response_error(res, req, 409, "conflict",
                       "The password was changed a moment ago; log in with the new one.");
    else if (read_claims(&claims, id, db_value(result, 0, USER_ROLE), db_value(result, 0, ISSUED)))
        answer_token(app, req, res, &claims);
    else
        reply_failure(req, res, ERR_INTERNAL);
    db_result_free(result);
}

void session_password(struct app *app, const struct request *req, struct response *res)
{
    enum { CURRENT, NEW, FIELDS };
    static const struct body_spec specs[FIELDS] = {
        [CURRENT] = {"currentPassword", BODY_TEXT, .required = true, .lo = 1, .hi = 1024},
        [NEW] = {"newPassword", BODY_TEXT, .required = true, .lo = PASSWORD_MIN, .hi = PASSWORD_MAX,
                 .not_blank = true},
    };
    struct body_value values[FIELDS];
    char hash[PASSWORD_HASH_SIZE];
    bool ignored; /* the hash is replaced in any case */
    struct attempt attempt = {.deadline = reply_deadline()};
    if (!params_read(req, res, NULL, 0, NULL) || !body_read(req, res, specs, FIELDS, values))
        return;
    const char *email = own_email(app, req, res);
    if (!email || !begin_attempt(app, req, res, email, &attempt))
        return;
    if (check_attempt(app, req, res, &attempt, values[CURRENT].text,
                      "The current password is wrong.", &ignored)) {
        enum err err = password_hash(app->passwords, values[NEW].text, attempt.deadline, hash);
        if (err)
            reply_failure(req, res, err);
        else
            change_password(app, req, res, db_value(attempt.row, 0, PASSWORD_HASH), hash);
    }
    db_result_free(attempt.row);
}

/*
 * A token that is dead already kills no others: each death is a second ahead, and who sent a hundred
 * of these at once would have been given tokens of the future at the next login.
 */
void session_logout_all(struct app *app, const struct request *req, struct response *res)
{
    const char *issued_at = arena_printf(req->arena, "%lld", (long long)req->caller->issued_at);
    const struct db_param params[] = {db_text(req->caller->user_id), db_text(issued_at)};
    struct db_result *result = NULL;
    if (!params_read(req, res, NULL, 0, NULL) || !body_read(req, res, NULL, 0, NULL) ||
        !reply_run(app, req, res, STATEMENT_USER_LOGOUT, params, &result))
        return;
    db_result_free(result);
    reply_audit(app, req, "logout everywhere", req->caller->user_id, "ok");
    identities_forget(app->guard.identities, req->caller->user_id);
    reply_message(res, "Logged out everywhere");
}
