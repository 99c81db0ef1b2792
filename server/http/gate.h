/*
 * The framing gate: what civetweb's parser lets through and a careful HTTP server must not, because
 * a proxy in front may read it differently (request smuggling) or a handler may trust it. Refused
 * requests are answered and their connection closed.
 */
#ifndef FRONTDESK_HTTP_GATE_H
#define FRONTDESK_HTTP_GATE_H

#include "http/request.h"

#include <stdint.h>

enum { GATE_MAX_TARGET = 8192, GATE_MAX_HEADER_BYTES = 16384 };

struct gate_verdict {
    int status; /* 0: passed */
    const char *code, *message;
    int64_t content_length; /* when passed: 0 if there is no body */
};

/* Judges the request line and headers of `req`; no I/O. */
struct gate_verdict gate_check(const struct request *req);

#endif
