-- What the server's role and the analysts' role may do, and what they may not.
BEGIN;
\ir lib/setup.psql
SELECT plan(36);

GRANT USAGE ON SCHEMA tap TO frontdesk_server, frontdesk_analyst;
GRANT ALL ON ALL TABLES IN SCHEMA tap TO frontdesk_server, frontdesk_analyst;
GRANT ALL ON ALL SEQUENCES IN SCHEMA tap TO frontdesk_server, frontdesk_analyst;
DO $$
BEGIN
    -- pgTAP keeps its count in temporary tables of this session.
    EXECUTE (SELECT string_agg(format('GRANT ALL ON %I.%I TO frontdesk_server, frontdesk_analyst', nspname, relname), ';')
             FROM pg_class JOIN pg_namespace AS n ON n.oid = relnamespace
             WHERE n.oid = pg_my_temp_schema() AND relkind IN ('r', 'S'));
END
$$;
SELECT send('{"event":"call_ended","call":{"call_id":"r1","agent_id":"r-agent","duration_ms":1000}}') = 'inserted' AS sent \gset

SELECT ok(NOT rolsuper AND NOT rolcreaterole AND NOT rolcreatedb AND rolcanlogin, rolname || ' is an ordinary login role')
FROM pg_roles WHERE rolname IN ('frontdesk_server', 'frontdesk_analyst') ORDER BY rolname;
SELECT is(
    (SELECT setconfig FROM pg_db_role_setting
     WHERE setrole = 'frontdesk_analyst'::regrole AND setdatabase = 0),
    ARRAY['default_transaction_read_only=on'], 'the analyst''s transactions are read-only unless it says otherwise');

SET LOCAL ROLE frontdesk_analyst;
SELECT lives_ok('SELECT * FROM frontdesk.agents', 'the analyst reads agents');
SELECT lives_ok('SELECT * FROM frontdesk.calls', 'the analyst reads calls');
SELECT lives_ok('SELECT * FROM frontdesk.call_home', 'the analyst reads call_home');
SELECT is((SELECT array_agg(call_id) FROM frontdesk.call_history('r-agent')), ARRAY['r1'], 'the analyst asks for call history');
SELECT isnt(frontdesk.call_json('r1', NULL)::text, NULL, 'the analyst asks for a call');
SELECT throws_ok('SELECT * FROM frontdesk.journal', '42501', NULL, 'the analyst does not see the journal');
SELECT throws_ok(pg_catalog.format('SELECT * FROM frontdesk.%I', hidden), '42501', NULL, 'the analyst does not see ' || hidden)
FROM unnest(ARRAY['users', 'user_agents', 'api_keys', 'login_attempts', 'sync_state', 'sync_fetches']) AS hidden;
SELECT is_empty($$SELECT p.proname FROM pg_proc AS p WHERE p.pronamespace = 'frontdesk'::regnamespace AND p.proname ~ '^(user|login|assignment|sync)_'
                    AND has_function_privilege('frontdesk_analyst', p.oid, 'EXECUTE')$$, 'nor runs what changes them');
SELECT throws_ok('INSERT INTO frontdesk.agents (agent_id, agent_name) VALUES (''x'', ''x'')', '42501', NULL, 'the analyst adds no agent');
SELECT throws_ok('UPDATE frontdesk.calls SET cost = 0', '42501', NULL, 'the analyst changes no call');
SELECT throws_ok('DELETE FROM frontdesk.call_home', '42501', NULL, 'the analyst deletes nothing');
SELECT throws_ok('TRUNCATE frontdesk.calls', '42501', NULL, 'the analyst truncates nothing');
SELECT throws_ok('SELECT * FROM frontdesk.ingest(''{}'', ''{}'', ''{}'')', '42501', NULL, 'the analyst ingests nothing');
SELECT throws_ok('CREATE TABLE frontdesk.mine ()', '42501', NULL, 'the analyst makes no table');
SELECT throws_ok('CREATE TEMPORARY TABLE mine ()', '42501', NULL, 'the analyst makes no temporary table');

SET LOCAL ROLE frontdesk_server;
SELECT is(
    (SELECT outcome FROM frontdesk.ingest(ARRAY['{"event":"call_analyzed","call":{"call_id":"r1","agent_id":"r-agent","transcript":"t"}}'::bytea], '{webhook}', '{1700000000001}')),
    'updated', 'the server ingests');
SELECT lives_ok('DELETE FROM frontdesk.journal WHERE agent_id = ''nobody''', 'the server may expire the journal');
SELECT throws_ok('ALTER TABLE frontdesk.calls ADD COLUMN extra integer', '42501', NULL, 'the server alters no table');
SELECT throws_ok('DROP TABLE frontdesk.calls', '42501', NULL, 'the server drops no table');
SELECT throws_ok('TRUNCATE frontdesk.calls', '42501', NULL, 'the server truncates nothing');
SELECT throws_ok('CREATE TABLE frontdesk.mine ()', '42501', NULL, 'the server makes no table');
SELECT throws_ok('CREATE SCHEMA mine', '42501', NULL, 'the server makes no schema');

-- What the schema's owner puts on tables that triggers on calls write runs as that owner, and not as
-- the superuser whose extension the triggers are of.
RESET ROLE;
SELECT nspowner::regrole AS owner FROM pg_namespace WHERE nspname = 'frontdesk' \gset
SELECT isnt((SELECT rolsuper FROM pg_roles WHERE oid = :'owner'::regrole), true, 'the schema''s owner is no superuser');
CREATE TABLE tap.seen (place text, as_who name, session name DEFAULT session_user);
GRANT USAGE ON SCHEMA tap TO :"owner";
GRANT INSERT ON tap.seen TO :"owner";
SET LOCAL ROLE :"owner";
CREATE FUNCTION frontdesk.see() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO tap.seen VALUES (TG_TABLE_NAME || ' ' || TG_OP, current_user); RETURN NULL; END$$;
CREATE TRIGGER see AFTER INSERT ON frontdesk.call_rollup_delta FOR EACH STATEMENT EXECUTE FUNCTION frontdesk.see();
CREATE TRIGGER see AFTER TRUNCATE ON frontdesk.call_rollup FOR EACH STATEMENT EXECUTE FUNCTION frontdesk.see();
CREATE TRIGGER see AFTER INSERT OR DELETE ON frontdesk.call_text_queue FOR EACH STATEMENT EXECUTE FUNCTION frontdesk.see();
RESET ROLE;
SELECT fold_rollups();
SELECT send('{"event":"call_ended","call":{"call_id":"r2","agent_id":"r-agent","duration_ms":1000}}') = 'inserted' AS sent \gset
SELECT is(current_user::text, session_user::text, 'a change by a superuser');
TRUNCATE frontdesk.calls;
SELECT bag_eq('SELECT DISTINCT place FROM tap.seen', ARRAY['call_rollup_delta INSERT', 'call_rollup TRUNCATE', 'call_text_queue INSERT', 'call_text_queue DELETE'], 'sets them off');
SELECT is(ARRAY(SELECT DISTINCT as_who FROM tap.seen), ARRAY[:'owner'::name], 'as the owner');
SELECT is(current_user::text, session_user::text, 'and only them');

RESET ROLE;
SELECT is_empty($$SELECT c.relname FROM pg_class AS c, aclexplode(c.relacl) AS a
                  WHERE c.relnamespace = 'frontdesk'::regnamespace AND a.is_grantable
                    AND a.grantee IN ('frontdesk_server'::regrole, 'frontdesk_analyst'::regrole)$$,
                'neither may hand on what it has');
SELECT * FROM finish();
ROLLBACK;
