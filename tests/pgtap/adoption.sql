-- Events without an agent find their call; replays rebuild; nobody's event is lost on the way.
BEGIN;
\ir lib/setup.psql
SELECT plan(16);

SELECT is(send('{"event":"transfer_started","call":{"call_id":"c"},"transfer_option":{"type":"warm"}}', 1000), 'kept', 'a transfer before anything else');
SELECT is(send('{"event":"transfer_ended","call":{"call_id":"c"},"transfer_result":"ok"}', 2000), 'kept', 'and its end');
SELECT is(send('{"event":"transfer_ended","call":{"call_id":"c"},"transfer_result":"ok"}', 2000), 'unchanged', 'and that again');
SELECT is((SELECT agent_id FROM call_home WHERE call_id = 'c'), '', 'the call has no home yet');
SELECT is((SELECT count(*) FROM calls), 0::bigint, 'and no row');
SELECT is(call_json('c', NULL)::text, NULL, 'nor can it be asked for');
CREATE TEMPORARY TABLE received AS SELECT body, received_at FROM journal;

SELECT is(send('{"event":"call_ended","call":{"call_id":"c","agent_id":"a","transcript":"t"}}', 5000), 'inserted', 'then an event names the agent');
SELECT is((SELECT agent_id FROM call_home WHERE call_id = 'c'), 'a', 'the call has a home');
SELECT results_eq($$SELECT event COLLATE "default", agent_id COLLATE "default", state FROM journal ORDER BY sent_ms$$,
                  $$VALUES ('transfer_started', 'a', 'done'), ('transfer_ended', 'a', 'done'), ('call_ended', 'a', 'done')$$,
                  'the journal rows moved to it');
SELECT is_empty('SELECT body, received_at FROM received EXCEPT SELECT body, received_at FROM journal', 'as they were');
SELECT results_eq('SELECT details, first_sent_ms FROM calls',
                  $$VALUES ('{"transfer_option": {"type": "warm"}, "transfer_result": "ok"}'::jsonb, 1000::bigint)$$, 'and are part of the call');
SELECT is(send('{"event":"transfer_ended","call":{"call_id":"c"},"transfer_result":"ok"}', 2000), 'unchanged', 'again: it is known under the agent too');
SELECT is(send('{"event":"transfer_bridged","call":{"call_id":"c"},"bridge":1}', 3000), 'updated', 'a further one goes there directly');

-- A replay merges again what is known: a call that was lost comes back.
CREATE TEMPORARY TABLE lost AS SELECT call_row('c') AS row;
DELETE FROM calls WHERE call_id = 'c';
SELECT is(send('{"event":"call_ended","call":{"call_id":"c","agent_id":"a","transcript":"t"}}', 9000, 'replay'), 'inserted', 'one event is replayed');
SELECT is(call_row('c'), (SELECT row FROM lost), 'the whole call is there again');
SELECT is(send('{"event":"call_ended","call":{"call_id":"c","agent_id":"a","transcript":"t"}}', 9000, 'replay'), 'unchanged', 'P11: a replay of what has converged changes nothing');

SELECT * FROM finish();
ROLLBACK;
