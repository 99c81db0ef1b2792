#include "auth/user_command.h"

#include "auth/audit.h"
#include "auth/password.h"
#include "auth/role.h"
#include "base/text.h"
#include "db/command_db.h"

#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 1024, PATIENCE_MS = 10000 };

/* ---- the command line ---- */

struct arguments {
    const char *email; /* as it was given */
    const char *name, *phone, *role, *status;
    bool all_agents;
};

#define ROLES "USER|ADMIN|SUPERADMIN"
#define STATUSES "PENDING|APPROVED|REJECTED"

#define EMAIL_OPTION                                                                               \
    {                                                                                              \
        .name = "email", .label = "EMAIL", .about = "another way to give EMAIL",                   \
        .kind = COMMAND_TEXT, .offset = offsetof(struct arguments, email), .lo = 1, .hi = 254      \
    }

static const struct command_option add_options[] = {
    {.name = "role",
     .about = "what the user may do (default: USER)",
     .kind = COMMAND_CHOICE,
     .offset = offsetof(struct arguments, role),
     .choices = ROLES},
    {.name = "all-agents",
     .about = "it sees every agent; else those that it is assigned",
     .kind = COMMAND_FLAG,
     .offset = offsetof(struct arguments, all_agents)},
    {.name = "name",
     .label = "N",
     .about = "its name, for people",
     .kind = COMMAND_TEXT,
     .offset = offsetof(struct arguments, name),
     .hi = 120},
    {.name = "phone",
     .label = "P",
     .about = "its phone number",
     .kind = COMMAND_TEXT,
     .offset = offsetof(struct arguments, phone),
     .hi = 40},
    EMAIL_OPTION,
};

static const struct command_option list_options[] = {
    {.name = "status",
     .about = "only users of that status",
     .kind = COMMAND_CHOICE,
     .offset = offsetof(struct arguments, status),
     .choices = STATUSES},
};

static const struct command_option email_options[] = {EMAIL_OPTION};

/*
 * Reads the command line of a verb that is about one user; `*email`, to be freed, is its e-mail in
 * lower case. false: stderr says why.
 */
static bool read_arguments(const struct command_line *line, struct arguments *a, char **email)
{
    *a = (struct arguments){.role = role_name(ROLE_USER)};
    if (!command_read(line, a))
        return false;
    if (!text_is_email(a->email))
        return !command_complain(line, "`%s` is no e-mail address", a->email);
    *email = strdup(a->email);
    for (char *c = *email; c && *c; c++)
        *c = (char)tolower((unsigned char)*c);
    return *email != NULL;
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
static bool read_password(const struct command_line *line, char hash[PASSWORD_HASH_SIZE])
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
    if (!problem && (!text_fits(password, PASSWORD_MIN, PASSWORD_MAX) || text_is_blank(password)))
        problem = "a password has 8 to 128 characters, and not only spaces";
    if (!problem && password_hash_here(password, hash))
        problem = "short of memory";
    explicit_bzero(password, sizeof password);
    explicit_bzero(again, sizeof again);
    if (problem)
        (void)fprintf(stderr, "%s: %s\n", line->path, problem);
    return !problem;
}

/* ---- the verbs ---- */

/* The id of the user of that e-mail, to be freed; NULL: stderr says why. */
static char *find_user(struct command_db *db, const char *action, const char *email)
{
    const struct db_param params[] = {db_text(email)};
    struct db_result *result = command_db_run(db, STATEMENT_USER_ID, params, PATIENCE_MS);
    char *id = result && db_rows(result) == 1 ? strdup(db_value(result, 0, 0)) : NULL;
    if (result && !id) {
        (void)fprintf(stderr, "%s: there is no user %s\n", db->line->path, email);
        audit_command(db->source, action, NULL, "missing");
    }
    db_result_free(result);
    return id;
}

