/*
 * The options are those that were measured: one write an answer with tcp_nodelay, and workers
 * enough that slow clients do not starve the others. Bodies are read under body_clock's deadline
 * and a budget for all of them together; civetweb's own error pages are replaced by ours.
 */
#include "http/listener.h"

#include "base/clock.h"
#include "base/crash.h"
#include "http/body_clock.h"
#include "http/gate.h"

#include <arpa/inet.h>
#include <civetweb.h>
#include <errno.h>
#include <linux/filter.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    BODY_DEADLINE_MS = 10000, /* Retell's own patience with an answer */
    BODY_CHUNK = 64 * 1024,
    BODY_BUDGET = 256 * 1024 * 1024, /* of all bodies under way */
    REQUEST_MEMORY = 4 * 1024 * 1024,
    LINGER_MS = 2000, /* for a refused client to stop sending and read why */
    QUIET_MS = 250,   /* a drain ends after this long without any request */
};

struct listener {
    struct listener_options options;
    struct mg_context *context;
    struct body_clock *body_clock;
    int port;
    atomic_uint in_flight;
    atomic_long body_bytes;
    atomic_llong last_activity; /* while draining: when a request last began or ended, in ms */
    atomic_bool draining;
};

/* One request and its answer on their way through. */
struct exchange {
    struct listener *listener;
    struct mg_connection *conn;
    struct request req;
    struct response res;
    struct buf body;
    long counted; /* bytes of `body` in the listener's budget */
    bool unread;  /* the client may still be sending what nobody will read */
};

/*
 * civetweb hides its sockets: the one that connects `port` here with this peer is found by asking
 * each. That is for connections that are refused, and cheap beside the wait that follows.
 */
static int find_socket(int local_port, const struct mg_request_info *info)
{
    for (int fd = 0; fd < LISTENER_MAX_DESCRIPTORS; fd++) {
        struct sockaddr_in peer = {0};
        struct sockaddr_in local = {0};
        char address[INET_ADDRSTRLEN];
        socklen_t peer_len = sizeof peer;
        socklen_t local_len = sizeof local;
        if (getpeername(fd, (struct sockaddr *)&peer, &peer_len) == 0 &&
            peer.sin_family == AF_INET && ntohs(peer.sin_port) == info->remote_port &&
            getsockname(fd, (struct sockaddr *)&local, &local_len) == 0 &&
            ntohs(local.sin_port) == local_port &&
            inet_ntop(AF_INET, &peer.sin_addr, address, sizeof address) &&
            strcmp(address, info->remote_addr) == 0)
            return fd;
    }
    return -1;
}

static bool expects_continue(const struct request *req)
{
    const char *expect = request_header(req, "Expect");
    return expect && strcasecmp(expect, "100-continue") == 0 &&
           strcmp(req->http_version, "1.1") == 0;
}

/* Reads `length` bytes as they come; memory grows with what came, not with what was announced. */
static enum err pull_body(struct exchange *x, int64_t length, const struct body_read *reading)
{
    while ((int64_t)x->body.len < length) {
        if (body_clock_expired(reading))
            return ERR_TIMEOUT;
        size_t want = (size_t)length - x->body.len;
        if (want > BODY_CHUNK)
            want = BODY_CHUNK;
        x->counted += (long)want;
        if (atomic_fetch_add(&x->listener->body_bytes, (long)want) + (long)want > BODY_BUDGET ||
            !buf_reserve(&x->body, want))
            return ERR_NOMEM;
        int n = mg_read(x->conn, x->body.data + x->body.len, want);
        if (n <= 0)
            return ERR_CLOSED;
        x->body.len += (size_t)n;
    }
    return ERR_OK;
}

static enum err read_body(void *conn, struct request *req, int64_t length)
{
    struct exchange *x = conn;
    struct body_read reading;
    static const char proceed[] = "HTTP/1.1 100 Continue\r\n\r\n";

