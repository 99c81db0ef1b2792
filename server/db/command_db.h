/* What commands that ask the database share: one connection, statements, tables on stdout. */
#ifndef FRONTDESK_DB_COMMAND_DB_H
#define FRONTDESK_DB_COMMAND_DB_H

#include "base/command.h"
#include "base/config.h"
#include "db/conn.h"

#include <stdbool.h>

/* What such a command says of its settings, in its description. */
#define COMMAND_DB_SETTINGS "DATABASE_URL         the database, as role frontdesk_server"

/* The database of DATABASE_URL (environment or .env). */
struct command_db {
    const struct command_line *line; /* whose name stands before what is said on stderr */
    struct config_source *source;
    struct db_conn *conn;
};

/*
 * Connects, with time-outs of the database's own set by `options` (libpq's, may be NULL). false:
 * stderr says why. Must be closed in either case.
 */
bool command_db_open(struct command_db *db, const struct command_line *line, const char *options);
void command_db_close(struct command_db *db);

/*
 * Runs a statement within `ms`, and once more if what stood in its way may be gone by then, such as
 * a lock. NULL: stderr says why. The result must be freed.
 */
struct db_result *command_db_run(struct command_db *db, enum statement statement,
                                 const struct db_param *params, int64_t ms);

/* Prints rows as columns, with a heading each. */
void command_db_print(const struct db_result *result, const char *const *headings, int columns);

#endif
