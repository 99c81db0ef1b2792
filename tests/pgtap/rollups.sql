-- P17 within one session: rollups say what the calls say after every way of writing calls, folded or
-- not. Concurrent sessions are tests/stress/rollups'.
BEGIN;
\ir lib/setup.psql
SELECT plan(99);

SELECT tap.forget_everything();

-- A call at a minute of 2024-02-28, which is before a leap day.
CREATE FUNCTION pg_temp.add(agent text, call text, minute bigint, status text DEFAULT 'ended', duration bigint DEFAULT 60000, price numeric DEFAULT 12.3456)
RETURNS void LANGUAGE sql AS $$
    INSERT INTO calls (agent_id, call_id, first_sent_ms, start_timestamp, call_status, duration_ms, cost, call_successful, user_sentiment, disconnection_reason, details, provenance, created_at, updated_at)
    VALUES (agent, call, 0, 1709078400000 + minute * 60000, status, duration, price, minute % 3 = 0, 'Positive', 'user_hangup', '{}', '', now(), now())
$$;
CREATE FUNCTION pg_temp.of_calls(agent text, since bigint DEFAULT NULL, until bigint DEFAULT NULL) RETURNS call_stats LANGUAGE sql STABLE AS $$
    SELECT coalesce(call_stats_agg(call_status, call_successful, user_sentiment, disconnection_reason, in_voicemail, duration_ms, cost), agent_stats(''))
    FROM calls WHERE agent_id = agent AND started_at >= coalesce(since, started_at) AND (until IS NULL OR started_at < until)
$$;
-- What is wrong: agents whose statistics are not those of their calls, and what verify_rollups() says.
CREATE FUNCTION pg_temp.wrong() RETURNS SETOF text LANGUAGE sql STABLE AS $$
    SELECT agent_id || ' differs' FROM (SELECT agent_id FROM calls UNION SELECT agent_id FROM call_rollup UNION SELECT agent_id FROM call_rollup_delta OFFSET 0) AS a
    WHERE agent_stats(agent_id) <> pg_temp.of_calls(agent_id)
    UNION ALL SELECT format('%s %s %s %s', agent_id, grain, bucket, problem) FROM verify_rollups()
$$;
CREATE FUNCTION pg_temp.right(what text) RETURNS text LANGUAGE sql AS $$ SELECT is_empty('SELECT pg_temp.wrong()', what) $$;
CREATE FUNCTION pg_temp.deltas() RETURNS bigint LANGUAGE sql AS $$ SELECT count(*) FROM call_rollup_delta $$;

