#include "http/request.h"

#include "base/crypto.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char *const names[] = {
    [METHOD_GET] = "GET", [METHOD_HEAD] = "HEAD",     [METHOD_POST] = "POST",
    [METHOD_PUT] = "PUT", [METHOD_DELETE] = "DELETE", [METHOD_OPTIONS] = "OPTIONS",
};

enum method method_from_name(const char *name)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(names[i], name) == 0)
            return (enum method)i;
    return METHOD_OTHER;
}

const char *method_name(enum method method)
{
    return method < METHOD_OTHER ? names[method] : "OTHER";
}

const char *request_header(const struct request *req, const char *name)
{
    for (size_t i = 0; i < req->header_count; i++)
        if (strcasecmp(req->headers[i].name, name) == 0)
            return req->headers[i].value;
    return NULL;
}

unsigned request_header_count(const struct request *req, const char *name)
{
    unsigned count = 0;
    for (size_t i = 0; i < req->header_count; i++)
        count += strcasecmp(req->headers[i].name, name) == 0;
    return count;
}

static bool good_id(const char *id)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    size_t len = strlen(id);
    return len >= 1 && len < REQUEST_ID_SIZE && strspn(id, allowed) == len;
}

void request_set_id(struct request *req)
{
    const char *given = request_header(req, "X-Request-Id");
    unsigned char random[16] = {0};
    if (given && good_id(given)) {
        (void)snprintf(req->id, sizeof req->id, "%s", given);
        return;
    }
    if (crypto_random(random, sizeof random))
        memcpy(random, &req->started_ms, sizeof req->started_ms);
    for (size_t i = 0; i < sizeof random; i++)
        (void)snprintf(req->id + 2 * i, 3, "%02x", random[i]);
}
