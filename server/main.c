/* The command line, and nothing else: one table of commands. */
#include "api/check.h"
#include "api/routes.h"
#include "api/serve.h"
#include "auth/key_command.h"
#include "auth/user_command.h"
#include "base/buf.h"
#include "base/config.h"
#include "db/migrate.h"
#include "ingest/commands.h"
#include "retell/trigger.h"

#include <stdio.h>
#include <string.h>

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

static int wrong_argument(const char *command, const char *argument)
{
    (void)fprintf(stderr, "frontdesk %s: unknown argument `%s`; see `frontdesk %s --help`\n",
                  command, argument, command);
    return EXIT_USAGE;
}

static int run_serve(int argc, char **argv)
{
    return argc > 1 ? wrong_argument("serve", argv[1]) : serve_run();
}

static int run_check(int argc, char **argv)
{
    bool running = argc > 1 && strcmp(argv[1], "--running") == 0;
    if (argc > 1 + running)
        return wrong_argument("check", argv[1 + running]);
    return running ? check_running() : check_run();
}

static int run_routes(int argc, char **argv)
{
    if (argc > 1)
        return wrong_argument("routes", argv[1]);
    routes_print(stdout);
    return EXIT_DONE;
}

static int run_version(int argc, char **argv)
{
    if (argc > 1)
        return wrong_argument("version", argv[1]);
    (void)printf("frontdesk %s\n", FRONTDESK_VERSION);
    return EXIT_DONE;
}

static int run_migrate(int argc, char **argv)
{
    bool status = argc > 1 && strcmp(argv[1], "--status") == 0;
    if (argc > 1 + status)
        return wrong_argument("migrate", argv[1 + status]);

    struct buf said = {0};
    struct config_source *source = config_source_open(&said);
    const char *url = NULL;
    enum err err = source ? ERR_OK : ERR_INVALID;
    if (!err)
        url = config_lookup(source, "MIGRATION_DATABASE_URL", &said);
    if (!err && !url)
        url = config_lookup(source, "DATABASE_URL", &said);
    if (!err && !url) {
        buf_puts(&said, "set MIGRATION_DATABASE_URL or DATABASE_URL\n");
        err = ERR_INVALID;
    }
    if (!err)
        err = status ? migrate_status(url, &said) : migrate_run(url, &said);
    (void)fputs(said.data ? said.data : "", err ? stderr : stdout);
    config_source_free(source);
    buf_free(&said);
    return err ? EXIT_FAILED : EXIT_DONE;
}

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    bool own_help; /* it answers --help itself */
    const char *summary, *help;
} commands[] = {
    {"serve", run_serve, false, "take webhooks, serve dashboards",
     "usage: frontdesk serve\n\n"
     "Serves until SIGTERM or SIGINT, then answers what it has accepted and stops. Settings come\n"
     "from the environment, else from .env in the working directory; see env.example.\n"},
    {"migrate", run_migrate, false, "bring the database's schema up to date",
     "usage: frontdesk migrate [--status]\n\n"
     "Applies the migrations that the database lacks, as the role of MIGRATION_DATABASE_URL (else\n"
     "DATABASE_URL). Running it twice is safe. --status lists all of them and changes nothing.\n"},
    {"check", run_check, false, "say whether it can serve here, and what to do if not",
     "usage: frontdesk check [--running]\n\n"
     "Looks at the settings, the database, the extension, the schema, Retell's key, the clock and\n"
     "the disk, and changes nothing. Each gets a line: ok; warn, for what works now and may not "
     "for\n"
     "long; FAIL, with what to do. Exits with 0 when nothing failed. --running asks the server "
     "that\n"
     "runs here whether it is ready, and nothing else.\n"},
    {"routes", run_routes, false, "print every endpoint",
     "usage: frontdesk routes\n\n"
     "Prints the table of the main port's endpoints as JSON: method, pattern, who may call it\n"
     "(public, signed, reader, person, admin, superadmin) and what of it counts against the rate\n"
     "limit (requests, failures, none).\n"},
    {"user", user_main, true, "add, list, approve and disable users, set passwords", NULL},
    {"key", key_main, true, "create, list and revoke keys of programs", NULL},
    {"replay", replay_main, true, "merge again what the journal has", NULL},
    {"sync", sync_main, true, "ask Retell now for what is new", NULL},
    {"trigger", trigger_main, true, "make sample calls and post their signed webhooks", NULL},
    {"version", run_version, false, "print the version", "usage: frontdesk version\n"},
};

static int usage(FILE *out, int status)
{
    (void)fputs("usage: frontdesk <command> [options]\n\n", out);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        (void)fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].summary);
    (void)fputs("\n`frontdesk <command> --help` says more of each.\n", out);
    return status;
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return usage(stderr, EXIT_USAGE);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return usage(stdout, EXIT_DONE);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        const struct command *command = &commands[i];
        if (strcmp(argv[1], command->name) != 0)
            continue;
        if (!command->own_help && argc > 2 && strcmp(argv[2], "--help") == 0) {
            (void)fputs(command->help, stdout);
            return EXIT_DONE;
        }
        return command->run(argc - 1, argv + 1);
    }
    (void)fprintf(stderr, "frontdesk: there is no command `%s`\n\n", argv[1]);
    return usage(stderr, EXIT_USAGE);
}
