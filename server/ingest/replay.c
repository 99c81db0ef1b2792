#include "base/buf.h"
#include "base/clock.h"
#include "base/interrupt.h"
#include "base/progress.h"
#include "db/command_db.h"
#include "ingest/commands.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STEP_MS = 60000, COUNT_MS = 600000 };

/* Calls and events of one step: few, so that webhooks of the same calls wait for moments only. */
static const char step_size[] = "16";

struct options {
    int64_t from_ms, to_ms;
    bool dead;
};

struct replay {
    struct command_db db;
    const atomic_bool *stopped;
    struct options options;
    char from[CLOCK_ISO_SIZE], to[CLOCK_ISO_SIZE];
    int64_t size; /* events to replay */
    int64_t events, calls, changed, dead, revived;
    struct progress progress;
};

static int64_t number(const struct db_result *result, int column)
{
    const char *text = db_value(result, 0, column);
    return text ? strtoll(text, NULL, 10) : 0;
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
        const struct db_param params[] = {db_text(r->from), db_text(r->to),
                                          db_text(agent.data ? agent.data : ""),
                                          db_text(call.data ? call.data : ""), db_text(step_size)};
        struct db_result *result = command_db_run(&r->db, STATEMENT_REPLAY_CALLS, params, STEP_MS);
        good = result;
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
        const struct db_param params[] = {db_text(r->from), db_text(r->to),
                                          db_text(digest.data ? digest.data : ""),
                                          db_text(step_size)};
        struct db_result *result = command_db_run(&r->db, STATEMENT_REPLAY_DEAD, params, STEP_MS);
        good = result;
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
    const struct db_param params[] = {db_text(r->from), db_text(r->to),
                                      db_text(r->options.dead ? "true" : "false")};
    struct db_result *result = command_db_run(&r->db, STATEMENT_REPLAY_SIZE, params, COUNT_MS);
    if (result)
        r->size = number(result, 0);
    db_result_free(result);
    return result;
}

static int replay(struct replay *r)
{
    bool good = measure(r) && (r->options.dead || replay_calls(r)) && replay_dead(r);
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
    return fflush(stdout) == 0 && good && !atomic_load(r->stopped) && !still ? COMMAND_DONE
                                                                             : COMMAND_FAILED;
}

static int run(const struct command_line *line)
{
    struct replay r = {.options = {.from_ms = 0,
                                   /* the database's clock may be ahead */
                                   .to_ms = clock_wall_ms() + 60000},
                       .progress = {.command = "replay", .unit = "events"}};
    if (!command_read(line, &r.options))
        return COMMAND_USAGE;
    if (r.options.from_ms >= r.options.to_ms)
        return command_complain(line,
                                "--from must be before --to, which is now unless it is given");
    clock_iso(r.options.from_ms, r.from);
    clock_iso(r.options.to_ms, r.to);
    r.stopped = interrupt_watch();
    int status = COMMAND_FAILED;
    if (command_db_open(&r.db, line, "-c lock_timeout=10s"))
        status = replay(&r);
    command_db_close(&r.db);
    return status;
}

static const struct command_option options[] = {
    {.name = "from",
     .label = "T",
     .about =
         "events that were received from T on: a date (2026-03-01), an ISO 8601 time with its\n"
         "zone, or ms since the epoch (default: all)",
     .kind = COMMAND_TIME,
     .offset = offsetof(struct options, from_ms)},
    {.name = "to",
     .label = "T",
     .about = "events that were received before T (default: until now)",
     .kind = COMMAND_TIME,
     .offset = offsetof(struct options, to_ms)},
    {.name = "dead",
     .about = "only the events that were not understood",
     .kind = COMMAND_FLAG,
     .offset = offsetof(struct options, dead)},
};

const struct command replay_command = {
    .name = "replay",
    .summary = "merge again what the journal has",
    .about =
        "Merges again what the journal has, as if it came now: what was stored and understood\n"
        "gives the same calls as before, and events that were dead are tried again. Safe at\n"
        "any time, also while the server runs, and twice.",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .settings = COMMAND_DB_SETTINGS,
    .examples = "frontdesk replay --dead                               after an upgrade\n"
                "frontdesk replay --from 2026-03-01 --to 2026-03-02    all of that day",
    .done = "all was replayed and nothing is dead",
    .run = run,
};