-- Ways of writing.
SELECT pg_temp.add('a', 'c1', 0);
SELECT pg_temp.right('a call is counted');
SELECT is(total(agent_stats('a')), 1::bigint, 'at once');
SELECT count(pg_temp.add('a', 'c' || n, n * 7)) = 40 AS added FROM generate_series(2, 41) AS n \gset
SELECT pg_temp.right('many are');
SELECT is((SELECT count(DISTINCT bucket) FROM call_rollup_delta), 5::bigint, 'by hour');
INSERT INTO calls (agent_id, call_id, first_sent_ms, call_status, details, provenance, created_at, updated_at)
SELECT 'b' || n % 3, 'm' || n, 1709078400000 + n * 1000000, NULL, '{}', '', now(), now() FROM generate_series(1, 100) AS n;
SELECT pg_temp.right('of several agents by one statement; without a start they stand at their first event');
SELECT current_setting('data_directory') || '/calls.copy' AS file \gset
COPY (SELECT agent_id, 'copy ' || call_id, first_sent_ms, start_timestamp, call_status, duration_ms, details, provenance, created_at, updated_at FROM calls) TO :'file';
COPY calls (agent_id, call_id, first_sent_ms, start_timestamp, call_status, duration_ms, details, provenance, created_at, updated_at) FROM :'file';
SELECT pg_temp.right('COPY');
UPDATE calls SET duration_ms = duration_ms * 2, cost = NULL, call_status = 'error' WHERE call_id LIKE 'c1%';
SELECT pg_temp.right('UPDATE');
UPDATE calls SET start_timestamp = start_timestamp + 40 * 86400000::bigint WHERE call_id LIKE 'c2%';
SELECT pg_temp.right('UPDATE of when they started');
UPDATE calls SET agent_id = 'moved' WHERE call_id LIKE 'c3%';
SELECT pg_temp.right('UPDATE of whose they are');
SELECT is(total(agent_stats('moved')), 11::bigint, 'to an agent not seen before');
SELECT pg_temp.deltas() AS before \gset
UPDATE calls SET transcript = 'said', updated_at = now(), cost = cost;
SELECT is(pg_temp.deltas(), :before::bigint, 'an update of nothing that is counted writes no delta');
UPDATE calls SET cost = 1 WHERE false;
DELETE FROM calls WHERE false;
INSERT INTO calls (agent_id, call_id, first_sent_ms, details, provenance, created_at, updated_at) SELECT agent_id, '', 0, details, provenance, now(), now() FROM calls WHERE false;
SELECT is(pg_temp.deltas(), :before::bigint, 'nor does a statement that changes no row');
INSERT INTO calls AS c (agent_id, call_id, first_sent_ms, call_status, details, provenance, created_at, updated_at)
SELECT 'a', call_id, 1709078400000, 'ongoing', '{}', '', now(), now() FROM calls WHERE agent_id = 'a' OR call_id LIKE 'm%'
ON CONFLICT (agent_id, call_id) DO UPDATE SET call_status = 'conflict';
SELECT pg_temp.right('ON CONFLICT DO UPDATE, of rows new and old');
INSERT INTO calls (agent_id, call_id, first_sent_ms, details, provenance, created_at, updated_at)
SELECT agent_id, call_id, 0, '{}', '', now(), now() FROM calls ON CONFLICT DO NOTHING;
SELECT pg_temp.right('ON CONFLICT DO NOTHING');
MERGE INTO calls AS c USING (SELECT call_id, row_number() OVER (ORDER BY call_id) AS n FROM calls WHERE agent_id = 'b1') AS s ON c.agent_id = 'b1' AND c.call_id = s.call_id AND n % 3 > 0
WHEN MATCHED AND n % 3 = 1 THEN UPDATE SET user_sentiment = 'Neutral'
WHEN MATCHED THEN DELETE
WHEN NOT MATCHED THEN INSERT (agent_id, call_id, first_sent_ms, details, provenance, created_at, updated_at) VALUES ('b1', 'merged ' || s.call_id, 1709078400000, '{}', '', now(), now());
SELECT pg_temp.right('MERGE that inserts, updates and deletes');
WITH gone AS (DELETE FROM calls WHERE agent_id = 'b0' AND call_id LIKE '%5%' RETURNING *), changed AS (UPDATE calls SET in_voicemail = true WHERE agent_id = 'b2')
INSERT INTO calls (agent_id, call_id, first_sent_ms, details, provenance, created_at, updated_at)
SELECT 'again', call_id, first_sent_ms, '{}', '', now(), now() FROM gone;
SELECT pg_temp.right('one statement that deletes, updates and inserts');
DELETE FROM calls WHERE call_id LIKE '%7%';
SELECT pg_temp.right('DELETE');
INSERT INTO agents (agent_id, agent_name) SELECT DISTINCT agent_id, agent_id FROM calls ON CONFLICT DO NOTHING;
ALTER TABLE calls ADD CONSTRAINT calls_agent_id_fkey FOREIGN KEY (agent_id) REFERENCES agents ON UPDATE CASCADE ON DELETE CASCADE;
UPDATE agents SET agent_id = 'renamed' WHERE agent_id = 'moved';
DELETE FROM agents WHERE agent_id = 'b2';
SELECT pg_temp.right('cascades from another table');
ALTER TABLE calls DROP CONSTRAINT calls_agent_id_fkey;
SELECT is((SELECT array_agg(total(agent_stats(a)) > 0) FROM unnest(ARRAY['renamed', 'moved', 'b2']) AS a), ARRAY[true, false, false], 'which were some');
SELECT send('{"event":"call_ended","call":{"call_id":"i1","agent_id":"i","duration_ms":1000,"start_timestamp":1709078400000}}'),
       send('{"event":"call_analyzed","call":{"call_id":"i1","agent_id":"i","call_analysis":{"call_successful":true}}}', 1700000000001) \gset
SELECT pg_temp.right('ingest');
SELECT is(successful(agent_stats('i')), 1::bigint, 'of what came last');
SELECT throws_ok($$UPDATE calls SET cost = 'NaN' WHERE agent_id = 'i'$$, '22003', 'cost of a call must be a finite number', 'a cost that is no number is refused, not summed up');

