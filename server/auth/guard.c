#include "auth/guard.h"

#include "base/clock.h"

#include <string.h>
#include <strings.h>

/* No credential of ours is longer; nothing is done with a longer one. */
enum { MAX_CREDENTIAL = TOKEN_MAX };

static const struct caller service = {.name = "service key", .role = ROLE_ADMIN, .admin = true};

/* Who has each access. */
static const struct {
    bool anybody;
    bool person; /* not a key: what it does is to oneself */
    enum role least;
    const char *refusal;
} rules[] = {
    [ACCESS_PUBLIC] = {.anybody = true},
    [ACCESS_SIGNED] = {.anybody = true},
    [ACCESS_READER] = {.least = ROLE_USER, .refusal = ""},
    [ACCESS_PERSON] = {.person = true,
                       .refusal = "This needs the token of a user; log in and send that."},
    [ACCESS_ADMIN] = {.least = ROLE_ADMIN, .refusal = "This needs an administrator."},
    [ACCESS_SUPERADMIN] = {.least = ROLE_SUPERADMIN, .refusal = "This needs a superadministrator."},
};

/* What the request shows for itself. */
struct credential {
    const char *text; /* NULL: nothing */
    bool bearer;      /* it came as a bearer token; only such a one may be a JWT */
};

static const char *find_bearer(const struct request *req)
{
    static const char bearer[] = "Bearer ";
    const char *authorization = request_header(req, "Authorization");
    if (!authorization || strncasecmp(authorization, bearer, sizeof bearer - 1) != 0)
        return NULL;
    authorization += sizeof bearer - 1;
    return authorization + strspn(authorization, " ");
}

/* A key goes before a token, but where only a person may. The same header twice shows nothing. */
static struct credential find_credential(const struct request *req, bool person)
{
    const char *key = request_header(req, "x-api-key");
    const char *bearer = find_bearer(req);
    if (request_header_count(req, "x-api-key") > 1 ||
        request_header_count(req, "Authorization") > 1)
        return (struct credential){.text = "", .bearer = !key};
    if (key && !(person && bearer))
        return (struct credential){.text = key};
    return (struct credential){.text = bearer, .bearer = true};
}

/* `token`: the claims of the user that it is; NULL: it is a key. */
static enum err make_caller(struct request *req, const struct identity *who,
                            const struct token_claims *token)
{
    struct caller *caller = arena_alloc(req->arena, sizeof *caller);
    char *id = arena_strndup(req->arena, who->id, strlen(who->id));
    if (!caller || !id)
        return ERR_NOMEM;
    *caller = (struct caller){.name = arena_printf(req->arena, token ? "user %s" : "key %s", id),
                              .role = who->role,
                              .admin = who->role >= ROLE_ADMIN,
                              .agent_ids = who->agent_ids,
                              .user_id = token ? id : NULL,
                              .issued_at = token ? token->issued_at : 0};
    req->caller = caller;
    return caller->name ? ERR_OK : ERR_NOMEM;
}

static enum err by_key(const struct guard *guard, struct request *req,
                       const unsigned char digest[API_KEY_DIGEST_SIZE])
{
    struct identity who;
    enum err err = identity_of_key(guard->identities, digest, req->arena, &who);
    if (err)
        return err;
    if (who.expires_ms && who.expires_ms <= clock_wall_ms())
        return ERR_INVALID;
    return make_caller(req, &who, NULL);
}

/* A token counts while its user does, in the role that it names, and was not issued too long ago. */
static enum err by_token(const struct guard *guard, struct request *req, const char *token,
                         size_t len)
{
    struct token_claims claims;
    struct identity who;
    if (!token_verify(&guard->tokens, token, len, clock_wall_ms() / 1000, &claims))
        return ERR_INVALID;
    enum err err = identity_of_user(guard->identities, claims.subject, req->arena, &who);
    if (err)
        return err;
    if (claims.role != who.role || claims.issued_at < who.tokens_from)
        return ERR_INVALID;
    return make_caller(req, &who, &claims);
}

/* ERR_INVALID: the credential is nobody's. */
static enum err find_caller(const struct guard *guard, struct request *req,
                            const struct credential *credential)
{
    unsigned char digest[API_KEY_DIGEST_SIZE];
    size_t len = strlen(credential->text);
    if (len == 0 || len > MAX_CREDENTIAL)
        return ERR_INVALID;
    if (crypto_secret_is(&guard->service_key, credential->text, len)) {
        req->caller = &service;
        return ERR_OK;
    }
    if (api_key_digest(credential->text, len, digest))
        return by_key(guard, req, digest);
    return credential->bearer ? by_token(guard, req, credential->text, len) : ERR_INVALID;
}

static void ask_to_log_in(const struct request *req, struct response *res,
                          const struct credential *credential)
{
    response_header(res, "WWW-Authenticate", "Bearer");
    response_error(res, req, 401, "unauthorized",
                   !credential->text ? "Log in and send the token as a bearer token, or send an "
                                       "API key in the x-api-key header."
                   : credential->bearer
                       ? "This token is not valid, or no longer; log in again."
                       : "This key is not valid, or no longer; check the x-api-key header.");
}

bool guard_admit(const struct guard *guard, enum access access, struct request *req,
                 struct response *res)
{
    if (rules[access].anybody)
        return true;
    struct credential credential = find_credential(req, rules[access].person);
    enum err err = credential.text ? find_caller(guard, req, &credential) : ERR_INVALID;
    if (err == ERR_INVALID) {
        ask_to_log_in(req, res, &credential);
    } else if (err) {
        response_header(res, "Retry-After", "1");
        response_error(res, req, 503, "service_unavailable",
                       "The service cannot tell who you are right now; try again in a moment.");
    } else if ((rules[access].person && !req->caller->user_id) ||
               req->caller->role < rules[access].least) {
        response_error(res, req, 403, "forbidden", rules[access].refusal);
    } else {
        return true;
    }
    return false;
}
