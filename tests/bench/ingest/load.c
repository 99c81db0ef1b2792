/*
 * The benchmarks' client: as many requests as it can get answered, over a fixed number of
 * connections that each send the next one when the last is answered. One thread and epoll, because
 * it shares its cores with what it measures.
 *
 *   load webhooks --port P --key K [--size BYTES] [--calls N] [--seed S] [--connections C] [--pid PID]
 *   load get TARGET --port P --key K [--requests N] [--connections C] [--pid PID]
 *   load batches [--size BYTES] [--calls N] [--seed S] [--batch N]
 *
 * webhooks and get print one line of JSON: rate, latencies in µs, answers by status, and with --pid
 * the CPU time that the process used meanwhile. batches prints rows for COPY … (FORMAT csv): number,
 * bodies, sources, times; the same events as webhooks sends for the same seed.
 */
#include "traffic.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_CONNECTIONS = 1024, ANSWER_SIZE = 256 * 1024, STATUSES = 600 };

static const char webhook_target[] = "/api/webhooks/retell";

struct options {
    struct traffic_options traffic;
    const char *key;
    size_t requests, connections, batch;
    int port;
    int pid;
};

struct connection {
    int fd;
    const struct buf *request; /* NULL: nothing more to send */
    size_t sent;
    int64_t since_ns;
    char *answer;
    size_t got;
};

struct run {
    const struct options *options;
    const struct buf *(*next)(struct run *run); /* the next request, NULL when there is none */
    const struct traffic *traffic;
    struct buf get; /* the one request of `load get` */
    size_t begun, done;
    int64_t *latencies_ns;
    size_t statuses[STATUSES];
    int epoll;
    struct connection connections[MAX_CONNECTIONS];
};

static void die(const char *what)
{
    (void)fprintf(stderr, "load: %s: %s\n", what, errno ? strerror(errno) : "failed");
    exit(1);
}

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* ---- requests ---- */

static const struct buf *next_webhook(struct run *run)
{
    return run->begun < run->traffic->count ? &run->traffic->events[run->begun++].request : NULL;
}

static const struct buf *next_get(struct run *run)
{
    return run->begun++ < run->options->requests ? &run->get : NULL;
}

/* ---- connections ---- */

static void watch(const struct run *run, struct connection *c, uint32_t events, int how)
{
    struct epoll_event event = {.events = events, .data.ptr = c};
    if (epoll_ctl(run->epoll, how, c->fd, &event))
        die("epoll_ctl");
}

static void send_more(const struct run *run, struct connection *c)
{
    while (c->sent < c->request->len) {
        ssize_t n =
            send(c->fd, c->request->data + c->sent, c->request->len - c->sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) {
            watch(run, c, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
            return;
        }
        if (n < 0)
            die("send");
        c->sent += (size_t)n;
        if (c->sent == c->request->len && n < (ssize_t)c->request->len)
            watch(run, c, EPOLLIN, EPOLL_CTL_MOD);
    }
}

static void begin_next(struct run *run, struct connection *c)
{
    c->request = run->next(run);
    c->sent = c->got = 0;
    if (!c->request)
        return;
    c->since_ns = now_ns();
    send_more(run, c);
}

/* The length of the whole answer, 0 while its head is not here yet. */
static size_t answer_length(const struct connection *c)
{
    static const char name[] = "\r\nContent-Length: ";
    const char *end = memmem(c->answer, c->got, "\r\n\r\n", 4);
    if (!end)
        return 0;
    size_t head = (size_t)(end - c->answer) + 4;
    const char *length = memmem(c->answer, head, name, sizeof name - 1);
    return head + (length ? strtoul(length + sizeof name - 1, NULL, 10) : 0);
}

static void read_some(struct run *run, struct connection *c)
{
    ssize_t n = recv(c->fd, c->answer + c->got, ANSWER_SIZE - c->got, 0);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0)
        die("the server closed a connection");
    c->got += (size_t)n;
    size_t length = answer_length(c);
    if (!length || c->got < length)
        return;
    long status = c->got > 12 ? strtol(c->answer + 9, NULL, 10) : 0;
    run->statuses[status > 0 && status < STATUSES ? status : 0]++;
    run->latencies_ns[run->done++] = now_ns() - c->since_ns;
    begin_next(run, c);
}

