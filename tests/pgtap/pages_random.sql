-- P17: random pages of many calls, by every filter, sort, offset and cursor, against plain SQL: the same calls in the same order, and the same total. With changes that the rollups have folded, and with
-- some that they have not. Quick with 10000 calls; PGOPTIONS='-c frontdesk.test_calls=50000' makes it as many as one likes.
BEGIN;
\ir lib/setup.psql
SELECT plan(18);
SELECT setseed(0.17);
CREATE TEMPORARY TABLE size AS SELECT coalesce(current_setting('frontdesk.test_calls', true), '10000')::integer AS calls;

INSERT INTO agents (agent_id, agent_name) SELECT 'agent_' || n, 'Agent ' || n FROM generate_series(0, 11) AS n;

-- One agent has most of the calls; values are few, so that there are long ties; a third has no cost, or none at all.
CREATE FUNCTION pg_temp.add_calls(first integer, last integer) RETURNS void LANGUAGE sql VOLATILE AS $$
    INSERT INTO frontdesk.calls (agent_id, call_id, first_sent_ms, start_timestamp, duration_ms, cost, call_status, user_sentiment, call_successful, direction, call_type, disconnection_reason,
                                 from_number, to_number, transcript, details, provenance, created_at, updated_at)
    SELECT 'agent_' || CASE WHEN random() < 0.6 THEN 0 ELSE 1 + floor(random() * 10)::integer END, 'call_' || md5(n::text), t, CASE WHEN n % 9 > 0 THEN t END,
           CASE floor(random() * 6)::integer WHEN 0 THEN NULL WHEN 1 THEN 0 WHEN 2 THEN 60000 ELSE (random() * random() * 900000)::bigint END,
           CASE floor(random() * 6)::integer WHEN 0 THEN NULL WHEN 1 THEN 0 WHEN 2 THEN 12.5 WHEN 3 THEN 0.0001 * floor(random() * 300) ELSE round((random() * 90)::numeric, 2) END,
           (ARRAY['ended', 'ended', 'ended', 'error', 'not_connected', NULL])[1 + floor(random() * 6)::integer], (ARRAY['Positive', 'Negative', 'Neutral', 'Brand new', NULL])[1 + floor(random() * 5)::integer],
           (ARRAY[true, false, NULL])[1 + floor(random() * 3)::integer], (ARRAY['inbound', 'outbound', NULL])[1 + floor(random() * 3)::integer], (ARRAY['phone_call', 'web_call'])[1 + n % 2],
           (ARRAY['user_hangup', 'agent_hangup', 'dial_busy', repeat('long ', 30), NULL])[1 + floor(random() * 5)::integer], '+1' || n % 400, '+49' || n % 7, 'word' || n % 50, '{}', '', now(), now()
    FROM (SELECT n, 1767225600000 + (random() * random() * 5400)::bigint * 3600000 / 2 + (random() * 3)::bigint * 1000 AS t FROM generate_series(first, last) AS n) AS times
$$;

-- What each filter is in a call of calls_page(), and in plain SQL over the table.
CREATE TEMPORARY TABLE filters (n serial, argument text, plain text);
INSERT INTO filters (argument, plain) VALUES
    ($$status => '{ended}'$$, $$call_status = 'ended'$$), ($$status => '{error,not_connected}'$$, $$call_status IN ('error', 'not_connected')$$), ($$status => '{unheard_of}'$$, 'false'), ($$status => '{}'$$, 'false'),
    ($$sentiment => '{Positive}'$$, $$user_sentiment = 'Positive'$$), ($$sentiment => '{Brand new,Neutral}'$$, $$user_sentiment IN ('Brand new', 'Neutral')$$),
    ($$successful => '{true}'$$, 'call_successful'), ($$successful => '{false,unknown}'$$, 'call_successful IS NOT TRUE'), ($$successful => '{unknown}'$$, 'call_successful IS NULL'),
    ($$direction => '{inbound}'$$, $$direction = 'inbound'$$), ($$call_type => '{web_call}'$$, $$call_type = 'web_call'$$),
    ($$reason => '{user_hangup,dial_busy}'$$, $$disconnection_reason IN ('user_hangup', 'dial_busy')$$), (format('reason => ARRAY[%L]', repeat('long ', 30)), format('disconnection_reason = %L', repeat('long ', 30))),
    ('since_ms => 1768000000000', 't >= 1768000000000'), ('since_ms => 1767225600000', 't >= 1767225600000'), ('until_ms => 1772323200000', 't < 1772323200000'), ('until_ms => 1775001234567', 't < 1775001234567'),
    ('min_duration_ms => 0', 'duration_ms >= 0'), ('max_duration_ms => 60000', 'duration_ms <= 60000'), ('min_duration_ms => 60000', 'duration_ms >= 60000'), ('min_cost => 12.5', 'cost >= 12.5'), ('max_cost => 0', 'cost <= 0'),
    ('max_cost => 12.49', 'cost <= 12.49'), ($$caller => '{+17,+18,+495}'$$, $$caller IN ('+17', '+18', '+495')$$), ($$caller => '{+13*}'$$, $$caller LIKE '+13%'$$), ($$q => 'word7'$$, $$transcript = 'word7'$$),
    ($$search => '+39'$$, $$caller LIKE '%+39%'$$);

