-- What ingest makes of events: rows field by field, outcomes, agents, duplicates, arguments.
BEGIN;
\ir lib/setup.psql
SELECT plan(72);

-- A whole call, as call_analyzed has it.
SELECT is(send($${
  "event": "call_analyzed",
  "data": {"ignored": true},
  "call": {
    "call_id": "c1", "agent_id": "a1", "agent_name": "Reception", "agent_version": 7,
    "call_type": "phone_call", "direction": "inbound", "from_number": "+15550001", "to_number": "+15550002",
    "call_status": "ended", "disconnection_reason": "user_hangup",
    "start_timestamp": 1700000001000, "end_timestamp": 1700000063500, "duration_ms": 62500,
    "transcript": "Agent: Hi\nUser: \"Hello\" \u00e9\ud83d\ude00", "recording_url": "https://r.example/1.wav",
    "transcript_object": [{"role": "agent", "content": "Hi", "words": [{"word": "Hi", "start": 0.1, "end": 0.4}]}],
    "transcript_with_tool_calls": [{"role": "agent", "content": "Hi", "words": [{"word": "Hi", "start": 0.1, "end": 0.4}]},
                                   {"role": "tool_call_invocation", "name": "f"}],
    "call_cost": {"combined_cost": 12.340, "total_duration_seconds": 63, "product_costs": [{"product": "llm", "cost": 1.5}]},
    "call_analysis": {"call_summary": "Greeting.", "call_successful": false, "user_sentiment": "Positive",
                      "in_voicemail": false, "custom_analysis_data": {"topic": "none"}, "brand_new": [1]},
    "transfer_destination": "+15550009", "metadata": {"order": 5}, "latency": {"e2e": {"p50": 800}},
    "access_token": "secret", "telephony_identifier": {"twilio_call_sid": "CA1"}, "absent": null
  }}$$), 'inserted', 'a new call');

