-- Polling, as far as it is the database's: what is news, what is queued, which cursor moves, who counts.
BEGIN;
\ir lib/setup.psql
SELECT plan(54);

-- Stores call objects as a poll does; {added,changed,failed}.
CREATE FUNCTION tap.poll(calls text[], asked bigint DEFAULT 1700000100000, whole boolean DEFAULT false, of_agent text DEFAULT '',
                         to_start bigint DEFAULT NULL)
RETURNS bigint[] LANGUAGE sql VOLATILE AS $$
    SELECT ARRAY[added, changed, failed] FROM frontdesk.sync_store(of_agent,
        (SELECT array_agg(convert_to(c, 'UTF8') ORDER BY n) FROM unnest(calls) WITH ORDINALITY AS t(c, n)), asked, whole, to_start, NULL)
$$;
CREATE FUNCTION tap.preview_of(body text, sent bigint DEFAULT 1700000100000) RETURNS text LANGUAGE sql AS $$
    SELECT outcome FROM frontdesk.preview(ARRAY[convert_to(body, 'UTF8')], sent)
$$;
CREATE FUNCTION tap.begin_run(of_agent text DEFAULT '', forced boolean DEFAULT true) RETURNS bigint LANGUAGE sql AS $$
    SELECT wait_ms FROM frontdesk.sync_begin(of_agent, forced, 3600, 900)
$$;

-- What a poll would change is told without changing it.
SELECT is(preview_of('{"event":"call_polled","call":{"call_id":"p1","agent_id":"a","call_status":"ended","duration_ms":5}}'), 'inserted', 'a call that is not known');
SELECT is_empty('SELECT FROM calls UNION ALL SELECT FROM call_home UNION ALL SELECT FROM journal', 'nothing was written');
SELECT send('{"event":"call_ended","call":{"call_id":"p1","agent_id":"a","call_status":"ended","duration_ms":5,"transcript":"t","recording_url":"https://r.example/1.wav?X-Sig=1","public_log_url":"https://l.example/1?s=1"}}') AS x \gset
SELECT is(preview_of('{"event":"call_polled","call":{"call_id":"p1","agent_id":"a","call_status":"ended","duration_ms":5}}'), 'unchanged', 'what is known is no news');
SELECT is(preview_of('{"event":"call_polled","call":{"call_id":"p1","agent_id":"a","call_status":"ended","recording_url":"https://r.example/1.wav?X-Sig=2","public_log_url":"https://l.example/1?s=2"}}'),
          'unchanged', 'nor is a link that is signed anew');
SELECT is(preview_of('{"event":"call_polled","call":{"call_id":"p1","agent_id":"a","call_status":"ended","recording_url":"https://r.example/2.wav?X-Sig=2"}}'), 'updated', 'another link is');
SELECT is(preview_of('{"event":"call_polled","call":{"call_id":"p1","agent_id":"a","call_status":"ended","note":"?a"}}'), 'updated', 'a new detail is');
SELECT is(preview_of('{"event":"call_polled","call":{"call_id":"p1","agent_id":"a","call_status":"ongoing"}}'), 'unchanged', 'a status never moves back');
SELECT is(preview_of('{"event":"call_polled","call":{"agent_id":"a"}}'), 'dead', 'a call without its id is not understood');
SELECT is(preview_of('{"event":"call_polled","call":{"call_id":"p9"}}'), 'kept', 'a call of nobody is kept');
SELECT is(preview_of('{"event":"future"}'), 'kept', 'so is an event without a call');

-- Stored once, whatever is polled how often.
SELECT is(begin_run(), 0::bigint, 'a run begins');
SELECT sync_watch(1700000000000, 0);
SELECT is(poll(ARRAY['{"call_id":"p1","agent_id":"a","call_status":"ended","duration_ms":5}',
                     '{"call_id":"p2","agent_id":"a","call_status":"ended","start_timestamp":1700000050000,"duration_ms":7}']),
          '{1,0,0}', 'one is new, one is known');
SELECT is(poll(ARRAY['{"call_id":"p2","agent_id":"a","call_status":"ended","start_timestamp":1700000050000,"duration_ms":7}'], 1700000200000),
          '{0,0,0}', 'polled again, it is not new');
SELECT is((SELECT count(*) FROM journal WHERE source = 'poll'), 1::bigint, 'the journal has it once');
SELECT is((SELECT details ? 'polled_at' FROM calls WHERE call_id = 'p2'), false, 'when it was polled is no detail of the call');

-- A value that goes and comes back.
SELECT is(poll(ARRAY['{"call_id":"p2","agent_id":"a","call_status":"ended","call_analysis":{"call_successful":true}}'], 1700000300000), '{0,0,0}', 'new in this run already: not counted as changed');
SELECT is(poll(ARRAY['{"call_id":"p2","agent_id":"a","call_status":"ended","call_analysis":{"call_successful":false}}'], 1700000400000), '{0,0,0}', 'analysed again');
SELECT is(poll(ARRAY['{"call_id":"p2","agent_id":"a","call_status":"ended","call_analysis":{"call_successful":true}}'], 1700000500000), '{0,0,0}', 'and again');
SELECT is((SELECT call_successful FROM calls WHERE call_id = 'p2'), true, 'RETELL 5: the last analysis counts, even one that was there before');