    if (length > 0 && expects_continue(req) &&
        mg_write(x->conn, proceed, sizeof proceed - 1) != (int)sizeof proceed - 1)
        return ERR_CLOSED;
    body_clock_begin(x->listener->body_clock, &reading);
    enum err err = pull_body(x, length, &reading);
    if (!body_clock_end(x->listener->body_clock, &reading) && err)
        err = ERR_TIMEOUT;
    if (err == ERR_CLOSED && clock_mono_ms() >= reading.deadline)
        err = ERR_TIMEOUT;    /* civetweb's own, for a client that was silent all along */
    buf_add(&x->body, "", 0); /* NUL-terminated even when empty */
    if (!err && x->body.failed)
        err = ERR_NOMEM;
    req->body = x->body.data;
    req->body_len = x->body.len;
    return err;
}

/* Fills the request from civetweb's. false: memory is short. */
static bool take_request(struct exchange *x)
{
    const struct mg_request_info *info = mg_get_request_info(x->conn);
    struct request *req = &x->req;

    req->arena = arena_new(REQUEST_MEMORY);
    req->method_name = info->request_method ? info->request_method : "";
    req->method = method_from_name(req->method_name);
    req->path = info->request_uri ? info->request_uri : "";
    req->query = info->query_string;
    req->http_version = info->http_version ? info->http_version : "";
    for (int i = 0; i < info->num_headers; i++)
        request_add_header(req, info->http_headers[i].name, info->http_headers[i].value);
    request_set_client(req, info->remote_addr, x->listener->options.trusted_proxies,
                       x->listener->options.trusted_proxy_count);
    request_set_id(req);
    return req->arena != NULL;
}

/*
 * Closing a socket that holds unread bytes resets it, and a reset throws away the answer that the
 * client has not read yet. So: say that nothing more follows, and drop what comes, for a while.
 */
static void linger(struct exchange *x)
{
    char dropped[4096];
    int64_t until = clock_mono_ms() + LINGER_MS;
    int fd = find_socket(x->listener->port, mg_get_request_info(x->conn));
    if (fd < 0 || shutdown(fd, SHUT_WR))
        return;
    for (int64_t left = LINGER_MS; left > 0; left = until - clock_mono_ms()) {
        struct pollfd waiting = {.fd = fd, .events = POLLIN};
        if (poll(&waiting, 1, (int)left) <= 0 || recv(fd, dropped, sizeof dropped, 0) <= 0)
            return;
    }
}

/*
 * civetweb takes all that has come into its buffer, and calls a head that fills it malformed. So
 * what still waits in the socket then tells that the head was too large for it.
 */
static bool more_has_come(const struct exchange *x)
{
    char byte;
    int fd = find_socket(x->listener->port, mg_get_request_info(x->conn));
    return fd >= 0 && recv(fd, &byte, sizeof byte, MSG_PEEK | MSG_DONTWAIT) > 0;
}

static void log_request(const struct exchange *x, int64_t took_us, size_t bytes)
{
    const struct request *req = &x->req;
    bool probe = strncmp(req->path, "/health", 7) == 0 || strcmp(req->path, "/readyz") == 0;
    enum log_level level = x->res.status >= 500 ? LOG_WARN : probe ? LOG_DEBUG : LOG_INFO;
    log_write(x->listener->options.log, level, "request",
              LOG_FIELDS(LOG_STR("id", req->id), LOG_STR("method", req->method_name),
                         LOG_STR("path", req->path), LOG_INT("status", x->res.status),
                         LOG_INT("ms", took_us / 1000), LOG_INT("bytes", (int64_t)bytes),
                         LOG_STR("remote", req->remote_address)));
}

/*
 * civetweb goes on with a connection when the client says nothing of it, or keep-alive among the
 * rest. Whoever is told otherwise than it does sends the next request into a closed connection.
 */
static bool client_keeps(const struct request *req)
{
    for (size_t i = 0; i < req->header_count; i++)
        if (header_is(&req->headers[i], "Connection") &&
            (!strcasestr(req->headers[i].value, "keep-alive") ||
             strcasestr(req->headers[i].value, "close")))
            return false;
    return true;
}