-- A page and the one after it, as they are and as they should be: null when they agree, else what was asked for.
CREATE FUNCTION pg_temp.disagreement(agents text[], sort_by text, sort_order text, max_rows integer, skip bigint, arguments text, plain text, follow boolean DEFAULT true) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    key text := CASE sort_by WHEN 'date' THEN 't' WHEN 'duration' THEN 'coalesce(duration_ms, -1)' ELSE 'coalesce(cost, -1)' END;
    question text := format('SELECT frontdesk.calls_page(%L, %L, %L, %s, %s', agents, sort_by, sort_order, max_rows, skip) || arguments || ')';
    expected text[];
    expected_total bigint;
    page json;
    seen text[];
BEGIN
    plain := plain || CASE WHEN agents IS NULL THEN '' ELSE format(' AND agent_id = ANY (%L)', agents) END;
    EXECUTE format('SELECT ARRAY(SELECT call_id::text FROM truth WHERE %s ORDER BY %s %s, t %s, call_id %s LIMIT %s OFFSET %s)', plain, key, sort_order, sort_order, sort_order, 2 * max_rows, skip) INTO expected;
    EXECUTE format('SELECT count(*) FROM truth WHERE %s', plain) INTO expected_total;
    EXECUTE question INTO page;
    seen := ARRAY(SELECT c ->> 'call_id' FROM json_array_elements(page -> 'calls') AS c);
    IF (page -> 'pagination' ->> 'total')::bigint IS DISTINCT FROM expected_total OR seen IS DISTINCT FROM coalesce(expected[1:max_rows], '{}')
       OR (page -> 'pagination' ->> 'hasMore')::boolean IS DISTINCT FROM skip + max_rows < expected_total THEN
        RETURN question || format(' -- total %s, should be %s', page -> 'pagination' ->> 'total', expected_total);
    END IF;
    IF follow AND page -> 'pagination' ->> 'nextCursor' IS NOT NULL THEN
        question := format('SELECT frontdesk.calls_page(%L, %L, %L, %s, NULL, page_cursor => %L', agents, sort_by, sort_order, max_rows, page -> 'pagination' ->> 'nextCursor') || arguments || ')';
        EXECUTE question INTO page;
        seen := ARRAY(SELECT c ->> 'call_id' FROM json_array_elements(page -> 'calls') AS c);
        IF (page -> 'pagination' ->> 'total')::bigint IS DISTINCT FROM expected_total OR seen IS DISTINCT FROM coalesce(expected[max_rows + 1:], '{}') THEN
            RETURN question;
        END IF;
    END IF;
    RETURN NULL;
END
$$;

-- So many random pages, those that disagree. Every fourth has no filter, every third a range of time alone.
CREATE FUNCTION pg_temp.disagreements(pages integer) RETURNS SETOF text LANGUAGE sql VOLATILE AS $$
    SELECT d FROM (
        SELECT pg_temp.disagreement(agents, sort_by, sort_order, max_rows, skip, coalesce(arguments, ''), coalesce(plain, 'true')) AS d
        FROM (SELECT n, CASE floor(random() * 4)::integer WHEN 0 THEN NULL WHEN 1 THEN ARRAY['agent_3', 'agent_0', 'agent_7', 'agent_11'] WHEN 2 THEN ARRAY['agent_' || n % 11] ELSE ARRAY['agent_0'] END AS agents,
                     (ARRAY['date', 'duration', 'cost'])[1 + floor(random() * 3)::integer] AS sort_by, (ARRAY['asc', 'desc'])[1 + floor(random() * 2)::integer] AS sort_order,
                     1 + floor(random() * 100)::integer AS max_rows, CASE floor(random() * 4)::integer WHEN 0 THEN 0 WHEN 1 THEN floor(random() * 500)::bigint ELSE floor(random() * calls * 1.04)::bigint END AS skip
              FROM size, generate_series(1, pages) AS n) AS p
        CROSS JOIN LATERAL (SELECT string_agg(', ' || argument, '') AS arguments, string_agg(plain, ' AND ') AS plain FROM (
            SELECT DISTINCT ON (split_part(argument, ' ', 1)) argument, plain FROM filters
            WHERE p.n % 4 > 0 AND (p.n % 3 > 0 OR argument ~ '^(since|until)') AND (filters.n + p.n * 7) % 27 < 1 + p.n % 3
            ORDER BY split_part(argument, ' ', 1), random()) AS chosen) AS f) AS x
    WHERE d IS NOT NULL
