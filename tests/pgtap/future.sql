-- P10: events, fields and values that nobody knows yet are kept.
BEGIN;
\ir lib/setup.psql
SELECT plan(20);

SELECT is(send('{"event":"call_levitated","altitude":{"m":3},"call":{"call_id":"f1","agent_id":"a","call_status":"hovering","call_type":"hologram_call","mood":"fine"}}'),
          'inserted', 'an unknown event of a call');
SELECT results_eq($$SELECT call_status, call_type, details FROM calls$$,
                  $$VALUES ('hovering', 'hologram_call', '{"altitude": {"m": 3}, "mood": "fine"}'::jsonb)$$,
                  'unknown values, members and envelope members are kept');
SELECT is(send('{"event":"call_ended","call":{"call_id":"f1","agent_id":"a","call_status":"evaporated","disconnection_reason":"solar_flare","mood":"gone"}}', 1700000001000),
          'updated', 'a known event with unknown values');
SELECT results_eq($$SELECT call_status, disconnection_reason, details ->> 'mood' FROM calls$$, $$VALUES ('evaporated', 'solar_flare', 'gone')$$, 'wins');
SELECT is(send('{"event":"call_levitated","call":{"call_id":"f1","agent_id":"a","call_status":"hovering","disconnection_reason":"none","mood":"odd","speed":1}}', 1700000002000),
          'updated', 'an unknown event, later');
SELECT results_eq($$SELECT call_status, disconnection_reason, details ->> 'mood', details ->> 'speed' FROM calls$$,
                  $$VALUES ('evaporated', 'solar_flare', 'gone', '1')$$, 'adds what is new and overrules nothing');
SELECT is(send('{"event":"call_analyzed","call":{"call_id":"f1","agent_id":"a","call_analysis":{"user_sentiment":"Ecstatic","karma":9}}}', 1700000003000),
          'updated', 'an analysis with unknown members');
SELECT results_eq($$SELECT user_sentiment, details #>> '{call_analysis,karma}' FROM calls$$, $$VALUES ('Ecstatic', '9')$$, 'keeps them');
SELECT is(send('{"event":"call_ended","call":{"call_id":"f1","agent_id":"a","transfer_destination":{"number":"+1"}}}', 1700000004000), 'updated', 'a destination of another type');
SELECT results_eq($$SELECT transfer_destination, details -> 'transfer_destination' FROM calls$$, $$VALUES (NULL::text, '{"number": "+1"}'::jsonb)$$, 'is a detail');

-- Events without a call.
SELECT is(send(body), 'kept', left(body, 50)) FROM (VALUES
    ('{"event":"alert_triggered","alert":{"alert_id":"x"}}'),
    ('{"event":"call_inbound","call_inbound":{"agent_id":"a"}}'),
    ('{"event":"chat_ended","chat":{"chat_id":"h","agent_id":"a"}}'),
    ('{"event":"planet_aligned","n":1e400}'),
    ('{"event":""}')
) AS v(body);
SELECT is((SELECT count(*) FROM journal WHERE agent_id = '' AND call_id = '' AND state = 'kept'), 5::bigint, 'they are in the journal');
SELECT is(send('{"event":"alert_triggered","alert":{"alert_id":"x"}}'), 'unchanged', 'once');

-- An agent's call whose agent is not known yet.
SELECT is(send('{"event":"transfer_started","call":{"call_id":"f2"},"transfer_option":{"type":"warm"}}'), 'kept', 'an event of a call of no known agent');
SELECT results_eq($$SELECT agent_id COLLATE "default", state FROM journal WHERE call_id = 'f2'$$, $$VALUES ('', 'kept')$$, 'waits in the journal');
SELECT is(send('{"event":"call_started","call":{"call_id":"f2","agent_id":"a"}}'), 'inserted', 'the agent becomes known');

SELECT * FROM finish();
ROLLBACK;