static int run_add(const struct command_line *line)
{
    enum { OUTCOME, ID };
    struct arguments a;
    char *email = NULL;
    struct command_db db = {0};
    char hash[PASSWORD_HASH_SIZE];
    struct db_result *result = NULL;
    if (!read_arguments(line, &a, &email))
        return COMMAND_USAGE;
    if (command_db_open(&db, line, NULL) && read_password(line, hash)) {
        const struct db_param params[] = {db_text(email),
                                          db_text(a.name),
                                          db_text(a.phone),
                                          db_text(hash),
                                          db_text(a.role),
                                          db_text("APPROVED"),
                                          db_text(a.all_agents ? "true" : "false")};
        result = command_db_run(&db, STATEMENT_USER_ADD, params, PATIENCE_MS);
    }
    bool good = result && strcmp(db_value(result, 0, OUTCOME), "ok") == 0;
    if (good)
        (void)printf("%s\n", db_value(result, 0, ID));
    else if (result)
        (void)fprintf(stderr, "%s: there is a user %s already\n", line->path, email);
    if (result)
        audit_command(db.source, "user.add", good ? db_value(result, 0, ID) : NULL,
                      db_value(result, 0, OUTCOME));
    db_result_free(result);
    command_db_close(&db);
    free(email);
    return good ? COMMAND_DONE : COMMAND_FAILED;
}

static int run_list(const struct command_line *line)
{
    static const char *const headings[] = {"EMAIL",  "NAME",    "ROLE", "STATUS",
                                           "AGENTS", "CREATED", "ID"};
    struct arguments a = {0};
    struct command_db db = {0};
    struct db_result *result = NULL;
    if (!command_read(line, &a))
        return COMMAND_USAGE;
    const struct db_param params[] = {db_text(a.status)};
    if (command_db_open(&db, line, NULL))
        result = command_db_run(&db, STATEMENT_USERS_ALL, params, PATIENCE_MS);
    if (result)
        command_db_print(result, headings, sizeof headings / sizeof headings[0]);
    int status = result ? COMMAND_DONE : COMMAND_FAILED;
    db_result_free(result);
    command_db_close(&db);
    return status;
}

/* Sets the status; false: stderr says why. */
static bool change_status(struct command_db *db, const char *action, const char *email,
                          const char *wanted)
{
    char *id = find_user(db, action, email);
    const struct db_param params[] = {db_text(NULL), db_text(role_name(ROLE_SUPERADMIN)),
                                      db_text(id),   db_text(NULL),
                                      db_text(NULL), db_text(wanted),
                                      db_text(NULL)};
    struct db_result *result =
        id ? command_db_run(db, STATEMENT_USER_CHANGE, params, PATIENCE_MS) : NULL;
    const char *outcome = result ? db_value(result, 0, 0) : "";
    bool good = strcmp(outcome, "ok") == 0;
    if (good)
        (void)printf("%s is %s\n", email, wanted);
    else if (strcmp(outcome, "last") == 0)
        (void)fprintf(stderr, "%s: that is the last superadmin; make another one first\n",
                      db->line->path);
    else if (result)
        (void)fprintf(stderr, "%s: refused: %s\n", db->line->path, outcome);
    if (result)
        audit_command(db->source, action, id, outcome);
    db_result_free(result);
    free(id);
    return good;
}

static int set_status(const struct command_line *line, const char *action, const char *wanted)
{
    struct arguments a;
    char *email = NULL;
    struct command_db db = {0};
    if (!read_arguments(line, &a, &email))
        return COMMAND_USAGE;
    bool good = command_db_open(&db, line, NULL) && change_status(&db, action, email, wanted);
    command_db_close(&db);
    free(email);
    return good ? COMMAND_DONE : COMMAND_FAILED;
}

static int run_approve(const struct command_line *line)
{
    return set_status(line, "user.approve", "APPROVED");
}

static int run_disable(const struct command_line *line)
{
    return set_status(line, "user.disable", "REJECTED");
}

