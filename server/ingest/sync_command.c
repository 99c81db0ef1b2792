#include "base/buf.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/interrupt.h"
#include "base/progress.h"
#include "ingest/commands.h"
#include "ingest/poller.h"
#include "ingest/sync.h"
#include "retell/url.h"

#include <curl/curl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct options {
    const char *agent;
    int64_t since_ms;
};

static void show_progress(void *user, const struct sync_counts *counts)
{
    char more[64] = "";
    if (counts->fetched)
        (void)snprintf(more, sizeof more, ", %" PRId64 " transcripts", counts->fetched);
    progress_show(user, (uint64_t)counts->listed,
                  counts->expected > 0 ? (uint64_t)counts->expected : 0, more);
}

static int report_end(const struct sync_report *report)
{
    const struct sync_counts *calls = &report->calls;
    bool good = report->outcome == SYNC_DONE && calls->failed == 0;
    if (report->message[0])
        (void)fprintf(stderr, "sync: %s\n", report->message);
    if (report->outcome == SYNC_BUSY || report->outcome == SYNC_NO_DATABASE)
        return COMMAND_FAILED;
    (void)printf("%" PRId64 " calls listed, %" PRId64 " fetched: %" PRId64 " new, %" PRId64
                 " changed, %" PRId64 " failed\n",
                 calls->listed, calls->fetched, calls->added, calls->changed, calls->failed);
    if (report->outcome != SYNC_DONE)
        (void)fputs("sync: not finished; run it again to go on from here\n", stderr);
    return fflush(stdout) == 0 && good ? COMMAND_DONE : COMMAND_FAILED;
}

static int sync_now(const struct config *config, const struct sync_order *order,
                    const atomic_bool *stopped)
{
    struct progress progress = {.command = "sync", .unit = "calls"};
    const struct retell_client_options client = {.base_url = config->retell_base_url,
                                                 .key = config->retell_api_key,
                                                 .parallel = POLLER_PARALLEL,
                                                 .stop = stopped};
    struct sync_options options = {.database_url = config->database_url,
                                   .client = retell_client_new(&client),
                                   .window_ms = config->poll_window_hours * 3600000,
                                   .stop = stopped,
                                   .progress = show_progress,
                                   .user = &progress};
    struct sync_report report;
    if (!options.client) {
        (void)fputs("sync: out of memory\n", stderr);
        return COMMAND_FAILED;
    }
    sync_run(&options, order, &report);
    progress_end(&progress);
    retell_client_free(options.client);
    return report_end(&report);
}

static int run(const struct command_line *line)
{
    struct options given = {.since_ms = -1};
    struct config config;
    struct buf errors = {0};
    int status = COMMAND_FAILED;
    if (!command_read(line, &given))
        return COMMAND_USAGE;
    if (given.agent && strlen(given.agent) >= SYNC_AGENT_SIZE)
        return command_complain(line, "--agent is too long");
    struct sync_order order = {.since_ms = given.since_ms, .forced = true};
    (void)snprintf(order.agent_id, sizeof order.agent_id, "%s", given.agent ? given.agent : "");
    const atomic_bool *stopped = interrupt_watch();
    (void)signal(SIGPIPE, SIG_IGN);
    bool good = !config_read(&config, &errors);
    const char *problem = good ? url_base_problem(config.retell_base_url) : NULL;
    if (problem)
        buf_printf(&errors, "RETELL_BASE_URL: %s\n", problem);
    if (good && !problem && curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK) {
        status = sync_now(&config, &order, stopped);
        curl_global_cleanup();
    } else {
        (void)fprintf(stderr, "sync: cannot begin:\n%s", errors.data ? errors.data : "libcurl\n");
    }
    config_free(&config);
    buf_free(&errors);
    return status;
}

static const struct command_option options[] = {
    {.name = "agent",
     .label = "A",
     .about = "only the calls of this agent",
     .kind = COMMAND_TEXT,
     .offset = offsetof(struct options, agent),
     .lo = 1,
     .hi = SYNC_AGENT_SIZE - 1},
    {.name = "since",
     .label = "T",
     .about =
         "calls that started or ended since T: a date (2026-03-01), an ISO 8601 time with its\n"
         "zone, or ms since the epoch",
     .kind = COMMAND_TIME,
     .offset = offsetof(struct options, since_ms)},
};

const struct command sync_command = {
    .name = "sync",
    .summary = "ask Retell now for what is new",
    .about = "Asks Retell for calls and agents and stores what is new, now: all since the last\n"
             "time, and what has changed in the last POLL_WINDOW_HOURS; on an empty database, the\n"
             "whole history. A run that was interrupted goes on where it was. The server does the\n"
             "same by itself, every POLL_INTERVAL_SECONDS; only one of them runs at a time.",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .settings = "those of the server, of which it uses DATABASE_URL, RETELL_API_KEY,\n"
                "RETELL_BASE_URL and POLL_WINDOW_HOURS",
    .examples = "frontdesk sync                       what is new, and what has changed\n"
                "frontdesk sync --since 2026-03-01    all calls since that day\n"
                "frontdesk sync --agent agent_1       the calls of one agent",
    .done = "Retell's and the database's calls are the same",
    .run = run,
};