/* Everything after the answer is filled: one write, one log line, all memory freed. */
static void answer(struct exchange *x)
{
    struct listener *listener = x->listener;
    struct buf out = {0};

    if (listener->options.one_request || atomic_load(&listener->draining) ||
        strcmp(x->req.http_version, "1.1") != 0 || !client_keeps(&x->req))
        x->res.close = true;
    response_finish(&x->res, &x->req, listener->options.production, listener->options.router->cors,
                    &out);
    if (x->res.close || out.failed)
        mg_disable_connection_keep_alive(x->conn);
    if (!out.failed)
        (void)mg_write(x->conn, out.data, out.len);
    int64_t took_us = clock_mono_us() - x->req.started_us;
    metrics_request(listener->options.metrics, x->req.route, x->res.status, (uint64_t)took_us);
    log_request(x, took_us, out.len);
    if (x->unread && x->res.close)
        linger(x);
    buf_free(&out);
    buf_free(&x->body);
    atomic_fetch_sub(&listener->body_bytes, x->counted);
    response_free(&x->res);
    arena_free(x->req.arena);
}

static void note_activity(struct listener *listener)
{
    if (atomic_load(&listener->draining))
        atomic_store(&listener->last_activity, clock_mono_ms());
}

static void enter(struct listener *listener)
{
    atomic_fetch_add(&listener->in_flight, 1);
    metrics_shift(listener->options.metrics, METRIC_HTTP_IN_FLIGHT, 1);
    note_activity(listener);
}

static void leave(struct listener *listener)
{
    note_activity(listener);
    atomic_fetch_sub(&listener->in_flight, 1);
    metrics_shift(listener->options.metrics, METRIC_HTTP_IN_FLIGHT, -1);
}

static struct exchange exchange_of(struct mg_connection *conn)
{
    struct listener *listener = mg_get_user_data(mg_get_context(conn));
    return (struct exchange){.listener = listener,
                             .conn = conn,
                             .req.route = listener->options.router->route_count,
                             .res.show_stack = !listener->options.production,
                             .req.started_us = clock_mono_us()};
}

/*
 * Did civetweb see every header? It stops, silently, at the first line that it dislikes, and lets
 * spaces stand before a colon; what follows would be lost here and obeyed by a proxy in front. It
 * parses in place and writes a NUL over each character that ends something (a line's CR and LF, a
 * name's colon, the head's last LF), so what lies between the pieces tells what it skipped.
 */
static bool headers_are_whole(const struct request *req)
{
    const char *end = req->http_version + strlen(req->http_version);
    for (size_t i = 0; i < req->header_count; i++) {
        const struct header *header = &req->headers[i];
        const char *name_end = header->name + header->name_len;
        if (header->name != end + 2 || (name_end[1] == '\0' && header->value != name_end + 1))
            return false;
        end = header->value + header->value_len;
        if (end[1] != '\0')
            return false;
    }
    return req->header_count == 0 ? memcmp(end, "\0\0\0", 4) == 0 : memcmp(end, "\0\0\r", 4) == 0;
}

/* civetweb stops at REQUEST_MAX_HEADERS, which the gate refuses by their number. */
static struct gate_verdict check_framing(const struct exchange *x)
{
    if (x->req.header_count >= REQUEST_MAX_HEADERS || headers_are_whole(&x->req))
        return gate_check(&x->req);
    return (struct gate_verdict){
        .status = 400, .code = "bad_header", .message = "A header line is not well-formed."};
}

/* civetweb's hook that comes before all of its own handling. */
static int begin_request(struct mg_connection *conn)
{
    struct exchange x = exchange_of(conn);
    enter(x.listener);
    if (!take_request(&x)) {
        x.res.close = true;
        response_header(&x.res, "Retry-After", "1");
        response_error(&x.res, &x.req, 503, "service_unavailable",
                       "The server is short of memory; try again.");
    } else {
        struct gate_verdict verdict = check_framing(&x);
        if (verdict.status) {
            x.res.close = true;
            x.unread = true;
            response_error(&x.res, &x.req, verdict.status, verdict.code, verdict.message);
        } else {
            const struct body_source body = {verdict.content_length, read_body, &x};
            router_dispatch(x.listener->options.router, &x.req, &x.res, &body);
            x.unread = (int64_t)x.body.len < verdict.content_length;
        }
    }
    int status = x.res.status ? x.res.status : 500;
    answer(&x);
    leave(x.listener);
    return status;
}

/* Its address is the user data of a connection that was told an error of the parser. */
static char told;

