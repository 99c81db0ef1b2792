#include "retell/trigger.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/crypto.h"
#include "base/interrupt.h"
#include "base/progress.h"
#include "retell/delivery.h"
#include "retell/payload.h"
#include "retell/url.h"

#include <curl/curl.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_CALLS = 1000000,
    MAX_DAYS = 3650,
    MAX_AGENT = 128,
    MAX_URL = 2000,
    PLAN_MEMORY = 16 * 1024 * 1024
};

/* With --seed, time stands still: the newest call ends before 2026-01-01T00:00:00Z. */
static const int64_t seeded_base_ms = INT64_C(1767225600000);

/* What no --seed is. */
static const uint64_t no_seed = UINT64_MAX;

struct order {
    const char *event;
    enum payload_event last; /* that event */
    uint64_t calls, parallel;
    const char *url; /* NULL: the default */
    bool print;
    struct call_plan_options plan;
};

static const atomic_bool *stopped;

/* ---- the command line ---- */

/* What the options do not say. False when the operating system gives no random numbers. */
static bool fill_in_defaults(struct order *o)
{
    bool seeded = o->plan.seed != no_seed;
    o->plan.base_ms = seeded ? seeded_base_ms : clock_wall_ms();
    o->plan.calls = o->calls;
    o->plan.transfers = payload_event_is_transfer(o->last);
    return seeded || crypto_random(&o->plan.seed, sizeof o->plan.seed) == ERR_OK;
}

/* ---- printing ---- */

static bool print_call(const struct order *o, uint64_t index)
{
    struct payload_step steps[PAYLOAD_MAX_STEPS];
    struct call_plan plan;
    struct buf line = {0};
    struct arena *arena = arena_new(PLAN_MEMORY);
    bool good = arena && call_plan_make(arena, &o->plan, index, &plan) == ERR_OK;
    size_t count = good ? payload_steps(&plan, o->last, steps) : 0;
    for (size_t i = 0; i < count && good; i++) {
        line.len = 0;
        payload_write(&plan, &steps[i], &line);
        buf_puts(&line, "\n");
        good = !line.failed && fwrite(line.data, 1, line.len, stdout) == line.len;
    }
    buf_free(&line);
    arena_free(arena);
    return good;
}

static int print_all(const struct order *o)
{
    bool good = true;
    for (uint64_t i = 0; i < o->calls && good && !atomic_load(stopped); i++)
        good = print_call(o, i);
    if (fflush(stdout) == EOF || !good) {
        (void)fprintf(stderr, "trigger: the webhooks could not be printed: %s\n", strerror(errno));
        return COMMAND_FAILED;
    }
    return atomic_load(stopped) ? COMMAND_FAILED : COMMAND_DONE;
}

/* ---- posting ---- */

static struct progress progress = {.command = "trigger", .unit = "calls"};

static void show_progress(const struct delivery *d, const struct delivery_totals *t)
{
    progress_show(&progress, t->calls + t->silent, d->calls, "");
}

/* Plain http would show callers' words to everybody on the way: loopback only. */
static bool check_url(const char *url)
{
    const char *problem = url_problem(url);
    if (problem)
        (void)fprintf(stderr, "trigger: the URL %s %s\n", url, problem);
    return problem == NULL;
}

/* The first of a comma-separated list, copied into `out`; false when there is none. */
static bool first_of_list(const char *list, struct buf *out)
{
    while (list && *list) {
        list += strspn(list, ", \t");
        size_t len = strcspn(list, ",");
        while (len && (list[len - 1] == ' ' || list[len - 1] == '\t'))
            len--;
        if (len) {
            buf_add(out, list, len);
            return !out->failed;
        }
        list += strcspn(list, ",");
    }
    return false;
}

static bool find_key(struct config_source *source, struct buf *errors, struct buf *key)
{
    if (first_of_list(config_lookup(source, "RETELL_WEBHOOK_KEYS", errors), key))
        return true;
    const char *one = config_lookup(source, "RETELL_API_KEY", errors);
    if (one)
        buf_puts(key, one);
    else
        buf_puts(errors, "RETELL_WEBHOOK_KEYS or RETELL_API_KEY: set one of them (environment or "
                         ".env) to the key that the server accepts\n");
    return one && !key->failed;
}

static bool find_url(struct config_source *source, struct buf *errors, struct buf *url)
{
    const char *port = config_lookup(source, "PORT", errors);
    if (!port)
        port = "3000";
    long number = strspn(port, "0123456789") == strlen(port) ? strtol(port, NULL, 10) : 0;
    if (number < 1 || number > 65535)
        buf_printf(errors, "PORT: %s tells no port to post to; give --url\n", port);
    else
        buf_printf(url, "http://127.0.0.1:%ld/api/webhooks/retell", number);
    return url->len > 0 && !url->failed;
}

static int report(const struct delivery *d, const struct delivery_totals *t, enum err err)
{
    progress_end(&progress);
    if (t->problem[0])
        (void)fprintf(stderr, "trigger: %s\n", t->problem);
    if (t->gave_up)
        (void)fprintf(stderr,
                      "trigger: nothing was accepted, so the rest is not sent. Does Frontdesk "
                      "serve at %s, with the key that is used here?\n",
                      d->url);
    if (t->silent)
        (void)fprintf(stderr,
                      "trigger: %" PRIu64 " more never connected; Retell says nothing of such "
                      "calls before call_ended\n",
                      t->silent);
    if (err)
        (void)fprintf(stderr, "trigger: stopped: %s\n", err_name(err));
    if (atomic_load(stopped))
        (void)fputs("trigger: interrupted\n", stderr);
    printf("%" PRIu64 " call%s, %" PRIu64 " event%s accepted, %" PRIu64 " failed\n", t->calls,
           t->calls == 1 ? "" : "s", t->accepted, t->accepted == 1 ? "" : "s", t->failed);
    bool good = !err && !t->failed && !atomic_load(stopped);
    return fflush(stdout) == 0 && good ? COMMAND_DONE : COMMAND_FAILED;
}

