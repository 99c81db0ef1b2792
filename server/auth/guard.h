/*
 * The guard: who is asking, and may they? The one place that turns a request's credentials into a
 * caller. The service key is the only credential so far; tokens of users and stored keys join here.
 */
#ifndef FRONTDESK_AUTH_GUARD_H
#define FRONTDESK_AUTH_GUARD_H

#include "http/request.h"
#include "http/response.h"
#include "http/router.h"

#include <stdbool.h>

/* Who asks. */
struct caller {
    const char *name;      /* for the log */
    bool admin;            /* manages all; else reads only */
    const char *agent_ids; /* the agents it sees, as a PostgreSQL text[] literal; NULL: all */
};

struct guard {
    const char *service_key; /* API_AUTH_KEY */
};

/*
 * Sets req->caller and returns true when whoever sent `req` has `access`; else fills `res` with 401
 * or 403. Takes no lock and makes no I/O; secrets are compared in constant time.
 */
bool guard_admit(const struct guard *guard, enum access access, struct request *req,
                 struct response *res);

#endif
