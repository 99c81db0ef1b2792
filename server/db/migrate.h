/*
 * Migrations: numbered SQL files, compiled into the binary, each applied once in a transaction of
 * its own and remembered with the checksum of its text. One at a time, by an advisory lock.
 */
#ifndef FRONTDESK_DB_MIGRATE_H
#define FRONTDESK_DB_MIGRATE_H

#include "base/buf.h"
#include "base/err.h"
#include "db/conn.h"

#include <stdbool.h>

/* What the database says of itself, compared with this binary's migrations. */
enum schema_state {
    SCHEMA_FITS,
    SCHEMA_BEHIND,        /* migrations are to be applied */
    SCHEMA_NEWER,         /* has every migration of this binary, and more of a later one */
    SCHEMA_UNKNOWN,       /* a changed checksum, or later migrations without all of this binary's */
    SCHEMA_OLD_EXTENSION, /* of a version before the one that this binary's migrations come with */
    SCHEMA_NO_EXTENSION,
};

/* Is the version `a` before `b`? Both are numbers with dots between them, such as 1.10. */
bool migrate_version_is_before(const char *a, const char *b);

/*
 * Is the extension there, in a version that this binary can use? `installed` is its version in the
 * database and `available` the one whose files the database's server has; NULL: none. `reasons` gets
 * a line that says what to do when not. SCHEMA_FITS, SCHEMA_OLD_EXTENSION or SCHEMA_NO_EXTENSION.
 */
MUSTCHECK enum schema_state migrate_judge_extension(const char *installed, const char *available,
                                                    struct buf *reasons);

/*
 * Judges the database over `conn`, changing nothing. Unless it fits, `reasons` gets lines that say
 * what is wrong and which command mends it.
 */
MUSTCHECK enum err migrate_check(struct db_conn *conn, int64_t deadline, enum schema_state *state,
                                 struct buf *reasons);

/*
 * Connects to `url` and applies what is missing; `said` gets one line for each thing done or found
 * wrong. Safe to run twice, and by several at once: the others wait up to a minute. ERR_INVALID: the
 * schema is not one that this binary can bring forward, or not before the extension is updated.
 */
MUSTCHECK enum err migrate_run(const char *url, struct buf *said);

/* One line a migration in `said`: version, name, and when it was applied or that it is pending. */
MUSTCHECK enum err migrate_status(const char *url, struct buf *said);

#endif