static int post_all(const struct order *o, const char *url, const char *key)
{
    struct delivery delivery = {
        .url = url,
        .key = key,
        .plan = &o->plan,
        .last = o->last,
        .calls = o->calls,
        .parallel = (unsigned)(o->calls < o->parallel ? o->calls : o->parallel),
        .stop = stopped,
        .progress = show_progress,
    };
    struct delivery_totals totals;
    if (!check_url(url))
        return COMMAND_USAGE;
    enum err err = delivery_run(&delivery, &totals);
    return report(&delivery, &totals, err);
}

static int post_with_settings(const struct order *o)
{
    struct buf errors = {0}, url = {0}, key = {0};
    struct config_source *source = config_source_open(&errors);
    int status = COMMAND_FAILED;
    bool good = source && find_key(source, &errors, &key);
    if (good && !o->url)
        good = find_url(source, &errors, &url);
    if (good)
        status = post_all(o, o->url ? o->url : url.data, key.data);
    else
        (void)fprintf(stderr, "trigger: %s", errors.data ? errors.data : "out of memory\n");
    config_source_free(source);
    buf_free(&errors);
    buf_free(&url);
    buf_free(&key);
    return status;
}

static int run(const struct command_line *line)
{
    struct order order = {.calls = 1, .parallel = 4, .plan = {.seed = no_seed}};
    if (!command_read(line, &order))
        return COMMAND_USAGE;
    if (!payload_event_from_name(order.event, &order.last))
        return command_complain(line, "there is no event called `%s`", order.event);
    if (!fill_in_defaults(&order)) {
        (void)fputs("trigger: the system gives no random numbers\n", stderr);
        return COMMAND_FAILED;
    }
    stopped = interrupt_watch();
    if (order.print)
        return print_all(&order);
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        (void)fputs("trigger: libcurl cannot be used here\n", stderr);
        return COMMAND_FAILED;
    }
    int status = post_with_settings(&order);
    curl_global_cleanup();
    return status;
}

static const struct command_option options[] = {
    {.name = "agent",
     .label = "A",
     .about = "all calls are this agent's (default: a few sample agents)",
     .kind = COMMAND_TEXT,
     .offset = offsetof(struct order, plan.agent_id),
     .lo = 1,
     .hi = MAX_AGENT},
    {.name = "calls",
     .label = "N",
     .about = "how many calls (default: 1)",
     .kind = COMMAND_NUMBER,
     .offset = offsetof(struct order, calls),
     .lo = 1,
     .hi = MAX_CALLS},
    {.name = "days",
     .label = "D",
     .about = "spread the calls over the last D days, as an office's days go (default: the newest\n"
              "is now, each further one 11 minutes earlier)",
     .kind = COMMAND_NUMBER,
     .offset = offsetof(struct order, plan.days),
     .lo = 1,
     .hi = MAX_DAYS},
    {.name = "seed",
     .label = "S",
     .about = "the same calls, byte for byte, for the same S (default: others each time)",
     .kind = COMMAND_NUMBER,
     .offset = offsetof(struct order, plan.seed),
     .hi = UINT64_MAX - 1},
    {.name = "url",
     .label = "U",
     .about = "where to post (default: http://127.0.0.1:PORT/api/webhooks/retell)",
     .kind = COMMAND_TEXT,
     .offset = offsetof(struct order, url),
     .hi = MAX_URL},
    {.name = "parallel",
     .label = "P",
     .about = "calls under way at a time, 1 to 64 (default: 4)",
     .kind = COMMAND_NUMBER,
     .offset = offsetof(struct order, parallel),
     .lo = 1,
     .hi = DELIVERY_MAX_PARALLEL},
    {.name = "print",
     .about = "print the webhooks, one a line, and post nothing",
     .kind = COMMAND_FLAG,
     .offset = offsetof(struct order, print)},
    {.name = "dry-run",
     .about = "another name of --print",
     .kind = COMMAND_FLAG,
     .offset = offsetof(struct order, print)},
};

const struct command trigger_command = {
    .name = "trigger",
    .summary = "make sample calls and post their signed webhooks",
    .about = "Makes realistic calls and posts their signed webhooks, as Retell would: the way to\n"
             "try an installation without a phone.\n"
             "\n"
             "EVENT is the last that is sent of each call; those before it are sent too:\n"
             "  call_started, call_ended, call_analyzed,\n"
             "  transcript_updated (what has been heard so far, three times),\n"
             "  transfer_started, transfer_bridged, transfer_cancelled, transfer_ended",
    .operand = "EVENT",
    .operand_offset = offsetof(struct order, event),
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .settings = "RETELL_WEBHOOK_KEYS  the first of them signs; else RETELL_API_KEY does\n"
                "PORT                 where the server listens, unless --url says where to post",
    .examples =
        "frontdesk trigger call_analyzed --calls 50\n"
        "frontdesk trigger call_ended --agent agent_1 --url https://host/api/webhooks/retell\n"
        "frontdesk trigger call_analyzed --calls 5 --seed 1 --print",
    .done = "every event was accepted",
    .run = run,
};
