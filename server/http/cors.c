#include "http/cors.h"

#include <string.h>

/* The origin of `req` when it is allowed, else NULL. Several are none. */
static const char *allowed_origin(const struct cors *cors, const struct request *req)
{
    const char *origin = request_header(req, "Origin");
    if (!cors || !origin || !*origin || request_header_count(req, "Origin") != 1)
        return NULL;
    if (cors->any)
        return origin;
    for (size_t i = 0; i < cors->count; i++)
        if (strcmp(cors->origins[i], origin) == 0)
            return origin;
    return NULL;
}

void cors_add(const struct cors *cors, const struct request *req, struct buf *headers)
{
    const char *origin = allowed_origin(cors, req);
    if (origin)
        buf_printf(headers,
                   "Access-Control-Allow-Origin: %s\r\n"
                   "Access-Control-Allow-Credentials: true\r\n"
                   "Access-Control-Expose-Headers: RateLimit, RateLimit-Policy, Retry-After, "
                   "X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, X-Request-Id\r\n",
                   origin);
}

/* A list of header names, as browsers write it. */
static bool is_list_of_names(const char *s)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_, ";
    size_t len = strlen(s);
    return len > 0 && len <= 1024 && strspn(s, allowed) == len;
}

void cors_add_preflight(const struct cors *cors, const struct request *req, const char *methods,
                        struct buf *headers)
{
    const char *names = request_header(req, "Access-Control-Request-Headers");
    if (!request_header(req, "Access-Control-Request-Method") || !allowed_origin(cors, req))
        return;
    buf_printf(headers,
               "Access-Control-Allow-Methods: %s\r\n"
               "Access-Control-Max-Age: 600\r\n"
               "Vary: Access-Control-Request-Headers\r\n",
               methods);
    /* Whom we trust with credentials we trust with headers: what we do not know does nothing. */
    if (names && is_list_of_names(names))
        buf_printf(headers, "Access-Control-Allow-Headers: %s\r\n", names);
}