-- A transcript that Retell has stripped stays.
SELECT is(poll(ARRAY['{"call_id":"p1","agent_id":"a","call_status":"ended","transcript":"","transcript_object":[],"call_analysis":{"call_summary":"s"}}'], 1700000600000, true),
          '{0,1,0}', 'a known call has changed');
SELECT results_eq($$SELECT transcript, call_summary FROM calls WHERE call_id = 'p1'$$, $$VALUES ('t', 's')$$, 'P8: a poll blanks nothing');

-- Broken ones.
SELECT is(poll(ARRAY['{"call_id":"p3","agent_id":"a","call_status":"ended","duration_ms":"long"}', '{"call_id":"p4","agent_id":"a","call_status":"ended"}', '{}']),
          '{1,0,2}', 'RETELL 5: a broken record fails alone');
SELECT is(poll(ARRAY['{"call_id":"p3","agent_id":"a","call_status":"ended","duration_ms":"long"}'], 1700000900000), '{0,0,1}', 'it fails again');
SELECT is((SELECT count(*) FROM journal WHERE state = 'dead'), 2::bigint, 'but is kept once');

-- The queue of transcripts.
SELECT results_eq('SELECT call_id, state FROM sync_fetches ORDER BY call_id', $$VALUES ('p2' COLLATE "C", 'due'), ('p4', 'due')$$,
                  'calls that are over without a transcript are to be fetched');
SELECT sync_fetch_failed('a', 'p4', false, 'status 500');
SELECT results_eq($$SELECT state, tries, due_at > clock_timestamp(), problem FROM sync_fetches WHERE call_id = 'p4'$$,
                  $$VALUES ('due', 1, true, 'status 500')$$, 'one that failed waits');
SELECT sync_fetch_failed('a', 'p4', true, 'status 422');
SELECT is((SELECT state FROM sync_fetches WHERE call_id = 'p4'), 'gone', 'one that Retell does not know is given up');
SELECT is(poll(ARRAY['{"call_id":"p2","agent_id":"a","call_status":"ended","transcript":"said"}'], 1700001000000, true), '{0,0,0}', 'fetched: not counted again');
SELECT is((SELECT count(*) FROM sync_fetches WHERE call_id = 'p2'), 0::bigint, 'and out of the queue');
SELECT poll(ARRAY['{"call_id":"p5","agent_id":"a","call_status":"ended"}']) AS x \gset
SELECT poll(ARRAY['{"call_id":"p5","agent_id":"a","call_status":"ended","transcript":""}'], 1700001000000, true) AS x \gset
SELECT is((SELECT count(*) FROM sync_fetches WHERE call_id = 'p5'), 0::bigint, 'an empty transcript after the end is final');
SELECT poll(ARRAY['{"call_id":"p6","agent_id":"a","call_status":"ended"}']) AS x \gset
SELECT poll(ARRAY['{"call_id":"p6","agent_id":"a","call_status":"ended"}'], 1700001000000, true) AS x \gset
SELECT is((SELECT state FROM sync_fetches WHERE call_id = 'p6'), 'none', 'a call without one is not asked for again');
SELECT poll(ARRAY['{"call_id":"p6","agent_id":"a","call_status":"ended"}'], 1700001100000) AS x \gset
SELECT is((SELECT state FROM sync_fetches WHERE call_id = 'p6'), 'none', 'while it stays as it is');
SELECT poll(ARRAY['{"call_id":"p6","agent_id":"a","call_status":"ended","call_analysis":{"call_summary":"now"}}'], 1700001200000) AS x \gset
SELECT is((SELECT state FROM sync_fetches WHERE call_id = 'p6'), 'due', 'and is once it has changed');
SELECT poll(ARRAY['{"call_id":"p7","agent_id":"a","call_status":"not_connected"}', '{"call_id":"p8","agent_id":"a","call_status":"ongoing"}']) AS x \gset
SELECT is((SELECT count(*) FROM sync_fetches WHERE call_id IN ('p7', 'p8')), 0::bigint, 'calls that had none to say, or are not over, are not fetched');
SELECT send('{"event":"transcript_updated","call":{"call_id":"p8","agent_id":"a","transcript":"half"}}', 1700002000000) AS x \gset
SELECT poll(ARRAY['{"call_id":"p8","agent_id":"a","call_status":"ended"}'], 1700003000000) AS x \gset
SELECT is((SELECT state FROM sync_fetches WHERE call_id = 'p8'), 'due', 'half a transcript is none');

