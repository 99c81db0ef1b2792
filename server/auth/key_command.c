#include "auth/key_command.h"

#include "auth/api_key.h"
#include "auth/audit.h"
#include "auth/role.h"
#include "base/clock.h"
#include "base/text.h"
#include "db/command_db.h"

#include <stdio.h>
#include <string.h>

enum { PATIENCE_MS = 10000 };

struct arguments {
    const char *subject; /* a name, or an id */
    const char *role;
    struct command_texts agents; /* none: all */
    int64_t expires_ms;          /* -1: never */
};

/* ---- create ---- */

static const struct command_option create_options[] = {
    {.name = "role",
     .about = "USER (the default) reads; ADMIN manages",
     .kind = COMMAND_CHOICE,
     .offset = offsetof(struct arguments, role),
     .choices = "USER|ADMIN"},
    {.name = "agent",
     .label = "A",
     .about = "a USER key sees this agent only; may be given several times (default: all)",
     .kind = COMMAND_TEXTS,
     .offset = offsetof(struct arguments, agents),
     .lo = 1,
     .hi = 500},
    {.name = "expires",
     .label = "T",
     .about = "when it stops working: a date, or a time with its zone (default: never)",
     .kind = COMMAND_TIME,
     .offset = offsetof(struct arguments, expires_ms)},
    {.name = "name",
     .label = "NAME",
     .about = "another way to give NAME",
     .kind = COMMAND_TEXT,
     .offset = offsetof(struct arguments, subject),
     .lo = 1,
     .hi = 120},
};

/* The agents as a JSON array; nothing when there are none. */
static void add_agents(struct buf *out, const struct command_texts *agents)
{
    for (size_t i = 0; i < agents->count; i++) {
        buf_puts(out, i ? "," : "[");
        buf_json_string(out, agents->items[i], strlen(agents->items[i]));
    }
    if (agents->count)
        buf_puts(out, "]");
}

/* Makes and stores a key, and prints it. */
static bool create(struct command_db *db, const struct arguments *a, const struct buf *agents)
{
    enum { CREATED, UNKNOWN };
    char key[API_KEY_LEN + 1];
    char shown[API_KEY_SHOWN + 1] = {0};
    char expires[CLOCK_ISO_SIZE];
    unsigned char digest[API_KEY_DIGEST_SIZE];
    if (api_key_make(key, digest)) {
        (void)fprintf(stderr, "%s: the system gives no random numbers\n", db->line->path);
        return false;
    }
    if (a->expires_ms >= 0)
        clock_iso(a->expires_ms, expires);
    memcpy(shown, key, API_KEY_SHOWN);
    const struct db_param params[] = {
        db_text(a->subject),   db_text(a->role),
        db_text(agents->data), db_text(a->expires_ms >= 0 ? expires : NULL),
        db_text(shown),        {.data = (const char *)digest, .len = sizeof digest, .binary = true},
        db_text(NULL)};
    struct db_result *result = command_db_run(db, STATEMENT_KEY_ADD, params, PATIENCE_MS);
    bool good = result && db_value(result, 0, CREATED);
    if (good) {
        (void)fputs("This is the key; it is shown this once:\n", stderr);
        (void)printf("%s\n", key);
    } else if (result) {
        (void)fprintf(stderr, "%s: these are no agents: %s\n", db->line->path,
                      db_value(result, 0, UNKNOWN));
    }
    if (result)
        audit_command(db->source, "key.create", good ? shown : NULL,
                      good ? "ok" : "unknown agents");
    db_result_free(result);
    return good;
}

static int run_create(const struct command_line *line)
{
    struct arguments a = {.role = role_name(ROLE_USER), .expires_ms = -1};
    struct command_db db = {0};
    struct buf agents = {0};
    if (!command_read(line, &a))
        return COMMAND_USAGE;
    if (!text_fits(a.subject, 1, 120))
        return command_complain(line, "NAME has 1 to 120 characters");
    if (a.expires_ms >= 0 && a.expires_ms <= clock_wall_ms())
        return command_complain(line, "--expires is a time to come, such as 2100-01-01");
    if (a.agents.count && strcmp(a.role, role_name(ROLE_ADMIN)) == 0)
        return command_complain(line, "--agent goes with the role USER: an ADMIN key sees all");
    add_agents(&agents, &a.agents);
    bool good = command_db_open(&db, line, NULL) && !agents.failed && create(&db, &a, &agents);
    command_db_close(&db);
    buf_free(&agents);
    return good ? COMMAND_DONE : COMMAND_FAILED;
}

