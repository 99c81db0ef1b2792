#include "auth/guard.h"

#include "base/crypto.h"

#include <string.h>
#include <strings.h>

/* No credential of ours is longer; nothing is done with a longer one. */
enum { MAX_CREDENTIAL = 1024 };

static const struct caller service = {.name = "service key", .admin = true, .agent_ids = NULL};

/* What the request shows for itself: x-api-key, or the token of `Authorization: Bearer`; or NULL. */
static const char *find_credential(const struct request *req)
{
    static const char bearer[] = "Bearer ";
    const char *key = request_header(req, "x-api-key");
    const char *authorization = request_header(req, "Authorization");
    if (key)
        return key;
    if (!authorization || strncasecmp(authorization, bearer, sizeof bearer - 1) != 0)
        return NULL;
    authorization += sizeof bearer - 1;
    return authorization + strspn(authorization, " ");
}

static const struct caller *find_caller(const struct guard *guard, const char *credential)
{
    size_t len = strlen(credential);
    if (len == 0 || len > MAX_CREDENTIAL)
        return NULL;
    if (crypto_same_secret(credential, len, guard->service_key, strlen(guard->service_key)))
        return &service;
    return NULL;
}

bool guard_admit(const struct guard *guard, enum access access, struct request *req,
                 struct response *res)
{
    if (access == ACCESS_PUBLIC || access == ACCESS_SIGNED)
        return true;
    const char *credential = find_credential(req);
    req->caller = credential ? find_caller(guard, credential) : NULL;
    if (!req->caller) {
        response_header(res, "WWW-Authenticate", "Bearer");
        response_error(res, req, 401, "unauthorized",
                       credential ? "This key is not valid; check the x-api-key header."
                                  : "Send an API key in the x-api-key header.");
        return false;
    }
    if (access == ACCESS_ADMIN && !req->caller->admin) {
        response_error(res, req, 403, "forbidden", "This needs an administrator.");
        return false;
    }
    return true;
}
