/* What `frontdesk user` and `frontdesk key` share: one connection, statements, tables on stdout. */
#ifndef FRONTDESK_AUTH_COMMAND_H
#define FRONTDESK_AUTH_COMMAND_H

#include "base/config.h"
#include "db/conn.h"

#include <stdbool.h>
#include <stddef.h>

enum { COMMAND_DONE = 0, COMMAND_FAILED = 1, COMMAND_USAGE = 2 };

/* One of the words after `frontdesk user`, and what it does. */
struct command_verb {
    const char *name;
    int (*run)(int argc, char **argv);
};

/*
 * Runs the verb that argv[1] names, with argv from there on. `help` is printed for --help; without a
 * verb, or with another, its first line is, as the usage. Returns the exit status.
 */
int command_dispatch(int argc, char **argv, const struct command_verb *verbs, size_t count,
                     const char *help);

/* Says on stderr what is wrong with the command line; false. */
bool command_complain(const char *command, const char *what);

struct option; /* of getopt.h */

/*
 * Reads the options of argv, of which `letters` names those that this verb takes, handing each to
 * `take` with its optarg; optind is then at the first argument. false: stderr says why.
 */
bool command_options(int argc, char **argv, const char *command, const struct option *options,
                     const char *letters, bool (*take)(int option, void *into), void *into);

/* The database of DATABASE_URL (environment or .env). */
struct command_db {
    struct config_source *source;
    struct db_conn *conn;
};

/* Connects; false: stderr says why. Must be closed in either case. */
bool command_open(struct command_db *db);
void command_close(struct command_db *db);

/* Runs a statement; NULL: stderr says why. The result must be freed. */
struct db_result *command_run(struct command_db *db, enum statement statement,
                              const struct db_param *params);

/* Prints rows as columns, with a heading each. */
void command_print(const struct db_result *result, const char *const *headings, int columns);

#endif
