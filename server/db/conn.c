#include "db/conn.h"

#include "base/clock.h"

#include <errno.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { MAX_PARAMS = 32, ERROR_SIZE = 512, ROOM_SIZE = 960 };

struct db_conn {
    PGconn *pg;
    bool prepared[STATEMENT_COUNT];
    bool broken; /* a deadline passed in the middle of an exchange */
    char error[ERROR_SIZE];
};

struct db_result {
    PGresult *pg; /* NULL: one row of one value, which is here */
    bool is_null;
    size_t len;
    char text[]; /* ROOM_SIZE when there is no PGresult */
};

/* Longest match first: whole codes, then classes (PostgreSQL manual, appendix A). */
static const struct {
    const char *prefix;
    enum err err;
} sqlstates[] = {
    {"25006", ERR_UNAVAILABLE}, /* read_only_sql_transaction: a standby, or a full disk's guard */
    {"3D000", ERR_UNAVAILABLE}, /* invalid_catalog_name */
    {"55P03", ERR_UNAVAILABLE}, /* lock_not_available */
    {"57014", ERR_TIMEOUT},     /* query_canceled: statement_timeout */
    {"08", ERR_UNAVAILABLE},    /* connection exception */
    {"22", ERR_DATA},           /* data exception */
    {"23", ERR_DATA},           /* integrity constraint violation */
    {"28", ERR_UNAVAILABLE},    /* invalid authorization */
    {"40", ERR_UNAVAILABLE},    /* transaction rollback: serialization, deadlock */
    {"53", ERR_UNAVAILABLE},    /* insufficient resources: disk full, too many connections */
    {"57", ERR_UNAVAILABLE},    /* operator intervention: shutting down */
    {"58", ERR_UNAVAILABLE},    /* system error: I/O */
};

enum err db_sqlstate_err(const char *sqlstate)
{
    if (!sqlstate)
        return ERR_UNAVAILABLE;
    for (size_t i = 0; i < sizeof sqlstates / sizeof sqlstates[0]; i++)
        if (strncmp(sqlstate, sqlstates[i].prefix, strlen(sqlstates[i].prefix)) == 0)
            return sqlstates[i].err;
    return ERR_INTERNAL;
}

struct db_param db_text(const char *s)
{
    return (struct db_param){.data = s, .len = s ? strlen(s) : 0};
}

/* Copies a libpq message as one line. */
static void set_error(struct db_conn *conn, const char *sqlstate, const char *message)
{
    (void)snprintf(conn->error, sizeof conn->error, "%s%s%s", sqlstate ? sqlstate : "",
                   sqlstate ? ": " : "", message);
    size_t len = strlen(conn->error);
    while (len && conn->error[len - 1] == '\n')
        conn->error[--len] = '\0';
    for (char *c = conn->error; *c; c++)
        if (*c == '\n')
            *c = ' ';
}

/* Waits until the socket is ready for `events`. */
static enum err wait_socket(PGconn *pg, short events, int64_t deadline)
{
    for (;;) {
        int64_t left = deadline - clock_mono_ms();
        if (left <= 0)
            return ERR_TIMEOUT;
        struct pollfd p = {.fd = PQsocket(pg), .events = events};
        int n = poll(&p, 1, left > 60000 ? 60000 : (int)left);
        if (n > 0)
            return ERR_OK;
        if (n < 0 && errno != EINTR)
            return ERR_INTERNAL;
    }
}

static void ignore_notice(void *arg, const char *message)
{
    (void)arg;
    (void)message;
}

static enum err finish_connecting(PGconn *pg, int64_t deadline)
{
    for (PostgresPollingStatusType status = PGRES_POLLING_WRITING;;) {
        if (status == PGRES_POLLING_OK)
            return ERR_OK;
        if (status == PGRES_POLLING_FAILED || PQsocket(pg) < 0)
            return ERR_UNAVAILABLE;
        short events = status == PGRES_POLLING_READING ? POLLIN : POLLOUT;
        enum err err = wait_socket(pg, events, deadline);
        if (err)
            return err;
        status = PQconnectPoll(pg);
    }
}

/*
 * Is the database up, but not for this URL? libpq has no SQLSTATE of a failed connection, so the
 * text must do (src/backend/libpq/auth.c, utils/init/postinit.c). One in another language is taken
 * for a database that is away, which is the safe side.
 */