static void connect_all(struct run *run)
{
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons((uint16_t)run->options->port),
                                        .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int one = 1;
    run->epoll = epoll_create1(EPOLL_CLOEXEC);
    for (size_t i = 0; i < run->options->connections; i++) {
        struct connection *c = &run->connections[i];
        c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        c->answer = malloc(ANSWER_SIZE);
        if (c->fd < 0 || !c->answer ||
            connect(c->fd, (const struct sockaddr *)&address, sizeof address))
            die("connect");
        (void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
        if (epoll_ctl(run->epoll, EPOLL_CTL_ADD, c->fd, &event))
            die("epoll_ctl");
    }
}

static void close_all(struct run *run)
{
    for (size_t i = 0; i < run->options->connections; i++) {
        close(run->connections[i].fd);
        free(run->connections[i].answer);
    }
    close(run->epoll);
}

/* ---- measuring ---- */

/* CPU time of a process in seconds, user and system; 0 when there is none to ask about. */
static double cpu_seconds(int pid)
{
    char path[32], line[1024] = "";
    unsigned long user = 0, sys = 0;
    if (!pid)
        return 0;
    (void)snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = fopen(path, "r");
    if (!file || !fgets(line, sizeof line, file))
        die(path);
    (void)fclose(file);
    const char *rest = strrchr(line, ')');
    if (!rest ||
        sscanf(rest, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &sys) != 2)
        die(path);
    return (double)(user + sys) / (double)sysconf(_SC_CLK_TCK);
}

static double own_cpu_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static int compare_ns(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static double percentile_us(const struct run *run, double p)
{
    size_t last = run->done - 1;
    return (double)run->latencies_ns[(size_t)(p * (double)last)] / 1000;
}

static void report(struct run *run, double seconds, double server_cpu, double own_cpu)
{
    double done = (double)run->done;
    qsort(run->latencies_ns, run->done, sizeof run->latencies_ns[0], compare_ns);
    printf("{\"requests\":%zu,\"seconds\":%.3f,\"per_second\":%.0f,\"p50_us\":%.0f,\"p90_us\":%.0f,"
           "\"p99_us\":%.0f,\"max_us\":%.0f,\"server_cpu_us\":%.1f,\"load_cpu_us\":%.1f,"
           "\"statuses\":{",
           run->done, seconds, done / seconds, percentile_us(run, 0.5), percentile_us(run, 0.9),
           percentile_us(run, 0.99), percentile_us(run, 1), server_cpu * 1e6 / done,
           own_cpu * 1e6 / done);
    const char *comma = "";
    for (int i = 0; i < STATUSES; i++) {
        if (run->statuses[i]) {
            printf("%s\"%d\":%zu", comma, i, run->statuses[i]);
            comma = ",";
        }
    }
    printf("}}\n");
}

static void run_all(struct run *run, size_t total)
{
    struct epoll_event events[64];
    if (!total)
        die("no requests");
    run->latencies_ns = calloc(total, sizeof run->latencies_ns[0]);
    if (!run->latencies_ns)
        die("memory");
    connect_all(run);
    double server_cpu = cpu_seconds(run->options->pid), own_cpu = own_cpu_seconds();
    int64_t since = now_ns();
    for (size_t i = 0; i < run->options->connections; i++)
        begin_next(run, &run->connections[i]);
    while (run->done < total) {
        int n = epoll_wait(run->epoll, events, 64, 30000);
        if (n <= 0)
            die("no answer for 30 s");
        for (int i = 0; i < n; i++) {
            struct connection *c = events[i].data.ptr;
            if (events[i].events & EPOLLOUT)
                send_more(run, c);
            if (events[i].events & ~(uint32_t)EPOLLOUT)
                read_some(run, c);
        }
    }
    report(run, (double)(now_ns() - since) / 1e9, cpu_seconds(run->options->pid) - server_cpu,
           own_cpu_seconds() - own_cpu);
    close_all(run);
    free(run->latencies_ns);
}

/* ---- commands ---- */

static void load_webhooks(const struct options *options, struct traffic *traffic)
{
    static struct run run;
    run = (struct run){.options = options, .next = next_webhook, .traffic = traffic};
    run_all(&run, traffic->count);
}

static void load_get(const struct options *options, const char *target)
{
    static struct run run;
    run = (struct run){.options = options, .next = next_get};
    buf_printf(&run.get,
               "GET %s HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench\r\n"
               "Accept: application/json\r\nx-api-key: %s\r\n\r\n",
               target, options->key);
    run_all(&run, options->requests);
    buf_free(&run.get);
}

static void print_hex(const struct buf *body)
{
    static const char digits[] = "0123456789abcdef";
    printf("\\\\x");
    for (size_t i = 0; i < body->len; i++) {
        putchar(digits[(unsigned char)body->data[i] >> 4]);
        putchar(digits[(unsigned char)body->data[i] & 15]);
    }
}

static void print_batches(const struct options *options, const struct traffic *traffic)
{
    size_t batch = options->batch;
    for (size_t first = 0; first < traffic->count; first += batch) {
        size_t end = first + batch < traffic->count ? first + batch : traffic->count;
        printf("%zu,\"{", first / batch);
        for (size_t i = first; i < end; i++) {
            printf("%s", i > first ? "," : "");
            print_hex(&traffic->events[i].body);
        }
        printf("}\",\"{");
        for (size_t i = first; i < end; i++)
            printf("%swebhook", i > first ? "," : "");
        printf("}\",\"{");
        for (size_t i = first; i < end; i++)
            printf("%s%lld", i > first ? "," : "", (long long)traffic->events[i].sent_ms);
        printf("}\"\n");
    }
}

static size_t number(const char *text)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno || *end || end == text)
        die(text);
    return (size_t)value;
}

