/*
 * Which dashboards, served from another origin, a browser lets talk to Frontdesk. Callers add
 * `Vary: Origin` to every answer themselves, whether or not one of these headers follows.
 */
#ifndef FRONTDESK_HTTP_CORS_H
#define FRONTDESK_HTTP_CORS_H

#include "base/buf.h"
#include "http/request.h"

#include <stdbool.h>
#include <stddef.h>

/* The rule: any origin, or exactly these (as browsers send them). */
struct cors {
    bool any;
    const char *const *origins;
    size_t count;
};

/*
 * Adds to `headers` what lets the page that sent `req` read the answer; nothing when its origin is
 * not allowed, or it names none. `cors` may be NULL: none is allowed.
 */
void cors_add(const struct cors *cors, const struct request *req, struct buf *headers);

/*
 * When `req` is a preflight of an allowed origin, adds which methods (as in Allow) and headers the
 * request that it asks about may have. What cors_add adds comes on top.
 */
void cors_add_preflight(const struct cors *cors, const struct request *req, const char *methods,
                        struct buf *headers);

#endif
