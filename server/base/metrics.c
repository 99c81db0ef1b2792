/*
 * Every family's values lie in one array: a counter or gauge takes one cell for each value of its
 * labels, a histogram as many as it has buckets, one for what is above them all, and one for the
 * sum. Reads are not one snapshot: a scrape may see a request counted and not yet timed, which
 * Prometheus allows for.
 */
#include "base/metrics.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

enum kind { COUNTER, GAUGE, HISTOGRAM };

/* Upper bounds of buckets in the family's own units, ascending. */
static const uint64_t ack_bounds[] = {250,   500,    1000,   2500,   5000,    10000,
                                      25000, 100000, 250000, 500000, 1000000, 2000000};
static const uint64_t request_bounds[] = {250,   500,    1000,   2500,    5000,   10000,
                                          50000, 100000, 500000, 1000000, 5000000};
static const uint64_t batch_bounds[] = {1, 2, 4, 8, 16, 32, 64};

static const char *const codes[] = {"1xx", "2xx", "3xx", "4xx", "5xx"};
static const char *const pools[] = {"api", "ingest", "jobs", "probes"};
static const char *const results[] = {"stored",        "unchanged", "kept",      "dead",
                                      "bad_signature", "bad_body",  "not_stored"};
static const char *const versions[] = {FRONTDESK_VERSION};

struct label {
    const char *name;
    const char *const *values;
    size_t count; /* 0: the routes, and one more for "none" */
};

#define VALUES(array) (array), sizeof(array) / sizeof(array)[0]

static const struct family {
    const char *name, *help;
    uint64_t unit; /* how many of the stored integers make one of what is shown; 0: one */
    struct label label;
    const uint64_t *bounds;
    size_t bound_count;
    enum kind kind;
    bool with_code; /* a second label, `code` */
} families[METRIC_COUNT] = {
    [METRIC_BUILD_INFO] = {.name = "frontdesk_build_info",
                           .help = "Always 1; the label says which version runs.",
                           .kind = GAUGE,
                           .label = {"version", VALUES(versions)}},
    [METRIC_CALLS_FOUND_BY_POLL] =
        {.name = "frontdesk_calls_found_by_poll_only",
         .help = "Calls that only polling found: webhooks that were lost. Of the whole database.",
         .kind = GAUGE},
    [METRIC_DATABASE_CONNECTIONS] = {.name = "frontdesk_database_connections",
                                     .help = "Open connections to the database.",
                                     .kind = GAUGE,
                                     .label = {"pool", VALUES(pools)}},
    [METRIC_DATABASE_UP] = {.name = "frontdesk_database_up",
                            .help = "1 when the database answered this scrape, else 0.",
                            .kind = GAUGE},
    [METRIC_DATABASE_WAITING] =
        {.name = "frontdesk_database_waiting",
         .help = "Requests that wait for a connection to the database, or to share one.",
         .kind = GAUGE,
         .label = {"pool", VALUES(pools)}},
    [METRIC_HTTP_IN_FLIGHT] = {.name = "frontdesk_http_in_flight",
                               .help = "Requests that are being answered.",
                               .kind = GAUGE},
    [METRIC_HTTP_REQUEST_SECONDS] =
        {.name = "frontdesk_http_request_seconds",
         .help = "Time from the end of a request's headers to the end of its answer.",
         .kind = HISTOGRAM,
         .unit = 1000000,
         .label = {"route"},
         .bounds = VALUES(request_bounds)},
    [METRIC_HTTP_REQUESTS] = {.name = "frontdesk_http_requests_total",
                              .help = "Requests that were answered, by route and class of status.",
                              .kind = COUNTER,
                              .label = {"route"},
                              .with_code = true},
    [METRIC_HTTP_WORKERS] = {.name = "frontdesk_http_workers",
                             .help = "Threads that answer requests; a connection holds one.",
                             .kind = GAUGE},
    [METRIC_JOURNAL_DEAD] =
        {.name = "frontdesk_journal_dead",
         .help = "Events that were kept but not understood (frontdesk replay --dead).",
         .kind = GAUGE},
    [METRIC_LOGIN_FAILURES] = {.name = "frontdesk_login_failures_total",
                               .help = "Logins that were refused: wrong password or unknown user.",
                               .kind = COUNTER},
    [METRIC_POLL_AGE_SECONDS] = {.name = "frontdesk_poll_age_seconds",
                                 .help =
                                     "Time since a poll of Retell last succeeded, on any server.",
                                 .kind = GAUGE,
                                 .unit = 1000},
    [METRIC_POLL_PENDING_HYDRATION] = {.name = "frontdesk_poll_pending_hydration",
                                       .help = "Calls whose transcript is still to be fetched.",
                                       .kind = GAUGE},
    [METRIC_RATE_LIMITED] = {.name = "frontdesk_rate_limited_total",
                             .help = "Requests that were answered 429.",
                             .kind = COUNTER},
    [METRIC_ROLLUP_DELTA_AGE_SECONDS] = {.name = "frontdesk_rollup_delta_age_seconds",
                                         .help = "Age of the oldest change that is not folded yet.",
                                         .kind = GAUGE,
                                         .unit = 1000},
    [METRIC_ROLLUP_DELTAS] = {.name = "frontdesk_rollup_deltas",
                              .help = "Changes that are not folded yet.",
                              .kind = GAUGE},
    [METRIC_START_TIME_SECONDS] = {.name = "frontdesk_start_time_seconds",
                                   .help = "When this process started, in seconds since 1970.",
                                   .kind = GAUGE,
                                   .unit = 1000},
    [METRIC_TEXT_INDEX_LAG] = {.name = "frontdesk_text_index_lag",
                               .help = "Changed calls that cannot be searched as they are yet.",
                               .kind = GAUGE},
    [METRIC_TEXT_INDEX_LAG_SECONDS] = {.name = "frontdesk_text_index_lag_seconds",
                                       .help = "Age of the oldest change that cannot be searched "
                                               "yet.",
                                       .kind = GAUGE,
                                       .unit = 1000},
    [METRIC_WEBHOOK_ACK_SECONDS] =
        {.name = "frontdesk_webhook_ack_seconds",
         .help = "Time from the end of a webhook's headers to its acknowledgement.",
         .kind = HISTOGRAM,
         .unit = 1000000,
         .bounds = VALUES(ack_bounds)},
    [METRIC_WEBHOOKS] = {.name = "frontdesk_webhooks_total",
                         .help = "Webhooks by what became of them.",
                         .kind = COUNTER,
                         .label = {"result", VALUES(results)}},
    [METRIC_WRITE_GROUP_EVENTS] = {.name = "frontdesk_write_group_events",
                                   .help = "Events that shared a commit.",
                                   .kind = HISTOGRAM,
                                   .bounds = VALUES(batch_bounds)},
};

