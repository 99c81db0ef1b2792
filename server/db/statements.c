#include "db/statements.h"

/* An agent, a key and a page as the API shows them. */
#define AGENT_JSON                                                                                 \
    "pg_catalog.json_build_object('id', a.id, 'agent_id', a.agent_id, 'agent_name',"               \
    " a.agent_name, 'status', a.status, 'created_at', frontdesk.iso_time(a.created_at),"           \
    " 'updated_at', frontdesk.iso_time(a.updated_at))"
#define KEY_JSON                                                                                   \
    "pg_catalog.json_build_object('id', k.id, 'name', k.name, 'role', k.role, 'agents', k.agents," \
    " 'prefix', k.prefix, 'created_by', k.created_by, 'created_at',"                               \
    " frontdesk.iso_time(k.created_at), 'expires_at', frontdesk.iso_time(k.expires_at),"           \
    " 'last_used_at', frontdesk.iso_time(k.last_used_at))"
#define PAGINATION_JSON(total, limit, offset)                                                      \
    "pg_catalog.json_build_object('total', " total ", 'limit', " limit ", 'offset', " offset       \
    ", 'hasMore', " offset " < " total " - " limit ")"

/* Users of a role, of a status, with a text in their e-mail or name; null: any. */
#define USERS_FILTERED                                                                             \
    " FROM frontdesk.users AS u WHERE ($1::text IS NULL OR u.role = $1)"                           \
    " AND ($2::text IS NULL OR u.status = $2)"                                                     \
    " AND ($3::text IS NULL"                                                                       \
    " OR pg_catalog.strpos(u.email, pg_catalog.lower($3)) > 0"                                     \
    " OR pg_catalog.strpos(pg_catalog.lower(u.name), pg_catalog.lower($3)) > 0)"

