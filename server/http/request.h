/*
 * One HTTP request as handlers see it. Everything it points to lives until its answer is written;
 * what a handler allocates goes into `arena` and needs no freeing.
 */
#ifndef FRONTDESK_HTTP_REQUEST_H
#define FRONTDESK_HTTP_REQUEST_H

#include "base/address.h"
#include "base/arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

enum { REQUEST_MAX_PARAMS = 4, REQUEST_MAX_HEADERS = 64, REQUEST_ID_SIZE = 65 };

enum method {
    METHOD_GET,
    METHOD_HEAD,
    METHOD_POST,
    METHOD_PUT,
    METHOD_DELETE,
    METHOD_OPTIONS,
    METHOD_OTHER
};

/* The lengths are those of the two texts. */
struct header {
    const char *name, *value;
    uint32_t name_len, value_len;
};

struct request {
    enum method method;
    const char *method_name;
    const char *http_version; /* "1.0" or "1.1" */
    const char *path;         /* undecoded, without the query */
    const char *query;        /* undecoded, without the ?; NULL if there is none */
    struct header headers[REQUEST_MAX_HEADERS];
    size_t header_count;
    const char *params[REQUEST_MAX_PARAMS]; /* decoded path parts, in the order of the pattern */
    size_t route;          /* its row in the route table; the table's length: none */
    struct address client; /* who asks, also from behind trusted proxies */
    char remote_address[ADDRESS_TEXT_SIZE]; /* the same as text */
    char id[REQUEST_ID_SIZE];
    const char *body; /* of body_len bytes and a NUL; NULL unless the route takes one */
    size_t body_len;
    int64_t started_us;          /* clock_mono_us() when its headers were complete */
    const struct caller *caller; /* who asks, on routes that need to know */
    struct arena *arena;
};

enum method method_from_name(const char *name);
const char *method_name(enum method method);

/* Is `header` called `name` (any case)? Inline: nearly always the length of a constant says no. */
static inline bool header_is(const struct header *header, const char *name)
{
    size_t len = strlen(name);
    return header->name_len == len && strncasecmp(header->name, name, len) == 0;
}

/* Adds a header to the others. There may be REQUEST_MAX_HEADERS; what is more is left out. */
void request_add_header(struct request *req, const char *name, const char *value);

/* The value of the first header `name` (any case), or NULL. */
const char *request_header(const struct request *req, const char *name);

/* How many headers are called `name` (any case). */
unsigned request_header_count(const struct request *req, const char *name);

/*
 * Sets the client's address: `peer`, who is connected to us, unless that is one of the `trusted`
 * proxies; then the right-most address in X-Forwarded-For that is not. What stands left of it, and
 * left of anything that is no address, may be a lie.
 */
void request_set_client(struct request *req, const char *peer, const struct network *trusted,
                        size_t trusted_count);

/* Takes the caller's X-Request-Id when it is well-formed, else makes one. */
void request_set_id(struct request *req);

#endif