struct metrics {
    const char *const *routes;
    size_t route_count;
    size_t start[METRIC_COUNT]; /* of each family in `cells` */
    atomic_llong cells[];       /* a gauge without a value holds NO_VALUE */
};

#define NO_VALUE INT64_MIN

/* Cells of one value of the first label. */
static size_t width(const struct family *f)
{
    if (f->kind == HISTOGRAM)
        return f->bound_count + 2;
    return f->with_code ? METRIC_CODES : 1;
}

/* How many values the first label has. */
static size_t label_count(const struct family *f, size_t route_count)
{
    if (!f->label.name)
        return 1;
    return f->label.count ? f->label.count : route_count + 1;
}

struct metrics *metrics_new(const char *const *routes, size_t route_count)
{
    size_t total = 0;
    size_t start[METRIC_COUNT];
    for (size_t i = 0; i < METRIC_COUNT; i++) {
        start[i] = total;
        total += width(&families[i]) * label_count(&families[i], route_count);
    }
    struct metrics *metrics = calloc(1, sizeof *metrics + total * sizeof metrics->cells[0]);
    if (!metrics)
        return NULL;
    metrics->routes = routes;
    metrics->route_count = route_count;
    for (size_t i = 0; i < METRIC_COUNT; i++) {
        metrics->start[i] = start[i];
        for (size_t l = 0; families[i].kind == GAUGE && l < label_count(&families[i], route_count);
             l++)
            metrics_forget(metrics, (enum metric)i, l);
    }
    return metrics;
}

void metrics_free(struct metrics *metrics)
{
    free(metrics);
}

/* The first cell of a label's value; a value that is none of the label's is its last one. */
static atomic_llong *cell(struct metrics *metrics, enum metric metric, size_t label)
{
    const struct family *f = &families[metric];
    size_t count = label_count(f, metrics->route_count);
    if (label >= count)
        label = count - 1;
    return &metrics->cells[metrics->start[metric] + label * width(f)];
}

static void add(atomic_llong *to, uint64_t amount)
{
    atomic_fetch_add_explicit(to, (long long)amount, memory_order_relaxed);
}

void metrics_add(struct metrics *metrics, enum metric metric, size_t label, uint64_t amount)
{
    if (metrics)
        add(cell(metrics, metric, label), amount);
}

void metrics_set(struct metrics *metrics, enum metric metric, size_t label, int64_t value)
{
    if (metrics)
        atomic_store_explicit(cell(metrics, metric, label), value, memory_order_relaxed);
}

void metrics_shift(struct metrics *metrics, enum metric metric, int64_t by)
{
    if (metrics)
        atomic_fetch_add_explicit(cell(metrics, metric, 0), by, memory_order_relaxed);
}

void metrics_forget(struct metrics *metrics, enum metric metric, size_t label)
{
    metrics_set(metrics, metric, label, NO_VALUE);
}

