/*
 * The HTTP server: sockets, threads and civetweb, which nothing outside listener.c knows of. Each
 * request passes the framing gate and the router and gets exactly one write and one log line.
 */
#ifndef FRONTDESK_HTTP_LISTENER_H
#define FRONTDESK_HTTP_LISTENER_H

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/metrics.h"
#include "http/router.h"

#include <stdbool.h>
#include <stdint.h>

struct listener;

/*
 * More file descriptors than this the process never uses: a socket for each thread and of
 * 1024 connections that wait for one, and some dozens for the database, the log and the like.
 */
enum { LISTENER_MAX_DESCRIPTORS = 4096 };

struct listener_options {
    const char *host;
    int64_t port; /* 0: any free one */
    unsigned threads;
    bool one_request; /* closes after each answer: no idle client may hold one of few threads */
    bool production;  /* no `stack` in errors, HSTS */
    const struct network *trusted_proxies;
    size_t trusted_proxy_count;
    const struct router *router;
    const struct log *log;
    struct metrics *metrics; /* counts its requests there; NULL: nowhere */
};

/*
 * Binds and serves. The options' pointers must outlive the listener. On failure `errors` gets a
 * line that says why, such as that the port is taken.
 */
MUSTCHECK enum err listener_start(const struct listener_options *options, struct buf *errors,
                                  struct listener **listener);

/* The port it is bound to. */
int listener_port(const struct listener *listener);

/*
 * Takes no new connections, asks clients with every answer to close theirs, waits until nothing is
 * under way any more or `grace_ms` have passed, and stops. Returns how many requests were cut off.
 * NULL is fine.
 */
unsigned listener_stop(struct listener *listener, int64_t grace_ms);

#endif
