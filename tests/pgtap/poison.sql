-- P9: a poison event never blocks others, is visible in the journal, and can be replayed.
BEGIN;
\ir lib/setup.psql
SELECT plan(66);

-- What cannot be understood is dead, and says why.
SELECT is(death_of(body::bytea), error, left(body, 60)) FROM (VALUES
    ('', 'not JSON: unexpected end at byte 0'),
    ('{"event":"call_ended"', 'not JSON: unexpected end at byte 21'),
    ('{"event":"call_ended",}', 'not JSON: key expected at byte 22'),
    ('{"event":"call_ended"} x', 'not JSON: something after the value at byte 23'),
    ('{"event":"a	b"}', 'not JSON: control character in a string at byte 11'),
    ('[1]', 'the event is not a JSON object'),
    ('"call_ended"', 'the event is not a JSON object'),
    ('{}', 'event is missing'),
    ('{"event":null}', 'event is missing'),
    ('{"event":5}', 'event must be a string'),
    ('{"event":"call_ended"}', 'call is missing'),
    ('{"event":"call_ended","call":null}', 'call is missing'),
    ('{"event":"call_ended","call":"c"}', 'call must be an object'),
    ('{"event":"call_ended","call":{}}', 'call.call_id is missing'),
    ('{"event":"call_ended","call":{"call_id":""}}', 'call.call_id is missing'),
    ('{"event":"call_ended","call":{"call_id":7}}', 'call.call_id must be a string'),
    ('{"event":"call_ended","call":{"call_id":"' || repeat('c', 256) || '"}}', 'call.call_id is longer than 255 bytes'),
    ('{"event":"call_ended","call":{"call_id":"p","agent_id":"a","direction":"inbound","from_number":"' || (SELECT string_agg(md5(n::text), '') FROM generate_series(1, 100) AS n) || '"}}', 'call.from_number is longer than 255 bytes'),
    ('{"event":"call_ended","call":{"call_id":"p","agent_id":"a","direction":"outbound","to_number":"' || repeat('+', 256) || '"}}', 'call.to_number is longer than 255 bytes'),
    ('{"event":"call_ended","call":{"call_id":"p","agent_id":["a"]}}', 'call.agent_id must be a string'),
    ('{"event":"call_ended","call":{"call_id":"p","agent_id":"a","duration_ms":"5"}}', 'call.duration_ms must be a number'),
    ('{"event":"call_ended","call":{"call_id":"p","agent_id":"a","duration_ms":-1}}', 'call.duration_ms is out of range'),
    ('{"event":"call_ended","call":{"call_id":"p","agent_id":"a","duration_ms":1e400}}', 'call.duration_ms is out of range'),
    ('{"event":"call_ended","call":{"call_id":"p","agent_id":"a","start_timestamp":1e17}}', 'call.start_timestamp is out of range'),
    ('{"event":"call_ended","call":{"call_id":"p","agent_id":"a","call_cost":{"combined_cost":1e10}}}', 'call.call_cost.combined_cost is out of range'),
    ('{"event":"call_ended","call":{"call_id":"p","agent_id":"a","call_cost":{"combined_cost":100000000}}}', 'call.call_cost.combined_cost is out of range'),
    ('{"event":"call_ended","call":{"call_id":"p","agent_id":"a","duration_ms":100000000001}}', 'call.duration_ms is out of range'),
    ('{"event":"call_ended","call":{"call_id":"p","agent_id":"a","call_cost":{"combined_cost":-0.01}}}', 'call.call_cost.combined_cost is out of range'),
    ('{"event":"call_ended","call":{"call_id":"p","agent_id":"a","call_cost":5}}', 'call.call_cost must be an object'),
    ('{"event":"call_ended","call":{"call_id":"p","agent_id":"a","new":{"deep":[1,{"x":1e400}]}}}', 'call.new is out of range'),
    ('{"event":"call_ended","new":-1e-400,"call":{"call_id":"p","agent_id":"a"}}', 'new is out of range'),
    ('{"event":"call_ended","call":{"call_id":"p","agent_id":"a","new":0.' || repeat('0', 299) || '1' || repeat('0', 20000) || '}}', 'call cannot be stored: value overflows numeric format'),
    ('{"event":"call_analyzed","call":{"call_id":"p","agent_id":"a","call_analysis":[]}}', 'call.call_analysis must be an object'),
    ('{"event":"call_analyzed","call":{"call_id":"p","agent_id":"a","call_analysis":{"call_successful":"yes"}}}', 'call.call_analysis.call_successful must be true or false'),
    ('{"event":"call_ended","call":{"call_id":"p","agent_id":"a","x":' || repeat('[', 63) || repeat(']', 63) || '}}', 'not JSON: nested too deeply at byte 125')
) AS v(body, error);
SELECT is((SELECT count(*) FROM journal WHERE state = 'dead' AND agent_id = '' AND error IS NOT NULL), 35::bigint, 'each is in the journal');
SELECT is((SELECT count(*) FROM calls) + (SELECT count(*) FROM call_home) + (SELECT count(*) FROM agents), 0::bigint, 'and nowhere else');

