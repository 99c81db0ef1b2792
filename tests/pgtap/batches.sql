-- A batch is worth as much as its events one by one, whatever it mixes; duplicates write nothing.
BEGIN;
\ir lib/setup.psql
SELECT plan(18);

-- The same event many times in one batch: one leads, the others follow it.
SELECT is(send_batch('{"event":"call_ended","call":{"call_id":"b1","agent_id":"a"}}',
                     '{"event":"call_ended","call":{"call_id":"b1","agent_id":"a"}}',
                     '{"event":"call_ended","call":{"call_id":"b1","agent_id":"a","duration_ms":-1}}',
                     '{"event":"call_ended","call":{"call_id":"b1","agent_id":"a","duration_ms":-1}}',
                     '{"event":"call_ended","call":{"call_id":"b1","agent_id":"a"}}'),
          ARRAY['inserted', 'unchanged', 'dead', 'dead', 'unchanged'], 'deliveries of one event in one batch');
SELECT results_eq($$SELECT outcome, agent_id, call_id, error FROM ingest(
                      array_fill('{"event":"call_ended","call":{"call_id":"b1","agent_id":"a","duration_ms":-2}}'::bytea, '{2}'), '{webhook,webhook}', '{5,4}')$$,
                  $$VALUES ('dead', '', 'b1', 'call.duration_ms is out of range'), ('dead', '', 'b1', 'call.duration_ms is out of range')$$,
                  'both of a dead one say why');
SELECT is((SELECT min(sent_ms) FROM journal WHERE call_id = 'b1' AND state = 'dead'), 4::bigint, 'the journal has the one sent first');

-- Duplicates, in every state.
SELECT is(send('{"event":"alert_triggered","alert":{}}'), 'kept', 'an event without a call');
SELECT is(send('{"event":"alert_triggered","alert":{}}'), 'unchanged', 'again');
SELECT is(send('{"event":"call_started","call":{"call_id":"b2"}}'), 'kept', 'an event without an agent');
SELECT is(send('{"event":"call_started","call":{"call_id":"b2"}}'), 'unchanged', 'again');
CREATE TEMPORARY VIEW rows_now AS
SELECT tableoid::regclass AS "table", ctid AS place, xmin::text AS writer, xmax::text AS locker FROM calls
UNION ALL SELECT tableoid::regclass, ctid, xmin::text, xmax::text FROM journal
UNION ALL SELECT tableoid::regclass, ctid, xmin::text, xmax::text FROM call_home
UNION ALL SELECT tableoid::regclass, ctid, xmin::text, xmax::text FROM agents;
CREATE TEMPORARY TABLE rows_before AS SELECT * FROM rows_now;
SAVEPOINT later; -- what is written or locked from here on has another transaction's number
SELECT is(send_batch('{"event":"call_ended","call":{"call_id":"b1","agent_id":"a"}}', '{"event":"alert_triggered","alert":{}}',
                     '{"event":"call_started","call":{"call_id":"b2"}}'),
          ARRAY['unchanged', 'unchanged', 'unchanged'], 'a batch of nothing but duplicates');
SELECT is_empty('SELECT * FROM rows_now EXCEPT ALL SELECT * FROM rows_before', 'neither writes nor locks a row');

-- A value that stays is not written again: what is stored out of line stays where it is.
SELECT is(send(format('{"event":"call_ended","call":{"call_id":"b3","agent_id":"a","transcript":"%s"}}', long)), 'inserted', 'a long transcript')
FROM (SELECT string_agg(md5(n::text), '') AS long FROM generate_series(1, 500) AS n) AS t;
CREATE TEMPORARY TABLE chunks AS SELECT 0 AS n;
CREATE FUNCTION pg_temp.toast_size() RETURNS bigint LANGUAGE sql AS $$
    SELECT pg_relation_size(reltoastrelid) FROM pg_class WHERE oid = 'frontdesk.calls'::regclass
$$;
UPDATE chunks SET n = pg_temp.toast_size();
SELECT is(send(format('{"event":"call_analyzed","call":{"call_id":"b3","agent_id":"a","transcript":"%s","call_analysis":{"call_summary":"s"}}}', long)), 'updated', 'the same with a summary')
FROM (SELECT string_agg(md5(n::text), '') AS long FROM generate_series(1, 500) AS n) AS t;
SELECT ok((SELECT n FROM chunks) > 0 AND pg_temp.toast_size() = (SELECT n FROM chunks), 'adds nothing to what lies out of line');
SELECT is((SELECT length(transcript) FROM calls WHERE call_id = 'b3'), 16000, 'and the transcript is there');

-- A call whose row was deleted, but not its home, begins anew.
DELETE FROM calls WHERE call_id = 'b3';
SELECT is(send('{"event":"transcript_updated","call":{"call_id":"b3","agent_id":"a","transcript":"t"}}'), 'inserted', 'a call that was deleted comes back');
SELECT is((SELECT call_status IS NULL AND transcript = 't' FROM calls WHERE call_id = 'b3'), true, 'with what is new');

-- transcript_object is kept as it was written.
SELECT is(send('{"event":"call_ended","call":{"call_id":"b4","agent_id":"a","transcript_object":[ {"role":"agent", "content":"1.0\u00e9","words":[{"start":1.50}]} ]}}'), 'inserted', 'a transcript with words');
SELECT is((SELECT transcript_object::text FROM calls WHERE call_id = 'b4'), '[ {"role":"agent", "content":"1.0\u00e9","words":[{"start":1.50}]} ]', 'keeps its text');

-- The same batch of many calls, given at once or one by one.
CREATE FUNCTION pg_temp.mix(n integer) RETURNS text LANGUAGE sql AS $$
    SELECT CASE WHEN n % 17 = 0 THEN 'not json' WHEN n % 13 = 0 THEN '{"event":"alert_triggered","n":' || n || '}'
           ELSE format('{"event":"%s","call":{"call_id":"m%s"%s,"transcript":"%s","duration_ms":%s,"k%s":%s}}',
                       (ARRAY['call_started', 'call_ended', 'call_analyzed'])[1 + n % 3], n % 40,
                       CASE WHEN n % 5 > 0 THEN ',"agent_id":"m' || n % 3 || '"' END, n, CASE WHEN n % 11 = 0 THEN -1 ELSE n END, n % 4, n) END
$$;
CREATE FUNCTION pg_temp.everything() RETURNS text LANGUAGE sql AS $$
    SELECT md5(string_agg(row, E'\n' ORDER BY row COLLATE "C")) FROM (
        SELECT (to_jsonb(c) - 'id' - 'created_at' - 'updated_at')::text AS row FROM calls AS c UNION ALL
        SELECT (to_jsonb(j) - 'received_at')::text FROM journal AS j UNION ALL
        SELECT h::text FROM call_home AS h UNION ALL SELECT agent_id || agent_name FROM agents) AS r
$$;
SELECT forget_everything();
SELECT count(*) AS events FROM (SELECT send(pg_temp.mix(n), 1700000000000 + n) FROM generate_series(1, 400) AS n) AS s \gset
SELECT pg_temp.everything() AS one_by_one \gset
SELECT forget_everything();
SELECT count(*) AS events FROM ingest(
    (SELECT array_agg(convert_to(pg_temp.mix(n), 'UTF8') ORDER BY n) FROM generate_series(1, 400) AS n),
    array_fill('webhook'::text, '{400}'), (SELECT array_agg(1700000000000 + n ORDER BY n) FROM generate_series(1, 400) AS n)) \gset
SELECT is(pg_temp.everything(), :'one_by_one', '400 events at once leave what they leave one by one');

SELECT * FROM finish();
ROLLBACK;
