-- Tables, keys, indexes and their comments.
BEGIN;
\ir lib/setup.psql
SELECT plan(20);

SELECT tables_are('frontdesk', ARRAY['agents', 'api_keys', 'call_home', 'call_rollup', 'call_rollup_delta', 'call_text', 'call_text_queue', 'call_total', 'calls', 'journal', 'login_attempts', 'schema_migrations', 'sync_cursors', 'sync_fetches', 'sync_finds', 'sync_state', 'user_agents', 'users'])
    WHERE to_regclass('frontdesk.schema_migrations') IS NOT NULL
UNION ALL
SELECT tables_are('frontdesk', ARRAY['agents', 'api_keys', 'call_home', 'call_rollup', 'call_rollup_delta', 'call_text', 'call_text_queue', 'call_total', 'calls', 'journal', 'login_attempts', 'sync_cursors', 'sync_fetches', 'sync_finds', 'sync_state', 'user_agents', 'users'])
    WHERE to_regclass('frontdesk.schema_migrations') IS NULL;

-- Keys are led by agent_id, so that the schema can be distributed by it.
SELECT col_is_pk('frontdesk', 'agents', 'agent_id', 'agents: one row an agent');
SELECT col_is_pk('frontdesk', 'calls', ARRAY['agent_id', 'call_id'], 'calls: the agent leads the key');
SELECT col_is_pk('frontdesk', 'call_rollup', ARRAY['agent_id', 'grain', 'bucket'], 'call_rollup: the agent leads the key');
SELECT has_index('frontdesk', 'call_rollup_delta', 'call_rollup_delta_agent_idx', ARRAY['agent_id'], 'call_rollup_delta: found by agent');
SELECT col_is_pk('frontdesk', 'call_home', 'call_id', 'call_home: makes call_id unique');
SELECT col_is_pk('frontdesk', 'journal', ARRAY['agent_id', 'call_id', 'event', 'digest'],
                 'journal: the agent leads the key, a second delivery has the same');
SELECT is_empty(
    $$SELECT i.indexrelid::regclass FROM pg_index AS i
      JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
      WHERE i.indisunique AND i.indrelid IN ('calls'::regclass, 'journal'::regclass, 'call_rollup'::regclass, 'call_rollup_delta'::regclass)
        AND a.attname <> 'agent_id'$$,
    'no unique index of calls, journal or rollups begins otherwise');

-- All tables may be published for logical replication.
SELECT is_empty(
    $$SELECT c.oid::regclass FROM pg_class AS c
      WHERE c.relnamespace = 'frontdesk'::regnamespace AND c.relkind = 'r' AND c.relreplident <> 'f'
        AND NOT EXISTS (SELECT FROM pg_index AS i WHERE i.indrelid = c.oid AND i.indisprimary)$$,
    'every table has what its rows are known by');
SET LOCAL client_min_messages = error; -- a warning that wal_level is not logical
CREATE PUBLICATION everything FOR ALL TABLES;
RESET client_min_messages;
SELECT send('{"event":"call_ended","call":{"call_id":"published","agent_id":"a","transcript":"word"}}');
SELECT lives_ok('SELECT fold_rollups()', 'published, deltas are folded');
SELECT lives_ok('SELECT index_text()', 'and texts indexed');
DROP PUBLICATION everything;

SELECT has_index('frontdesk', 'calls', 'calls_started_at_idx', ARRAY['agent_id', 'started_at', 'call_id'], 'pages by date');
SELECT matches(pg_get_indexdef('calls_duration_idx'::regclass), '\(agent_id, COALESCE\(duration_ms, .*\), started_at, call_id\)',
               'pages by duration: no duration is the lowest');
SELECT matches(pg_get_indexdef('calls_cost_idx'::regclass), '\(agent_id, COALESCE\(cost, .*\), started_at, call_id\)',
               'pages by cost: no cost is the lowest');

SELECT col_type_is('frontdesk', 'calls', 'cost', 'numeric(14,4)', 'cost is exact');
SELECT col_type_is('frontdesk', 'calls', 'started_at', 'bigint', 'times are ms since epoch');
SELECT throws_ok(
    $$INSERT INTO journal (agent_id, call_id, event, digest, source, sent_ms, received_at, state, body)
      VALUES ('', '', '', sha256(''), 'fax', 0, now(), 'done', '')$$,
    '23514', NULL, 'the journal knows its sources');

SELECT is_empty(
    $$SELECT c.relname, a.attname FROM pg_class AS c
      JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
      WHERE c.relnamespace = 'frontdesk'::regnamespace AND c.relkind = 'r'
        AND c.relname <> 'schema_migrations' AND col_description(c.oid, a.attnum) IS NULL$$,
    'every column has a comment');
SELECT is_empty(
    $$SELECT c.relname FROM pg_class AS c
      WHERE c.relnamespace = 'frontdesk'::regnamespace AND c.relkind = 'r'
        AND c.relname <> 'schema_migrations' AND obj_description(c.oid, 'pg_class') IS NULL$$,
    'every table has a comment');
SELECT is_empty(
    $$SELECT i.indexrelid::regclass FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
      WHERE c.relnamespace = 'frontdesk'::regnamespace AND NOT i.indisunique
        AND obj_description(c.oid, 'pg_class') IS NULL$$,
    'every index has a comment');

SELECT * FROM finish();
ROLLBACK;