-- Beside good events, of the same call and of others.
SELECT is(send_batch('{"event":"call_started","call":{"call_id":"g1","agent_id":"a","transcript":"one"}}',
                     '{"event":"call_ended","call":{"call_id":"g1","agent_id":"a","duration_ms":1e999}}',
                     '\ff',
                     '{"event":"call_started","call":{"call_id":"g2","agent_id":"a"}}',
                     '{"event":"call_analyzed","call":{"call_id":"g1","agent_id":"a","transcript":"two"}}'),
          ARRAY['inserted', 'dead', 'dead', 'inserted', 'updated'], 'the others in the batch are stored');
SELECT results_eq($$SELECT call_id COLLATE "default", transcript FROM calls ORDER BY 1$$, $$VALUES ('g1', 'two'), ('g2', NULL)$$, 'as they are');

-- What is JSON and cannot be text is stored scrubbed, and its bytes are kept.
SELECT is((SELECT outcome FROM ingest(ARRAY[body], '{webhook}', '{1700000000000}')), 'inserted', 'NUL, half a surrogate pair and invalid UTF-8 are accepted')
FROM (SELECT convert_to('{"event":"call_ended","call":{"call_id":"t\u0000","agent_id":"a\ud800","agent_name":"n\udc00","transcript":"x\u0000y\ud83dz\ud83d\ude00 \\u0000 ', 'UTF8')
        || '\xff'::bytea || convert_to('","k\u0000":["v\u0000"],"metadata":{"\udfff":1}}}', 'UTF8') AS body) AS b;
SELECT results_eq(
    $$SELECT call_id COLLATE "default", agent_id COLLATE "default", transcript, details, metadata FROM calls WHERE call_id LIKE 't%'$$,
    $$VALUES (E't\uFFFD', E'a\uFFFD', E'x\uFFFDy\uFFFDz😀 \\u0000 \uFFFD', E'{"k\uFFFD": ["v\uFFFD"], "agent_name": "n\uFFFD"}'::jsonb, E'{"\uFFFD": 1}'::jsonb)$$,
    'every one of them became U+FFFD, and what only looks like one did not');
SELECT ok((SELECT position('\xff'::bytea IN body) > 0 AND position(convert_to('\u0000', 'UTF8') IN body) > 0 FROM journal WHERE call_id LIKE 't%'), 'the journal has the bytes');
SELECT is(call_json(E't\uFFFD', NULL) ->> 'transcript', E'x\uFFFDy\uFFFDz😀 \\u0000 \uFFFD', 'and the json is valid');

-- Large.
SELECT is(send('{"event":"call_ended","call":{"call_id":"big","agent_id":"a","transcript":"' || repeat('0123456789', 500000) || '"}}'), 'inserted', 'a transcript of 5 MB');
SELECT is((SELECT length(transcript) FROM calls WHERE call_id = 'big'), 5000000, 'is there');
SELECT is(length(call_json('big', NULL) ->> 'transcript'), 5000000, 'and can be asked for');
SELECT is(death_of(convert_to('{"event":"call_ended","call":{"call_id":"many","agent_id":"a",' ||
                              (SELECT string_agg(format('"k%s":1', n), ',') FROM generate_series(1, 5000) AS n) || '}}', 'UTF8')),
          'call has more than 4096 members', 'a call of 5000 members is not');

-- The greatest values that are taken, by the thousand: sums of them stand in nobody's way.
SELECT is((SELECT count(*) FROM generate_series(1, 2000) AS n, LATERAL ingest(ARRAY[convert_to(format(
    '{"event":"call_ended","call":{"call_id":"long%s","agent_id":"long","start_timestamp":1700000000000,"duration_ms":100000000000,"call_cost":{"combined_cost":99999999.9999}}}', n), 'UTF8')], '{webhook}', '{1}')
    WHERE outcome = 'inserted'), 2000::bigint, 'calls of three years and a million dollars');
SELECT cmp_ok(fold_rollups(), '>', 0::bigint, 'are folded');
SELECT is((SELECT (duration_sum, cost_sum)::text FROM agent_summary('long')), '(200000000000000,199999999999.8000)', 'and summed up');

