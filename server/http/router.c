#include "http/router.h"

#include "base/clock.h"
#include "base/text.h"
#include "http/params.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { SHORT_BODY = 64 * 1024 };

const char *router_access_name(enum access access)
{
    static const char *const names[] = {
        [ACCESS_PUBLIC] = "public", [ACCESS_SIGNED] = "signed", [ACCESS_READER] = "reader",
        [ACCESS_PERSON] = "person", [ACCESS_ADMIN] = "admin",   [ACCESS_SUPERADMIN] = "superadmin",
    };
    return names[access];
}

/* A character of a pattern that stands for itself: neither its end nor a parameter's colon. */
static bool is_literal(char c)
{
    return c && c != ':';
}

/* How many characters two patterns share before either's first parameter. */
static size_t common_length(const char *a, const char *b)
{
    size_t len = 0;
    while (len < UCHAR_MAX && a[len] == b[len] && is_literal(a[len]))
        len++;
    return len;
}

void router_set_routes(struct router *router, const struct route *routes, size_t count)
{
    router->routes = routes;
    router->route_count = count;
    for (size_t i = 1; i < count; i++)
        router->alike[i] = (unsigned char)common_length(routes[i - 1].pattern, routes[i].pattern);
}

/* Does `path` match `pattern`? Notes where each parameter's part begins and how long it is. */
static bool match(const char *pattern, const char *path, const char **starts, size_t *lengths)
{
    size_t n = 0;
    memset(starts, 0, REQUEST_MAX_PARAMS * sizeof *starts);
    while (*pattern && *path) {
        if (*pattern == ':' && n < REQUEST_MAX_PARAMS) {
            size_t len = strcspn(path, "/");
            if (!len)
                return false;
            starts[n] = path;
            lengths[n++] = len;
            path += len;
            pattern += strcspn(pattern, "/");
        } else if (*pattern++ != *path++) {
            return false;
        }
    }
    return !*pattern && !*path;
}

static bool method_fits(enum method route, enum method asked)
{
    return route == asked || (route == METHOD_GET && asked == METHOD_HEAD);
}

/* Decodes the matched parts. false: the response is filled. */
static bool take_params(struct request *req, struct response *res, const char **starts,
                        const size_t *lengths)
{
    for (size_t i = 0; i < REQUEST_MAX_PARAMS && starts[i]; i++) {
        req->params[i] = params_decode(req->arena, starts[i], lengths[i], false);
        if (!req->params[i] || !text_is_utf8(req->params[i])) {
            response_error(res, req, 400, "bad_target", "The address is not valid UTF-8.");
            return false;
        }
    }
    return true;
}

static bool is_json_type(const char *type)
{
    static const char json[] = "application/json";
    return type && strncasecmp(type, json, sizeof json - 1) == 0 &&
           strchr("; \t", type[sizeof json - 1]);
}

/* Reads the body if the route takes one. false: the response is filled. */
static bool take_body(const struct router *router, const struct route *route, struct request *req,
                      struct response *res, const struct body_source *body)
{
    size_t cap = route->max_body ? route->max_body : router->webhook_max_bytes;
    if (!route->json_body && !route->raw_body)
        return true;
    if ((uint64_t)body->length > cap) {
        response_error(res, req, 413, "payload_too_large", "The body is larger than this allows.");
        return false;
    }
    const char *type = request_header(req, "Content-Type");
    bool nothing = body->length == 0 && !type; /* as an empty object */
    if (route->json_body && !nothing && !is_json_type(type)) {
        response_error(res, req, 415, "unsupported_media_type",
                       "Send the body as Content-Type: application/json.");
        return false;
    }
    switch (body->read(body->conn, req, body->length)) {
    case ERR_OK:
        return true;
    case ERR_TIMEOUT:
        response_error(res, req, 408, "request_timeout", "The body did not arrive in time.");
        break;
    case ERR_CLOSED:
        response_error(res, req, 400, "body_short",
                       "The body is shorter than its Content-Length says.");
        break;
    default:
        response_header(res, "Retry-After", "1");
        response_error(res, req, 503, "service_unavailable",
                       "The server is short of memory; try again.");
    }
    res->close = true;
    return false;
}

static void add_number(struct buf *out, const char *before, int64_t number)
{
    buf_puts(out, before);
    buf_add_int(out, number);
}

/* Counts the request and says in the headers what is left of its limit; a 429 when it is over. */
static void count_request(const struct router *router, enum limit limit, struct request *req,
                          struct response *res)
{
    int64_t now_ms = clock_mono_ms();
    const struct limit_state state = limiter_count(router->limiter, limit, &req->client, now_ms);
    int64_t seconds = (state.reset_ms + 999) / 1000;
    const char *name = limiter_limit_name(limit);

