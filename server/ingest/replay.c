#include "base/buf.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/interrupt.h"
#include "base/progress.h"
#include "db/conn.h"
#include "ingest/commands.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXIT_USAGE = 2, CONNECT_MS = 5000, STEP_MS = 60000, COUNT_MS = 600000 };

/* Calls and events of one step: few, so that webhooks of the same calls wait for moments only. */
static const char step_size[] = "16";

static const char usage[] = "usage: frontdesk replay [--from T] [--to T] [--dead]\n";

static const char help[] =
    "\n"
    "Merges again what the journal has, as if it came now: what was stored and understood gives\n"
    "the same calls as before, and events that were dead are tried again. Safe at any time, also\n"
    "while the server runs, and twice.\n"
    "\n"
    "  --from T   events that were received from T on: a date (2026-03-01), an ISO 8601 time with\n"
    "             its zone, or ms since the epoch (default: all)\n"
    "  --to T     events that were received before T (default: until now)\n"
    "  --dead     only the events that were not understood\n"
    "  --help     this text\n"
    "\n"
    "Takes the setting DATABASE_URL from the environment, else from .env. Exits with 0 when all\n"
    "was replayed and nothing is dead, 1 when not, 2 when the command line makes no sense.\n";

struct replay {
    struct db_conn *conn;
    const atomic_bool *stopped;
    char from[CLOCK_ISO_SIZE], to[CLOCK_ISO_SIZE];
    bool dead_only;
    int64_t size; /* events to replay */
    int64_t events, calls, changed, dead, revived;
    struct progress progress;
};

static int64_t number(const struct db_result *result, int column)
{
    const char *text = db_value(result, 0, column);
    return text ? strtoll(text, NULL, 10) : 0;
}

static bool exec(struct replay *r, enum statement statement, const struct db_param *params,
                 int64_t ms, struct db_result **result)
{
    enum err err = db_conn_exec(r->conn, statement, params, clock_mono_ms() + ms, result);
    /* What stood in the way for a moment, such as a lock, is gone the second time. */
    if (err && db_conn_usable(r->conn))
        err = db_conn_exec(r->conn, statement, params, clock_mono_ms() + ms, result);
    if (err)
        (void)fprintf(stderr, "replay: the database did not take it: %s\n", db_conn_error(r->conn));
    return !err;
}

static void show(struct replay *r)
{
    progress_show(&r->progress, (uint64_t)(r->events + r->dead), (uint64_t)r->size, "");
}

/* Copies a value for the next step; the result that it points into goes. */
static bool keep(struct buf *out, const struct db_result *result, int column)
{
    const char *text = db_value(result, 0, column);
    out->len = 0;
    buf_puts(out, text ? text : "");
    return !out->failed;
}

static bool replay_calls(struct replay *r)
{
    enum { LAST_AGENT, LAST_CALL, EVENTS, CALLS, CHANGED };
    struct buf agent = {0}, call = {0};
    bool good = true;
    for (int64_t calls = 1; good && calls > 0 && !atomic_load(r->stopped);) {
        struct db_result *result = NULL;
        const struct db_param params[] = {db_text(r->from), db_text(r->to),
                                          db_text(agent.data ? agent.data : ""),
                                          db_text(call.data ? call.data : ""), db_text(step_size)};
        good = exec(r, STATEMENT_REPLAY_CALLS, params, STEP_MS, &result);
        if (good) {
            calls = number(result, CALLS);
            r->calls += calls;
            r->events += number(result, EVENTS);
            r->changed += number(result, CHANGED);
            good = keep(&agent, result, LAST_AGENT) && keep(&call, result, LAST_CALL);
            show(r);
        }
        db_result_free(result);
    }
    buf_free(&agent);
    buf_free(&call);
    return good;
}

static bool replay_dead(struct replay *r)
{
    enum { LAST_DIGEST, EVENTS, REVIVED };
    struct buf digest = {0};
    bool good = true;
    for (int64_t events = 1; good && events > 0 && !atomic_load(r->stopped);) {
        struct db_result *result = NULL;
        const struct db_param params[] = {db_text(r->from), db_text(r->to),
                                          db_text(digest.data ? digest.data : ""),
                                          db_text(step_size)};
        good = exec(r, STATEMENT_REPLAY_DEAD, params, STEP_MS, &result);
        if (good) {
            events = number(result, EVENTS);
            r->dead += events;
            r->revived += number(result, REVIVED);
            good = keep(&digest, result, LAST_DIGEST);
            show(r);
        }
        db_result_free(result);
    }
    buf_free(&digest);
    return good;
}

