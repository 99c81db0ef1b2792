/*
 * The route table and what follows from it: 404, 405 with Allow, OPTIONS, HEAD, limits, access and
 * body rules. One row says everything about an endpoint; the table itself is handed in from above.
 */
#ifndef FRONTDESK_HTTP_ROUTER_H
#define FRONTDESK_HTTP_ROUTER_H

#include "base/err.h"
#include "http/cors.h"
#include "http/limiter.h"
#include "http/request.h"
#include "http/response.h"

struct app;

/* Who may call a route. */
enum access {
    ACCESS_PUBLIC,     /* anybody */
    ACCESS_SIGNED,     /* whoever signs the body: the handler verifies it */
    ACCESS_READER,     /* a known caller; sees its own agents only */
    ACCESS_PERSON,     /* a user, by token: what it does is to oneself */
    ACCESS_ADMIN,      /* a caller that manages all */
    ACCESS_SUPERADMIN, /* a user that may make administrators of administrators */
};

/* The constant's name without its prefix, lower case. */
const char *router_access_name(enum access access);

struct route {
    enum method method;  /* GET includes HEAD */
    const char *pattern; /* "/a/:name": a part that starts with a colon matches one segment */
    enum access access;
    enum limit limit;
    bool json_body; /* takes a JSON object, max_body bytes at most */
    bool raw_body;  /* takes any bytes, max_body at most (0: app's own limit) */
    size_t max_body;
    void (*handler)(struct app *app, const struct request *req, struct response *res);
};

enum { ROUTER_MAX_ROUTES = 64 };

/* What the router needs from outside; every member is set once, before the first request. */
struct router {
    const struct route *routes;
    size_t route_count;
    /* Of each row: how many characters it and the one before begin with. By router_set_routes(). */
    unsigned char alike[ROUTER_MAX_ROUTES];
    struct app *app;
    size_t webhook_max_bytes; /* for routes with max_body 0 */
    const struct cors *cors;  /* NULL: pages of other origins read nothing */
    struct limiter *limiter;  /* NULL: nobody is limited */
    /* Sets req->caller, or fills `res` with 401 or 403 and returns false. Has not the body yet. */
    bool (*guard)(struct app *app, enum access access, struct request *req, struct response *res);
};

/* Reads the body of `req` into its arena; how is the listener's. */
struct body_source {
    int64_t length; /* announced */
    enum err (*read)(void *conn, struct request *req, int64_t length);
    void *conn;
};

/*
 * The table that `router` looks in, of at most ROUTER_MAX_ROUTES rows; it must outlive the router.
 * The first row that fits is taken, so the order may matter; for speed, rows that begin alike
 * should stand together.
 */
void router_set_routes(struct router *router, const struct route *routes, size_t count);

/* Finds the route and fills `res`; never leaves it unfilled but for a handler that does. */
void router_dispatch(const struct router *router, struct request *req, struct response *res,
                     const struct body_source *body);

#endif