-- Undone.
SAVEPOINT one;
SELECT pg_temp.add('a', 'undone', 5);
DELETE FROM calls WHERE agent_id = 'a' AND call_id = 'c1';
ROLLBACK TO one;
SELECT pg_temp.right('a savepoint undone');
DO $$
BEGIN
    FOR n IN 1 .. 20 LOOP
        BEGIN
            PERFORM pg_temp.add('a', 's' || n, n);
            UPDATE calls SET duration_ms = n WHERE call_id = 's' || n;
            IF n % 3 = 0 THEN
                RAISE EXCEPTION 'no';
            END IF;
        EXCEPTION WHEN raise_exception THEN
            NULL;
        END;
    END LOOP;
END
$$;
SELECT pg_temp.right('savepoints, some undone');
SELECT throws_ok($$INSERT INTO calls (agent_id, call_id, first_sent_ms, duration_ms, details, provenance, created_at, updated_at)
                   SELECT 'a', 'f' || n, 0, CASE WHEN n < 50 THEN n ELSE -1 END, '{}', '', now(), now() FROM generate_series(1, 50) AS n$$, '23514', NULL, 'a statement that fails half-way');
SELECT pg_temp.right('has counted nothing');

-- Folding.
SELECT ok(pg_temp.deltas() > 20, 'deltas lie there');
SELECT fold_rollups('a', 3) AS folded \gset
SELECT is(:folded::bigint, 3::bigint, 'fold_rollups() takes as many of one agent as it is told');
SELECT pg_temp.right('with some folded');
SELECT throws_ok($$SELECT fold_rollups('a', -1)$$, '22023', NULL, 'no negative number of deltas');
SELECT is(fold_rollups('nobody', 10), 0::bigint, 'nothing to fold');
SELECT ok(fold_rollups() > 0, 'fold_rollups() folds all agents');
SELECT is(pg_temp.deltas(), 0::bigint, 'and leaves no delta');
SELECT pg_temp.right('with all folded');
SELECT is(fold_rollups(), 0::bigint, 'then there is nothing left to fold');
DELETE FROM calls WHERE agent_id = 'b1';
SELECT pg_temp.right('folded calls deleted');
SELECT fold_rollups() > 0 AS folded \gset
SELECT is((SELECT count(*) FROM call_rollup WHERE agent_id = 'b1'), 0::bigint, 'rows of nothing are removed');
SELECT pg_temp.right('and nothing is wrong without them');
UPDATE calls SET start_timestamp = start_timestamp - 3600000 WHERE agent_id = 'a';
SELECT fold_rollups('a', 1) AS folded \gset
SELECT pg_temp.right('a move half folded');
SELECT fold_rollups('a', 2) AS folded \gset
SELECT pg_temp.right('a move folded further');
SELECT fold_rollups() >= 0 AS folded \gset

-- Months and days are split when they have more than 128 calls.
SELECT count(pg_temp.add('busy', 'x' || n, n * 3)) = 120 AS added FROM generate_series(1, 120) AS n \gset
SELECT fold_rollups() > 0 AS folded \gset
SELECT is((SELECT array_agg(grain::text || split) FROM call_rollup WHERE agent_id = 'busy'), ARRAY['mfalse'], 'a quiet month is one row');
SELECT count(pg_temp.add('busy', 'y' || n, n * 3)) = 120 AS added FROM generate_series(1, 120) AS n \gset
SELECT fold_rollups('busy', 60) > 0 AS folded \gset
SELECT pg_temp.right('a month that becomes busy while deltas wait');
SELECT fold_rollups() > 0 AS folded \gset
SELECT pg_temp.right('a month that is busy');
SELECT is((SELECT array_agg(grain::text || split || n ORDER BY grain DESC, bucket) FROM call_rollup WHERE agent_id = 'busy' AND grain <> 'h'), ARRAY['mtrue240', 'dtrue240'], 'is split, and its busy day too');
SELECT is((SELECT array_agg(n ORDER BY bucket) FROM call_rollup WHERE agent_id = 'busy' AND grain = 'h'), ARRAY[38, 40, 40, 40, 40, 40, 2]::bigint[], 'into hours');
-- Rows that contradict each other: a place is not known, and a page far in is found without.
UPDATE call_rollup SET n = n - 5 WHERE agent_id = 'busy' AND grain = 'h' AND n > 5;
SELECT is((SELECT p::text FROM agent_place('busy', false, 230, 1709078400000, 1709164800000) AS p), '(1709078400000,1709164800000,230)', 'a day whose hours have fewer calls than it has names no hour');
SELECT is((SELECT array_agg(call_id) FROM call_history('busy', 'date', 'asc', 5, 232)),
    (SELECT array_agg(call_id) FROM (SELECT call_id FROM calls WHERE agent_id = 'busy' ORDER BY started_at, call_id LIMIT 5 OFFSET 232) AS c), 'and a page in it is right');
