/*
 * Asks Retell's API: several requests at a time over connections that stay open, each with
 * time-outs, a bound on its answer, and retries where they may help. It knows addresses and errors,
 * not what a call is.
 *
 * Requests run in the thread that calls retell_client_run(), which needs a stack of at least 1 MiB
 * (libcurl and TLS): never a worker of the listener. A client is one thread's at a time.
 */
#ifndef FRONTDESK_RETELL_CLIENT_H
#define FRONTDESK_RETELL_CLIENT_H

#include "base/buf.h"
#include "base/err.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How a request ended. Each but the first is told apart because something else mends it. */
enum retell_error {
    RETELL_OK,
    RETELL_BAD_REQUEST,  /* 400 and other 4xx: Retell does not understand us */
    RETELL_UNAUTHORIZED, /* 401, 403: the key */
    RETELL_NO_CREDIT,    /* 402 */
    RETELL_NOT_FOUND,    /* 404, 422: there is no such thing */
    RETELL_RATE_LIMITED, /* 429, also after waiting */
    RETELL_FAILED,       /* 408, 409, 5xx, also after trying again */
    RETELL_UNREACHABLE,  /* no connection, or none that is trusted */
    RETELL_TIMEOUT,
    RETELL_MALFORMED, /* an answer that is not JSON, too large, or not Retell's at all */
    RETELL_CANCELLED,
    RETELL_NOMEM,
};

enum { RETELL_DETAIL_SIZE = 200 };

/* A request and what became of it. The caller frees `answer`. */
struct retell_request {
    const char *path; /* with its query string; identifiers escaped */
    const char *body; /* JSON, POSTed; NULL: GET */

    enum retell_error error;
    long status;       /* of the last try, 0 without an answer */
    struct buf answer; /* one JSON value that json_scan() accepts, when error is RETELL_OK */
    int64_t asked_ms;  /* when it was sent, ms since epoch by Retell's clock */
    char detail[RETELL_DETAIL_SIZE]; /* what Retell or the network said; "" when nothing */
};

struct retell_client;

struct retell_client_options {
    const char *base_url;    /* without a slash at its end; must satisfy url_problem() */
    const char *key;         /* the API key */
    unsigned parallel;       /* requests under way at a time, 1 to 16 */
    const atomic_bool *stop; /* when it turns true, every request ends with RETELL_CANCELLED */
};

/* NULL when memory is short. Strings and `stop` must outlive the client. */
struct retell_client *retell_client_new(const struct retell_client_options *options);
void retell_client_free(struct retell_client *client);

/* Runs all requests to their ends. Whatever happens to them is said in each. */
void retell_client_run(struct retell_client *client, struct retell_request *requests, size_t count);

/*
 * How far this machine's clock is ahead of Retell's, in ms: negative when behind, 0 while unknown
 * or within what cannot be told from the seconds of Retell's answers.
 */
int64_t retell_client_skew_ms(const struct retell_client *client);

/* Now, ms since epoch, by Retell's clock as far as it is known. */
int64_t retell_client_now_ms(const struct retell_client *client);

/*
 * Writes a sentence about a failed request for people: what is wrong and what to do. No secrets.
 */
void retell_explain(const struct retell_client *client, const struct retell_request *request,
                    struct buf *out);

#endif
