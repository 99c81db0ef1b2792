/*
 * One connection to PostgreSQL on which every wait has a deadline, even when the server process is
 * stopped or the network swallows packets: all I/O is non-blocking and polled. After ERR_TIMEOUT
 * or ERR_UNAVAILABLE the connection may be broken: ask db_conn_usable and close it if not.
 * Deadlines are clock_mono_ms() times. Not thread-safe.
 */
#ifndef FRONTDESK_DB_CONN_H
#define FRONTDESK_DB_CONN_H

#include "base/err.h"
#include "db/statements.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct db_conn;
struct db_result;

/* One parameter: text unless `binary`; data NULL is SQL's NULL. */
struct db_param {
    const char *data;
    size_t len;
    bool binary;
};

/* A text parameter of a C string or NULL. */
struct db_param db_text(const char *s);

/* What is wrong with the text of a database's URL, without quoting any of it; NULL: nothing. */
const char *db_url_problem(const char *url);

/*
 * Connects to `url` as application `name`, with time-outs of the database's own set by `options`
 * (libpq's options, may be NULL). On failure `*message` is a text for the log, to be freed.
 * ERR_INVALID: the URL is none, or the database answers, but refuses its role, password or database.
 */
MUSTCHECK enum err db_conn_open(const char *url, const char *name, const char *options,
                                int64_t deadline, struct db_conn **conn, char **message);
void db_conn_close(struct db_conn *conn);

/*
 * Ends the connection below whoever uses it: what is under way there fails with ERR_UNAVAILABLE, and
 * it is not usable any more. From any thread, but not while it is being closed.
 */
void db_conn_interrupt(struct db_conn *conn);

/*
 * Runs `statement`, prepared on first use. The result must be freed; it is NULL on failure, but for
 * ERR_INVALID: the extension refuses one of the arguments, and the result says which and why.
 */
MUSTCHECK enum err db_conn_exec(struct db_conn *conn, enum statement statement,
                                const struct db_param *params, int64_t deadline,
                                struct db_result **result);

/* A statement that is run together with others. */
struct db_ask {
    enum statement statement;
    const struct db_param *params;
    struct db_result *room; /* from db_result_room, or NULL; still to be freed if it is not taken */
    struct db_result *result; /* NULL before */
};

/*
 * Room for one short value, made by the thread that will free the result. Without, what one thread
 * makes and others free fills malloc's caches of all of these.
 */
struct db_result *db_result_room(void);

/*
 * Runs statements that change nothing in one round trip and one transaction. Each that succeeds gets
 * its result, to be freed, whatever becomes of the others. One that fails takes those after it with
 * it. So what has no result afterwards is to be run alone, which says why, unless the error of all
 * has left the connection unusable.
 */
MUSTCHECK enum err db_conn_exec_together(struct db_conn *conn, struct db_ask *asks, size_t count,
                                         int64_t deadline);

/* Runs one statement of a migration's text. */
MUSTCHECK enum err db_conn_exec_text(struct db_conn *conn, const char *sql, int64_t deadline);

/* Why the last exec failed, "SQLSTATE: message", "" if it did not. Valid until the next one. */
const char *db_conn_error(const struct db_conn *conn);

/*
 * Did the last exec fail for what other sessions did, a deadlock or a serialization failure? Nothing
 * of it is stored, and the same may succeed at once.
 */
bool db_conn_rolled_back(const struct db_conn *conn);

/* Is the connection open and outside any transaction? */
bool db_conn_usable(const struct db_conn *conn);

/* Has the peer closed this idle connection? Looks at the socket, does not wait. */
bool db_conn_gone(struct db_conn *conn);

size_t db_rows(const struct db_result *result);
/* The value as text with its NUL; NULL for SQL's NULL. Valid until the result is freed. */
const char *db_value(const struct db_result *result, size_t row, int column);
size_t db_value_len(const struct db_result *result, size_t row, int column);

/* After ERR_INVALID: the refused parameter by the API's name, and what is wrong with it. */
const char *db_refused_field(const struct db_result *result);
const char *db_refused_message(const struct db_result *result);

void db_result_free(struct db_result *result);

/* What an SQLSTATE (five characters or NULL) means for the caller. */
enum err db_sqlstate_err(const char *sqlstate);

#endif
