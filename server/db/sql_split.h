/*
 * Cuts an SQL script into its statements, as psql does: a semicolon ends one unless it stands in a
 * string, a quoted name, a dollar quote, a comment or parentheses. One statement a message is what
 * lets the same files run on a distributed database.
 */
#ifndef FRONTDESK_DB_SQL_SPLIT_H
#define FRONTDESK_DB_SQL_SPLIT_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The next statement at or after `*at`, without its semicolon and without what comes before its
 * first word; moves `*at` past it. false: there is none left. Does not recurse, does not allocate.
 * An unfinished quote or comment reaches to the end of the text; the database will say so.
 */
bool sql_split_next(const char **at, const char **statement, size_t *len);

#endif
