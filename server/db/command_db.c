#include "db/command_db.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONNECT_MS = 10000, MAX_COLUMNS = 12, NAME_SIZE = 64 };

/* "frontdesk user add" becomes "frontdesk-user-add", by which pg_stat_activity knows it. */
static const char *application_name(const char *path, char name[NAME_SIZE])
{
    (void)snprintf(name, NAME_SIZE, "%s", path);
    for (char *c = name; *c; c++)
        if (*c == ' ')
            *c = '-';
    return name;
}

bool command_db_open(struct command_db *db, const struct command_line *line, const char *options)
{
    struct buf errors = {0};
    char *message = NULL;
    char name[NAME_SIZE];
    *db = (struct command_db){.line = line, .source = config_source_open(&errors)};
    const char *url = db->source ? config_lookup(db->source, "DATABASE_URL", &errors) : NULL;
    if (!url && !errors.len)
        buf_puts(&errors, "set DATABASE_URL, in the environment or in .env\n");
    if (url && db_conn_open(url, application_name(line->path, name), options,
                            clock_mono_ms() + CONNECT_MS, &db->conn, &message))
        buf_printf(&errors, "the database of DATABASE_URL cannot be reached: %s\n",
                   message ? message : "");
    if (!db->conn)
        (void)fprintf(stderr, "%s: %s", line->path,
                      errors.data ? errors.data : "short of memory\n");
    free(message);
    buf_free(&errors);
    return db->conn != NULL;
}

void command_db_close(struct command_db *db)
{
    db_conn_close(db->conn);
    config_source_free(db->source);
}

struct db_result *command_db_run(struct command_db *db, enum statement statement,
                                 const struct db_param *params, int64_t ms)
{
    struct db_result *result = NULL;
    enum err err = db_conn_exec(db->conn, statement, params, clock_mono_ms() + ms, &result);
    if (err && err != ERR_INVALID && db_conn_usable(db->conn))
        err = db_conn_exec(db->conn, statement, params, clock_mono_ms() + ms, &result);
    if (!err)
        return result;
    db_result_free(result);
    (void)fprintf(stderr, "%s: the database refused: %s\n", db->line->path,
                  db_conn_error(db->conn));
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

/*
 * What people have called themselves and their keys may hold anything. A terminal would obey control
 * characters, ESC and those that UTF-8 spells C2 80 to C2 9F: each is shown as a question mark.
 */
static void print_harmless(const char *s)
{
    for (; *s; s++) {
        bool c1 = (unsigned char)s[0] == 0xC2 && ((unsigned char)s[1] & 0xE0) == 0x80;
        bool c0 = (unsigned char)*s < ' ' || *s == 0x7f;
        (void)putchar(c0 || c1 ? '?' : *s);
        s += c1;
    }
}

static void print_cell(const char *s, int columns, bool last)
{
    print_harmless(s);
    for (int n = width(s); !last && n < columns + 2; n++)
        (void)putchar(' ');
}

void command_db_print(const struct db_result *result, const char *const *headings, int columns)
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