static int run_password(const struct command_line *line)
{
    static const char action[] = "user.password";
    struct arguments a;
    char *email = NULL;
    struct command_db db = {0};
    char hash[PASSWORD_HASH_SIZE];
    struct db_result *result = NULL;
    if (!read_arguments(line, &a, &email))
        return COMMAND_USAGE;
    char *id = command_db_open(&db, line, NULL) ? find_user(&db, action, email) : NULL;
    if (id && read_password(line, hash)) {
        const struct db_param params[] = {db_text(id), db_text(NULL), db_text(hash)};
        result = command_db_run(&db, STATEMENT_USER_SET_PASSWORD, params, PATIENCE_MS);
    }
    bool good = result && db_rows(result) == 1;
    if (good)
        (void)printf("%s has a new password; log in again\n", email);
    if (result)
        audit_command(db.source, action, id, good ? "ok" : "missing");
    db_result_free(result);
    free(id);
    command_db_close(&db);
    free(email);
    return good ? COMMAND_DONE : COMMAND_FAILED;
}

/* ---- the command ---- */

#define COUNT(table) (sizeof(table) / sizeof(table)[0])
#define SETTINGS COMMAND_DB_SETTINGS "\n" AUDIT_SETTINGS
#define HOW_PASSWORDS                                                                              \
    "The password is read from the terminal, without showing it, or from the first line of\n"      \
    "standard input; it has 8 to 128 characters."

static const struct command add_command = {
    .name = "add",
    .summary = "make a user who may log in at once",
    .operand = "EMAIL",
    .operand_offset = offsetof(struct arguments, email),
    .about = "Makes a user who may log in at once, and prints its id.\n" HOW_PASSWORDS,
    .options = add_options,
    .option_count = COUNT(add_options),
    .settings = SETTINGS,
    .examples = "frontdesk user add you@example.com --role SUPERADMIN\n"
                "frontdesk user add wall@example.com --all-agents < password.txt",
    .done = "the user is made",
    .run = run_add,
};

static const struct command list_command = {
    .name = "list",
    .summary = "list users",
    .options = list_options,
    .option_count = COUNT(list_options),
    .settings = COMMAND_DB_SETTINGS,
    .examples = "frontdesk user list --status PENDING",
    .done = "the database has answered",
    .run = run_list,
};

static const struct command approve_command = {
    .name = "approve",
    .summary = "let a user log in who waits for it, or was disabled",
    .operand = "EMAIL",
    .operand_offset = offsetof(struct arguments, email),
    .options = email_options,
    .option_count = COUNT(email_options),
    .settings = SETTINGS,
    .examples = "frontdesk user approve you@example.com",
    .done = "the user may log in",
    .run = run_approve,
};

static const struct command disable_command = {
    .name = "disable",
    .summary = "let a user in no more: its tokens stop working within 30 s",
    .operand = "EMAIL",
    .operand_offset = offsetof(struct arguments, email),
    .options = email_options,
    .option_count = COUNT(email_options),
    .settings = SETTINGS,
    .examples = "frontdesk user disable gone@example.com",
    .done = "the user is shut out",
    .run = run_disable,
};

static const struct command password_command = {
    .name = "password",
    .summary = "give a user a new password; its older tokens die",
    .operand = "EMAIL",
    .operand_offset = offsetof(struct arguments, email),
    .about =
        "Gives a user a new password; its tokens so far stop working within 30 s.\n" HOW_PASSWORDS,
    .options = email_options,
    .option_count = COUNT(email_options),
    .settings = SETTINGS,
    .examples = "frontdesk user password you@example.com",
    .done = "the password is changed",
    .run = run_password,
};

static const struct command *const verbs[] = {&add_command, &list_command, &approve_command,
                                              &disable_command, &password_command};

const struct command user_command = {
    .name = "user",
    .summary = "add, list, approve and disable users, set passwords",
    .about = "Manages the people who log in.\n"
             "Whoever may run this may do all of it, whatever their role in Frontdesk; the audit\n"
             "log says who did.",
    .settings = SETTINGS,
    .verbs = verbs,
    .verb_count = COUNT(verbs),
};