static const struct statement_text texts[STATEMENT_COUNT] = {
    /* Pages and rows: one json value, NULL for "there is no such thing, or not for this caller". */
    [STATEMENT_AGENT] = {"agent", "SELECT frontdesk.agent_json($1, $2::text[])", 2, .brief = true},
    [STATEMENT_AGENTS] = {"agents",
                          "SELECT frontdesk.agents_json($1::text[], $2, $3, $4::int, $5::bigint)",
                          5},
    [STATEMENT_CALL] = {"call", "SELECT frontdesk.call_json($1, $2::text[])", 2},
    /* Pages: sort, order, rows, offset, cursor, fields, then the filters of API's calls; lists are
       texts with commas. */
    [STATEMENT_CALLS] =
        {"calls",
         "SELECT frontdesk.calls_page($1::text[], $2, $3, $4::int, $5::bigint, $6, "
         "pg_catalog.string_to_array($7, ','), pg_catalog.string_to_array($8, ','), "
         "pg_catalog.string_to_array($9, ','), pg_catalog.string_to_array($10, ','), "
         "pg_catalog.string_to_array($11, ','), pg_catalog.string_to_array($12, ','), "
         "pg_catalog.string_to_array($13, ','), $14::bigint, $15::bigint, $16::bigint, "
         "$17::bigint, $18::numeric, $19::numeric, pg_catalog.string_to_array($20, ','), $21, "
         "$22)",
         22},
    [STATEMENT_CALL_HISTORY] =
        {"call_history",
         "SELECT frontdesk.call_history_page($1, $2::text[], $3, $4, $5::int, $6::bigint, $7, "
         "pg_catalog.string_to_array($8, ','), pg_catalog.string_to_array($9, ','), "
         "pg_catalog.string_to_array($10, ','), pg_catalog.string_to_array($11, ','), "
         "pg_catalog.string_to_array($12, ','), pg_catalog.string_to_array($13, ','), "
         "pg_catalog.string_to_array($14, ','), $15::bigint, $16::bigint, $17::bigint, "
         "$18::bigint, $19::numeric, $20::numeric, pg_catalog.string_to_array($21, ','), $22, "
         "$23)",
         23},

    /* Numbers, likewise: one json value. */
    [STATEMENT_AGENT_SUMMARY] = {"agent_summary",
                                 "SELECT frontdesk.agent_summary_json($1, $2::text[], $3::bigint, "
                                 "$4::bigint, $5, $6)",
                                 6},
    [STATEMENT_ANALYTICS_AGENTS] =
        {"analytics_agents",
         "SELECT frontdesk.analytics_agents_json($1::text[], $2::bigint, $3::bigint)", 3},
    [STATEMENT_ANALYTICS_CALLS] =
        {"analytics_calls",
         "SELECT frontdesk.analytics_calls_json($1::text[], $2, $3::bigint, $4::bigint, $5)", 5},
    [STATEMENT_ANALYTICS_OVERVIEW] =
        {"analytics_overview",
         "SELECT frontdesk.analytics_overview_json($1::text[], $2, $3::bigint, $4::bigint)", 4},
    [STATEMENT_ANALYTICS_SENTIMENT] =
        {"analytics_sentiment",
         "SELECT frontdesk.analytics_sentiment_json($1::text[], $2, $3::bigint, $4::bigint)", 4},
    [STATEMENT_OVERVIEW] = {"overview", "SELECT frontdesk.overview_json($1::text[])", 1},
    [STATEMENT_STATS] = {"stats", "SELECT frontdesk.stats_json($1::text[])", 1},
    [STATEMENT_SUMMARY] = {"summary",
                           "SELECT frontdesk.summary_json($1::text[], $2::bigint, $3::bigint, "
                           "$4, $5)",
                           5},

    /* Agents, as administrators manage them. NULL, or no row: it is there already, or is not. */
    [STATEMENT_AGENT_ADD] =
        {"agent_add",
         "INSERT INTO frontdesk.agents AS a (agent_id, agent_name, named_by_hand, status)"
         " VALUES ($1, $2, true, coalesce($3, 'ACTIVE'))"
         " ON CONFLICT DO NOTHING RETURNING " AGENT_JSON,
         3},
    [STATEMENT_AGENT_CHANGE] =
        {"agent_change",
         "UPDATE frontdesk.agents AS a SET agent_name = coalesce($2, a.agent_name),"
         " named_by_hand = a.named_by_hand OR $2 IS NOT NULL, status = coalesce($3, a.status),"
         " updated_at = pg_catalog.now() WHERE a.agent_id = $1 RETURNING " AGENT_JSON,
         3},

    /* Who is assigned what. Lists are NULL when there is nobody, or nothing, to list them of. */
    [STATEMENT_AGENT_USERS] =
        {"agent_users",
         "SELECT (SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object("
         "'created_at', frontdesk.iso_time(ua.created_at), 'user', frontdesk.user_json(u))"
         " ORDER BY ua.created_at, u.email), '[]')"
         " FROM frontdesk.user_agents AS ua JOIN frontdesk.users AS u ON u.id = ua.user_id"
         " WHERE ua.agent_id = a.agent_id) FROM frontdesk.agents AS a WHERE a.agent_id = $1",
         1},
    [STATEMENT_ASSIGNMENT_ADD] =
        {"assignment_add", "SELECT outcome, assignment FROM frontdesk.assignment_add($1::uuid, $2)",
         2},
    [STATEMENT_ASSIGNMENT_REMOVE] = {"assignment_remove",
                                     "DELETE FROM frontdesk.user_agents AS ua"
                                     " WHERE ua.user_id = $1::uuid AND ua.agent_id = $2"
                                     " RETURNING ua.agent_id",
                                     2},
    [STATEMENT_USER_AGENTS] =
        {"user_agents",
         "SELECT (SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object("
         "'created_at', frontdesk.iso_time(ua.created_at), 'agent', " AGENT_JSON ")"
         " ORDER BY ua.created_at, a.agent_id), '[]')"
         " FROM frontdesk.user_agents AS ua JOIN frontdesk.agents AS a USING (agent_id)"
         " WHERE ua.user_id = u.id) FROM frontdesk.users AS u WHERE u.id = $1::uuid",
         1},

    /* Who asks: id, role, tokens_from, expires_ms, agent_ids. No row: nobody who counts. */
    [STATEMENT_IDENTITY_KEY] =
        {"identity_key",
         "SELECT k.id, k.role, NULL, (extract(epoch FROM k.expires_at) * 1000)::bigint, k.agents"
         " FROM frontdesk.api_keys AS k WHERE k.digest = $1::bytea",
         1},
    [STATEMENT_IDENTITY_USER] =
        {"identity_user",
         "SELECT u.id, u.role, u.tokens_from, NULL,"
         " CASE WHEN u.role = 'USER' AND NOT u.all_agents THEN ARRAY(SELECT ua.agent_id"
         " FROM frontdesk.user_agents AS ua WHERE ua.user_id = u.id) END"
         " FROM frontdesk.users AS u WHERE u.id = $1::uuid AND u.status = 'APPROVED'",
         1},

    /* Keys of programs. An expired one is listed until it is revoked. */
    [STATEMENT_KEYS] =
        {"keys",
         "SELECT pg_catalog.json_build_object('keys', (SELECT coalesce(pg_catalog.json_agg("
         "page.key), '[]') FROM (SELECT " KEY_JSON " AS key FROM frontdesk.api_keys AS k"
         " ORDER BY k.created_at DESC, k.id LIMIT $1::int OFFSET $2::bigint) AS page),"
         " 'pagination', " PAGINATION_JSON("total", "$1::int",
                                           "$2::bigint") ")"
                                                         " FROM (SELECT pg_catalog.count(*) AS "
                                                         "total FROM frontdesk.api_keys) AS n",
         2},
    [STATEMENT_KEYS_ALL] = {"keys_all",
                            "SELECT k.id, k.name, k.role, k.prefix,"
                            " coalesce(pg_catalog.array_to_string(k.agents, ','), 'all'),"
                            " frontdesk.iso_time(k.created_at), frontdesk.iso_time(k.expires_at),"
                            " frontdesk.iso_time(k.last_used_at)"
                            " FROM frontdesk.api_keys AS k ORDER BY k.created_at, k.id",
                            0},
    [STATEMENT_KEYS_NOTE_USED] =
        {"keys_note_used",
         "UPDATE frontdesk.api_keys AS k SET last_used_at = greatest(k.last_used_at,"
         " pg_catalog.to_timestamp(used.ms / 1000.0))"
         " FROM ROWS FROM (unnest($1::text[]), unnest($2::bigint[])) AS used(id, ms)"
         " WHERE k.id = used.id::uuid",
         2},
    /* The key as json; else the agents that it names and that are none. */
    [STATEMENT_KEY_ADD] =
        {"key_add",
         "WITH wanted AS (SELECT pg_catalog.json_array_elements_text($3::json) AS agent_id),"
         " unknown AS (SELECT w.agent_id FROM wanted AS w WHERE NOT EXISTS"
         " (SELECT FROM frontdesk.agents AS a WHERE a.agent_id = w.agent_id)),"
         " made AS (INSERT INTO frontdesk.api_keys AS k"
         " (name, role, agents, expires_at, prefix, digest, created_by)"
         " SELECT $1, $2, CASE WHEN $3 IS NOT NULL THEN ARRAY(SELECT agent_id FROM wanted) END,"
         " $4::timestamptz, $5, $6::bytea,"
         " (SELECT u.id FROM frontdesk.users AS u WHERE u.id = $7::uuid)"
         " WHERE NOT EXISTS (SELECT FROM unknown) RETURNING " KEY_JSON " AS key)"
         " SELECT (SELECT key FROM made),"
         " (SELECT pg_catalog.string_agg(agent_id, ', ') FROM unknown)",
         7},
    [STATEMENT_KEY_REMOVE] =
        {"key_remove", "DELETE FROM frontdesk.api_keys AS k WHERE k.id = $1::uuid RETURNING k.id",
         1},

    /* Logins: wait_seconds, user_id, user_password_hash, user_role, user_status, issued_at. */
    [STATEMENT_LOGIN_BEGIN] = {"login_begin",
                               "SELECT wait_seconds, user_id, user_password_hash, user_role,"
                               " user_status, issued_at"
                               " FROM frontdesk.login_begin($1, $2::bytea, $3::bytea)",
                               3},
    [STATEMENT_LOGIN_END] = {"login_end",
                             "SELECT frontdesk.login_end($1::bytea, $2::bytea, $3::bool)", 3},
    /* Those of yesterday, and the oldest beyond 100000. */
    [STATEMENT_LOGINS_EXPIRE] = {"logins_expire",
                                 "DELETE FROM frontdesk.login_attempts AS l"
                                 " WHERE l.last_at < greatest(pg_catalog.now() - interval '1 day',"
                                 " (SELECT o.last_at FROM frontdesk.login_attempts AS o"
                                 " ORDER BY o.last_at DESC OFFSET 100000 LIMIT 1))",
                                 0},

    /* One row an event. */
    [STATEMENT_INGEST] = {"ingest",
                          "SELECT ord, outcome, error"
                          " FROM frontdesk.ingest($1::bytea[], $2::text[], $3::bigint[])",
                          3},

    /* One row, in the order of api/check.c. Works without the extension. */
    [STATEMENT_CHECK] =
        {"check",
         "SELECT pg_catalog.current_setting('server_version'),"
         " (SELECT extversion FROM pg_catalog.pg_extension WHERE extname = 'frontdesk'),"
         " (SELECT default_version FROM pg_catalog.pg_available_extensions"
         " WHERE name = 'frontdesk'),"
         " (extract(epoch FROM pg_catalog.clock_timestamp()) * 1000)::bigint,"
         " pg_catalog.pg_is_in_recovery(),"
         " (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user)",
         0},

    /* How many old rows went; a few at a time, none that somebody else holds, and no dead one. */
    [STATEMENT_JOURNAL_EXPIRE] =
        {"journal_expire",
         "WITH old AS ("
         "SELECT agent_id, call_id, event, digest FROM frontdesk.journal WHERE state <> 'dead'"
         " AND received_at < pg_catalog.now() - pg_catalog.make_interval(days => $1::int)"
         " ORDER BY received_at LIMIT 500 FOR UPDATE SKIP LOCKED), gone AS ("
         "DELETE FROM frontdesk.journal AS j USING old WHERE j.agent_id = old.agent_id"
         " AND j.call_id = old.call_id AND j.event = old.event AND j.digest = old.digest"
         " RETURNING 1) SELECT pg_catalog.count(*) FROM gone",
         1},

    /* The extension's version, NULL when it is not there; could it be? */
    [STATEMENT_READINESS] = {"readiness",
                             "SELECT (SELECT extversion FROM pg_catalog.pg_extension"
                             " WHERE extname = 'frontdesk'),"
                             " (SELECT default_version FROM pg_catalog.pg_available_extensions"
                             " WHERE name = 'frontdesk')",
                             0},

    /* How many changes were folded; none while another server folds. The number is "fold". */
    [STATEMENT_ROLLUPS_FOLD] = {"rollups_fold",
                                "SELECT CASE WHEN pg_catalog.pg_try_advisory_xact_lock(1718578276)"
                                " THEN frontdesk.fold_rollups() ELSE 0 END",
                                0},

    /* How many entries of the queue were indexed; none while another server is at it. */
    [STATEMENT_TEXT_INDEX] = {"text_index", "SELECT frontdesk.index_text($1::int)", 1},

    /* One row of numbers, in the order of api/metrics.c. */
    [STATEMENT_METRICS] = {"metrics",
                           "SELECT (SELECT count(*) FROM frontdesk.journal WHERE state = 'dead'),"
                           " frontdesk.sync_found_by_poll(),"
                           " (SELECT (extract(epoch FROM pg_catalog.clock_timestamp() - success_at)"
                           " * 1000)::bigint FROM frontdesk.sync_state),"
                           " (SELECT count(*) FROM frontdesk.sync_fetches WHERE state = 'due'),"
                           " count(*), coalesce((extract(epoch FROM pg_catalog.clock_timestamp()"
                           " - min(written_at)) * 1000)::bigint, 0),"
                           " (SELECT pending FROM frontdesk.text_lag()),"
                           " (SELECT coalesce((extract(epoch FROM pg_catalog.clock_timestamp()"
                           " - oldest) * 1000)::bigint, 0) FROM frontdesk.text_lag())"
                           " FROM frontdesk.call_rollup_delta",
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
                                   "SELECT pg_catalog.pg_try_advisory_lock(7382085259403486579)",
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
                                     "SELECT pg_catalog.pg_advisory_unlock(7382085259403486579)",
                                     0},

    /* frontdesk replay. */
    [STATEMENT_REPLAY_CALLS] = {"replay_calls",
                                "SELECT last_agent, last_call, events, calls, changed FROM"
                                " frontdesk.replay_calls($1::timestamptz, $2::timestamptz, $3, $4,"
                                " $5::int)",
                                5},
    [STATEMENT_REPLAY_DEAD] = {"replay_dead",
                               "SELECT last_digest, events, revived FROM"
                               " frontdesk.replay_dead($1::timestamptz, $2::timestamptz,"
                               " $3::bytea, $4::int)",
                               4},
    [STATEMENT_REPLAY_SIZE] = {"replay_size",
                               "SELECT frontdesk.replay_size($1::timestamptz, $2::timestamptz,"
                               " $3::boolean)",
                               3},

    /* Polling; sql/migrations' sync functions say what each does. */
    [STATEMENT_SYNC_AGENTS] = {"sync_agents",
                               "SELECT added, changed FROM frontdesk.sync_agents($1::text[], "
                               "$2::text[])",
                               2},
    [STATEMENT_SYNC_BEGIN] = {"sync_begin",
                              "SELECT wait_ms, started_to, ended_to, scan_due, unconnected,"
                              " looked_at, agents_due FROM frontdesk.sync_begin($1, $2::boolean,"
                              " $3::bigint, $4::bigint)",
                              4},
    [STATEMENT_SYNC_DUE] = {"sync_due",
                            "SELECT agent_id, call_id FROM frontdesk.sync_fetches"
                            " WHERE state = 'due' AND due_at <= pg_catalog.clock_timestamp()"
                            " AND ($1 = '' OR agent_id = $1) ORDER BY started_at DESC"
                            " LIMIT $2::bigint",
                            2},
    [STATEMENT_SYNC_END] = {"sync_end",
                            "SELECT frontdesk.sync_end($1, $2, $3::boolean, $4::bigint, $5::bigint,"
                            " $6::bigint, $7::bigint)",
                            7},
    [STATEMENT_SYNC_EXPECT] = {"sync_expect", "SELECT frontdesk.sync_expect($1::bigint)", 1},
    [STATEMENT_SYNC_FETCH_FAILED] = {"sync_fetch_failed",
                                     "SELECT frontdesk.sync_fetch_failed($1, $2, $3::boolean, $4)",
                                     4},
    [STATEMENT_SYNC_LOCK] = {"sync_lock", "SELECT frontdesk.sync_lock()", 0},
    [STATEMENT_SYNC_PUT_OFF] = {"sync_put_off",
                                "SELECT frontdesk.sync_put_off($1::text[], $2::text[])", 2},
    [STATEMENT_SYNC_STATUS] = {"sync_status", "SELECT frontdesk.sync_status_json()", 0},
    [STATEMENT_SYNC_STORE] = {"sync_store",
                              "SELECT added, changed, failed, problem FROM"
                              " frontdesk.sync_store($1, $2::bytea[], $3::bigint, $4::boolean,"
                              " $5::bigint, $6::bigint)",
                              6},
    [STATEMENT_SYNC_UNFINISHED] = {"sync_unfinished",
                                   "SELECT call_id FROM frontdesk.sync_unfinished($1, $2::bigint,"
                                   " $3::bigint, $4::bigint, $5::bigint, $6::int)",
                                   6},
    [STATEMENT_SYNC_UNLOCK] = {"sync_unlock", "SELECT frontdesk.sync_unlock()", 0},
    [STATEMENT_SYNC_WATCH] = {"sync_watch", "SELECT frontdesk.sync_watch($1::bigint, $2::bigint)",
                              2},

    /* Users. */
    [STATEMENT_USER] = {"user",
                        "SELECT frontdesk.user_json(u) FROM frontdesk.users AS u"
                        " WHERE u.id = $1::uuid",
                        1},
    [STATEMENT_USERS] =
        {"users",
         "SELECT pg_catalog.json_build_object('users', (SELECT coalesce(pg_catalog.json_agg("
         "frontdesk.user_json(page.u)), '[]') FROM (SELECT u" USERS_FILTERED
         " ORDER BY u.created_at DESC, u.id LIMIT $4::int OFFSET $5::bigint) AS page),"
         " 'pagination', " PAGINATION_JSON(
             "total", "$4::int",
             "$5::bigint") ")"
                           " FROM (SELECT pg_catalog.count(*) AS total" USERS_FILTERED ") AS n",
         5},
    [STATEMENT_USERS_ALL] =
        {"users_all",
         "SELECT u.email, u.name, u.role, u.status, CASE WHEN u.all_agents OR u.role <> 'USER'"
         " THEN 'all' ELSE (SELECT pg_catalog.count(*)::text FROM frontdesk.user_agents AS ua"
         " WHERE ua.user_id = u.id) END, frontdesk.iso_time(u.created_at), u.id"
         " FROM frontdesk.users AS u WHERE $1::text IS NULL OR u.status = $1"
         " ORDER BY u.created_at, u.id",
         1},
    [STATEMENT_USER_ADD] = {"user_add",
                            "SELECT outcome, user_id, user_role, issued_at, profile"
                            " FROM frontdesk.user_add($1, $2, $3, $4, $5, $6, $7::bool)",
                            7},
    [STATEMENT_USER_CHANGE] = {"user_change",
                               "SELECT outcome, profile FROM frontdesk.user_change($1::uuid, $2,"
                               " $3::uuid, $4, $5, $6, $7::bool)",
                               7},
    [STATEMENT_USER_ID] = {"user_id", "SELECT u.id FROM frontdesk.users AS u WHERE u.email = $1",
                           1},
    /* As the first columns of user_set_password: role, issued_at. */
    [STATEMENT_USER_LOGOUT] = {"user_logout",
                               "UPDATE frontdesk.users AS u SET tokens_from ="
                               " frontdesk.next_tokens_from(u.tokens_from)"
                               " WHERE u.id = $1::uuid AND u.tokens_from <= $2::bigint"
                               " RETURNING u.role, u.tokens_from",
                               2},
    [STATEMENT_USER_ME] =
        {"user_me",
         "SELECT pg_catalog.left(frontdesk.user_json(u)::text, -1) || ', \"agents\" : ' ||"
         " (SELECT coalesce(pg_catalog.json_agg(" AGENT_JSON " ORDER BY a.agent_id), '[]')::text"
         " FROM frontdesk.user_agents AS ua JOIN frontdesk.agents AS a USING (agent_id)"
         " WHERE ua.user_id = u.id) || '}', u.email"
         " FROM frontdesk.users AS u WHERE u.id = $1::uuid",
         1},
    [STATEMENT_USER_REHASH] = {"user_rehash",
                               "UPDATE frontdesk.users AS u SET password_hash = $3"
                               " WHERE u.id = $1::uuid AND u.password_hash = $2",
                               3},
    [STATEMENT_USER_REMOVE] = {"user_remove",
                               "SELECT frontdesk.user_remove($1::uuid, $2, $3::uuid)", 3},
    /* A null $2 stands for whatever password there was. No row: it was another by then. */
    [STATEMENT_USER_SET_PASSWORD] =
        {"user_set_password",
         "UPDATE frontdesk.users AS u SET password_hash = $3, updated_at = pg_catalog.now(),"
         " tokens_from = frontdesk.next_tokens_from(u.tokens_from)"
         " WHERE u.id = $1::uuid AND ($2::text IS NULL OR u.password_hash = $2)"
         " RETURNING u.role, u.tokens_from",
         3},
};

const struct statement_text *statement_text(enum statement statement)
{
    return &texts[statement];
}