static bool measure(struct replay *r)
{
    struct db_result *result = NULL;
    const struct db_param params[] = {db_text(r->from), db_text(r->to),
                                      db_text(r->dead_only ? "true" : "false")};
    bool good = exec(r, STATEMENT_REPLAY_SIZE, params, COUNT_MS, &result);
    if (good)
        r->size = number(result, 0);
    db_result_free(result);
    return good;
}

static int run(struct replay *r, const char *url)
{
    char *message = NULL;
    enum err err = db_conn_open(url, "frontdesk-replay", "-c lock_timeout=10s",
                                clock_mono_ms() + CONNECT_MS, &r->conn, &message);
    if (err) {
        (void)fprintf(stderr, "replay: no connection to DATABASE_URL: %s\n",
                      message ? message : err_name(err));
        free(message);
        return EXIT_FAILURE;
    }
    bool good = measure(r) && (r->dead_only || replay_calls(r)) && replay_dead(r);
    db_conn_close(r->conn);
    progress_end(&r->progress);
    int64_t still = r->dead - r->revived;
    (void)printf("%" PRId64 " events of %" PRId64 " calls merged again: %" PRId64
                 " calls changed; %" PRId64 " dead events tried again: %" PRId64 " are understood "
                 "now, %" PRId64 " are still dead\n",
                 r->events, r->calls, r->changed, r->dead, r->revived, still);
    if (atomic_load(r->stopped))
        (void)fputs("replay: interrupted; run it again for the rest\n", stderr);
    if (still)
        (void)fputs("replay: journal.error says why an event is dead: SELECT event, error FROM "
                    "frontdesk.journal WHERE state = 'dead'\n",
                    stderr);
    return fflush(stdout) == 0 && good && !atomic_load(r->stopped) && !still ? EXIT_SUCCESS
                                                                             : EXIT_FAILURE;
}

static bool read_time(const char *name, const char *text, char out[CLOCK_ISO_SIZE])
{
    int64_t ms = 0;
    if (clock_parse(text, &ms) && ms >= 0) {
        clock_iso(ms, out);
        return true;
    }
    (void)fprintf(stderr, "replay: --%s %s is no time; see --help\n", name, text);
    return false;
}

static bool read_command(int argc, char **argv, struct replay *r, bool *wants_help)
{
    static const struct option options[] = {{"dead", no_argument, NULL, 'd'},
                                            {"from", required_argument, NULL, 'f'},
                                            {"help", no_argument, NULL, 'h'},
                                            {"to", required_argument, NULL, 't'},
                                            {NULL, 0, NULL, 0}};
    clock_iso(0, r->from);
    clock_iso(clock_wall_ms() + 60000, r->to); /* the database's clock may be ahead */
    optind = 0;                                /* glibc: begin anew */
    for (int option; (option = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
        bool good = true;
        if (option == 'd')
            r->dead_only = true;
        else if (option == 'h')
            *wants_help = true;
        else if (option == 'f')
            good = read_time("from", optarg, r->from);
        else /* for any other, getopt has said what is wrong */
            good = option == 't' && read_time("to", optarg, r->to);
        if (!good)
            return false;
    }
    if (optind != argc)
        (void)fprintf(stderr, "replay: unknown argument `%s`\n", argv[optind]);
    return optind == argc;
}

int replay_main(int argc, char **argv)
{
    struct replay replay = {.progress = {.command = "replay", .unit = "events"}};
    struct buf errors = {0};
    bool wants_help = false;
    int status = EXIT_FAILURE;
    if (!read_command(argc, argv, &replay, &wants_help)) {
        (void)fputs(usage, stderr);
        return EXIT_USAGE;
    }
    if (wants_help) {
        (void)fputs(usage, stdout);
        (void)fputs(help, stdout);
        return EXIT_SUCCESS;
    }
    replay.stopped = interrupt_watch();
    struct config_source *source = config_source_open(&errors);
    const char *url = source ? config_lookup(source, "DATABASE_URL", &errors) : NULL;
    if (url)
        status = run(&replay, url);
    else
        (void)fprintf(stderr, "replay: %s",
                      errors.data ? errors.data : "DATABASE_URL: is missing; set it\n");
    config_source_free(source);
    buf_free(&errors);
    return status;
}