static void read_options(int argc, char **argv, struct options *o)
{
    static const struct option names[] = {
        {"batch", required_argument, NULL, 'b'},       {"calls", required_argument, NULL, 'n'},
        {"connections", required_argument, NULL, 'c'}, {"key", required_argument, NULL, 'k'},
        {"pid", required_argument, NULL, 'i'},         {"port", required_argument, NULL, 'p'},
        {"requests", required_argument, NULL, 'r'},    {"seed", required_argument, NULL, 's'},
        {"size", required_argument, NULL, 'z'},        {NULL, 0, NULL, 0}};
    *o = (struct options){
        .traffic = {.size = 6000, .calls = 1000, .seed = 1, .target = webhook_target},
        .key = "",
        .requests = 10000,
        .connections = 32,
        .batch = 64};
    for (int option; (option = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        switch (option) {
        case 'b':
            o->batch = number(optarg);
            break;
        case 'n':
            o->traffic.calls = number(optarg);
            break;
        case 'c':
            o->connections = number(optarg);
            break;
        case 'k':
            o->key = optarg;
            break;
        case 'i':
            o->pid = (int)number(optarg);
            break;
        case 'p':
            o->port = (int)number(optarg);
            break;
        case 'r':
            o->requests = number(optarg);
            break;
        case 's':
            o->traffic.seed = number(optarg);
            break;
        case 'z':
            o->traffic.size = number(optarg);
            break;
        default:
            exit(2);
        }
    }
    if (!o->batch || !o->connections || o->connections > MAX_CONNECTIONS)
        die("a number is out of range");
}

int main(int argc, char **argv)
{
    struct options options;
    struct traffic traffic;
    const char *command = argc > 1 ? argv[1] : "";
    bool get = strcmp(command, "get") == 0 && argc > 2;
    bool webhooks = strcmp(command, "webhooks") == 0;

    if (!get && !webhooks && strcmp(command, "batches") != 0) {
        (void)fputs("usage: load webhooks | get TARGET | batches, with options; see load.c\n",
                    stderr);
        return 2;
    }
    read_options(argc - 1 - get, argv + 1 + get, &options);
    if (get) {
        load_get(&options, argv[2]);
        return 0;
    }
    options.traffic.key = webhooks ? options.key : NULL;
    if (!traffic_make(&options.traffic, &traffic))
        die("events");
    if (webhooks)
        load_webhooks(&options, &traffic);
    else
        print_batches(&options, &traffic);
    traffic_free(&traffic);
    return 0;
}
