/*
 * The answer to one request: handlers fill it, the listener writes it with one write. An answer
 * that nobody filled becomes a 500 in one place (response_finish).
 */
#ifndef FRONTDESK_HTTP_RESPONSE_H
#define FRONTDESK_HTTP_RESPONSE_H

#include "base/buf.h"
#include "http/cors.h"
#include "http/request.h"

#include <stdbool.h>
#include <stddef.h>

struct response {
    int status; /* 0: not filled yet */
    const char *content_type;
    struct buf body;
    struct buf headers; /* further ones, each "Name: value\r\n" */
    bool close;         /* close the connection after this answer */
    bool show_stack;    /* name the place in the source in errors: not in production */
};

/* One mistake in a query or body. */
struct field_error {
    const char *field, *message;
};

/* 200 (or `status`) with a JSON body of `len` bytes. */
void response_json(struct response *res, int status, const char *json, size_t len);

/* A status without a body (204). */
void response_empty(struct response *res, int status);

/* Adds one header; `value` must hold no control characters. */
void response_header(struct response *res, const char *name, const char *value);

/*
 * The error shape of the contract: `code` is a fixed word, `message` a sentence to act on. Forgets
 * what was in the body. `errors` may be NULL.
 */
void response_error_at(struct response *res, const struct request *req, const char *where,
                       int status, const char *code, const char *message,
                       const struct field_error *errors, size_t error_count);
#define RESPONSE_STRINGIFY2(x) #x
#define RESPONSE_STRINGIFY(x) RESPONSE_STRINGIFY2(x)
#define response_error(res, req, status, code, message)                                            \
    response_error_at(res, req, __FILE__ ":" RESPONSE_STRINGIFY(__LINE__), status, code, message,  \
                      NULL, 0)
#define response_invalid(res, req, errors, count)                                                  \
    response_error_at(res, req, __FILE__ ":" RESPONSE_STRINGIFY(__LINE__), 400,                    \
                      "validation_failed", "Some of the request's fields are not valid.", errors,  \
                      count)

/* The reason phrase of a status, "Unknown" for one that Frontdesk never says. */
const char *response_reason(int status);

/*
 * The whole answer as bytes for the wire into `out`: status line, the headers that every answer
 * carries, those that let pages of other origins read it (`cors` may be NULL), the body unless
 * `req` is a HEAD. `out->failed` says whether memory was short.
 */
void response_finish(struct response *res, const struct request *req, bool production,
                     const struct cors *cors, struct buf *out);

void response_free(struct response *res);

#endif