void metrics_observe(struct metrics *metrics, enum metric metric, size_t label, uint64_t value)
{
    if (!metrics)
        return;
    const struct family *f = &families[metric];
    size_t bounds = f->bound_count;
    size_t bucket = 0;
    while (bucket < bounds && value > f->bounds[bucket])
        bucket++;
    atomic_llong *at = cell(metrics, metric, label);
    add(at + bucket, 1);
    add(at + bounds + 1, value);
}

void metrics_request(struct metrics *metrics, size_t route, int status, uint64_t microseconds)
{
    if (!metrics)
        return;
    size_t code = status >= 100 && status < 600 ? (size_t)status / 100 - 1 : METRIC_5XX;
    add(cell(metrics, METRIC_HTTP_REQUESTS, route) + code, 1);
    if (status == 429)
        metrics_add(metrics, METRIC_RATE_LIMITED, 0, 1);
    metrics_observe(metrics, METRIC_HTTP_REQUEST_SECONDS, route, microseconds);
}

/* ---- the text form ---- */

static long long load(const atomic_llong *from)
{
    return atomic_load_explicit(from, memory_order_relaxed);
}

/* A stored integer in the family's unit, exact. */
static void add_number(struct buf *out, long long value, uint64_t unit)
{
    if (unit > 1)
        buf_printf(out, "%lld.%0*lld", value / (long long)unit, unit == 1000 ? 3 : 6,
                   llabs(value % (long long)unit));
    else
        buf_printf(out, "%lld", value);
}

static const char *label_value(const struct metrics *metrics, const struct family *f, size_t label)
{
    if (f->label.count)
        return f->label.values[label];
    return label < metrics->route_count ? metrics->routes[label] : "none";
}

/* {name="value",more}: `more` is a whole label, or NULL. None of the values needs an escape. */
static void add_labels(struct buf *out, const struct metrics *metrics, const struct family *f,
                       size_t label, const char *more)
{
    if (!f->label.name && !more)
        return;
    buf_puts(out, "{");
    if (f->label.name)
        buf_printf(out, "%s=\"%s\"%s", f->label.name, label_value(metrics, f, label),
                   more ? "," : "");
    buf_printf(out, "%s}", more ? more : "");
}

static void write_plain(const struct metrics *metrics, const struct family *f,
                        const atomic_llong *at, size_t label, struct buf *out)
{
    for (size_t i = 0; i < width(f); i++) {
        char code[16];
        long long value = load(at + i);
        if (f->kind == GAUGE && value == NO_VALUE)
            continue;
        if (f->with_code && value == 0)
            continue; /* 40 routes by 5 classes: only what happened */
        (void)snprintf(code, sizeof code, "code=\"%s\"", codes[f->with_code ? i : 0]);
        buf_puts(out, f->name);
        add_labels(out, metrics, f, label, f->with_code ? code : NULL);
        buf_puts(out, " ");
        add_number(out, value, f->unit);
        buf_puts(out, "\n");
    }
}

static void write_histogram(const struct metrics *metrics, const struct family *f,
                            const atomic_llong *at, size_t label, struct buf *out)
{
    size_t bounds = f->bound_count;
    long long count = 0;
    struct buf le = {0};

    for (size_t i = 0; i <= bounds; i++)
        count += load(at + i);
    if (count == 0 && f->label.name)
        return;
    count = 0;
    for (size_t i = 0; i <= bounds; i++) {
        count += load(at + i);
        le.len = 0;
        buf_puts(&le, "le=\"");
        if (i < bounds)
            add_number(&le, (long long)f->bounds[i], f->unit);
        else
            buf_puts(&le, "+Inf");
        buf_puts(&le, "\"");
        out->failed |= le.failed;
        buf_printf(out, "%s_bucket", f->name);
        add_labels(out, metrics, f, label, le.data ? le.data : "");
        buf_printf(out, " %lld\n", count);
    }
    buf_printf(out, "%s_sum", f->name);
    add_labels(out, metrics, f, label, NULL);
    buf_puts(out, " ");
    add_number(out, load(at + bounds + 1), f->unit);
    buf_printf(out, "\n%s_count", f->name);
    add_labels(out, metrics, f, label, NULL);
    buf_printf(out, " %lld\n", count);
    buf_free(&le);
}

void metrics_write(const struct metrics *metrics, struct buf *out)
{
    static const char *const kinds[] = {"counter", "gauge", "histogram"};
    for (size_t i = 0; i < METRIC_COUNT; i++) {
        const struct family *f = &families[i];
        buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", f->name, f->help, f->name, kinds[f->kind]);
        for (size_t l = 0; l < label_count(f, metrics->route_count); l++) {
            const atomic_llong *at = &metrics->cells[metrics->start[i] + l * width(f)];
            if (f->kind == HISTOGRAM)
                write_histogram(metrics, f, at, l, out);
            else
                write_plain(metrics, f, at, l, out);
        }
    }
}
