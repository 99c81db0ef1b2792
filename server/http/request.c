#include "http/request.h"

#include "base/crypto.h"

#include <stdio.h>
#include <string.h>

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

void request_add_header(struct request *req, const char *name, const char *value)
{
    if (req->header_count < REQUEST_MAX_HEADERS)
        req->headers[req->header_count++] = (struct header){.name = name,
                                                            .value = value,
                                                            .name_len = (uint32_t)strlen(name),
                                                            .value_len = (uint32_t)strlen(value)};
}

const char *request_header(const struct request *req, const char *name)
{
    for (size_t i = 0; i < req->header_count; i++)
        if (header_is(&req->headers[i], name))
            return req->headers[i].value;
    return NULL;
}

unsigned request_header_count(const struct request *req, const char *name)
{
    unsigned count = 0;
    for (size_t i = 0; i < req->header_count; i++)
        count += header_is(&req->headers[i], name);
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
    if (given && good_id(given)) {
        (void)snprintf(req->id, sizeof req->id, "%s", given);
        return;
    }
    crypto_unique_hex(req->id);
}

static bool is_trusted(const struct address *address, const struct network *trusted, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (network_contains(&trusted[i], address))
            return true;
    return false;
}

/*
 * Goes through one X-Forwarded-For from its right end. false: the client is found, or whoever
 * stands there is not to be believed.
 */
static bool follow_proxies(const char *list, struct address *client, const struct network *trusted,
                           size_t count)
{
    const char *end = list + strlen(list);
    while (is_trusted(client, trusted, count)) {
        const char *start = end;
        while (start > list && start[-1] != ',')
            start--;
        const char *item = start + strspn(start, " \t,");
        const char *item_end = end;
        while (item_end > item && strchr(" \t", item_end[-1]))
            item_end--;
        if (item_end > item && !address_parse(item, (size_t)(item_end - item), client))
            return false;
        if (start == list)
            return true;
        end = start - 1;
    }
    return false;
}

void request_set_client(struct request *req, const char *peer, const struct network *trusted,
                        size_t trusted_count)
{
    if (!address_parse(peer, strlen(peer), &req->client))
        req->client = (struct address){{0}};
    for (size_t i = req->header_count; i-- > 0;)
        if (header_is(&req->headers[i], "X-Forwarded-For") &&
            !follow_proxies(req->headers[i].value, &req->client, trusted, trusted_count))
            break;
    address_format(&req->client, req->remote_address);
}
