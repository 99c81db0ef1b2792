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
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    EXIT_USAGE = 2,
    MAX_CALLS = 1000000,
    MAX_DAYS = 3650,
    MAX_AGENT = 128,
    PLAN_MEMORY = 16 * 1024 * 1024
};

/* With --seed, time stands still: the newest call ends before 2026-01-01T00:00:00Z. */
static const int64_t seeded_base_ms = INT64_C(1767225600000);

static const char usage[] = "usage: frontdesk trigger <event> [--agent A] [--calls N] [--days D] "
                            "[--seed S] [--url U]\n"
                            "                         [--parallel P] [--print]\n";

static const char help[] =
    "\n"
    "Makes realistic calls and posts their signed webhooks, as Retell would: the way to try an\n"
    "installation without a phone.\n"
    "\n"
    "<event> is the last that is sent of each call; those before it are sent too:\n"
    "  call_started, call_ended, call_analyzed,\n"
    "  transcript_updated (what has been heard so far, three times),\n"
    "  transfer_started, transfer_bridged, transfer_cancelled, transfer_ended\n"
    "\n"
    "  --agent A     all calls are this agent's (default: a few sample agents)\n"
    "  --calls N     how many calls (default: 1)\n"
    "  --days D      spread the calls over the last D days, as an office's days go (default: the\n"
    "                newest is now, each further one 11 minutes earlier)\n"
    "  --seed S      the same calls, byte for byte, for the same S (default: others each time)\n"
    "  --url U       where to post (default: http://127.0.0.1:PORT/api/webhooks/retell)\n"
    "  --parallel P  calls under way at a time, 1 to 64 (default: 4)\n"
    "  --print       print the webhooks, one a line, and post nothing (also: --dry-run)\n"
    "  --help        this text\n"
    "\n"
    "Signs with the first key of RETELL_WEBHOOK_KEYS, else with RETELL_API_KEY, from the "
    "environment\n"
    "or .env, as does PORT. Exits with 0 when every event was accepted, 1 when not, 2 when the\n"
    "command line makes no sense.\n";

struct command {
    enum payload_event last;
    uint64_t calls, parallel;
    const char *url; /* NULL: the default */
    bool print, help;
    struct call_plan_options plan;
};

static const atomic_bool *stopped;

/* ---- the command line ---- */

static bool read_number(const char *name, const char *text, uint64_t lo, uint64_t hi, uint64_t *out)
{
    errno = 0;
    bool digits = *text && strspn(text, "0123456789") == strlen(text);
    *out = digits ? strtoull(text, NULL, 10) : 0;
    if (digits && errno == 0 && *out >= lo && *out <= hi)
        return true;
    (void)fprintf(stderr, "trigger: --%s needs a whole number from %" PRIu64 " to %" PRIu64 "\n",
                  name, lo, hi);
    return false;
}

static bool read_option(int option, struct command *c, bool *seeded)
{
    switch (option) {
    case 'a':
        c->plan.agent_id = optarg;
        if (*optarg && strlen(optarg) <= MAX_AGENT)
            return true;
        (void)fprintf(stderr, "trigger: --agent needs 1 to %d characters\n", MAX_AGENT);
        return false;
    case 'c':
        return read_number("calls", optarg, 1, MAX_CALLS, &c->calls);
    case 'd':
        return read_number("days", optarg, 1, MAX_DAYS, &c->plan.days);
    case 's':
        *seeded = true;
        return read_number("seed", optarg, 0, UINT64_MAX, &c->plan.seed);
    case 'p':
        return read_number("parallel", optarg, 1, DELIVERY_MAX_PARALLEL, &c->parallel);
    case 'u':
        c->url = optarg;
        return true;
    case 'n':
        c->print = true;
        return true;
    case 'h':
        c->help = true;
        return true;
    default: /* getopt has said what is wrong */
        return false;
    }
}

/* What the options do not say. False when the operating system gives no random numbers. */
static bool fill_in_defaults(struct command *c, bool seeded)
{
    c->plan.base_ms = seeded ? seeded_base_ms : clock_wall_ms();
    c->plan.calls = c->calls;
    c->plan.transfers = payload_event_is_transfer(c->last);
    return seeded || crypto_random(&c->plan.seed, sizeof c->plan.seed) == ERR_OK;
}

