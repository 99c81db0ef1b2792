-- Pages, against the same cut made by plain SQL.
BEGIN;
\ir lib/setup.psql
SELECT plan(231);

-- Three agents with 60 calls each, many ties and many missing values.
INSERT INTO agents (agent_id, agent_name, created_at) SELECT 'a' || n, 'Agent ' || n, now() + n * interval '1 s' FROM generate_series(1, 4) AS n;
INSERT INTO calls (agent_id, call_id, first_sent_ms, start_timestamp, duration_ms, cost, transcript, details, provenance, created_at, updated_at)
SELECT 'a' || a, format('%s-%s', chr(97 + (n * 7) % 26), a * 100 + n), 5000 + n % 4, CASE WHEN n % 5 > 0 THEN 5000 + n % 6 END,
       CASE WHEN n % 3 > 0 THEN n % 7 END, CASE WHEN n % 4 > 0 THEN (n % 5) / 2.0 END, 'said ' || n, '{}', '', now(), now()
FROM generate_series(1, 3) AS a, generate_series(1, 60) AS n;
INSERT INTO call_home SELECT call_id, agent_id FROM calls;

-- The calls in order, by an independent text: NULLS instead of coalesce.
CREATE FUNCTION pg_temp.in_order(agents text[], sort_by text, sort_order text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    way text := sort_order || CASE sort_order WHEN 'asc' THEN ' NULLS FIRST' ELSE ' NULLS LAST' END;
BEGIN
    RETURN QUERY EXECUTE format(
        'SELECT call_id::text FROM frontdesk.calls WHERE agent_id = ANY ($1)'
        ' ORDER BY %s coalesce(start_timestamp, first_sent_ms) %s, call_id COLLATE "C" %s',
        CASE sort_by WHEN 'duration' THEN 'duration_ms ' || way || ',' WHEN 'cost' THEN 'cost ' || way || ',' END,
        sort_order, sort_order)
    USING agents;
END
$$;

CREATE TEMPORARY TABLE sorts AS
SELECT sort_by, sort_order FROM unnest(ARRAY['date', 'duration', 'cost']) AS sort_by, unnest(ARRAY['desc', 'asc']) AS sort_order;
CREATE TEMPORARY TABLE cuts (rows integer, skip bigint);
INSERT INTO cuts VALUES (20, 0), (7, 13), (100, 0), (20, 40), (20, 55), (20, 60), (1, 59), (5, 100000);

CREATE FUNCTION pg_temp.expected(agents text[], sort_by text, sort_order text, rows integer, skip bigint) RETURNS text[] LANGUAGE sql AS $$
    SELECT coalesce(array_agg(c ORDER BY o) FILTER (WHERE o > skip AND o <= skip + coalesce(rows, 1000)), '{}')
    FROM pg_temp.in_order(agents, sort_by, sort_order) WITH ORDINALITY AS t(c, o)
$$;

-- Rows. 6 sorts × 8 cuts.
SELECT is(
    ARRAY(SELECT call_id::text FROM call_history('a2', sort_by, sort_order, rows, skip)),
    pg_temp.expected('{a2}', sort_by, sort_order, rows, skip),
    format('rows by %s %s, %s after %s', sort_by, sort_order, rows, skip))
FROM sorts, cuts;

-- The same as json, of one agent, of some and of all: 6 sorts × 8 cuts × (1 + 2).
CREATE FUNCTION pg_temp.page_of(page json) RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_build_object('ids', ARRAY(SELECT c ->> 'call_id' FROM json_array_elements(page -> 'calls') AS c),
                              'pagination', (page -> 'pagination')::jsonb - 'nextCursor')
$$;
CREATE FUNCTION pg_temp.expected_page(agents text[], sort_by text, sort_order text, rows integer, skip bigint) RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_build_object('ids', pg_temp.expected(agents, sort_by, sort_order, rows, skip),
        'pagination', jsonb_build_object('total', total, 'limit', rows, 'offset', skip, 'hasMore', skip + rows < total))
    FROM (SELECT count(*) AS total FROM frontdesk.calls WHERE agent_id = ANY (agents)) AS n
$$;
SELECT is(
    pg_temp.page_of(call_history_json('a2', NULL, sort_by, sort_order, rows, skip)),
    pg_temp.expected_page('{a2}', sort_by, sort_order, rows, skip),
    format('json of one agent by %s %s, %s after %s', sort_by, sort_order, rows, skip))
FROM sorts, cuts;
SELECT is(
    pg_temp.page_of(calls_json('{a3,a1,a4,nobody,a3}', sort_by, sort_order, rows, skip)),
    pg_temp.expected_page('{a1,a3}', sort_by, sort_order, rows, skip),
    format('json of two agents by %s %s, %s after %s', sort_by, sort_order, rows, skip))
FROM sorts, cuts;
SELECT is(
    pg_temp.page_of(calls_json(NULL, sort_by, sort_order, rows, skip)),
    pg_temp.expected_page('{a1,a2,a3}', sort_by, sort_order, rows, skip),
    format('json of all by %s %s, %s after %s', sort_by, sort_order, rows, skip))
FROM sorts, cuts;

-- What the order means.
SELECT is((SELECT array_agg(duration_ms IS NULL) FROM (SELECT * FROM call_history('a1', 'duration', 'asc', 20)) AS p), array_fill(true, ARRAY[20]), 'calls without a duration come first when ascending');
SELECT is((SELECT count(duration_ms) FROM call_history('a1', 'duration', 'desc', 40)), 40::bigint, 'and last when descending');
SELECT is(ARRAY(SELECT call_id FROM call_history('a1', 'cost', 'asc', NULL)),
          (SELECT array_agg(call_id ORDER BY o DESC) FROM call_history('a1', 'cost', 'desc', NULL) WITH ORDINALITY AS t(id, agent_id, call_id, caller_info, a1, a2, a3, a4, a5, a6, a7, a8, a9, b1, b2, b3, b4, b5, b6, b7, b8, b9, c1, c2, c3, c4, c5, c6, c7, c8, o)),
          'one direction is the other turned round, ties included');
SELECT is((SELECT count(DISTINCT call_id) FROM generate_series(0, 59, 7) AS skip, call_history('a1', 'cost', 'desc', 7, skip)), 60::bigint, 'pages in a row show every call once');

-- Defaults, edges and wrong arguments.
SELECT is(ARRAY(SELECT call_id FROM call_history('a1')), ARRAY(SELECT call_id FROM call_history('a1', 'date', 'desc', 20, 0)), 'by default the newest 20');
SELECT is(call_history_json('a1', NULL, NULL, NULL, NULL, NULL)::text, call_history_json('a1', NULL, 'date', 'desc', 20, 0)::text, 'nulls are the defaults');
SELECT is((SELECT count(*) FROM call_history('a1', 'date', 'desc', NULL)), 60::bigint, 'max_rows null: all');
SELECT is_empty($$
    SELECT * FROM unnest(ARRAY['date', 'duration', 'cost']) AS s(sort_by), unnest(ARRAY['asc', 'desc']) AS o(sort_order), unnest(ARRAY[0, 7, 1000]) AS skip
    WHERE ARRAY(SELECT to_jsonb(h) FROM call_history('a1', sort_by, sort_order, NULL::bigint, skip) AS h) <> ARRAY(SELECT to_jsonb(h) FROM call_history('a1', sort_by, sort_order, 100::bigint, skip) AS h)$$,
    'which are the rows that a page has, in its order');
SELECT is_empty($$SELECT * FROM call_history('a1', 'date', 'desc', 0)$$, 'no rows are no rows');
SELECT is_empty($$SELECT * FROM call_history('nobody')$$, 'an unknown agent has no rows');
SELECT is_empty('SELECT * FROM call_history(NULL)', 'nor has no agent');
SELECT is(pg_temp.page_of(call_history_json('a4', NULL, 'date', 'desc', 20, 0)), pg_temp.expected_page('{a4}', 'date', 'desc', 20, 0), 'an agent without calls has an empty page');
SELECT is(call_history_json('nobody', NULL, 'date', 'desc', 20, 0)::text, NULL, 'an unknown agent has none');
SELECT is(call_history_json(NULL, NULL, 'date', 'desc', 20, 0)::text, NULL, 'nor has no agent');
SELECT is(call_history_json('a1', '{a2,a3}', 'date', 'desc', 20, 0)::text, NULL, 'nor an agent that the caller may not see');
SELECT isnt(call_history_json('a1', '{a2,a1}', 'date', 'desc', 20, 0)::text, NULL, 'one that it may see has');
SELECT is(pg_temp.page_of(calls_json('{}', 'date', 'desc', 20, 0)), pg_temp.expected_page('{}', 'date', 'desc', 20, 0), 'who may see no agent sees an empty page');
SELECT is(pg_temp.page_of(calls_json(NULL, 'date', 'desc', 20, 9223372036854775807)) -> 'ids', '[]', 'the farthest offset');
SELECT throws_ok(format('SELECT call_history_json(''a1'', NULL, %s)', arguments), '22023', message, arguments) FROM (VALUES
    ($$'name', 'desc', 20, 0$$, 'unknown sort "name"'),
    ($$'', 'desc', 20, 0$$, 'unknown sort ""'),
    ($$'date', 'DESC', 20, 0$$, 'unknown order "DESC"'),
    ($$'date', 'desc', 0, 0$$, 'max_rows must be from 1 to 100'),
    ($$'date', 'desc', 101, 0$$, 'max_rows must be from 1 to 100'),
    ($$'date', 'desc', 20, -1$$, 'skip_rows must not be negative')) AS v(arguments, message);
SELECT throws_ok(format('SELECT calls_json(NULL, %s)', arguments), '22023', NULL, arguments) FROM (VALUES
    ($$'name', 'desc', 20, 0$$), ($$'date', 'down', 20, 0$$), ($$'date', 'desc', 101, 0$$), ($$'date', 'desc', 1, -1$$)) AS v(arguments);
SELECT throws_ok($$SELECT * FROM call_history('a1', 'date', 'desc', -1)$$, '22023', 'max_rows must not be negative', 'fewer than no rows');
SELECT throws_ok($$SELECT * FROM call_history('a1', 'date', 'desc', 1, -1)$$, '22023', NULL, 'before the first row');

-- Every column of a row, and every member of its json.
UPDATE calls SET direction = CASE WHEN call_id < 'm' THEN 'inbound' ELSE 'outbound' END, from_number = '+1' || call_id, to_number = '+2' || call_id,
    call_type = 'phone_call', call_status = 'ended', end_timestamp = 9000, disconnection_reason = 'r', call_summary = E'a "b" \\ \t\n\r\b\f\u0001 \u2028 é',
    user_sentiment = 'Neutral', call_successful = true, recording_url = 'u', agent_version = 3, in_voicemail = false, transfer_destination = '+3',
    custom_analysis = '{"a": [1.50]}', metadata = '[]', transcript_object = '[{}]', latency = '{"e2e": 1}', duration_ms = duration_ms * 500,
    created_at = '1999-12-31 23:59:59.9996+00', updated_at = '2024-02-29 00:00:00.0004+00'
WHERE agent_id = 'a1';
CREATE TEMPORARY VIEW wanted AS
SELECT id, agent_id, call_id, CASE direction WHEN 'inbound' THEN from_number WHEN 'outbound' THEN to_number END AS caller_info, start_timestamp, end_timestamp,
       duration_ms, round(duration_ms / 1000.0)::bigint AS duration_seconds, transcript, call_status, disconnection_reason, cost, call_summary, user_sentiment,
       call_successful, recording_url, call_type, direction, from_number, to_number, created_at, updated_at, agent_version, in_voicemail, transfer_destination,
       custom_analysis, metadata, transcript_object, latency, details
FROM calls WHERE agent_id IN ('a1', 'a2');
SELECT is_empty($$(SELECT to_jsonb(w) FROM wanted AS w EXCEPT ALL (SELECT to_jsonb(h) FROM call_history('a1', 'date', 'desc', NULL) AS h UNION ALL SELECT to_jsonb(h) FROM call_history('a2', 'date', 'desc', NULL) AS h))$$, 'no row is missing or different');
SELECT is_empty($$((SELECT to_jsonb(h) FROM call_history('a1', 'date', 'desc', NULL) AS h UNION ALL SELECT to_jsonb(h) FROM call_history('a2', 'date', 'desc', NULL) AS h) EXCEPT ALL SELECT to_jsonb(w) FROM wanted AS w)$$, 'no row is too many');
CREATE TEMPORARY VIEW wanted_json AS
SELECT agent_id, call_id, to_jsonb(w) - 'agent_version' - 'in_voicemail' - 'transfer_destination' - 'custom_analysis' - 'metadata' - 'transcript_object' - 'latency' - 'details'
    || jsonb_build_object('created_at', to_char(date_trunc('milliseconds', created_at AT TIME ZONE 'UTC'), 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
                          'updated_at', to_char(date_trunc('milliseconds', updated_at AT TIME ZONE 'UTC'), 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
                          'agent', jsonb_build_object('agent_id', agent_id, 'agent_name', 'Agent ' || right(agent_id, 1))) AS j
FROM wanted AS w;
SELECT is_empty($$SELECT j FROM wanted_json WHERE agent_id = 'a1' EXCEPT ALL
                  SELECT c FROM jsonb_array_elements(call_history_json('a1', NULL, 'date', 'desc', 100, 0)::jsonb -> 'calls') AS c$$, 'no member of the json is missing or different');
SELECT is_empty($$SELECT c FROM jsonb_array_elements(calls_json('{a1}', 'date', 'desc', 100, 0)::jsonb -> 'calls') AS c EXCEPT ALL
                  SELECT j FROM wanted_json WHERE agent_id = 'a1'$$, 'nor is there one too many');
SELECT is_empty($$SELECT c FROM calls AS c WHERE agent_id = 'a1' AND
                  call_json(call_id, NULL)::jsonb - 'agent' - 'created_at' - 'updated_at' IS DISTINCT FROM
                  (SELECT to_jsonb(w) - 'created_at' - 'updated_at' FROM wanted AS w WHERE w.call_id = c.call_id)$$, 'nor in a single call');
SELECT is(call_json((SELECT min(call_id) FROM calls WHERE agent_id = 'a1'), '{a2}')::text, NULL, 'a call of an agent that the caller may not see is none');
SELECT isnt(call_json((SELECT min(call_id) FROM calls WHERE agent_id = 'a1'), '{a2,a1}')::text, NULL, 'one that it may see is there');
SELECT is(call_json('nothing', NULL)::text, NULL, 'an unknown call is none');
SELECT is(call_json(NULL, NULL)::text, NULL, 'nor is no call');

SELECT * FROM finish();
ROLLBACK;
