-- The text index: what is queued, what is indexed, what is found, and when.
BEGIN;
\ir lib/setup.psql
SELECT plan(63);

-- Other tests may have left calls in the queue.
TRUNCATE calls;
INSERT INTO agents (agent_id, agent_name) VALUES ('a1', 'One'), ('a2', 'Two');

-- Adds a phone call with these texts.
CREATE FUNCTION pg_temp.add(agent text, id text, transcript text, summary text DEFAULT NULL, caller text DEFAULT '+12125550123') RETURNS void LANGUAGE sql AS $$
    INSERT INTO frontdesk.calls (agent_id, call_id, first_sent_ms, direction, from_number, transcript, call_summary, details, provenance, created_at, updated_at)
    VALUES (agent, id, 1000, 'inbound', caller, transcript, summary, '{}', '', now(), now());
$$;
-- The calls that a page with these words, or a search, finds.
CREATE FUNCTION pg_temp.with_words(words text, agents text[] DEFAULT NULL) RETURNS text[] LANGUAGE sql AS $$
    SELECT ARRAY(SELECT c ->> 'call_id' FROM json_array_elements(frontdesk.calls_page(agents, sort_order => 'asc', q => words) -> 'calls') AS c ORDER BY 1)
$$;
CREATE FUNCTION pg_temp.searched(what text, agents text[] DEFAULT NULL) RETURNS text[] LANGUAGE sql AS $$
    SELECT ARRAY(SELECT c ->> 'call_id' FROM json_array_elements(frontdesk.calls_page(agents, sort_order => 'asc', search => what) -> 'calls') AS c ORDER BY 1)
$$;

SELECT pg_temp.add('a1', 'call_abc1', 'Agent: Good morning. User: A table for two, please!', 'Booked a table.');
SELECT pg_temp.add('a1', 'call_abd2', 'User: I want to cancel my table. Café Zürich?', NULL, '+4930901820');
SELECT pg_temp.add('a2', 'call_xyz3', 'User: Wrong number', 'Nothing was booked', NULL);

-- Kept off the way of what stores calls.
SELECT is((SELECT count(*) FROM call_text), 0::bigint, 'storing a call indexes nothing');
SELECT is(pg_temp.with_words('table'), '{}', 'and so nothing is found at once');
SELECT is(ARRAY(SELECT concat(agent_id, ' ', call_id) FROM call_text_queue ORDER BY 1), '{a1 call_abc1,a1 call_abd2,a2 call_xyz3}', 'the calls are queued');
SELECT is((SELECT pending FROM text_lag()), 3::bigint, 'the lag says how many wait');
SELECT is((SELECT oldest FROM text_lag()), now(), 'and since when');
SELECT is(index_text(2), 2::bigint, 'a batch is as large as was asked for');
SELECT is(index_text(2), 1::bigint, 'the next takes what is left');
SELECT is(index_text(), 0::bigint, 'and then there is nothing');
SELECT is((SELECT row(pending, oldest)::text FROM text_lag()), '(0,)', 'no lag');
SELECT is((SELECT count(*) FROM call_text), 3::bigint, 'every call is indexed');

-- Words.
SELECT is(pg_temp.with_words(words), calls, format('words: %s', words)) FROM (VALUES
    ('table', '{call_abc1,call_abd2}'::text[]), ('TABLE two', '{call_abc1}'), ('table -cancel', '{call_abc1}'), ('"table for two"', '{call_abc1}'),
    ('"table two"', '{}'), ('cancel or morning', '{call_abc1,call_abd2}'), ('booked', '{call_abc1,call_xyz3}'), ('zürich', '{call_abd2}'), ('tabl', '{}'),
    ('nothing', '{call_xyz3}'), ('!!!', '{}'), ('', '{}'), ('''; DROP TABLE calls; --', '{}'), ('a & b | !c <-> (', '{}'), ('abc1', '{}')) AS v(words, calls);
SELECT is(pg_temp.with_words('table', '{a2}'), '{}', 'words of agents that the caller may not see are not found');
SELECT is(pg_temp.with_words('booked', '{a2}'), '{call_xyz3}', 'those of one that it may see are');

-- Searches: words, or part of an identifier.
SELECT is(pg_temp.searched(what), calls, format('search: %s', what)) FROM (VALUES
    ('table', '{call_abc1,call_abd2}'::text[]), ('call_', '{call_abc1,call_abd2,call_xyz3}'), ('ab', '{call_abc1,call_abd2}'), ('abd', '{call_abd2}'),
    ('ll_xyz3', '{call_xyz3}'), ('3', '{call_abc1,call_abd2,call_xyz3}'), ('z3', '{call_xyz3}'), ('ABC1', '{call_abc1}'), ('call_abc1', '{call_abc1}'),
    ('call_abc12', '{}'), ('call_abc1+', '{}'), ('5550', '{call_abc1}'), ('+49', '{call_abd2}'), ('901820', '{call_abd2}'), ('call_acb', '{}'), ('c1+1', '{}'),
    ('''', '{}'), ('\', '{}'), ('%', '{}'), ('_', '{call_abc1,call_abd2,call_xyz3}'), (repeat('5', 500), '{}'), (repeat('é', 3000), '{}')) AS v(what, calls);

-- What changes is queued once more; what does not is not.
UPDATE calls SET cost = 1, updated_at = now();
SELECT is((SELECT pending FROM text_lag()), 0::bigint, 'a change of something else queues nothing');
UPDATE calls SET transcript = transcript, call_summary = call_summary;
SELECT is((SELECT pending FROM text_lag()), 0::bigint, 'neither does one that changes nothing');
UPDATE calls SET transcript = 'User: I speak of chairs' WHERE call_id = 'call_abc1';
UPDATE calls SET call_summary = 'Chairs' WHERE call_id = 'call_abc1';
SELECT is((SELECT pending FROM text_lag()), 2::bigint, 'each change of a text does');
SELECT is(pg_temp.with_words('chairs'), '{}', 'which is not found yet');
SELECT is(index_text(), 2::bigint, 'until it is indexed');
SELECT is(pg_temp.with_words('chairs'), '{call_abc1}', 'then it is');
SELECT is(pg_temp.with_words('table'), '{call_abd2}', 'and what was said before is not');
UPDATE calls SET from_number = '+31201234567' WHERE call_id = 'call_abd2';
SELECT index_text();
SELECT is(pg_temp.searched('+3120'), '{call_abd2}', 'a number that came later is found');
DELETE FROM calls WHERE call_id = 'call_abd2';
SELECT is(pg_temp.searched('+3120'), '{}', 'a call that is gone is not found, even while its row is there');
SELECT index_text();
SELECT is((SELECT count(*) FROM call_text), 2::bigint, 'its row goes too');
SELECT is(reindex_text('a1'), 1::bigint, 'all calls of an agent can be queued');
SELECT is(reindex_text(), 2::bigint, 'and of all agents');

TRUNCATE calls;
SELECT is((SELECT pending FROM text_lag()), 0::bigint, 'calls that are truncated need not be queued');
SELECT is((SELECT count(*) FROM call_text), 0::bigint, 'and are not in the index');

SELECT * FROM finish();
ROLLBACK;