/* What civetweb's parser refuses, in our words. */
static const struct {
    int status, ours;
    const char *code, *message;
} parser_errors[] = {
    {400, 400, "bad_request", "This is not a well-formed HTTP request."},
    {408, 408, "request_timeout", "The request did not arrive in time."},
    {411, 400, "bad_request", "The Content-Length is not a plain number."},
    {413, 431, "headers_too_large", "The request line and headers are larger than 128 KB."},
    {414, 414, "uri_too_long", "The address is longer than this server takes."},
    {431, 431, "headers_too_large", "The request line and headers are larger than 128 KB."},
    {505, 505, "http_version_not_supported", "Use HTTP/1.0 or HTTP/1.1."},
    {503, 503, "service_unavailable", "The server is busy; try again."},
};

static int http_error(struct mg_connection *conn, int status, const char *message)
{
    (void)message; /* civetweb's own: may quote the request */
    struct exchange x = exchange_of(conn);
    size_t i = 0;
    x.unread = true;
    if (status == 400 && more_has_come(&x))
        status = 431;
    while (i + 1 < sizeof parser_errors / sizeof parser_errors[0] &&
           parser_errors[i].status != status)
        i++;
    if (parser_errors[i].status != status)
        i = 0;
    enter(x.listener);
    x.req = (struct request){.route = x.req.route,
                             .started_us = x.req.started_us,
                             .method = METHOD_OTHER,
                             .method_name = "",
                             .path = "",
                             .http_version = ""};
    request_set_client(&x.req, mg_get_request_info(conn)->remote_addr, NULL, 0);
    request_set_id(&x.req);
    x.res.close = true;
    response_error(&x.res, &x.req, parser_errors[i].ours, parser_errors[i].code,
                   parser_errors[i].message);
    answer(&x);
    mg_set_user_connection_data(conn, &told);
    leave(x.listener);
    return 0;
}

/*
 * civetweb closes without a word when the target is `*` or another server's. That is seen here, by
 * a request that was parsed but has no local address, on a connection that was not told already.
 */
static void connection_close(const struct mg_connection *conn)
{
    const struct mg_request_info *info = mg_get_request_info(conn);
    if (info && info->request_uri && !info->local_uri_raw &&
        mg_get_user_connection_data(conn) != &told)
        (void)http_error((struct mg_connection *)conn, 400, "");
}

/* civetweb says why it cannot start only here; a start that works says nothing worth keeping. */
static int log_message(const struct mg_connection *conn, const char *message)
{
    struct listener *listener = mg_get_user_data(mg_get_context(conn));
    if (listener)
        log_debug(listener->options.log, "civetweb", LOG_STR("detail", message));
    return 1;
}

static void *init_thread(const struct mg_context *context, int type)
{
    (void)context;
    (void)type;
    crash_prepare_thread();
    return NULL;
}

/* Can anybody bind there? Says what civetweb would not: that the port is taken, and by what name. */
static bool probe_address(const struct listener_options *options, struct buf *errors)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)options->port)};
    int one = 1;
    bool good = false;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || inet_pton(AF_INET, options->host, &address.sin_addr) != 1) {
        buf_printf(errors, "cannot listen on %s: give an IPv4 address, such as 127.0.0.1\n",
                   options->host);
    } else {
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
        good = bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 1) == 0;
        if (!good && errno == EADDRINUSE)
            buf_printf(errors,
                       "port %d on %s is taken by another program: stop it, or choose another "
                       "port (PORT, ADMIN_PORT)\n",
                       (int)options->port, options->host);
        else if (!good)
            buf_printf(errors, "cannot listen on %s:%d: %s\n", options->host, (int)options->port,
                       strerror(errno));
    }
    if (fd >= 0)
        close(fd);
    return good;
}