$$;
CREATE TEMPORARY VIEW true_calls AS
SELECT agent_id, call_id, duration_ms, cost, call_status, user_sentiment, call_successful, direction, call_type, disconnection_reason, transcript, coalesce(start_timestamp, first_sent_ms) AS t, CASE direction WHEN 'inbound' THEN from_number WHEN 'outbound' THEN to_number END AS caller FROM calls;

SELECT pg_temp.add_calls(1, calls / 5 * 4) FROM size;
SELECT fold_rollups();
SELECT index_text(1000000);
CREATE TEMPORARY TABLE truth AS SELECT * FROM true_calls;
ANALYZE calls;
ANALYZE call_text;
ANALYZE truth;
SELECT is_empty('SELECT pg_temp.disagreements(90)', 'folded: every page is what plain SQL says');

SELECT pg_temp.add_calls(calls / 5 * 4 + 1, calls) FROM size;
UPDATE calls SET duration_ms = 60000, call_status = 'ended', start_timestamp = start_timestamp + 86400000 WHERE call_id < 'call_1';
DELETE FROM calls WHERE call_id > 'call_fc';
SELECT index_text(1000000);
ANALYZE calls;
ANALYZE call_text;
TRUNCATE truth;
INSERT INTO truth SELECT * FROM true_calls;
SELECT is_empty('SELECT pg_temp.disagreements(90)', 'with changes that are not folded: likewise');
SELECT fold_rollups();
SELECT is_empty('SELECT pg_temp.disagreements(30)', 'and once they are');

-- A page in the middle of many calls reads few index entries, however many lie before it.
CREATE FUNCTION pg_temp.entries_read() RETURNS bigint LANGUAGE sql VOLATILE AS $$
    SELECT sum(pg_stat_get_xact_tuples_returned(indexrelid))::bigint FROM pg_index WHERE indrelid = 'frontdesk.calls'::regclass
