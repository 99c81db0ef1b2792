#include "auth/command.h"

#include "base/clock.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATIENCE_MS = 10000, MAX_COLUMNS = 12 };

int command_dispatch(int argc, char **argv, const struct command_verb *verbs, size_t count,
                     const char *help)
{
    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        (void)fputs(help, stdout);
        return COMMAND_DONE;
    }
    for (size_t i = 0; argc > 1 && i < count; i++) {
        if (strcmp(argv[1], verbs[i].name) != 0)
            continue;
        if (argc > 2 && strcmp(argv[2], "--help") == 0) {
            (void)fputs(help, stdout);
            return COMMAND_DONE;
        }
        return verbs[i].run(argc - 1, argv + 1);
    }
    (void)fprintf(stderr, "%.*s\n", (int)strcspn(help, "\n"), help);
    return COMMAND_USAGE;
}

bool command_complain(const char *command, const char *what)
{
    (void)fprintf(stderr, "frontdesk %s: %s; see `frontdesk %s --help`\n", command, what, command);
    return false;
}

bool command_options(int argc, char **argv, const char *command, const struct option *options,
                     const char *letters, bool (*take)(int option, void *into), void *into)
{
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option == '?') /* getopt has said what is wrong */
            return false;
        if (!strchr(letters, option))
            return command_complain(command, "this takes no such option");
        if (!take(option, into))
            return false;
    }
    return true;
}

bool command_open(struct command_db *db)
{
    struct buf errors = {0};
    char *message = NULL;
    *db = (struct command_db){.source = config_source_open(&errors)};
    const char *url = db->source ? config_lookup(db->source, "DATABASE_URL", &errors) : NULL;
    if (!url && !errors.len)
        buf_puts(&errors, "set DATABASE_URL, in the environment or in .env\n");
    if (url && db_conn_open(url, "frontdesk-command", NULL, clock_mono_ms() + PATIENCE_MS,
                            &db->conn, &message))
        buf_printf(&errors, "the database cannot be reached: %s\n", message ? message : "");
    if (!db->conn)
        (void)fprintf(stderr, "frontdesk: %s", errors.data ? errors.data : "short of memory\n");
    free(message);
    buf_free(&errors);
    return db->conn != NULL;
}

void command_close(struct command_db *db)
{
    db_conn_close(db->conn);
    config_source_free(db->source);
}

struct db_result *command_run(struct command_db *db, enum statement statement,
                              const struct db_param *params)
{
    struct db_result *result = NULL;
    enum err err =
        db_conn_exec(db->conn, statement, params, clock_mono_ms() + PATIENCE_MS, &result);
    if (!err)
        return result;
    db_result_free(result);
    (void)fprintf(stderr, "frontdesk: the database refused: %s\n", db_conn_error(db->conn));
    return NULL;
}

/* Characters, not bytes. */
static int width(const char *s)
{
    int n = 0;
    for (; *s; s++)
        n += ((unsigned char)*s & 0xC0) != 0x80;
    return n;
}

static void print_cell(const char *s, int columns, bool last)
{
    (void)fputs(s, stdout);
    for (int n = width(s); !last && n < columns + 2; n++)
        (void)putchar(' ');
}

void command_print(const struct db_result *result, const char *const *headings, int columns)
{
    int widths[MAX_COLUMNS] = {0};
    size_t rows = db_rows(result);
    for (int c = 0; c < columns; c++) {
        widths[c] = width(headings[c]);
        for (size_t r = 0; r < rows; r++) {
            const char *value = db_value(result, r, c);
            if (value && width(value) > widths[c])
                widths[c] = width(value);
        }
    }
    for (int c = 0; c < columns; c++)
        print_cell(headings[c], widths[c], c + 1 == columns);
    (void)putchar('\n');
    for (size_t r = 0; r < rows; r++) {
        for (int c = 0; c < columns; c++) {
            const char *value = db_value(result, r, c);
            print_cell(value ? value : "-", widths[c], c + 1 == columns);
        }
        (void)putchar('\n');
    }
}
