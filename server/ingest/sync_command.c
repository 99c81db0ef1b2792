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
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXIT_USAGE = 2 };

static const char usage[] = "usage: frontdesk sync [--agent A] [--since T]\n";

static const char help[] =
    "\n"
    "Asks Retell for calls and agents and stores what is new, now: all since the last time, and\n"
    "what has changed in the last POLL_WINDOW_HOURS; on an empty database, the whole history. A\n"
    "run that was interrupted goes on where it was. The server does the same by itself, every\n"
    "POLL_INTERVAL_SECONDS; only one of them runs at a time.\n"
    "\n"
    "  --agent A   only the calls of this agent\n"
    "  --since T   calls that started or ended since T: a date (2026-03-01), an ISO 8601 time "
    "with\n"
    "              its zone, or ms since the epoch\n"
    "  --help      this text\n"
    "\n"
    "Settings come from the environment, else from .env, as for the server. Exits with 0 when\n"
    "Retell's and the database's calls are the same, 1 when not, 2 when the command line makes no\n"
    "sense.\n";

static void show_progress(void *user, const struct sync_counts *counts)
{
    char more[64] = "";
    if (counts->fetched)
        (void)snprintf(more, sizeof more, ", %" PRId64 " transcripts", counts->fetched);
    progress_show(user, (uint64_t)counts->listed,
                  counts->expected > 0 ? (uint64_t)counts->expected : 0, more);
}

static bool read_command(int argc, char **argv, struct sync_order *order, bool *wants_help)
{
    static const struct option options[] = {{"agent", required_argument, NULL, 'a'},
                                            {"help", no_argument, NULL, 'h'},
                                            {"since", required_argument, NULL, 's'},
                                            {NULL, 0, NULL, 0}};
    *order = (struct sync_order){.since_ms = -1, .forced = true};
    optind = 0; /* glibc: begin anew */
    for (int option; (option = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
        if (option == 'h') {
            *wants_help = true;
        } else if (option == 'a' && *optarg && strlen(optarg) < sizeof order->agent_id) {
            (void)snprintf(order->agent_id, sizeof order->agent_id, "%s", optarg);
        } else if (option == 'a') {
            (void)fputs("sync: --agent needs an agent's identifier\n", stderr);
            return false;
        } else if (option != 's') {
            return false; /* getopt has said what is wrong */
        } else if (!clock_parse(optarg, &order->since_ms) || order->since_ms < 0) {
            (void)fprintf(stderr, "sync: --since %s is no time; see --help\n", optarg);
            return false;
        }
    }
    if (optind != argc)
        (void)fprintf(stderr, "sync: unknown argument `%s`\n", argv[optind]);
    return optind == argc;
}

static int report_end(const struct sync_report *report)
{
    const struct sync_counts *calls = &report->calls;
    bool good = report->outcome == SYNC_DONE && calls->failed == 0;
    if (report->message[0])
        (void)fprintf(stderr, "sync: %s\n", report->message);
    if (report->outcome == SYNC_BUSY || report->outcome == SYNC_NO_DATABASE)
        return EXIT_FAILURE;
    (void)printf("%" PRId64 " calls listed, %" PRId64 " fetched: %" PRId64 " new, %" PRId64
                 " changed, %" PRId64 " failed\n",
                 calls->listed, calls->fetched, calls->added, calls->changed, calls->failed);
    if (report->outcome != SYNC_DONE)
        (void)fputs("sync: not finished; run it again to go on from here\n", stderr);
    return fflush(stdout) == 0 && good ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int run(const struct config *config, const struct sync_order *order,
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
        return EXIT_FAILURE;
    }
    sync_run(&options, order, &report);
    progress_end(&progress);
    retell_client_free(options.client);
    return report_end(&report);
}

int sync_main(int argc, char **argv)
{
    struct sync_order order;
    struct config config;
    struct buf errors = {0};
    bool wants_help = false;
    int status = EXIT_FAILURE;
    if (!read_command(argc, argv, &order, &wants_help)) {
        (void)fputs(usage, stderr);
        return EXIT_USAGE;
    }
    if (wants_help) {
        (void)fputs(usage, stdout);
        (void)fputs(help, stdout);
        return EXIT_SUCCESS;
    }
    const atomic_bool *stopped = interrupt_watch();
    (void)signal(SIGPIPE, SIG_IGN);
    bool good = !config_read(&config, &errors);
    const char *problem = good ? url_problem(config.retell_base_url) : NULL;
    if (problem)
        buf_printf(&errors, "RETELL_BASE_URL: %s\n", problem);
    if (good && !problem && curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK) {
        status = run(&config, &order, stopped);
        curl_global_cleanup();
    } else {
        (void)fprintf(stderr, "sync: cannot begin:\n%s", errors.data ? errors.data : "libcurl\n");
    }
    config_free(&config);
    buf_free(&errors);
    return status;
}