UPDATE call_rollup SET n = n + 5 WHERE agent_id = 'busy' AND grain = 'h' AND n > 5;
SELECT count(pg_temp.add('busy', 'z' || n, 1440 + n * 300)) = 10 AS added FROM generate_series(1, 10) AS n \gset
DELETE FROM calls WHERE agent_id = 'busy' AND call_id LIKE 'y%';
SELECT fold_rollups() > 0 AS folded \gset
SELECT pg_temp.right('new days of a busy month, and a busy day that lost its calls');
SELECT is((SELECT array_agg(DISTINCT grain::text || split ORDER BY grain::text || split) FROM call_rollup WHERE agent_id = 'busy'), ARRAY['dfalse', 'dtrue', 'hfalse', 'mfalse', 'mtrue'], 'what is split stays so');
UPDATE calls SET start_timestamp = start_timestamp + 3600000 WHERE agent_id = 'busy' AND call_id = 'x1';
SELECT fold_rollups() > 0 AS folded \gset
SELECT pg_temp.right('a call that moved from one hour of a busy day to another');
UPDATE calls SET start_timestamp = start_timestamp + 10 * 86400000 WHERE agent_id = 'busy' AND call_id = 'x2';
SELECT fold_rollups() > 0 AS folded \gset
SELECT pg_temp.right('from one month to another');
DELETE FROM calls WHERE agent_id = 'busy';
SELECT fold_rollups() > 0 AS folded \gset
SELECT is((SELECT count(*) FROM call_rollup WHERE agent_id = 'busy'), 0::bigint, 'all of it goes with the last call');

-- Times as nobody would have them.
INSERT INTO calls (agent_id, call_id, first_sent_ms, details, provenance, created_at, updated_at)
SELECT 'odd', 'o' || n, n, '{}', '', now(), now() FROM unnest(ARRAY[-9223372036854775808, -62135596800000, -1, 0, 253402300800000, 9223372036854775807]) AS n;
SELECT pg_temp.right('calls at both ends of 64 bits');
SELECT fold_rollups() > 0 AS folded \gset
SELECT pg_temp.right('folded too');
SELECT is(total(agent_stats('odd', NULL, 9223372036854775807)), 6::bigint, 'no bound is no bound');
SELECT is(total(agent_stats('odd', -1, 1)), 2::bigint, 'before and after the epoch');
DELETE FROM calls WHERE agent_id = 'odd';