$$;
CREATE FUNCTION pg_temp.cost_of_page(agents text[], sort_by text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    middle bigint := (SELECT count(*) / 2 FROM truth WHERE agents IS NULL OR agent_id = ANY (agents));
    before bigint := pg_temp.entries_read();
BEGIN
    PERFORM length(frontdesk.calls_page(agents, sort_by, 'desc', 20, middle)::text);
    RETURN pg_temp.entries_read() - before;
END
$$;
SELECT cmp_ok(pg_temp.cost_of_page('{agent_0}', sort_by), '<', greatest(1500, calls / 15)::bigint, 'a page by ' || sort_by || ' far in') FROM size, unnest(ARRAY['date', 'duration', 'cost']) AS sort_by;
SELECT cmp_ok(pg_temp.cost_of_page(NULL, 'date'), '<', 2500::bigint, 'a page of all agents by date far in');

-- A page of a status that few calls have looks no further than for those.
CREATE FUNCTION pg_temp.cost_of_status(agents text[], wanted text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    before bigint := pg_temp.entries_read();
BEGIN
    PERFORM length(frontdesk.calls_page(agents, 'date', 'desc', 20, status => ARRAY[wanted])::text);
    RETURN pg_temp.entries_read() - before;
END
$$;
CREATE TEMPORARY TABLE lately AS SELECT call_id FROM calls WHERE agent_id = 'agent_0' ORDER BY started_at DESC LIMIT 2;
UPDATE calls SET call_status = 'ongoing' WHERE agent_id = 'agent_0' AND call_id IN (SELECT call_id FROM lately);
UPDATE truth SET call_status = 'ongoing' WHERE call_id IN (SELECT call_id FROM lately);
SELECT cmp_ok(pg_temp.cost_of_status(agents, wanted), '<', 1000::bigint, format('the calls that are %s, of %s', wanted, coalesce(agents::text, 'all')))
FROM (VALUES ('{agent_0}'::text[]), ('{agent_0,agent_3,agent_7}'), (NULL)) AS a(agents), (VALUES ('ongoing')) AS w(wanted)
UNION ALL SELECT cmp_ok(pg_temp.cost_of_status('{agent_0}', 'unheard_of'), '<', 1000::bigint, 'those that there are none of');
SELECT is_empty($$
    SELECT d FROM (SELECT pg_temp.disagreement(agents, sort_by, sort_order, max_rows, skip, ', status => ''{ongoing}''', 'call_status = ''ongoing''') AS d
                   FROM (VALUES ('{agent_0}'::text[]), ('{agent_0,agent_3,agent_7}'), (NULL)) AS a(agents), (VALUES ('date'), ('duration'), ('cost')) AS s(sort_by), (VALUES ('asc'), ('desc')) AS o(sort_order),
                        generate_series(1, 3) AS max_rows, generate_series(0, 3) AS skip) AS x
    WHERE d IS NOT NULL$$, 'and they are the right ones');

-- A page far inside a long tie, and at its ends.
SELECT is_empty($$
    SELECT d FROM (SELECT pg_temp.disagreement(agents, sort_by, sort_order, 20, greatest(0, edge + step), '', 'true') AS d
                   FROM (VALUES ('{agent_0}'::text[]), (NULL)) AS a(agents), (VALUES ('duration'), ('cost')) AS s(sort_by), (VALUES ('asc'), ('desc')) AS o(sort_order),
                        LATERAL (SELECT count(*) FROM truth WHERE (agents IS NULL OR agent_id = ANY (agents)) AND CASE sort_by WHEN 'cost' THEN coalesce(cost, -1) ELSE coalesce(duration_ms, -1) END <= 0) AS e(below),
                        LATERAL (SELECT count(*) FROM truth WHERE agents IS NULL OR agent_id = ANY (agents)) AS w(whole),
                        LATERAL (SELECT CASE sort_order WHEN 'asc' THEN below ELSE whole - below END) AS g(edge), unnest(ARRAY[-900, -300, -10, 0, 700]) AS step) AS x
    WHERE d IS NOT NULL$$, 'pages at the edges of ties');

-- The totals that pages over all agents show are verified, and mended, with the rollups.
SELECT is_empty('SELECT * FROM verify_rollups()', 'rollups and totals are right');
UPDATE call_total SET n = n + 1 WHERE agent_id = 'agent_3';
SELECT is(ARRAY(SELECT concat_ws(' ', agent_id, grain, problem) FROM verify_rollups()), '{agent_3 total different}', 'a total that is not is named');
SELECT rebuild_rollups('agent_3');
SELECT is_empty('SELECT * FROM verify_rollups()', 'and mended');

-- Rollups that do not say the truth, because somebody switched the triggers off: where that shows, the page is cut, and counted, without them.
ALTER TABLE calls DISABLE TRIGGER USER;
DELETE FROM calls WHERE started_at BETWEEN 1770000000000 AND 1774000000000;
ALTER TABLE calls ENABLE TRIGGER USER;
DELETE FROM truth WHERE t BETWEEN 1770000000000 AND 1774000000000;
SELECT is_empty($$
    SELECT d FROM (SELECT pg_temp.disagreement('{agent_0}', 'date', sort_order, 20, (SELECT count(*) FROM truth WHERE agent_id = 'agent_0' AND CASE sort_order WHEN 'asc' THEN t < 1770000000000 ELSE t > 1774000000000 END) + 250, '', 'true', false) AS d
                   FROM (VALUES ('asc'), ('desc')) AS o(sort_order)) AS x
    WHERE d IS NOT NULL$$, 'a page in a gap that the rollups do not know of');

ALTER TABLE calls DISABLE TRIGGER USER;
UPDATE calls SET call_status = 'ended' WHERE agent_id = 'agent_0' AND call_id = (SELECT min(call_id) FROM lately);
ALTER TABLE calls ENABLE TRIGGER USER;
UPDATE truth SET call_status = 'ended' WHERE call_id = (SELECT min(call_id) FROM lately);
SELECT is_empty($$
    SELECT d FROM (SELECT pg_temp.disagreement(agents, sort_by, 'desc', 20, 0, ', status => ''{ongoing}''', 'call_status = ''ongoing''') AS d
                   FROM (VALUES ('{agent_0}'::text[]), ('{agent_0,agent_3}')) AS a(agents), (VALUES ('date'), ('cost')) AS s(sort_by)) AS x
    WHERE d IS NOT NULL$$, 'and one of a status that fewer calls have than the rollups believe');

SELECT * FROM finish();
ROLLBACK;