    if (!state.within)
        buf_free(&res->headers); /* of the answer that this one stands for */
    buf_puts(&res->headers, "RateLimit-Policy: \"");
    buf_puts(&res->headers, name);
    add_number(&res->headers, "\";q=", state.max);
    add_number(&res->headers, ";w=", (state.window_ms + 999) / 1000);
    buf_puts(&res->headers, "\r\nRateLimit: \"");
    buf_puts(&res->headers, name);
    add_number(&res->headers, "\";r=", state.remaining);
    add_number(&res->headers, ";t=", seconds);
    add_number(&res->headers, "\r\nX-RateLimit-Limit: ", state.max);
    add_number(&res->headers, "\r\nX-RateLimit-Remaining: ", state.remaining);
    add_number(&res->headers,
               "\r\nX-RateLimit-Reset: ", (clock_wall_ms() + state.reset_ms + 999) / 1000);
    if (!state.within)
        add_number(&res->headers, "\r\nRetry-After: ", seconds);
    buf_puts(&res->headers, "\r\n");
    if (state.within)
        return;
    res->close = true; /* a flood may not keep its workers */
    response_error(
        res, req, 429, "too_many_requests",
        "Too many requests from this address; the Retry-After header says when to go on.");
}

/* The address is known, but not for this method. */
static void refuse_method(const struct router *router, struct request *req, struct response *res,
                          const unsigned *allowed)
{
    char allow[64] = "";
    for (int m = 0; m < METHOD_OTHER; m++)
        if (allowed[m])
            (void)snprintf(allow + strlen(allow), sizeof allow - strlen(allow), "%s%s",
                           *allow ? ", " : "", method_name((enum method)m));
    response_header(res, "Allow", allow);
    if (req->method == METHOD_OPTIONS) {
        response_empty(res, 204);
        cors_add_preflight(router->cors, req, allow, &res->headers);
        return;
    }
    response_error(res, req, 405, "method_not_allowed",
                   "This address exists, but not for this method; see the Allow header.");
}

/*
 * The route for `req`, with its parts; NULL when there is none, and then the methods there are.
 * What a row and the one before it begin with is compared once: `same` characters of the path are
 * those of the row before, and the next one is not. So a row that shares more than these with it
 * cannot fit, and what it does share need not be looked at again.
 */
static const struct route *find_route(const struct router *router, const struct request *req,
                                      const char **starts, size_t *lengths, unsigned *allowed)
{
    size_t same = 0;
    for (size_t i = 0; i < router->route_count; i++) {
        const struct route *route = &router->routes[i];
        if (router->alike[i] > same)
            continue;
        same = router->alike[i];
        while (route->pattern[same] == req->path[same] && is_literal(route->pattern[same]))
            same++;
        if (is_literal(route->pattern[same]) ||
            !match(route->pattern + same, req->path + same, starts, lengths))
            continue;
        if (method_fits(route->method, req->method))
            return route;
        allowed[route->method] = 1;
        allowed[METHOD_HEAD] |= route->method == METHOD_GET;
        allowed[METHOD_OPTIONS] = 1;
    }
    return NULL;
}

static void dispatch(const struct router *router, struct request *req, struct response *res,
                     const struct body_source *body)
{
    unsigned allowed[METHOD_OTHER] = {0};
    const char *starts[REQUEST_MAX_PARAMS] = {NULL};
    size_t lengths[REQUEST_MAX_PARAMS] = {0};
    const struct route *route = find_route(router, req, starts, lengths, allowed);
    enum limit limit = route ? route->limit : LIMIT_REQUESTS;
    bool reached = false; /* the handler */

    req->route = route ? (size_t)(route - router->routes) : router->route_count;
    if (!router->limiter || (!route && req->method == METHOD_OPTIONS))
        limit = LIMIT_NONE; /* to ask what an address takes is free: browsers do so unasked */
    if (limit == LIMIT_REQUESTS)
        count_request(router, limit, req, res);
    if (res->status)
        return;
    if (!route && allowed[METHOD_OPTIONS])
        refuse_method(router, req, res, allowed);
    else if (!route)
        response_error(res, req, 404, "not_found", "There is nothing at this address.");
    else
        reached = take_params(req, res, starts, lengths) &&
                  router->guard(router->app, route->access, req, res) &&
                  take_body(router, route, req, res, body);
    if (reached)
        route->handler(router->app, req, res);
    if (limit == LIMIT_FAILURES && (reached ? res->status == 401 : res->status < 500))
        count_request(router, limit, req, res);
}

/*
 * A body that nobody read must not become the next request. A short one that is already on its way
 * is read all the same: that costs less than to close the connection, for both sides.
 */
static void drop_body(struct request *req, struct response *res, const struct body_source *body)
{
    if (body->length > SHORT_BODY || request_header(req, "Expect") ||
        body->read(body->conn, req, body->length))
        res->close = true;
}

void router_dispatch(const struct router *router, struct request *req, struct response *res,
                     const struct body_source *body)
{
    dispatch(router, req, res, body);
    if (body->length > 0 && !req->body)
        drop_body(req, res, body);
}