-- Cursors.
SELECT poll(ARRAY['{"call_id":"c1","agent_id":"a","call_status":"ended"}'], to_start => 500) AS x \gset
SELECT poll(ARRAY['{"call_id":"c1","agent_id":"a","call_status":"ended"}'], to_start => 400) AS x \gset
SELECT poll(ARRAY['{"call_id":"c2","agent_id":"b","call_status":"ended"}'], of_agent => 'b', to_start => 900) AS x \gset
SELECT results_eq('SELECT agent_id, started_to FROM sync_cursors ORDER BY 1', $$VALUES ('' COLLATE "C", 500::bigint), ('b', 900)$$,
                  'RETELL 5: each cursor moves alone, and forward');

-- Who was found by a poll only.
SELECT is(sync_found_by_poll(), (SELECT count(*) FROM sync_finds), 'calls that no webhook has told of yet count');
SELECT ok((SELECT count(*) FROM sync_finds WHERE call_id = 'p2') = 1 AND (SELECT count(*) FROM sync_finds WHERE call_id = 'p1') = 0, 'those of a webhook do not');
SELECT send('{"event":"call_started","call":{"call_id":"p2","agent_id":"a"}}') AS x \gset
SELECT is(sync_found_by_poll(), (SELECT count(*) - 1 FROM sync_finds), 'nor those of which one comes late');
UPDATE sync_finds SET found_at = found_at - interval '1 hour';
SELECT sync_end('', NULL, true, 3, 1700000000000, 0, 60);
SELECT is((SELECT count(*) FROM sync_finds), 0::bigint, 'after a while they are only counted');
SELECT is((sync_status_json() ->> 'callsFoundByPollOnly')::bigint, (SELECT found_by_poll FROM sync_state), 'and the count is shown');
SELECT is(begin_run(forced => false) > 0, true, 'the next run is not due');
SELECT is((SELECT unconnected FROM sync_cursors WHERE agent_id = ''), 3::bigint, 'what a run has found out is kept');

-- Which calls are looked at again.
SELECT forget_everything();
SELECT send('{"event":"call_started","call":{"call_id":"u1","agent_id":"a","start_timestamp":1000000000}}', 1) AS x,
       send('{"event":"call_ended","call":{"call_id":"u2","agent_id":"a","start_timestamp":1000000000,"end_timestamp":1000000000}}', 2) AS y,
       send('{"event":"call_analyzed","call":{"call_id":"u3","agent_id":"a","start_timestamp":1000000000,"call_analysis":{"call_summary":"s"}}}', 3) AS z \gset
SELECT bag_eq($$SELECT sync_unfinished('', 0, 2000000000, 1001000000, 1000940000, 100)$$, $$VALUES ('u1'), ('u2')$$, 'not over, or not analysed: in every run at first');
SELECT is_empty($$SELECT sync_unfinished('', 0, 2000000000, 1020000000, 1019940000, 100)$$, 'later not in every one');
SELECT bag_eq($$SELECT sync_unfinished('', 0, 2000000000, 1020000000, 1016000000, 100)$$, $$VALUES ('u1'), ('u2')$$, 'but again when they have become an eighth older');
SELECT is_empty($$SELECT sync_unfinished('', 0, 900000000, 1001000000, 1000940000, 100)$$, 'those that are listed anyway are left out');

-- Agents.
SELECT is((SELECT ARRAY[added, changed] FROM sync_agents('{a,n}', '{Anna,New}')), '{1,1}', 'a new one and a name');
UPDATE agents SET created_at = created_at - interval '1 day';
SELECT is((SELECT ARRAY[added, changed] FROM sync_agents('{a}', '{Anna}')), '{0,1}', 'one vanishes');
SELECT results_eq('SELECT agent_id, status FROM agents ORDER BY 1', $$VALUES ('a' COLLATE "C", 'ACTIVE'), ('n', 'INACTIVE')$$, 'and is INACTIVE');
UPDATE agents SET status = 'INACTIVE', named_by_hand = true WHERE agent_id = 'a';
SELECT sync_agents('{a,n}', '{Bella,New}');
SELECT is((SELECT agent_name FROM agents WHERE agent_id = 'a'), 'Anna', 'a name that a person gave stays');
SELECT results_eq('SELECT agent_id, status FROM agents ORDER BY 1', $$VALUES ('a' COLLATE "C", 'INACTIVE'), ('n', 'ACTIVE')$$,
                  'one that comes back is ACTIVE, unless a person made it INACTIVE');

-- However many calls have no transcript.
INSERT INTO sync_fetches (agent_id, call_id, started_at, state) SELECT 'many', n, n, 'none' FROM generate_series(1, 20000) AS n;
ANALYZE sync_fetches;
CREATE FUNCTION tap.rows_read(statement text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    before bigint := pg_stat_get_xact_tuples_returned('frontdesk.sync_fetches'::regclass);
BEGIN
    EXECUTE statement;
    RETURN pg_stat_get_xact_tuples_returned('frontdesk.sync_fetches'::regclass) - before;
END
$$;
SELECT cmp_ok(rows_read('SELECT sync_status_json()'), '<', 100::bigint, 'the state of polling is told without reading them');
SELECT cmp_ok(rows_read($$SELECT sync_end('', NULL, false, NULL, 0, 0, 60)$$), '<', 100::bigint, 'and so does a run end');

SELECT * FROM finish();
ROLLBACK;
