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

/* What --status and --running set. */
struct flags {
    bool given;
};

static int run_serve(const struct command_line *line)
{
    return command_read(line, NULL) ? serve_run() : COMMAND_USAGE;
}

static int run_check(const struct command_line *line)
{
    struct flags running = {false};
    if (!command_read(line, &running))
        return COMMAND_USAGE;
    return running.given ? check_running() : check_run();
}

static int run_routes(const struct command_line *line)
{
    if (!command_read(line, NULL))
        return COMMAND_USAGE;
    routes_print(stdout);
    return COMMAND_DONE;
}

static int run_version(const struct command_line *line)
{
    if (!command_read(line, NULL))
        return COMMAND_USAGE;
    (void)printf("frontdesk %s\n", FRONTDESK_VERSION);
    return COMMAND_DONE;
}

static int run_migrate(const struct command_line *line)
{
    struct flags status = {false};
    if (!command_read(line, &status))
        return COMMAND_USAGE;

    struct buf said = {0};
    struct config_source *source = config_source_open(&said);
    const char *url = source ? config_value(source, "MIGRATION_DATABASE_URL", &said) : NULL;
    enum err err = url ? ERR_OK : ERR_INVALID;
    if (!url && !said.len)
        buf_puts(&said, "set MIGRATION_DATABASE_URL or DATABASE_URL\n");
    if (!err)
        err = status.given ? migrate_status(url, &said) : migrate_run(url, &said);
    (void)fputs(said.data ? said.data : "", err ? stderr : stdout);
    config_source_free(source);
    buf_free(&said);
    return err ? COMMAND_FAILED : COMMAND_DONE;
}

static const struct command serve_command = {
    .name = "serve",
    .summary = "take webhooks, serve dashboards",
    .about = "Serves until SIGTERM or SIGINT, then answers what it has accepted and stops. SIGHUP\n"
             "makes it open the files of LOG_DIR anew, after they were moved aside.",
    .settings =
        "all that env.example lists; those without a default: DATABASE_URL, RETELL_API_KEY,\n"
        "API_AUTH_KEY, and in production JWT_SECRET",
    .examples = "frontdesk serve\n"
                "PORT=3910 LOG_FORMAT=text frontdesk serve",
    .done = "it was asked to end and did",
    .run = run_serve,
};

static const struct command_option migrate_options[] = {
    {.name = "status",
     .about = "list all migrations and whether they are applied, and change nothing",
     .kind = COMMAND_FLAG,
     .offset = offsetof(struct flags, given)},
};

static const struct command migrate_command = {
    .name = "migrate",
    .summary = "bring the database's schema up to date",
    .about = "Applies the migrations that the database lacks. Running it twice is safe.",
    .options = migrate_options,
    .option_count = sizeof migrate_options / sizeof migrate_options[0],
    .settings = "MIGRATION_DATABASE_URL  the database, as the role that owns its tables (default:\n"
                "                        DATABASE_URL)",
    .examples = "frontdesk migrate\n"
                "frontdesk migrate --status",
    .done = "the schema is what this version needs",
    .run = run_migrate,
};

static const struct command_option check_options[] = {
    {.name = "running",
     .about = "ask the server that runs here whether it is ready, and nothing else",
     .kind = COMMAND_FLAG,
     .offset = offsetof(struct flags, given)},
};

static const struct command check_command = {
    .name = "check",
    .summary = "say whether it can serve here, and what to do if not",
    .about = "Looks at the settings, the database, the extension, the schema, Retell's key, the\n"
             "clock and the disk, and changes nothing. Each gets a line: ok; warn, for what works\n"
             "now and may not for long; FAIL, with what to do.",
    .options = check_options,
    .option_count = sizeof check_options / sizeof check_options[0],
    .settings = "those of the server; --running needs ADMIN_PORT and ADMIN_HOST only",
    .examples = "frontdesk check\n"
                "frontdesk check --running    what a container's health check runs",
    .done = "nothing failed",
    .run = run_check,
};

static const struct command routes_command = {
    .name = "routes",
    .summary = "print every endpoint",
    .about =
        "Prints the table of the main port's endpoints as JSON: method, pattern, who may call it\n"
        "(public, signed, reader, person, admin, superadmin) and what of it counts against the\n"
        "rate limit (requests, failures, none).",
    .done = "they are printed",
    .run = run_routes,
};

static const struct command version_command = {
    .name = "version",
    .summary = "print the version",
    .done = "it is printed",
    .run = run_version,
};

static const struct command *const commands[] = {
    &serve_command, &migrate_command, &check_command, &routes_command,  &user_command,
    &key_command,   &replay_command,  &sync_command,  &trigger_command, &version_command,
};

static const struct command frontdesk = {
    .name = "frontdesk",
    .about =
        "The back end of an AI receptionist's dashboard: takes Retell's webhooks, serves calls.",
    .verbs = commands,
    .verb_count = sizeof commands / sizeof commands[0],
};

int main(int argc, char **argv)
{
    return command_main(&frontdesk, argc, argv);
}