static bool start_civetweb(struct listener *listener, struct buf *errors)
{
    char ports[64];
    char threads[16];
    (void)snprintf(ports, sizeof ports, "%s:%d", listener->options.host,
                   (int)listener->options.port);
    (void)snprintf(threads, sizeof threads, "%u", listener->options.threads);
    const char *options[] = {
        "listening_ports",
        ports,
        "num_threads",
        threads,
        "connection_queue",
        "1024",
        "listen_backlog",
        "1024",
        "enable_keep_alive",
        "yes",
        "keep_alive_timeout_ms",
        "15000",
        "request_timeout_ms",
        "10000",
        "tcp_nodelay",
        "1",
        "max_request_size",
        "131072", /* beyond the gate's own limits, so that it can name them */
        "decode_url",
        "no",
        "enable_directory_listing",
        "no",
        "access_control_allow_methods",
        "",
        "access_control_allow_origin",
        "",
        "enable_auth_domain_check",
        "no", /* targets in absolute form, whatever our name is */
        NULL,
    };
    const struct mg_callbacks callbacks = {.begin_request = begin_request,
                                           .http_error = http_error,
                                           .connection_close = connection_close,
                                           .init_thread = init_thread,
                                           .log_message = log_message};
    struct mg_server_port bound[1] = {{0}};

    listener->context = mg_start(&callbacks, listener, options);
    if (!listener->context) {
        buf_printf(errors, "cannot start the HTTP server on %s\n", ports);
        return false;
    }
    if (mg_get_server_ports(listener->context, 1, bound) != 1) {
        buf_puts(errors, "cannot find the port that the HTTP server is bound to\n");
        return false;
    }
    listener->port = bound[0].port;
    return true;
}

enum err listener_start(const struct listener_options *options, struct buf *errors,
                        struct listener **listener)
{
    if (!probe_address(options, errors))
        return ERR_UNAVAILABLE;
    struct listener *made = calloc(1, sizeof *made);
    if (!made || body_clock_start(BODY_DEADLINE_MS, &made->body_clock)) {
        buf_puts(errors, "short of memory or threads\n");
        free(made);
        return ERR_NOMEM;
    }
    made->options = *options;
    metrics_set(options->metrics, METRIC_HTTP_IN_FLIGHT, 0, 0);
    metrics_set(options->metrics, METRIC_HTTP_WORKERS, 0, options->threads);
    if (!start_civetweb(made, errors)) {
        (void)listener_stop(made, 0);
        return ERR_UNAVAILABLE;
    }
    *listener = made;
    return ERR_OK;
}

int listener_port(const struct listener *listener)
{
    return listener->port;
}

/* The socket that listens on our port, or -1. */
static int find_listening_socket(int port)
{
    for (int fd = 0; fd < LISTENER_MAX_DESCRIPTORS; fd++) {
        struct sockaddr_in local = {0};
        socklen_t len = sizeof local;
        int listening = 0;
        socklen_t listening_len = sizeof listening;
        if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &listening_len) == 0 &&
            listening && getsockname(fd, (struct sockaddr *)&local, &len) == 0 &&
            local.sin_family == AF_INET && ntohs(local.sin_port) == port)
            return fd;
    }
    return -1;
}

/*
 * From now on the kernel drops what asks for a new connection, as if nobody were there, while those
 * that it has already accepted for us are still served. Closing the socket instead would reset them.
 */
static void refuse_connections(int fd)
{
    struct sock_filter drop_all[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
    const struct sock_fprog program = {.len = 1, .filter = drop_all};
    if (fd >= 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
}

static bool quiet(struct listener *listener)
{
    return atomic_load(&listener->in_flight) == 0 &&
           clock_mono_ms() - atomic_load(&listener->last_activity) >= QUIET_MS;
}

unsigned listener_stop(struct listener *listener, int64_t grace_ms)
{
    if (!listener)
        return 0;
    unsigned cut = 0;
    if (listener->context) {
        int64_t until = clock_mono_ms() + grace_ms;
        int fd = find_listening_socket(listener->port);
        atomic_store(&listener->draining, true);
        atomic_store(&listener->last_activity, clock_mono_ms());
        refuse_connections(fd);
        while (!quiet(listener) && clock_mono_ms() < until)
            (void)poll(NULL, 0, 10);
        cut = atomic_load(&listener->in_flight);
        if (fd >= 0)
            (void)shutdown(fd, SHUT_RD); /* wakes civetweb's accept loop, which looks every 2 s */
        mg_stop(listener->context);
    }
    body_clock_stop(listener->body_clock);
    free(listener);
    return cut;
}