-- Dead again, and replayed when it is understood.
SELECT is(send('{}'), 'dead', 'a dead event that comes again is dead');
SELECT is((SELECT count(*) FROM journal WHERE body = '{}'), 1::bigint, 'and in the journal once');
INSERT INTO journal (agent_id, call_id, event, digest, source, sent_ms, received_at, state, error, body)
SELECT '', '', '', sha256(body), 'webhook', 1, now(), 'dead', 'an older version did not understand', body
FROM (SELECT '{"event":"call_ended","call":{"call_id":"late","agent_id":"a"}}'::bytea AS body) AS b;
SELECT is(send('{"event":"call_ended","call":{"call_id":"late","agent_id":"a"}}', 1, 'replay'), 'inserted', 'a dead event is understood when it is replayed');
SELECT results_eq($$SELECT agent_id COLLATE "default", state FROM journal WHERE body = '{"event":"call_ended","call":{"call_id":"late","agent_id":"a"}}'$$,
                  $$VALUES ('a', 'done')$$, 'and is dead no more');

-- Provenance that was tampered with is an error and not a wrong call.
UPDATE calls SET provenance = '\x01ff' WHERE call_id = 'late';
SELECT throws_ok($$SELECT send('{"event":"call_ended","call":{"call_id":"late","agent_id":"a","transcript":"x"}}')$$,
                 'XX001', NULL, 'provenance that cannot be right');

-- What somebody took away or put in by hand, no event is taken to have said.
SELECT is(send_batch('{"event":"call_ended","call":{"call_id":"hand","agent_id":"a","duration_ms":5,"transcript":"x","recording_url":"https://x/y?1","call_cost":{"combined_cost":1},"metadata":{"k":1},"transcript_object":[1],"tag":1,"old":1}}'),
          '{inserted}', 'a call');
UPDATE calls SET duration_ms = NULL, transcript = NULL, recording_url = NULL, cost = NULL, metadata = NULL, transcript_object = NULL, details = '{"tag": "redacted"}'
WHERE call_id = 'hand';
SELECT is(send('{"event":"call_analyzed","call":{"call_id":"hand","agent_id":"a"}}', 1700000000002), 'unchanged', 'of which values were taken away: an event that does not say them leaves it so');
SELECT is(call_row('hand') - ARRAY['provenance', 'details'] @> '{"transcript": null, "cost": null}', true, 'they are gone');
SELECT is(send('{"event":"transcript_updated","call":{"call_id":"hand","agent_id":"a","duration_ms":7,"transcript":"y","recording_url":"https://x/y?2","call_cost":{"combined_cost":2},"metadata":{"k":2},"transcript_object":[2],"new":1}}', 1),
          'updated', 'and one that says them, be it an early one,');
SELECT is(call_row('hand') @> '{"duration_ms": 7, "transcript": "y", "recording_url": "https://x/y?2", "cost": 2, "metadata": {"k": 2}, "transcript_object": [2], "details": {"tag": "redacted", "new": 1}}',
          true, 'brings them back');
SELECT is(send('{"event":"call_analyzed","call":{"call_id":"hand","agent_id":"a","tag":2}}', 1700000000003), 'updated', 'details likewise');
SELECT is(call_row('hand') -> 'details' -> 'tag', '2', 'are what was said since');
SELECT is((SELECT n FROM (SELECT count(*) AS n FROM verify_rollups('a')) AS v), 0::bigint, 'and the statistics are those of what is there');

-- An error that is nobody's data is the caller's to handle, and ends no transaction of its.
CREATE TEMPORARY TABLE slow AS
SELECT array_agg(convert_to(format('{"event":"call_ended","call":{"call_id":"slow%s","agent_id":"a","x":{%s}}}', n,
    (SELECT string_agg(format('"k%s":[%s,2,3]', m, m), ',') FROM generate_series(1, 4000) AS m)), 'UTF8')) AS bodies
FROM generate_series(1, 300) AS n;
CREATE FUNCTION pg_temp.cancelled() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM frontdesk.ingest(bodies, array_fill('webhook'::text, ARRAY[300]), array_fill(1::bigint, ARRAY[300])) FROM slow;
    RETURN false;
EXCEPTION
    WHEN query_canceled THEN
        RETURN true;
END
$$;
-- A row that is written in a subtransaction that nobody ended has another xmin than the transaction.
CREATE FUNCTION pg_temp.in_subtransaction() RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    here xid;
BEGIN
    CREATE TEMPORARY TABLE mark AS SELECT 1;
    here := (SELECT xmin FROM mark);
    DROP TABLE mark;
    RETURN here <> pg_current_xact_id()::xid;
END
$$;
SET LOCAL statement_timeout = 150;
SELECT pg_temp.cancelled();
SET LOCAL statement_timeout = 0;
SELECT ok(NOT pg_temp.in_subtransaction(), 'a batch that was cancelled soon');
SET LOCAL statement_timeout = 300;
SELECT pg_temp.cancelled();
SET LOCAL statement_timeout = 0;
SELECT ok(NOT pg_temp.in_subtransaction(), 'later');
SET LOCAL statement_timeout = 500;
SELECT pg_temp.cancelled();
SET LOCAL statement_timeout = 0;
SELECT ok(NOT pg_temp.in_subtransaction(), 'or later still');

SELECT * FROM finish();
ROLLBACK;