static bool refused_for_good(const char *message)
{
    static const char *const texts[] = {"does not exist", "authentication failed",
                                        "no pg_hba.conf entry", "is not permitted to log in"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (strstr(message, "FATAL:") && strstr(message, texts[i]))
            return true;
    return false;
}

/*
 * A password whose % or @ is not encoded puts the rest of itself where a host or a port belongs.
 * A host may begin with an @: a socket without a file.
 */
static bool is_plausible(const PQconninfoOption *option)
{
    if (!option->val || !*option->val)
        return true;
    if (strcmp(option->keyword, "port") == 0)
        return strspn(option->val, "0123456789,") == strlen(option->val);
    return strcmp(option->keyword, "host") != 0 || !strchr(option->val + 1, '@');
}

const char *db_url_problem(const char *url)
{
    char *quotes_it = NULL; /* libpq's own words: they may hold the password */
    PQconninfoOption *options = PQconninfoParse(url, &quotes_it);
    bool good = options != NULL;
    for (const PQconninfoOption *o = options; good && o->keyword; o++)
        good = is_plausible(o);
    PQconninfoFree(options);
    PQfreemem(quotes_it);
    return good ? NULL
                : "the database's URL is not of the form "
                  "postgresql://user:password@host:port/database?name=value; "
                  "in a password %, @, / and : are written %25, %40, %2F and %3A";
}

enum err db_conn_open(const char *url, const char *name, const char *options, int64_t deadline,
                      struct db_conn **out, char **message)
{
    const char *keys[] = {"dbname",          "fallback_application_name", "options",
                          "client_encoding", "tcp_user_timeout",          NULL};
    const char *values[] = {url, name, options, "UTF8", "10000", NULL};
    enum err err = ERR_NOMEM;

    const char *problem = db_url_problem(url);
    *message = problem ? strdup(problem) : NULL;
    if (problem)
        return ERR_INVALID;
    struct db_conn *conn = calloc(1, sizeof *conn);
    if (!conn)
        return ERR_NOMEM;
    conn->pg = PQconnectStartParams(keys, values, 1);
    if (!conn->pg)
        goto fail;
    err = PQstatus(conn->pg) == CONNECTION_BAD ? ERR_UNAVAILABLE
                                               : finish_connecting(conn->pg, deadline);
    if (err || PQsetnonblocking(conn->pg, 1) != 0)
        goto fail;
    PQsetNoticeProcessor(conn->pg, ignore_notice, NULL);
    *out = conn;
    return ERR_OK;

fail:
    if (err == ERR_UNAVAILABLE && refused_for_good(PQerrorMessage(conn->pg)))
        err = ERR_INVALID;
    set_error(conn, NULL,
              err == ERR_TIMEOUT ? "the database did not answer in time"
                                 : PQerrorMessage(conn->pg));
    *message = strdup(conn->error);
    db_conn_close(conn);
    return err ? err : ERR_UNAVAILABLE;
}

void db_conn_close(struct db_conn *conn)
{
    if (!conn)
        return;
    PQfinish(conn->pg);
    free(conn);
}

void db_conn_interrupt(struct db_conn *conn)
{
    (void)shutdown(PQsocket(conn->pg), SHUT_RDWR);
}

/* Sends what libpq has buffered, reading meanwhile so that neither side waits for the other. */
static enum err flush(struct db_conn *conn, int64_t deadline)
{
    for (;;) {
        int left = PQflush(conn->pg);
        if (left == 0)
            return ERR_OK;
        enum err err =
            left < 0 ? ERR_UNAVAILABLE : wait_socket(conn->pg, POLLIN | POLLOUT, deadline);
        if (err)
            return err;
        if (!PQconsumeInput(conn->pg))
            return ERR_UNAVAILABLE;
    }
}

/* The next that PQgetResult has to say, when that is there. */
static enum err next_result(struct db_conn *conn, int64_t deadline, PGresult **next)
{
    enum err err = ERR_OK;
    while (!err && PQisBusy(conn->pg)) {
        err = wait_socket(conn->pg, POLLIN, deadline);
        if (!err && !PQconsumeInput(conn->pg))
            err = ERR_UNAVAILABLE;
    }
    *next = err ? NULL : PQgetResult(conn->pg);
    return err;
}

/* Nobody knows what comes next on this connection: it is not to be used again. */
static enum err break_off(struct db_conn *conn, enum err err)
{
    conn->broken = true;
    set_error(conn, NULL,
              err == ERR_TIMEOUT ? "the database did not answer in time"
                                 : PQerrorMessage(conn->pg));
    return err;
}

/* The last result of the exchange under way, with the connection ready for the next one. */
static enum err receive(struct db_conn *conn, int64_t deadline, PGresult **last)
{
    PGresult *next = NULL;
    enum err err = flush(conn, deadline);
    while (!err && !(err = next_result(conn, deadline, &next)) && next) {
        PQclear(*last);
        *last = next;
    }
    return err ? break_off(conn, err) : ERR_OK;
}

/*
 * Is this the extension's word that one argument is wrong? It names the argument as a column: what
 * PostgreSQL itself refuses of our texts does not, and is a bug of ours.
 */
static bool is_refusal(const PGresult *pg)
{
    const char *sqlstate = PQresultErrorField(pg, PG_DIAG_SQLSTATE);
    return sqlstate && strcmp(sqlstate, "22023") == 0 &&
           PQresultErrorField(pg, PG_DIAG_COLUMN_NAME);
}

/*
 * Finishes an exchange that was `sent`; the result goes to `*out` if it is a good one, or tells what
 * is refused (ERR_INVALID).
 */
static enum err complete(struct db_conn *conn, int sent, int64_t deadline, PGresult **out)
{
    PGresult *pg = NULL;
    conn->error[0] = '\0';
    if (!sent)
        return break_off(conn, ERR_UNAVAILABLE);
    enum err err = receive(conn, deadline, &pg);
    ExecStatusType status = PQresultStatus(pg);
    if (!err && status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
        const char *sqlstate = PQresultErrorField(pg, PG_DIAG_SQLSTATE);
        const char *text = PQresultErrorField(pg, PG_DIAG_MESSAGE_PRIMARY);
        set_error(conn, sqlstate, text ? text : PQerrorMessage(conn->pg));
        err = is_refusal(pg) ? ERR_INVALID : db_sqlstate_err(sqlstate);
    }
    if (err && err != ERR_INVALID) {
        PQclear(pg);
        pg = NULL;
    }
    *out = pg;
    return err;
}

static enum err prepare(struct db_conn *conn, enum statement statement, int64_t deadline)
{
    const struct statement_text *text = statement_text(statement);
    PGresult *pg = NULL;
    if (conn->prepared[statement])
        return ERR_OK;
    enum err err =
        complete(conn, PQsendPrepare(conn->pg, text->name, text->sql, 0, NULL), deadline, &pg);
    PQclear(pg);
    conn->prepared[statement] = !err;
    return err;
}

/* What libpq takes for a value's length. */
static bool fits(enum statement statement, const struct db_param *params)
{
    for (int i = 0; i < statement_text(statement)->params; i++)
        if (params[i].len > INT32_MAX)
            return false;
    return true;
}

/* Sends a statement that is prepared, with parameters that fit; 0 when libpq does not take it. */
static int send_statement(struct db_conn *conn, enum statement statement,
                          const struct db_param *params)
{
    const char *values[MAX_PARAMS];
    int lengths[MAX_PARAMS], formats[MAX_PARAMS];
    const struct statement_text *text = statement_text(statement);
    for (int i = 0; i < text->params; i++) {
        values[i] = params[i].data;
        lengths[i] = (int)params[i].len;
        formats[i] = params[i].binary;
    }
    return PQsendQueryPrepared(conn->pg, text->name, text->params, values, lengths, formats, 0);
}

/* Wraps what libpq made, or frees it when memory is short. */
static enum err make_result(PGresult *pg, struct db_result **result)
{
    *result = malloc(sizeof **result);
    if (!*result) {
        PQclear(pg);
        return ERR_NOMEM;
    }
    (*result)->pg = pg;
    return ERR_OK;
}

enum err db_conn_exec(struct db_conn *conn, enum statement statement, const struct db_param *params,
                      int64_t deadline, struct db_result **result)
{
    PGresult *pg = NULL;

    *result = NULL;
    if (!fits(statement, params))
        return ERR_TOO_LARGE;
    enum err err = prepare(conn, statement, deadline);
    if (err)
        return err;
    err = complete(conn, send_statement(conn, statement, params), deadline, &pg);
    if (!pg)
        return err;
    enum err made = make_result(pg, result);
    return made ? made : err;
}

struct db_result *db_result_room(void)
{
    return calloc(1, sizeof(struct db_result) + ROOM_SIZE);
}

/* Puts the one short value there is into the room there is. false: it must stay where it is. */
static bool move_in(struct db_ask *ask, PGresult *pg)
{
    if (!ask->room || PQntuples(pg) != 1 || PQnfields(pg) != 1 ||
        PQgetlength(pg, 0, 0) >= ROOM_SIZE)
        return false;
    ask->result = ask->room;
    ask->room = NULL;
    ask->result->is_null = PQgetisnull(pg, 0, 0);
    ask->result->len = (size_t)PQgetlength(pg, 0, 0);
    memcpy(ask->result->text, PQgetvalue(pg, 0, 0), ask->result->len + 1);
    PQclear(pg);
    return true;
}

/* Reads one statement's part of what a pipeline answers: its result, and the NULL that ends it. */
static enum err receive_one(struct db_conn *conn, struct db_ask *ask, int64_t deadline)
{
    PGresult *pg = NULL;
    PGresult *end = NULL;
    enum err err = next_result(conn, deadline, &pg);
    if (!err)
        err = next_result(conn, deadline, &end);
    if (!err && (!pg || end))
        err = ERR_UNAVAILABLE; /* the connection broke */
    if (!err && PQresultStatus(pg) == PGRES_TUPLES_OK)
        return move_in(ask, pg) ? ERR_OK : make_result(pg, &ask->result);
    PQclear(pg);
    PQclear(end);
    return err;
}

/* Reads what ends a pipeline, and leaves it. */
static enum err leave_pipeline(struct db_conn *conn, int64_t deadline)
{
    PGresult *sync = NULL;
    enum err err = next_result(conn, deadline, &sync);
    bool good = PQresultStatus(sync) == PGRES_PIPELINE_SYNC;
    PQclear(sync);
    if (err)
        return err;
    return good && PQexitPipelineMode(conn->pg) ? ERR_OK : ERR_UNAVAILABLE;
}

enum err db_conn_exec_together(struct db_conn *conn, struct db_ask *asks, size_t count,
                               int64_t deadline)
{
    enum err err = ERR_OK;
    conn->error[0] = '\0';
    for (size_t i = 0; i < count && !err; i++)
        err = fits(asks[i].statement, asks[i].params) ? prepare(conn, asks[i].statement, deadline)
                                                      : ERR_TOO_LARGE;
    if (err)
        return err;
    int sent = PQenterPipelineMode(conn->pg);
    for (size_t i = 0; i < count && sent; i++)
        sent = send_statement(conn, asks[i].statement, asks[i].params);
    if (!sent || !PQpipelineSync(conn->pg))
        return break_off(conn, ERR_UNAVAILABLE);
    err = flush(conn, deadline);
    for (size_t i = 0; i < count && !err; i++)
        err = receive_one(conn, &asks[i], deadline);
    if (!err)
        err = leave_pipeline(conn, deadline);
    return err ? break_off(conn, err) : ERR_OK;
}

enum err db_conn_exec_text(struct db_conn *conn, const char *sql, int64_t deadline)
{
    PGresult *pg = NULL;
    enum err err = complete(conn, PQsendQuery(conn->pg, sql), deadline, &pg);
    PQclear(pg);
    return err;
}

const char *db_conn_error(const struct db_conn *conn)
{
    return conn->error;
}

bool db_conn_rolled_back(const struct db_conn *conn)
{
    return strncmp(conn->error, "40", 2) == 0; /* the class of transaction rollback */
}

bool db_conn_usable(const struct db_conn *conn)
{
    return !conn->broken && PQstatus(conn->pg) == CONNECTION_OK &&
           PQtransactionStatus(conn->pg) == PQTRANS_IDLE;
}

bool db_conn_gone(struct db_conn *conn)
{
    /* A server that ends first says so: the end itself is only seen once that is read. */
    enum { READS = 4 };
    for (int i = 0; i < READS; i++) {
        struct pollfd p = {.fd = PQsocket(conn->pg), .events = POLLIN};
        if (p.fd < 0)
            return true;
        if (poll(&p, 1, 0) <= 0)
            return false;
        if (!PQconsumeInput(conn->pg) || PQstatus(conn->pg) != CONNECTION_OK)
            return true;
    }
    return true; /* nobody has asked it anything */
}

size_t db_rows(const struct db_result *result)
{
    return result->pg ? (size_t)PQntuples(result->pg) : 1;
}

const char *db_value(const struct db_result *result, size_t row, int column)
{
    if (!result->pg)
        return result->is_null ? NULL : result->text;
    return PQgetisnull(result->pg, (int)row, column) ? NULL
                                                     : PQgetvalue(result->pg, (int)row, column);
}

size_t db_value_len(const struct db_result *result, size_t row, int column)
{
    return result->pg ? (size_t)PQgetlength(result->pg, (int)row, column) : result->len;
}

const char *db_refused_field(const struct db_result *result)
{
    return PQresultErrorField(result->pg, PG_DIAG_COLUMN_NAME);
}

const char *db_refused_message(const struct db_result *result)
{
    return PQresultErrorField(result->pg, PG_DIAG_MESSAGE_PRIMARY);
}

void db_result_free(struct db_result *result)
{
    if (!result)
        return;
    PQclear(result->pg);
    free(result);
}