-- Ranges, series and places: 4000 calls over 100 days, busy and quiet ones, some folded.
SELECT setseed(0.25) IS NULL AS seeded \gset
INSERT INTO calls (agent_id, call_id, first_sent_ms, call_status, call_successful, duration_ms, cost, details, provenance, created_at, updated_at)
SELECT 'r', 'r' || n, 1709078400000 + (CASE WHEN n % 4 = 0 THEN random() * 100 ELSE random() * 3 END * 86400000)::bigint, (ARRAY['ended', 'error'])[1 + n % 2], n % 3 = 0, n * 10, n / 100.0, '{}', '', now(), now()
FROM generate_series(1, 4000) AS n;
SELECT fold_rollups('r', 100) = 100 AS folded \gset
CREATE TEMPORARY TABLE bounds AS
SELECT n, least(a, b) AS since, greatest(a, b) AS until
FROM (SELECT n, 1709078400000 + (random() * 102 - 1)::numeric * 86400000 AS a, 1709078400000 + (random() * 102 - 1)::numeric * 86400000 AS b FROM generate_series(1, 60) AS n) AS r;
UPDATE bounds SET since = date_trunc_ms, until = date_trunc_ms + 86400000::bigint * n
FROM (SELECT n AS m, floor(since / 3600000) * 3600000 AS date_trunc_ms FROM bounds) AS d WHERE m = n AND n % 3 = 0;
SELECT is_empty($$SELECT * FROM bounds WHERE agent_stats('r', since::bigint, until::bigint) <> pg_temp.of_calls('r', since::bigint, until::bigint)$$, 'any range, before folding');
SELECT fold_rollups() > 0 AS folded \gset
SELECT pg_temp.right('4000 calls folded');
SELECT is_empty($$SELECT * FROM bounds WHERE agent_stats('r', since::bigint, until::bigint) <> pg_temp.of_calls('r', since::bigint, until::bigint)$$, 'any range, after folding');
SELECT is(agent_stats('r', 1709078400001, 1709078400001), agent_stats('nobody'), 'a range of nothing');
SELECT is(agent_stats('r', 1809078400001, 1709078400001), agent_stats('nobody'), 'a range the wrong way round');
SELECT is(agent_stats(NULL), NULL, 'nobody''s statistics are not known');
CREATE FUNCTION pg_temp.bad_series(step numeric, first bigint) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT count(*) FROM agent_stats_series('r', (SELECT array_agg(first + (n * step)::bigint ORDER BY n) FROM generate_series(0, 200) AS n)) AS s
    WHERE stats <> pg_temp.of_calls('r', since, until)
$$;
SELECT is(pg_temp.bad_series(86400000, 1709078400000), 0::bigint, 'a series by day');
SELECT is(pg_temp.bad_series(86400000, 1709078400000 + 19800000), 0::bigint, 'a series by day of a half-hour zone');
SELECT is(pg_temp.bad_series(3600000, 1709078400000), 0::bigint, 'a series by hour');
SELECT is(pg_temp.bad_series(1234567, 1709078400001), 0::bigint, 'a series by no unit at all');
SELECT is((SELECT count(*) FROM agent_stats_series('r', '{0, 1, 2}')), 2::bigint, 'empty parts are there');
SELECT throws_ok($$SELECT * FROM agent_stats_series('r', '{5, 5}')$$, '22023', NULL, 'bounds ascend');
SELECT throws_ok($$SELECT * FROM agent_stats_series('r', '{5}')$$, '22023', NULL, 'bounds are two at least');
CREATE FUNCTION pg_temp.bad_places(descends boolean, since bigint, until bigint) RETURNS bigint LANGUAGE sql STABLE AS $$
    WITH ordered AS (SELECT started_at, row_number() OVER (ORDER BY CASE WHEN descends THEN -started_at ELSE started_at END) - 1 AS before
                     FROM calls WHERE agent_id = 'r' AND started_at >= since AND started_at < until)
    SELECT count(*) FROM (SELECT * FROM ordered WHERE before % 97 = 0 OFFSET 0) AS picked LEFT JOIN LATERAL agent_place('r', descends, before, since, until) AS p ON true
    WHERE (p IS NULL OR started_at < place_since OR started_at >= place_until OR place_skip <>
        before - (SELECT count(*) FROM ordered AS o WHERE CASE WHEN descends THEN o.started_at >= place_until ELSE o.started_at < place_since END))
$$;
SELECT is(pg_temp.bad_places(false, 0, 1e15::bigint), 0::bigint, 'places, first to last');
SELECT is(pg_temp.bad_places(true, 0, 1e15::bigint), 0::bigint, 'places, last to first');
SELECT is(pg_temp.bad_places(true, 1709078512345, 1715078512345), 0::bigint, 'places in a range');
SELECT is_empty($$SELECT * FROM agent_place('r', true, 4000)$$, 'no place behind the last call');

