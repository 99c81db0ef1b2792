/* Every SQL text that the server says, in one list. The texts call functions of the extension. */
#ifndef FRONTDESK_DB_STATEMENTS_H
#define FRONTDESK_DB_STATEMENTS_H

enum statement {
    STATEMENT_AGENT,
    STATEMENT_AGENTS,
    STATEMENT_CALL,
    STATEMENT_CALLS,
    STATEMENT_CALL_HISTORY,
    STATEMENT_INGEST,
    STATEMENT_METRICS,
    STATEMENT_READINESS,
    STATEMENT_MIGRATIONS_APPLIED,
    STATEMENT_MIGRATIONS_BEGIN,
    STATEMENT_MIGRATIONS_COMMIT,
    STATEMENT_MIGRATIONS_CREATE_TABLE,
    STATEMENT_MIGRATIONS_LOCK,
    STATEMENT_MIGRATIONS_RECORD,
    STATEMENT_MIGRATIONS_ROLLBACK,
    STATEMENT_MIGRATIONS_TABLE_EXISTS,
    STATEMENT_MIGRATIONS_UNLOCK,
    STATEMENT_COUNT
};

struct statement_text {
    const char *name; /* the prepared statement's */
    const char *sql;
    int params;
};

const struct statement_text *statement_text(enum statement statement);

#endif
