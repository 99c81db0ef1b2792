#include "auth/user_command.h"

#include "auth/command.h"
#include "auth/password.h"
#include "auth/role.h"
#include "base/text.h"

#include <ctype.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

static const char help[] =
    "usage: frontdesk user add|list|approve|disable|password [EMAIL] [options]\n"
    "\n"
    "  add EMAIL        makes a user who may log in at once; the password is asked for\n"
    "    --name N         name for people\n"
    "    --phone P        phone number\n"
    "    --role R         USER (the default), ADMIN or SUPERADMIN\n"
    "    --all-agents     sees every agent; else those that it is assigned\n"
    "  list             lists users\n"
    "    --status S       those PENDING, APPROVED or REJECTED\n"
    "  approve EMAIL    lets a user log in who waits for it, or was disabled\n"
    "  disable EMAIL    lets it in no more: its tokens stop working within 30 s\n"
    "  password EMAIL   gives it a new password, which is asked for; older tokens die\n"
    "\n"
    "A password is read from the terminal, without showing it, or from the first line of stdin; "
    "it\n"
    "has 8 to 128 characters. The database is that of DATABASE_URL, from the environment or .env.\n"
    "Whoever may run this may do all of it, whatever their role in Frontdesk.\n";

enum { LINE_MAX_BYTES = 1024 };

/* ---- the command line ---- */

struct arguments {
    char *email; /* lower case */
    const char *name, *phone, *role, *status;
    bool all_agents;
};

static bool complain(const char *what)
{
    return command_complain("user", what);
}

static bool take_option(int option, void *into)
{
    struct arguments *a = into;
    enum role ignored;
    switch (option) {
    case 'e':
        a->email = optarg;
        return true;
    case 'n':
        a->name = optarg;
        return text_fits(optarg, 0, 120) || complain("--name has at most 120 characters");
    case 'p':
        a->phone = optarg;
        return text_fits(optarg, 0, 40) || complain("--phone has at most 40 characters");
    case 'r':
        a->role = optarg;
        return role_parse(optarg, &ignored) || complain("--role is USER, ADMIN or SUPERADMIN");
    case 's':
        a->status = optarg;
        return text_is_choice("PENDING|APPROVED|REJECTED", optarg) ||
               complain("--status is PENDING, APPROVED or REJECTED");
    case 'a':
        a->all_agents = true;
        return true;
    default:
        return false;
    }
}

/* Reads argv, of which `letters` names the options that this verb takes. */
static bool read_arguments(int argc, char **argv, const char *letters, bool wants_email,
                           struct arguments *a)
{
    static const struct option options[] = {
        {"all-agents", no_argument, NULL, 'a'},
        {"email", required_argument, NULL, 'e'},
        {"name", required_argument, NULL, 'n'},
        {"phone", required_argument, NULL, 'p'},
        {"role", required_argument, NULL, 'r'},
        {"status", required_argument, NULL, 's'},
        {NULL, 0, NULL, 0},
    };
    *a = (struct arguments){.role = role_name(ROLE_USER)};
    if (!command_options(argc, argv, "user", options, letters, take_option, a))
        return false;
    if (wants_email && !a->email && optind < argc)
        a->email = argv[optind++];
    if (optind < argc)
        return complain("too many arguments");
    if (wants_email && !a->email)
        return complain("which user? Name its e-mail");
    for (char *c = a->email; c && *c; c++)
        *c = (char)tolower((unsigned char)*c);
    return !a->email || text_is_email(a->email) || complain("that is no e-mail address");
}

/* ---- the password ---- */

/* Reads a line without its end. false: there is none, or it is too long. */
static bool read_line(char line[LINE_MAX_BYTES])
{
    if (!fgets(line, LINE_MAX_BYTES, stdin))
        return false;
    size_t len = strlen(line);
    bool whole = (len && line[len - 1] == '\n') || feof(stdin);
    line[strcspn(line, "\r\n")] = '\0';
    return whole;
}

/* What the terminal was like before it was told to show nothing. */
static struct termios terminal;

/* Whoever breaks off gets the terminal back as it was. */
static void give_up(int signal_number)
{
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &terminal);
    _exit(128 + signal_number);
}

/* Hides first and asks then, so that nothing typed after the question is seen or lost. */
static bool ask(const char *prompt, char line[LINE_MAX_BYTES])
{
    if (tcgetattr(STDIN_FILENO, &terminal))
        return false;
    struct termios silent = terminal;
    silent.c_lflag &= ~(tcflag_t)ECHO;
    (void)signal(SIGINT, give_up);
    (void)signal(SIGTERM, give_up);
    (void)signal(SIGHUP, give_up);
    if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent))
        return false;
    (void)fputs(prompt, stderr);
    bool good = read_line(line);
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &terminal);
    (void)fputc('\n', stderr);
    return good;
}

/* Asks for a password and hashes it. false: stderr says why. */
static bool read_password(char hash[PASSWORD_HASH_SIZE])
{
    char password[LINE_MAX_BYTES] = {0};
    char again[LINE_MAX_BYTES] = {0};
    const char *problem = NULL;
    if (!isatty(STDIN_FILENO)) {
        if (!read_line(password))
            problem = "give the password on stdin, or run this in a terminal";
    } else if (!ask("Password: ", password) || !ask("The same again: ", again)) {
        problem = "the password could not be read";
    } else if (strcmp(password, again) != 0) {
        problem = "these were two different passwords";
    }
    if (!problem && (!text_fits(password, PASSWORD_MIN, PASSWORD_MAX) ||
                     strspn(password, " \t") == strlen(password)))
        problem = "a password has 8 to 128 characters, and not only spaces";
    if (!problem && password_hash_here(password, hash))
        problem = "short of memory";
    explicit_bzero(password, sizeof password);
    explicit_bzero(again, sizeof again);
    if (problem)
        (void)fprintf(stderr, "frontdesk user: %s\n", problem);
    return !problem;
}