-- Found and mended.
SET LOCAL session_replication_role = replica;
DELETE FROM calls WHERE agent_id = 'r' AND call_id LIKE 'r77%';
RESET session_replication_role;
SELECT isnt_empty($$SELECT * FROM verify_rollups('r') WHERE problem = 'different' AND total(expected) < total(found)$$, 'verify_rollups() finds what no trigger saw');
SELECT is(rebuild_rollups('r'), 1::bigint, 'rebuild_rollups() rebuilds one agent');
SELECT pg_temp.right('and mends it');
UPDATE call_rollup SET stats = stats + stats, n = n * 2 WHERE agent_id = 'r' AND grain = 'h' AND n > 40;
DELETE FROM call_rollup WHERE agent_id = 'r' AND grain = 'd' AND n < 20;
INSERT INTO call_rollup (agent_id, grain, bucket, n, split, stats) SELECT 'ghost', 'm', 0, total(stats), false, stats FROM call_rollup WHERE grain = 'm' LIMIT 1;
SELECT set_eq($$SELECT DISTINCT grain || ' ' || problem FROM verify_rollups()$$, $$VALUES ('hour different'), ('day missing'), ('month left over')$$, 'verify_rollups() names what is wrong');
SELECT ok(rebuild_rollups() > 3, 'rebuild_rollups() rebuilds all');
SELECT pg_temp.right('and mends them');
SELECT is((SELECT count(*) FROM call_rollup WHERE agent_id = 'ghost'), 0::bigint, 'ghosts are gone');

-- A migration that meets calls makes their rollups.
DROP TRIGGER count_new_calls ON calls;
DROP TRIGGER count_changed_calls ON calls;
DROP TRIGGER count_deleted_calls ON calls;
DROP TRIGGER forget_all_calls ON calls;
TRUNCATE call_rollup, call_rollup_delta;
DELETE FROM calls WHERE agent_id = 'r' AND call_id LIKE 'r8%';
\ir ../../sql/migrations/0009_rollup_triggers.sql
SELECT pg_temp.right('rollups of calls that were there before their triggers');
SELECT ok(total(agent_stats('r')) > 2000, 'which are many');

-- Who may what. Whoever may change calls needs no right on their rollups.
CREATE ROLE clerk;
GRANT USAGE ON SCHEMA frontdesk TO clerk;
GRANT SELECT, UPDATE, INSERT, DELETE ON calls TO clerk;
SET LOCAL ROLE clerk;
UPDATE calls SET duration_ms = 1 WHERE agent_id = 'r' AND call_id LIKE 'r1%';
RESET ROLE;
SELECT pg_temp.right('what somebody changed who may not write rollups');
SET LOCAL ROLE frontdesk_server;
SELECT frontdesk.fold_rollups() > 0 AS folded \gset
RESET ROLE;
SELECT ok(:'folded'::boolean, 'the server folds');
SET LOCAL ROLE frontdesk_analyst;
SELECT frontdesk.total(frontdesk.agent_stats('r')) AS asked \gset
RESET ROLE;
SELECT is(:'asked'::bigint, total(agent_stats('r')), 'the analyst asks');

-- The same calls without a search_path.
CREATE FUNCTION pg_temp.add_far(agent text, amount integer) RETURNS void LANGUAGE sql SET search_path = pg_catalog AS $$
    INSERT INTO frontdesk.calls (agent_id, call_id, first_sent_ms, start_timestamp, call_status, duration_ms, cost, details, provenance, created_at, updated_at)
    SELECT agent, 'far ' || n, 0, 1709078400000 + n * 600000, 'ended', n, n, '{}', '', now(), now() FROM generate_series(1, amount) AS n
$$;
-- A search_path in which nothing is what it seems.
CREATE SCHEMA hostile;
DO $$
DECLARE
    op text;
    of_type text;
BEGIN
    FOREACH of_type IN ARRAY ARRAY['text', 'bigint', '"char"', 'tid', 'boolean', 'frontdesk.call_stats'] LOOP
        EXECUTE format('CREATE FUNCTION hostile.lie(%s, %1$s) RETURNS boolean LANGUAGE plpgsql AS %L', of_type, 'BEGIN RAISE EXCEPTION ''the wrong operator''; END');
        EXECUTE format('CREATE FUNCTION hostile.lie_more(%s, %1$s) RETURNS %1$s LANGUAGE plpgsql AS %L', of_type, 'BEGIN RAISE EXCEPTION ''the wrong operator''; END');
        FOREACH op IN ARRAY ARRAY['=', '<>', '<', '<=', '>', '>='] LOOP
            EXECUTE format('CREATE OPERATOR hostile.%s (LEFTARG = %s, RIGHTARG = %2$s, FUNCTION = hostile.lie)', op, of_type);
        END LOOP;
        EXECUTE format('CREATE OPERATOR hostile.+ (LEFTARG = %s, RIGHTARG = %1$s, FUNCTION = hostile.lie_more)', of_type);
    END LOOP;
