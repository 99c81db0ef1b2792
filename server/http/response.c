#include "http/response.h"

#include <string.h>

static const struct {
    int status;
    const char *reason;
} reasons[] = {
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {411, "Length Required"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {503, "Service Unavailable"},
    {505, "HTTP Version Not Supported"},
};

/*
 * On every answer: the set of helmet 8, as strict as answers that no browser shows allow. What a
 * page may read of them is CORS' to say, hence Vary.
 */
static const char security_headers[] =
    "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n"
    "Cross-Origin-Opener-Policy: same-origin\r\n"
    "Cross-Origin-Resource-Policy: same-origin\r\n"
    "Origin-Agent-Cluster: ?1\r\n"
    "Referrer-Policy: no-referrer\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "X-DNS-Prefetch-Control: off\r\n"
    "X-Download-Options: noopen\r\n"
    "X-Frame-Options: DENY\r\n"
    "X-Permitted-Cross-Domain-Policies: none\r\n"
    "X-XSS-Protection: 0\r\n"
    "Cache-Control: no-store\r\n"
    "Vary: Origin\r\n";

const char *response_reason(int status)
{
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "Unknown";
}

static void start(struct response *res, int status)
{
    res->status = status;
    res->body.len = 0;
}

void response_json(struct response *res, int status, const char *json, size_t len)
{
    start(res, status);
    res->content_type = "application/json; charset=utf-8";
    buf_add(&res->body, json, len);
}

void response_empty(struct response *res, int status)
{
    start(res, status);
    res->content_type = NULL;
}

static void add_header(struct buf *out, const char *name, const char *value)
{
    buf_puts(out, name);
    buf_puts(out, ": ");
    buf_puts(out, value);
    buf_puts(out, "\r\n");
}

void response_header(struct response *res, const char *name, const char *value)
{
    add_header(&res->headers, name, value);
}

static void add_member(struct buf *out, const char *name, const char *value)
{
    buf_printf(out, ",\"%s\":", name);
    buf_json_string(out, value, strlen(value));
}

void response_error_at(struct response *res, const struct request *req, const char *where,
                       int status, const char *code, const char *message,
                       const struct field_error *errors, size_t error_count)
{
    struct buf *out = &res->body;
    start(res, status);
    res->content_type = "application/json; charset=utf-8";
    buf_puts(out, "{\"error\":true");
    add_member(out, "message", message);
    add_member(out, "code", code);
    buf_printf(out, ",\"status\":%d", status);
    add_member(out, "requestId", req->id);
    for (size_t i = 0; i < error_count; i++) {
        buf_puts(out, i ? ",{\"field\":" : ",\"errors\":[{\"field\":");
        buf_json_string(out, errors[i].field, strlen(errors[i].field));
        add_member(out, "message", errors[i].message);
        buf_puts(out, i + 1 == error_count ? "}]" : "}");
    }
    if (res->show_stack)
        add_member(out, "stack", where);
    buf_puts(out, "}");
}

void response_finish(struct response *res, const struct request *req, bool production,
                     const struct cors *cors, struct buf *out)
{
    if (!res->status || res->body.failed || res->headers.failed) {
        buf_free(&res->body);
        buf_free(&res->headers);
        response_error(res, req, 500, "internal_error",
                       "The server could not answer this request; its log says why.");
    }
    buf_reserve(out, res->body.len + res->headers.len + 1024);
    buf_puts(out, "HTTP/1.1 ");
    buf_add_int(out, res->status);
    buf_puts(out, " ");
    buf_puts(out, response_reason(res->status));
    buf_puts(out, "\r\n");
    add_header(out, "X-Request-Id", req->id);
    buf_puts(out, security_headers);
    if (production)
        buf_puts(out, "Strict-Transport-Security: max-age=31536000; includeSubDomains\r\n");
    cors_add(cors, req, out);
    buf_add(out, res->headers.data ? res->headers.data : "", res->headers.len);
    if (res->content_type)
        add_header(out, "Content-Type", res->content_type);
    if (res->status != 204) {
        buf_puts(out, "Content-Length: ");
        buf_add_int(out, (int64_t)res->body.len);
        buf_puts(out, "\r\n");
    }
    add_header(out, "Connection", res->close ? "close" : "keep-alive");
    buf_puts(out, "\r\n");
    if (req->method != METHOD_HEAD && res->status != 204)
        buf_add(out, res->body.data ? res->body.data : "", res->body.len);
}

void response_free(struct response *res)
{
    buf_free(&res->body);
    buf_free(&res->headers);
}
