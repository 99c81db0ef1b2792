#include "http/router.h"

#include "http/fields.h"
#include "http/params.h"

#include <string.h>
#include <strings.h>

/* Does `path` match `pattern`? Notes where each parameter's part begins and how long it is. */
static bool match(const char *pattern, const char *path, const char **starts, size_t *lengths)
{
    size_t n = 0;
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
        if (!req->params[i] || !fields_is_utf8(req->params[i])) {
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
    if (!route->json_body && !route->raw_body) {
        res->close |= body->length > 0; /* nobody reads it: it must not become the next request */
        return true;
    }
    if ((uint64_t)body->length > cap) {
        res->close = true;
        response_error(res, req, 413, "payload_too_large", "The body is larger than this allows.");
        return false;
    }
    const char *type = request_header(req, "Content-Type");
    bool nothing = body->length == 0 && !type; /* as an empty object */
    if (route->json_body && !nothing && !is_json_type(type)) {
        res->close |= body->length > 0;
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

static void refuse_method(struct request *req, struct response *res, const unsigned *allowed)
{
    struct buf allow = {0};
    for (int m = 0; m < METHOD_OTHER; m++)
        if (allowed[m])
            buf_printf(&allow, "%s%s", allow.len ? ", " : "", method_name((enum method)m));
    response_header(res, "Allow", allow.data ? allow.data : "");
    buf_free(&allow);
    if (req->method == METHOD_OPTIONS)
        response_empty(res, 204);
    else
        response_error(res, req, 405, "method_not_allowed",
                       "This address exists, but not for this method; see the Allow header.");
}

void router_dispatch(const struct router *router, struct request *req, struct response *res,
                     const struct body_source *body)
{
    unsigned allowed[METHOD_OTHER] = {0};
    bool known = false;

    req->route = router->route_count;
    for (size_t i = 0; i < router->route_count; i++) {
        const struct route *route = &router->routes[i];
        const char *starts[REQUEST_MAX_PARAMS] = {NULL};
        size_t lengths[REQUEST_MAX_PARAMS] = {0};
        if (!match(route->pattern, req->path, starts, lengths))
            continue;
        if (!method_fits(route->method, req->method)) {
            known = true;
            allowed[route->method] = 1;
            allowed[METHOD_HEAD] |= route->method == METHOD_GET;
            allowed[METHOD_OPTIONS] = 1;
            continue;
        }
        req->route = i;
        if (take_params(req, res, starts, lengths) &&
            router->guard(router->app, route->access, req, res) &&
            take_body(router, route, req, res, body))
            route->handler(router->app, req, res);
        else
            res->close |= body->length > 0;
        return;
    }
    res->close |= body->length > 0;
    if (known)
        refuse_method(req, res, allowed);
    else
        response_error(res, req, 404, "not_found", "There is nothing at this address.");
}