END
$$;
CREATE FUNCTION hostile.count(anyelement) RETURNS bigint LANGUAGE sql AS 'SELECT 0::bigint';
CREATE FUNCTION hostile.total(frontdesk.call_stats) RETURNS bigint LANGUAGE sql AS 'SELECT 0::bigint';
SET LOCAL search_path = hostile, pg_catalog;
SELECT pg_temp.add_far('hostile', 300);
SELECT frontdesk.fold_rollups() AS folded, frontdesk.fold_rollups('hostile', 100) AS again, frontdesk.total(frontdesk.agent_stats('hostile')) AS calls,
       (SELECT pg_catalog.count(*) FROM frontdesk.verify_rollups('hostile')) AS wrong, frontdesk.rebuild_rollups('hostile') AS rebuilt,
       (SELECT place_skip FROM frontdesk.agent_place('hostile', true, 5)) IS NOT NULL AS placed,
       (SELECT pg_catalog.count(*) FROM frontdesk.agent_stats_series('hostile', '{0, 1709078400000, 1809078400001}')) AS parts \gset
SET LOCAL search_path TO tap, frontdesk, public;
SELECT is(ARRAY[:'calls', :'wrong', :'rebuilt', :'parts']::bigint[], ARRAY[300, 0, 1, 2]::bigint[], 'a hostile search_path changes nothing');
SELECT pg_temp.right('neither then nor afterwards');

-- The trigger functions read rows of whatever table they are put on: one of another kind is refused.
CREATE TABLE public.strange (agent_id bigint, call_id text, started_at bigint, call_status text, call_successful boolean,
    user_sentiment varchar(9), disconnection_reason text, in_voicemail boolean, duration_ms bigint, cost numeric,
    transcript text, call_summary text, direction text, from_number text, to_number text);
CREATE TRIGGER counts AFTER INSERT ON public.strange REFERENCING NEW TABLE AS new_calls FOR EACH STATEMENT EXECUTE FUNCTION count_changed_calls();
CREATE TRIGGER queues AFTER INSERT ON public.strange REFERENCING NEW TABLE AS new_calls FOR EACH STATEMENT EXECUTE FUNCTION queue_text();
SELECT throws_ok('INSERT INTO public.strange VALUES (1, ''c'', 1)', '42804', NULL, 'a column of another type is not counted');
ALTER TABLE public.strange DISABLE TRIGGER counts;
SELECT throws_ok('INSERT INTO public.strange VALUES (1, ''c'', 1)', '42804', NULL, 'nor queued for the text index');
ALTER TABLE public.strange ALTER COLUMN agent_id TYPE text, ENABLE TRIGGER counts;
SELECT throws_ok('INSERT INTO public.strange VALUES (NULL, ''c'', 1)', '23502', NULL, 'nor is a call of no agent counted');
SELECT lives_ok('INSERT INTO public.strange VALUES (''strange'', ''c'', 1, NULL, NULL, ''Neutral'')', 'a type that is stored alike is');
ALTER TABLE public.strange DROP COLUMN cost;
SELECT throws_ok('INSERT INTO public.strange VALUES (''strange'', ''c'', 1)', '42703', NULL, 'a column that is missing is missed');
ALTER TABLE public.strange DISABLE TRIGGER counts;
SELECT throws_ok('INSERT INTO public.strange VALUES (''strange'', NULL, 1)', '23502', NULL, 'and a call of no name is not queued');
DELETE FROM call_rollup_delta WHERE agent_id = 'strange';
DELETE FROM call_text_queue WHERE agent_id = 'strange';

-- TRUNCATE takes the rollups with it, and gives them back when undone.
SELECT pg_temp.add('a', 'last', 1);
SAVEPOINT whole;
TRUNCATE calls;
SELECT is((SELECT count(*) FROM call_rollup) + pg_temp.deltas(), 0::bigint, 'TRUNCATE empties the rollups');
SELECT pg_temp.right('as it should');
SELECT pg_temp.add('a', 'after', 1);
SELECT pg_temp.right('a call after TRUNCATE');
TRUNCATE calls, call_rollup, call_rollup_delta;
SELECT pg_temp.right('TRUNCATE of all three at once');
ROLLBACK TO whole;
SELECT ok(total(agent_stats('a')) > 1, 'what comes back');
SELECT pg_temp.right('comes back with its rollups');

SELECT * FROM finish();
ROLLBACK;