/* ---- the verbs ---- */

/* The id of the user of that e-mail, to be freed; NULL: stderr says why. */
static char *find_user(struct command_db *db, const char *email)
{
    const struct db_param params[] = {db_text(email)};
    struct db_result *result = command_run(db, STATEMENT_USER_ID, params);
    char *id = result && db_rows(result) == 1 ? strdup(db_value(result, 0, 0)) : NULL;
    if (result && !id)
        (void)fprintf(stderr, "frontdesk user: there is no user %s\n", email);
    db_result_free(result);
    return id;
}

static int run_add(int argc, char **argv)
{
    struct arguments a;
    struct command_db db = {0};
    char hash[PASSWORD_HASH_SIZE];
    struct db_result *result = NULL;
    int status = COMMAND_FAILED;
    if (!read_arguments(argc, argv, "enpra", true, &a))
        return COMMAND_USAGE;
    if (command_open(&db) && read_password(hash)) {
        const struct db_param params[] = {db_text(a.email),
                                          db_text(a.name),
                                          db_text(a.phone),
                                          db_text(hash),
                                          db_text(a.role),
                                          db_text("APPROVED"),
                                          db_text(a.all_agents ? "true" : "false")};
        result = command_run(&db, STATEMENT_USER_ADD, params);
    }
    if (result && strcmp(db_value(result, 0, 0), "ok") == 0) {
        (void)printf("%s\n", db_value(result, 0, 1));
        status = COMMAND_DONE;
    } else if (result) {
        (void)fprintf(stderr, "frontdesk user: there is a user %s already\n", a.email);
    }
    db_result_free(result);
    command_close(&db);
    return status;
}

static int run_list(int argc, char **argv)
{
    static const char *const headings[] = {"EMAIL",  "NAME",    "ROLE", "STATUS",
                                           "AGENTS", "CREATED", "ID"};
    struct arguments a;
    struct command_db db = {0};
    struct db_result *result = NULL;
    if (!read_arguments(argc, argv, "s", false, &a))
        return COMMAND_USAGE;
    const struct db_param params[] = {db_text(a.status)};
    if (command_open(&db))
        result = command_run(&db, STATEMENT_USERS_ALL, params);
    if (result)
        command_print(result, headings, sizeof headings / sizeof headings[0]);
    int status = result ? COMMAND_DONE : COMMAND_FAILED;
    db_result_free(result);
    command_close(&db);
    return status;
}

static int set_status(int argc, char **argv, const char *wanted)
{
    struct arguments a;
    struct command_db db = {0};
    struct db_result *result = NULL;
    int status = COMMAND_FAILED;
    if (!read_arguments(argc, argv, "e", true, &a))
        return COMMAND_USAGE;
    char *id = command_open(&db) ? find_user(&db, a.email) : NULL;
    const struct db_param params[] = {db_text(NULL), db_text(role_name(ROLE_SUPERADMIN)),
                                      db_text(id),   db_text(NULL),
                                      db_text(NULL), db_text(wanted),
                                      db_text(NULL)};
    if (id)
        result = command_run(&db, STATEMENT_USER_CHANGE, params);
    const char *outcome = result ? db_value(result, 0, 0) : "";
    if (strcmp(outcome, "ok") == 0) {
        (void)printf("%s is %s\n", a.email, wanted);
        status = COMMAND_DONE;
    } else if (strcmp(outcome, "last") == 0) {
        (void)fputs("frontdesk user: that is the last superadmin; make another one first\n",
                    stderr);
    } else if (result) {
        (void)fprintf(stderr, "frontdesk user: refused: %s\n", outcome);
    }
    db_result_free(result);
    free(id);
    command_close(&db);
    return status;
}

static int run_approve(int argc, char **argv)
{
    return set_status(argc, argv, "APPROVED");
}

static int run_disable(int argc, char **argv)
{
    return set_status(argc, argv, "REJECTED");
}

static int run_password(int argc, char **argv)
{
    struct arguments a;
    struct command_db db = {0};
    char hash[PASSWORD_HASH_SIZE];
    struct db_result *result = NULL;
    if (!read_arguments(argc, argv, "e", true, &a))
        return COMMAND_USAGE;
    char *id = command_open(&db) ? find_user(&db, a.email) : NULL;
    if (id && read_password(hash)) {
        const struct db_param params[] = {db_text(id), db_text(NULL), db_text(hash)};
        result = command_run(&db, STATEMENT_USER_SET_PASSWORD, params);
    }
    int status = result && db_rows(result) == 1 ? COMMAND_DONE : COMMAND_FAILED;
    if (status == COMMAND_DONE)
        (void)printf("%s has a new password; log in again\n", a.email);
    db_result_free(result);
    free(id);
    command_close(&db);
    return status;
}

int user_main(int argc, char **argv)
{
    static const struct command_verb verbs[] = {{"add", run_add},
                                                {"list", run_list},
                                                {"approve", run_approve},
                                                {"disable", run_disable},
                                                {"password", run_password}};
    return command_dispatch(argc, argv, verbs, sizeof verbs / sizeof verbs[0], help);
}
