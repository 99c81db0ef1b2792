#include "db/statements.h"

static const struct statement_text texts[STATEMENT_COUNT] = {
    /* Pages and rows: one json value, NULL for "there is no such thing, or not for this caller". */
    [STATEMENT_AGENT] = {"agent", "SELECT frontdesk.agent_json($1, $2::text[])", 2},
    [STATEMENT_AGENTS] = {"agents",
                          "SELECT frontdesk.agents_json($1::text[], $2, $3, $4::int, $5::bigint)",
                          5},
    [STATEMENT_CALL] = {"call", "SELECT frontdesk.call_json($1, $2::text[])", 2},
    [STATEMENT_CALLS] = {"calls",
                         "SELECT frontdesk.calls_json($1::text[], $2, $3, $4::int, $5::bigint)", 5},
    [STATEMENT_CALL_HISTORY] = {"call_history",
                                "SELECT frontdesk.call_history_json($1, $2::text[], $3, $4, "
                                "$5::int, $6::bigint)",
                                6},

    /* One row an event: ord, outcome, agent_id, call_id, event, error. */
    [STATEMENT_INGEST] = {"ingest",
                          "SELECT * FROM frontdesk.ingest($1::bytea[], $2::text[], $3::bigint[])",
                          3},

    /* The extension's version, NULL when it is not there. */
    [STATEMENT_READINESS] = {"readiness",
                             "SELECT (SELECT extversion FROM pg_catalog.pg_extension"
                             " WHERE extname = 'frontdesk')",
                             0},

    /* One row of numbers, in the order of api/metrics.c. */
    [STATEMENT_METRICS] = {"metrics",
                           "SELECT (SELECT count(*) FROM frontdesk.journal WHERE state = 'dead')",
                           0},

    /* frontdesk migrate. The lock's number is the ASCII of "frontdes". */
    [STATEMENT_MIGRATIONS_APPLIED] = {"migrations_applied",
                                      "SELECT version, name, checksum, applied_at"
                                      " FROM frontdesk.schema_migrations ORDER BY version",
                                      0},
    [STATEMENT_MIGRATIONS_BEGIN] = {"migrations_begin", "BEGIN", 0},
    [STATEMENT_MIGRATIONS_COMMIT] = {"migrations_commit", "COMMIT", 0},
    [STATEMENT_MIGRATIONS_CREATE_TABLE] =
        {"migrations_create_table",
         "CREATE TABLE IF NOT EXISTS frontdesk.schema_migrations ("
         " version integer PRIMARY KEY, name text NOT NULL, checksum text NOT NULL,"
         " applied_at timestamptz NOT NULL DEFAULT pg_catalog.now())",
         0},
    [STATEMENT_MIGRATIONS_LOCK] = {"migrations_lock",
                                   "SELECT pg_catalog.pg_try_advisory_lock(7382915054443652467)",
                                   0},
    [STATEMENT_MIGRATIONS_RECORD] = {"migrations_record",
                                     "INSERT INTO frontdesk.schema_migrations"
                                     " (version, name, checksum) VALUES ($1::int, $2, $3)",
                                     3},
    [STATEMENT_MIGRATIONS_ROLLBACK] = {"migrations_rollback", "ROLLBACK", 0},
    /* To a role that may not look into the schema, the table is not there; to_regclass raises. */
    [STATEMENT_MIGRATIONS_TABLE_EXISTS] =
        {"migrations_table_exists",
         "SELECT EXISTS (SELECT FROM pg_catalog.pg_class c"
         " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
         " WHERE n.nspname = 'frontdesk' AND c.relname = 'schema_migrations'"
         " AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')"
         " AND pg_catalog.has_table_privilege(c.oid, 'SELECT'))",
         0},
    [STATEMENT_MIGRATIONS_UNLOCK] = {"migrations_unlock",
                                     "SELECT pg_catalog.pg_advisory_unlock(7382915054443652467)",
                                     0},
};

const struct statement_text *statement_text(enum statement statement)
{
    return &texts[statement];
}