static bool read_command(int argc, char **argv, struct command *c)
{
    static const struct option options[] = {
        {"agent", required_argument, NULL, 'a'}, {"calls", required_argument, NULL, 'c'},
        {"days", required_argument, NULL, 'd'},  {"dry-run", no_argument, NULL, 'n'},
        {"help", no_argument, NULL, 'h'},        {"parallel", required_argument, NULL, 'p'},
        {"print", no_argument, NULL, 'n'},       {"seed", required_argument, NULL, 's'},
        {"url", required_argument, NULL, 'u'},   {NULL, 0, NULL, 0},
    };
    bool seeded = false;
    *c = (struct command){.calls = 1, .parallel = 4};
    optind = 0; /* glibc: begin anew, whoever parsed something before */
    for (int option; (option = getopt_long(argc, argv, "h", options, NULL)) != -1;)
        if (!read_option(option, c, &seeded))
            return false;
    if (c->help)
        return true;
    if (optind != argc - 1) {
        (void)fprintf(stderr, "trigger: %s\n",
                      optind == argc ? "which event?" : "one event at a time, please");
        return false;
    }
    if (!payload_event_from_name(argv[optind], &c->last)) {
        (void)fprintf(stderr, "trigger: there is no event called '%s'; see --help\n", argv[optind]);
        return false;
    }
    return fill_in_defaults(c, seeded);
}

/* ---- printing ---- */

static bool print_call(const struct command *c, uint64_t index)
{
    struct payload_step steps[PAYLOAD_MAX_STEPS];
    struct call_plan plan;
    struct buf line = {0};
    struct arena *arena = arena_new(PLAN_MEMORY);
    bool good = arena && call_plan_make(arena, &c->plan, index, &plan) == ERR_OK;
    size_t count = good ? payload_steps(&plan, c->last, steps) : 0;
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

static int print_all(const struct command *c)
{
    bool good = true;
    for (uint64_t i = 0; i < c->calls && good && !atomic_load(stopped); i++)
        good = print_call(c, i);
    if (fflush(stdout) == EOF || !good) {
        (void)fprintf(stderr, "trigger: the webhooks could not be printed: %s\n", strerror(errno));
        return EXIT_FAILURE;
    }
    return atomic_load(stopped) ? EXIT_FAILURE : EXIT_SUCCESS;
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
    return fflush(stdout) == 0 && good ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int post_all(const struct command *c, const char *url, const char *key)
{
    struct delivery delivery = {
        .url = url,
        .key = key,
        .plan = &c->plan,
        .last = c->last,
        .calls = c->calls,
        .parallel = (unsigned)(c->calls < c->parallel ? c->calls : c->parallel),
        .stop = stopped,
        .progress = show_progress,
    };
    struct delivery_totals totals;
    if (!check_url(url))
        return EXIT_USAGE;
    enum err err = delivery_run(&delivery, &totals);
    return report(&delivery, &totals, err);
}

static int post_with_settings(const struct command *c)
{
    struct buf errors = {0}, url = {0}, key = {0};
    struct config_source *source = config_source_open(&errors);
    int status = EXIT_FAILURE;
    bool good = source && find_key(source, &errors, &key);
    if (good && !c->url)
        good = find_url(source, &errors, &url);
    if (good)
        status = post_all(c, c->url ? c->url : url.data, key.data);
    else
        (void)fprintf(stderr, "trigger: %s", errors.data ? errors.data : "out of memory\n");
    config_source_free(source);
    buf_free(&errors);
    buf_free(&url);
    buf_free(&key);
    return status;
}

int trigger_main(int argc, char **argv)
{
    struct command command;
    if (!read_command(argc, argv, &command)) {
        (void)fputs(usage, stderr);
        return EXIT_USAGE;
    }
    if (command.help) {
        (void)fputs(usage, stdout);
        (void)fputs(help, stdout);
        return EXIT_SUCCESS;
    }
    stopped = interrupt_watch();
    if (command.print)
        return print_all(&command);
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        (void)fputs("trigger: libcurl cannot be used here\n", stderr);
        return EXIT_FAILURE;
    }
    int status = post_with_settings(&command);
    curl_global_cleanup();
    return status;
}
