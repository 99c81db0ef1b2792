#include "auth/key_command.h"

#include "auth/api_key.h"
#include "auth/command.h"
#include "auth/role.h"
#include "base/clock.h"
#include "base/text.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

static const char help[] =
    "usage: frontdesk key create|list|revoke [NAME|ID] [options]\n"
    "\n"
    "  create NAME      makes a key for a program, and prints it this once\n"
    "    --role R         USER (the default) reads; ADMIN manages\n"
    "    --agent A        a USER key sees this agent only; may be given several times\n"
    "    --expires T      when it stops working: a date, or a time with its zone (default: never)\n"
    "  list             lists keys, never themselves\n"
    "  revoke ID        ends a key; it stops working within 30 s\n"
    "\n"
    "The key goes to stdout alone, so that it can be put where it is needed. The database is that "
    "of\n"
    "DATABASE_URL, from the environment or .env.\n";

enum { MAX_AGENTS = 500 };

struct arguments {
    const char *subject; /* a name, or an id */
    const char *role;
    struct buf agents; /* a JSON array; empty: all */
    size_t agent_count;
    char expires[CLOCK_ISO_SIZE]; /* "": never */
};

static bool complain(const char *what)
{
    return command_complain("key", what);
}

static bool add_agent(struct arguments *a, const char *agent)
{
    if (!text_fits(agent, 1, 500) || a->agent_count == MAX_AGENTS)
        return complain("--agent is given up to 500 times, with 1 to 500 characters");
    buf_puts(&a->agents, a->agent_count++ ? "," : "[");
    buf_json_string(&a->agents, agent, strlen(agent));
    return true;
}

static bool set_expiry(struct arguments *a, const char *text)
{
    int64_t ms = 0;
    if (!clock_parse(text, &ms) || ms <= clock_wall_ms())
        return complain("--expires is a time to come, such as 2030-01-01");
    clock_iso(ms, a->expires);
    return true;
}

static bool take_option(int option, void *into)
{
    struct arguments *a = into;
    switch (option) {
    case 'a':
        return add_agent(a, optarg);
    case 'e':
        return set_expiry(a, optarg);
    case 'n':
        a->subject = optarg;
        return true;
    case 'r':
        a->role = optarg;
        return text_is_choice("USER|ADMIN", optarg) || complain("--role is USER or ADMIN");
    default:
        return false;
    }
}

/* Reads argv, of which `letters` names the options that this verb takes. */
static bool read_arguments(int argc, char **argv, const char *letters, struct arguments *a)
{
    static const struct option options[] = {
        {"agent", required_argument, NULL, 'a'},
        {"expires", required_argument, NULL, 'e'},
        {"name", required_argument, NULL, 'n'},
        {"role", required_argument, NULL, 'r'},
        {NULL, 0, NULL, 0},
    };
    *a = (struct arguments){.role = role_name(ROLE_USER)};
    if (!command_options(argc, argv, "key", options, letters, take_option, a))
        return false;
    if (!a->subject && optind < argc)
        a->subject = argv[optind++];
    if (optind < argc)
        return complain("too many arguments");
    if (a->agent_count)
        buf_puts(&a->agents, "]");
    if (a->agent_count && strcmp(a->role, role_name(ROLE_ADMIN)) == 0)
        return complain("--agent goes with the role USER only: an ADMIN key sees all agents");
    return !a->agents.failed;
}

static int create(const struct arguments *a)
{
    char key[API_KEY_LEN + 1];
    unsigned char digest[API_KEY_DIGEST_SIZE];
    struct command_db db = {0};
    struct db_result *result = NULL;
    int status = COMMAND_FAILED;
    if (api_key_make(key, digest)) {
        (void)fputs("frontdesk key: the system gives no random numbers\n", stderr);
        return status;
    }
    const struct db_param params[] = {
        db_text(a->subject),
        db_text(a->role),
        db_text(a->agents.data),
        db_text(a->expires[0] ? a->expires : NULL),
        {.data = key, .len = API_KEY_SHOWN, .binary = true},
        {.data = (const char *)digest, .len = sizeof digest, .binary = true},
        db_text(NULL)};
    if (command_open(&db))
        result = command_run(&db, STATEMENT_KEY_ADD, params);
    if (result && db_value(result, 0, 0)) {
        (void)fputs("This is the key; it is shown this once:\n", stderr);
        (void)printf("%s\n", key);
        status = COMMAND_DONE;
    } else if (result) {
        (void)fprintf(stderr, "frontdesk key: these are no agents: %s\n", db_value(result, 0, 1));
    }
    db_result_free(result);
    command_close(&db);
    return status;
}

static int run_create(int argc, char **argv)
{
    struct arguments a = {0};
    int status = COMMAND_USAGE;
    bool good = read_arguments(argc, argv, "aenr", &a);
    if (good && (!a.subject || !text_fits(a.subject, 1, 120)))
        (void)complain("what is the key for? Name it, with 1 to 120 characters");
    else if (good)
        status = create(&a);
    buf_free(&a.agents);
    return status;
}

static int run_list(int argc, char **argv)
{
    static const char *const headings[] = {"ID",     "NAME",    "ROLE",    "PREFIX",
                                           "AGENTS", "CREATED", "EXPIRES", "LAST USED"};
    struct command_db db = {0};
    struct db_result *result = NULL;
    struct arguments a = {0};
    if (!read_arguments(argc, argv, "", &a))
        return COMMAND_USAGE;
    if (a.subject) {
        (void)complain("too many arguments");
        return COMMAND_USAGE;
    }
    if (command_open(&db))
        result = command_run(&db, STATEMENT_KEYS_ALL, NULL);
    if (result)
        command_print(result, headings, sizeof headings / sizeof headings[0]);
    int status = result ? COMMAND_DONE : COMMAND_FAILED;
    db_result_free(result);
    command_close(&db);
    return status;
}

static int run_revoke(int argc, char **argv)
{
    struct command_db db = {0};
    struct db_result *result = NULL;
    struct arguments a = {0};
    if (!read_arguments(argc, argv, "", &a))
        return COMMAND_USAGE;
    if (!a.subject || !text_is_uuid(a.subject)) {
        (void)complain("which key? Name its ID, as `frontdesk key list` shows it");
        return COMMAND_USAGE;
    }
    const struct db_param params[] = {db_text(a.subject)};
    if (command_open(&db))
        result = command_run(&db, STATEMENT_KEY_REMOVE, params);
    int status = result && db_rows(result) == 1 ? COMMAND_DONE : COMMAND_FAILED;
    if (status == COMMAND_DONE)
        (void)puts("revoked");
    else if (result)
        (void)fputs("frontdesk key: there is no such key\n", stderr);
    db_result_free(result);
    command_close(&db);
    return status;
}

int key_main(int argc, char **argv)
{
    static const struct command_verb verbs[] = {
        {"create", run_create}, {"list", run_list}, {"revoke", run_revoke}};
    return command_dispatch(argc, argv, verbs, sizeof verbs / sizeof verbs[0], help);
}
