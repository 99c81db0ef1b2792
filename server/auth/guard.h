/*
 * The guard: who is asking, and may they? The one place that turns a request's credentials into a
 * caller: the service key of the settings, a key of table api_keys, or a user's token.
 *
 * What may be done to which route is the route table's to say; which agents a caller sees goes with
 * it (agent_ids) into every statement that reads, so that what it may not see is not there for it.
 */
#ifndef FRONTDESK_AUTH_GUARD_H
#define FRONTDESK_AUTH_GUARD_H

#include "auth/identity.h"
#include "auth/role.h"
#include "auth/token.h"
#include "base/crypto.h"
#include "http/request.h"
#include "http/response.h"
#include "http/router.h"

#include <stdbool.h>

/* Who asks. */
struct caller {
    const char *name; /* for the log: "service key", "key <id>" or "user <id>" */
    enum role role;
    bool admin;            /* manages all; else reads only */
    const char *agent_ids; /* the agents it sees, as a PostgreSQL text[] literal; NULL: all */
    const char *user_id;   /* NULL unless it is a user, by token */
    int64_t issued_at;     /* of that token, in seconds since the epoch */
};

struct guard {
    struct crypto_secret service_key; /* API_AUTH_KEY */
    struct token_keys tokens;
    struct identities *identities;
};

/*
 * Sets req->caller and returns true when whoever sent `req` has `access`; else fills `res` with 401
 * or 403, or 503 when the database must be asked and does not answer. Secrets are compared in
 * constant time; nothing is asked of the database for a credential that is not well-formed, or a
 * token that is not ours.
 */
bool guard_admit(const struct guard *guard, enum access access, struct request *req,
                 struct response *res);

#endif