/* ---- list, revoke ---- */

static int run_list(const struct command_line *line)
{
    static const char *const headings[] = {"ID",     "NAME",    "ROLE",    "PREFIX",
                                           "AGENTS", "CREATED", "EXPIRES", "LAST USED"};
    struct command_db db = {0};
    struct db_result *result = NULL;
    if (!command_read(line, NULL))
        return COMMAND_USAGE;
    if (command_db_open(&db, line, NULL))
        result = command_db_run(&db, STATEMENT_KEYS_ALL, NULL, PATIENCE_MS);
    if (result)
        command_db_print(result, headings, sizeof headings / sizeof headings[0]);
    int status = result ? COMMAND_DONE : COMMAND_FAILED;
    db_result_free(result);
    command_db_close(&db);
    return status;
}

static int run_revoke(const struct command_line *line)
{
    struct arguments a = {0};
    struct command_db db = {0};
    struct db_result *result = NULL;
    if (!command_read(line, &a))
        return COMMAND_USAGE;
    if (!text_is_uuid(a.subject))
        return command_complain(line, "name the key by its ID, as `frontdesk key list` shows it");
    const struct db_param params[] = {db_text(a.subject)};
    if (command_db_open(&db, line, NULL))
        result = command_db_run(&db, STATEMENT_KEY_REMOVE, params, PATIENCE_MS);
    int status = result && db_rows(result) == 1 ? COMMAND_DONE : COMMAND_FAILED;
    if (result)
        audit_command(db.source, "key.revoke", a.subject,
                      status == COMMAND_DONE ? "ok" : "missing");
    if (status == COMMAND_DONE)
        (void)puts("revoked");
    else if (result)
        (void)fprintf(stderr, "%s: there is no such key\n", line->path);
    db_result_free(result);
    command_db_close(&db);
    return status;
}

/* ---- the command ---- */

static const struct command create_command = {
    .name = "create",
    .summary = "make a key for a program, and print it this once",
    .operand = "NAME",
    .operand_offset = offsetof(struct arguments, subject),
    .about = "Makes a key for a program; NAME says later what it is for. The key goes to standard\n"
             "output alone, so that it can be put where it is needed, and is not shown again.",
    .options = create_options,
    .option_count = sizeof create_options / sizeof create_options[0],
    .settings = COMMAND_DB_SETTINGS "\n" AUDIT_SETTINGS,
    .examples = "frontdesk key create 'the wall' --agent agent_1 --expires 2100-01-01\n"
                "frontdesk key create billing --role ADMIN > billing.key",
    .done = "the key is made",
    .run = run_create,
};

static const struct command list_command = {
    .name = "list",
    .summary = "list keys, never themselves",
    .settings = COMMAND_DB_SETTINGS,
    .done = "the database has answered",
    .run = run_list,
};

static const struct command revoke_command = {
    .name = "revoke",
    .summary = "end a key: it stops working within 30 s",
    .operand = "ID",
    .operand_offset = offsetof(struct arguments, subject),
    .settings = COMMAND_DB_SETTINGS "\n" AUDIT_SETTINGS,
    .examples = "frontdesk key revoke 6a1c2f0e-8f5b-4b7e-9d35-0d6f4a3c2b1a",
    .done = "the key is gone",
    .run = run_revoke,
};

static const struct command *const verbs[] = {&create_command, &list_command, &revoke_command};

const struct command key_command = {
    .name = "key",
    .summary = "create, list and revoke keys of programs",
    .about = "Keys let programs in: as x-api-key, or as a bearer token. The database keeps only\n"
             "their digests.",
    .settings = COMMAND_DB_SETTINGS "\n" AUDIT_SETTINGS,
    .verbs = verbs,
    .verb_count = sizeof verbs / sizeof verbs[0],
};
