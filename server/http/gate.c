#include "http/gate.h"

#include "base/codec.h"

#include <stdlib.h>
#include <string.h>

static struct gate_verdict refuse(int status, const char *code, const char *message)
{
    return (struct gate_verdict){.status = status, .code = code, .message = message};
}

/* Is `s` a token (RFC 9110, section 5.6.2)? */
static bool is_token(const char *s)
{
    static const bool allowed[256] = {
        ['!'] = true,         ['#' ... '\''] = true, ['*'] = true,         ['+'] = true,
        ['-'] = true,         ['.'] = true,          ['0' ... '9'] = true, ['A' ... 'Z'] = true,
        ['^' ... 'z'] = true, ['|'] = true,          ['~'] = true,
    };
    const char *at = s;
    while (allowed[(unsigned char)*at])
        at++;
    return at > s && !*at;
}

/* And a field's value (section 5.5), with no control characters but the tab? */
static bool is_value(const char *s)
{
    while ((unsigned char)*s >= 0x20 ? *s != 0x7f : *s == '\t')
        s++;
    return !*s;
}

/* No spaces or control characters, raw or %-encoded, and every % followed by two hex digits. */
static bool is_escaped(const char *s)
{
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c <= 0x20 || c >= 0x7f)
            return false;
        if (c != '%')
            continue;
        int hi = codec_hex_digit(s[1]);
        int lo = hi < 0 ? -1 : codec_hex_digit(s[2]);
        if (lo < 0 || hi * 16 + lo < 0x20 || hi * 16 + lo == 0x7f)
            return false;
        s += 2;
    }
    return true;
}

static bool is_target(const struct request *req)
{
    if (*req->path != '/' && (strcmp(req->path, "*") != 0 || req->query))
        return false;
    return is_escaped(req->path) && (!req->query || is_escaped(req->query));
}

static bool parse_length(const char *s, int64_t *out)
{
    size_t len = strlen(s);
    if (!len || len > 15 || strspn(s, "0123456789") != len)
        return false;
    *out = strtoll(s, NULL, 10);
    return true;
}

static struct gate_verdict check_headers(const struct request *req)
{
    size_t bytes = 0;
    if (req->header_count >= REQUEST_MAX_HEADERS)
        return refuse(431, "headers_too_large", "Send fewer than 64 headers.");
    for (size_t i = 0; i < req->header_count; i++) {
        const struct header *h = &req->headers[i];
        bytes += h->name_len + h->value_len;
        if (!is_token(h->name))
            return refuse(400, "bad_header",
                          "A header's name has characters that are not allowed.");
        if (!is_value(h->value))
            return refuse(400, "bad_header", "A header's value has control characters.");
    }
    if (bytes > GATE_MAX_HEADER_BYTES)
        return refuse(431, "headers_too_large", "Send at most 16 KB of headers.");
    return (struct gate_verdict){0};
}

/*
 * The one upgrade that civetweb would begin. Any other is only offered: Java's client and
 * `curl --http2` offer HTTP/2 with every first request, and are content with an answer as usual.
 */
static bool wants_websocket(const struct request *req)
{
    for (size_t i = 0; i < req->header_count; i++)
        if (header_is(&req->headers[i], "Upgrade") &&
            strcasestr(req->headers[i].value, "websocket"))
            return true;
    return false;
}

static struct gate_verdict check_framing(const struct request *req)
{
    struct gate_verdict passed = {0};
    const char *length = request_header(req, "Content-Length");
    if (request_header(req, "Transfer-Encoding"))
        return refuse(411, "length_required",
                      "Send the body with a Content-Length, not with a Transfer-Encoding.");
    if (request_header_count(req, "Content-Length") > 1)
        return refuse(400, "bad_framing", "Send exactly one Content-Length.");
    if (length && !parse_length(length, &passed.content_length))
        return refuse(400, "bad_framing", "Content-Length must be plain digits.");
    if (request_header_count(req, "Host") > 1 ||
        (strcmp(req->http_version, "1.1") == 0 && !request_header(req, "Host")))
        return refuse(400, "bad_host", "Send exactly one Host header.");
    if (wants_websocket(req))
        return refuse(400, "no_upgrade", "This server has no WebSockets.");
    return passed;
}

struct gate_verdict gate_check(const struct request *req)
{
    if (strcmp(req->http_version, "1.1") != 0 && strcmp(req->http_version, "1.0") != 0)
        return refuse(505, "http_version_not_supported", "Speak HTTP/1.1 or HTTP/1.0.");
    if (strlen(req->path) + (req->query ? strlen(req->query) + 1 : 0) > GATE_MAX_TARGET)
        return refuse(414, "uri_too_long", "The address is longer than 8192 bytes.");
    if (!is_target(req))
        return refuse(400, "bad_target",
                      "The address has control characters or a broken %-escape.");
    struct gate_verdict verdict = check_headers(req);
    return verdict.status ? verdict : check_framing(req);
}