SELECT is((SELECT agent_id FROM calls WHERE call_id = 'c1'), 'a1', 'agent_id');
SELECT is((SELECT agent_version FROM calls WHERE call_id = 'c1'), 7::bigint, 'agent_version');
SELECT is((SELECT call_type FROM calls WHERE call_id = 'c1'), 'phone_call', 'call_type');
SELECT is((SELECT direction FROM calls WHERE call_id = 'c1'), 'inbound', 'direction');
SELECT is((SELECT from_number FROM calls WHERE call_id = 'c1'), '+15550001', 'from_number');
SELECT is((SELECT to_number FROM calls WHERE call_id = 'c1'), '+15550002', 'to_number');
SELECT is((SELECT call_status FROM calls WHERE call_id = 'c1'), 'ended', 'call_status');
SELECT is((SELECT disconnection_reason FROM calls WHERE call_id = 'c1'), 'user_hangup', 'disconnection_reason');
SELECT is((SELECT start_timestamp FROM calls WHERE call_id = 'c1'), 1700000001000, 'start_timestamp, ms');
SELECT is((SELECT end_timestamp FROM calls WHERE call_id = 'c1'), 1700000063500, 'end_timestamp, ms');
SELECT is((SELECT duration_ms FROM calls WHERE call_id = 'c1'), 62500::bigint, 'duration_ms');
SELECT is((SELECT started_at FROM calls WHERE call_id = 'c1'), 1700000001000, 'started_at is start_timestamp');
SELECT is((SELECT first_sent_ms FROM calls WHERE call_id = 'c1'), 1700000000000, 'first_sent_ms is the event''s');
SELECT is((SELECT cost::text FROM calls WHERE call_id = 'c1'), '12.3400', 'cost, exact cents');
SELECT is((SELECT transcript FROM calls WHERE call_id = 'c1'), E'Agent: Hi\nUser: "Hello" é😀', 'transcript, unescaped');
SELECT is((SELECT recording_url FROM calls WHERE call_id = 'c1'), 'https://r.example/1.wav', 'recording_url');
SELECT is((SELECT call_summary FROM calls WHERE call_id = 'c1'), 'Greeting.', 'call_summary');
SELECT is((SELECT call_successful FROM calls WHERE call_id = 'c1'), false, 'call_successful');
SELECT is((SELECT user_sentiment FROM calls WHERE call_id = 'c1'), 'Positive', 'user_sentiment');
SELECT is((SELECT in_voicemail FROM calls WHERE call_id = 'c1'), false, 'in_voicemail');
SELECT is((SELECT custom_analysis FROM calls WHERE call_id = 'c1'), '{"topic": "none"}'::jsonb, 'custom_analysis');
SELECT is((SELECT transfer_destination FROM calls WHERE call_id = 'c1'), '+15550009', 'transfer_destination');
SELECT is((SELECT metadata FROM calls WHERE call_id = 'c1'), '{"order": 5}'::jsonb, 'metadata');
SELECT is((SELECT latency FROM calls WHERE call_id = 'c1'), '{"e2e": {"p50": 800}}'::jsonb, 'latency');
SELECT is((SELECT (transcript_object #> '{0,words,0}')::jsonb FROM calls WHERE call_id = 'c1'),
          '{"word": "Hi", "start": 0.1, "end": 0.4}'::jsonb, 'transcript_object keeps the words');
SELECT is((SELECT details FROM calls WHERE call_id = 'c1'), $${
    "agent_name": "Reception",
    "call_cost": {"combined_cost": 12.340, "total_duration_seconds": 63, "product_costs": [{"product": "llm", "cost": 1.5}]},
    "call_analysis": {"brand_new": [1]},
    "telephony_identifier": {"twilio_call_sid": "CA1"},
    "transcript_with_tool_calls": [{"role": "agent", "content": "Hi"}, {"role": "tool_call_invocation", "name": "f"}]
  }$$::jsonb, 'details: all the rest, the words once, no token, no null');
SELECT ok((SELECT created_at = updated_at FROM calls WHERE call_id = 'c1'), 'created_at and updated_at');

-- The same as json.
CREATE TEMPORARY TABLE got AS SELECT call_json('c1', NULL)::jsonb AS j;
SELECT is((SELECT j -> 'caller_info' FROM got), '"+15550001"', 'caller_info of an inbound call is who called');
SELECT is((SELECT j -> 'duration_seconds' FROM got), '63', 'duration_seconds rounds half up');
SELECT is((SELECT j ->> 'cost' FROM got), '12.34', 'cost is a number without trailing zeros');
SELECT is((SELECT j ->> 'transcript' FROM got), E'Agent: Hi\nUser: "Hello" é😀', 'the transcript survives its escapes');
SELECT matches((SELECT j ->> 'created_at' FROM got), '^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$', 'created_at is ISO 8601 with ms');
SELECT is((SELECT (j ->> 'updated_at')::timestamptz FROM got), (SELECT date_trunc('milliseconds', updated_at) FROM calls WHERE call_id = 'c1'), 'updated_at is the row''s');
SELECT is((SELECT j -> 'agent' FROM got), '{"agent_id": "a1", "agent_name": "Reception", "status": "ACTIVE"}'::jsonb, 'the agent with its status');
SELECT is((SELECT array_agg(k) FROM json_object_keys(call_json('c1', NULL)) AS k), ARRAY[
    'id', 'agent_id', 'call_id', 'caller_info', 'start_timestamp', 'end_timestamp', 'duration_ms', 'duration_seconds',
    'transcript', 'call_status', 'disconnection_reason', 'cost', 'call_summary', 'user_sentiment', 'call_successful',
    'recording_url', 'call_type', 'direction', 'from_number', 'to_number', 'created_at', 'updated_at', 'agent_version',
    'in_voicemail', 'transfer_destination', 'custom_analysis', 'metadata', 'transcript_object', 'latency', 'details', 'agent'],
    'exactly the members of the contract');
SELECT is((SELECT jsonb_object_agg(key, value) FROM jsonb_each((SELECT j FROM got))
           WHERE key NOT IN ('agent', 'details', 'caller_info', 'duration_seconds', 'created_at', 'updated_at')),
          (SELECT jsonb_object_agg(key, value) FROM calls AS c, jsonb_each(to_jsonb(c))
           WHERE call_id = 'c1' AND key NOT IN ('details', 'provenance', 'created_at', 'updated_at', 'first_sent_ms', 'started_at')),
          'every other member is the column');

-- What Retell does not say is null.
SELECT is(send('{"event":"call_started","call":{"call_id":"c2","agent_id":"a1","call_type":"web_call","call_status":"ongoing"}}', 1700000005000),
          'inserted', 'a web call starts');
SELECT is((SELECT count(*) FROM jsonb_each(call_json('c2', NULL)::jsonb) WHERE value = 'null'), 22::bigint, 'what is not known is null');
SELECT is((SELECT started_at FROM calls WHERE call_id = 'c2'), 1700000005000, 'a call without start stands at its first event');
SELECT is(call_json('c2', NULL) ->> 'caller_info', NULL, 'a web call has no caller_info');
SELECT is(send('{"event":"call_started","call":{"call_id":"c3","agent_id":"a1","direction":"outbound","from_number":"+1","to_number":"+2"}}'),
          'inserted', 'an outbound call');
SELECT is(call_json('c3', NULL) ->> 'caller_info', '+2', 'caller_info of an outbound call is who was called');
SELECT is(send('{"event":"call_started","call":{"call_id":"c3","agent_id":"a1","from_number":null,"direction":"sideways"}}', 1700000009000),
          'updated', 'an unknown direction is text');
SELECT is((SELECT from_number FROM calls WHERE call_id = 'c3'), '+1', 'null is absence, not a value');
SELECT is(call_json('c3', NULL) ->> 'caller_info', NULL, 'nobody knows who the human is then');

-- Numbers.
SELECT is(send('{"event":"call_ended","call":{"call_id":"n1","agent_id":"a1","start_timestamp":1.7e12,"duration_ms":999.5,"call_cost":{"combined_cost":0.00005}}}'),
          'inserted', 'numbers in other notations');
SELECT results_eq($$SELECT start_timestamp, duration_ms, cost FROM calls WHERE call_id = 'n1'$$,
                  $$VALUES (1700000000000, 1000::bigint, 0.0001)$$, 'are rounded half up to ms and to 4 decimals');
SELECT is(send('{"event":"call_ended","call":{"call_id":"n2","agent_id":"a1","call_cost":{"combined_cost":99999999.9999}}}'), 'inserted', 'a large cost');
SELECT is(call_json('n2', NULL) ->> 'cost', '99999999.9999', 'stays exact');
SELECT is(send('{"event":"call_ended","call":{"call_id":"n3","agent_id":"a1","duration_ms":0,"call_cost":{"combined_cost":0}}}'), 'inserted', 'zeros');
SELECT is((SELECT (j -> 'cost')::text || (j -> 'duration_ms')::text || (j -> 'duration_seconds')::text FROM call_json('n3', NULL) AS j), '000', 'are zeros, not nulls');

-- Agents.
SELECT results_eq($$SELECT agent_id COLLATE "default", agent_name, status FROM agents$$, $$VALUES ('a1', 'Reception', 'ACTIVE')$$,
                  'the agent was added with its name');
SELECT is(send('{"event":"call_started","call":{"call_id":"c4","agent_id":"a2"}}'), 'inserted', 'a call of an agent without a name');
SELECT is((SELECT agent_name FROM agents WHERE agent_id = 'a2'), 'a2', 'its id stands for it');
SELECT is(send('{"event":"call_ended","call":{"call_id":"c4","agent_id":"a2","agent_name":"Sales"}}'), 'updated', 'then the name comes');
SELECT is((SELECT agent_name FROM agents WHERE agent_id = 'a2'), 'Sales', 'and is taken');
UPDATE agents SET agent_name = 'By hand' WHERE agent_id = 'a2';
SELECT is(send('{"event":"call_analyzed","call":{"call_id":"c4","agent_id":"a2","agent_name":"Sales"}}'), 'unchanged', 'more of the same');
SELECT is((SELECT agent_name FROM agents WHERE agent_id = 'a2'), 'By hand', 'a name given by hand stays');

-- A call stays with its first agent.
SELECT is(send('{"event":"call_ended","call":{"call_id":"c4","agent_id":"a3","transcript":"x"}}'), 'updated', 'the same call under another agent');
SELECT results_eq($$SELECT agent_id COLLATE "default", transcript FROM calls WHERE call_id = 'c4'$$, $$VALUES ('a2', 'x')$$, 'is merged where the call lives');
SELECT is((SELECT count(*) FROM journal WHERE call_id = 'c4' AND agent_id <> 'a2'), 0::bigint, 'and so is its journal row');
SELECT isnt((SELECT agent_id FROM agents WHERE agent_id = 'a3'), NULL, 'the other agent is known now');

-- Duplicates and batches.
SELECT is(send('{"event":"call_ended","call":{"call_id":"c4","agent_id":"a3","transcript":"x"}}'), 'unchanged', 'a duplicate');
SELECT is((SELECT count(*) FROM journal WHERE call_id = 'c4'), 4::bigint, 'is not journaled again');
SELECT is(send_batch('{"event":"call_ended","call":{"call_id":"d2","agent_id":"a1"}}',
                     '{"event":"call_started","call":{"call_id":"d1","agent_id":"a1"}}',
                     '{"event":"call_ended","call":{"call_id":"d2","agent_id":"a1"}}',
                     'nonsense',
                     '{"event":"call_ended","call":{"call_id":"d1","agent_id":"a1","transcript":"t"}}',
                     '{"event":"alert_triggered","alert":{}}'),
          ARRAY['inserted', 'inserted', 'unchanged', 'dead', 'updated', 'kept'], 'outcomes come in the order of the batch');
SELECT results_eq($$SELECT ord, outcome, agent_id, call_id, event, error FROM
                    ingest(ARRAY['{"event":"call_ended","call":{"call_id":"d3","agent_id":"a1"}}'::bytea, '[]'], '{webhook,poll}', '{1,NULL}')$$,
                  $$VALUES (1, 'inserted', 'a1', 'd3', 'call_ended', NULL), (2, 'dead', '', '', '', 'the event is not a JSON object')$$,
                  'each row names what it is about');

-- Arguments.
SELECT is_empty($$SELECT * FROM ingest('{}', '{}', '{}')$$, 'an empty batch is no rows');
SELECT throws_ok($$SELECT * FROM ingest('{a}', '{webhook}', '{}')$$, '22023', NULL, 'arrays of one length');
SELECT throws_ok($$SELECT * FROM ingest('{a}', '{fax}', '{1}')$$, '22023', 'unknown source "fax"', 'sources are known');
SELECT throws_ok($$SELECT * FROM ingest('{NULL}', '{webhook}', '{1}')$$, '22004', NULL, 'a body is not null');
SELECT throws_ok($$SELECT * FROM ingest('{a}', '{webhook}', '{-1}')$$, '22003', NULL, 'times are not before 1970');

SELECT * FROM finish();
ROLLBACK;
