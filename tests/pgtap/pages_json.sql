-- What pages print is, byte for byte, what PostgreSQL's own to_json() says of the same values.
BEGIN;
\ir lib/setup.psql
SELECT plan(7);
SELECT setseed(0.42);

INSERT INTO agents (agent_id, agent_name) VALUES ('a"1\', E'Ä "quoted" \\ \t name');

-- Texts of random length from an alphabet; and texts in which one character stands at every place around the steps that are copied at a time.
CREATE FUNCTION pg_temp.random_text(alphabet text[], length integer) RETURNS text LANGUAGE sql VOLATILE AS $$
    SELECT coalesce(string_agg(alphabet[1 + floor(random() * cardinality(alphabet))::integer], ''), '') FROM generate_series(1, length)
$$;
CREATE TEMPORARY TABLE characters AS
SELECT ARRAY(SELECT chr(c) FROM generate_series(1, 127) AS c) AS ascii,
       ARRAY(SELECT chr(c) FROM generate_series(1, 31) AS c) AS controls,
       ARRAY['a', 'b', ' ', '"', '\', E'\n', '/', chr(127), chr(128), 'é', 'ÿ', '߿', 'ࠀ', chr(8232), chr(8233), chr(65533), '😀', chr(1114111), '<', '&', '''']::text[] AS mixed;
CREATE TEMPORARY TABLE texts AS
SELECT row_number() OVER () AS n, t FROM (
    SELECT repeat('x', place) || chr(c) || repeat('y', 40 - place) AS t FROM generate_series(0, 40) AS place, unnest(ARRAY[1, 8, 9, 10, 12, 13, 31, 34, 92, 127, 233, 8364, 128512]) AS c
    UNION ALL SELECT chr(c) FROM generate_series(1, 255) AS c
    UNION ALL SELECT pg_temp.random_text(ascii, n) FROM characters, generate_series(0, 200) AS n
    UNION ALL SELECT pg_temp.random_text(controls, n) FROM characters, generate_series(0, 60) AS n
    UNION ALL SELECT pg_temp.random_text(mixed, n * 3) FROM characters, generate_series(0, 400) AS n
    UNION ALL SELECT pg_temp.random_text(mixed, n) FROM characters, unnest(ARRAY[4095, 4096, 4097, 8192, 20000]) AS n
    UNION ALL SELECT repeat(c, n) FROM unnest(ARRAY['"', chr(1), 'x', '😀']) AS c, unnest(ARRAY[4095, 4096, 4097, 100000]) AS n
) AS all_texts;

INSERT INTO calls (agent_id, call_id, first_sent_ms, start_timestamp, end_timestamp, duration_ms, cost, transcript, call_summary, call_status, call_successful, from_number, to_number,
                   direction, details, provenance, created_at, updated_at)
SELECT 'a"1\', format('call %s "\', n), n, CASE WHEN n % 3 > 0 THEN (random() * 1e13)::bigint END, CASE WHEN n % 4 > 0 THEN (random() * 9e18)::bigint END, CASE WHEN n % 5 > 0 THEN (random() * 1e9)::bigint END,
       CASE n % 6 WHEN 0 THEN NULL WHEN 1 THEN 0 WHEN 2 THEN (random() * 1e10)::bigint WHEN 3 THEN round((random() * 1000)::numeric, (n % 5)::integer) WHEN 4 THEN n ELSE round(random()::numeric, 4) END,
       t, CASE WHEN n % 7 > 0 THEN reverse(t) END, left(t, 50), CASE n % 3 WHEN 0 THEN true WHEN 1 THEN false END, left(t, 20), right(t, 20), (ARRAY['inbound', 'outbound', 'sideways'])[1 + n % 4], '{}', '',
       CASE n % 50 WHEN 0 THEN '1999-12-31 23:59:59.9999+00' WHEN 1 THEN '9999-12-31 23:59:59.999999+00' WHEN 2 THEN '0044-03-15 12:00:00+00' ELSE timestamptz '1900-01-01' + random() * interval '300 years' END,
       timestamptz '2020-01-01' + random() * interval '20 years'
FROM texts;

INSERT INTO call_home SELECT call_id, agent_id FROM calls;

-- A call as PostgreSQL prints it, with the forms of numbers and times that the API documents.
CREATE FUNCTION pg_temp.time_of(t timestamptz) RETURNS text LANGUAGE sql AS $$
    SELECT to_char(date_trunc('milliseconds', t AT TIME ZONE 'UTC'), 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
$$;
CREATE TEMPORARY TABLE wanted AS
SELECT c.call_id, c.started_at, format('{"id":%s,"agent_id":%s,"call_id":%s,"caller_info":%s,"start_timestamp":%s,"end_timestamp":%s,"duration_ms":%s,"duration_seconds":%s,"transcript":%s,"call_status":%s,'
    '"disconnection_reason":%s,"cost":%s,"call_summary":%s,"user_sentiment":%s,"call_successful":%s,"recording_url":%s,"call_type":%s,"direction":%s,"from_number":%s,"to_number":%s,'
    '"created_at":%s,"updated_at":%s,"agent":{"agent_id":%s,"agent_name":%s}}',
    VARIADIC ARRAY(SELECT coalesce(v::text, 'null') FROM unnest(ARRAY[
        to_json(id), to_json(agent_id), to_json(call_id), to_json(CASE direction WHEN 'inbound' THEN from_number WHEN 'outbound' THEN to_number END), to_json(start_timestamp), to_json(end_timestamp),
        to_json(duration_ms), to_json(round(duration_ms / 1000.0)), to_json(transcript), to_json(call_status), to_json(disconnection_reason), to_json(trim_scale(cost)), to_json(call_summary),
        to_json(user_sentiment), to_json(call_successful), to_json(recording_url), to_json(call_type), to_json(direction), to_json(from_number), to_json(to_number),
        to_json(pg_temp.time_of(created_at)), to_json(pg_temp.time_of(updated_at)), to_json(agent_id), to_json(E'Ä "quoted" \\ \t name'::text)]) WITH ORDINALITY AS u(v, o) ORDER BY o)) AS json
FROM calls AS c;

SELECT cmp_ok((SELECT count(*) FROM wanted), '>', 1000::bigint, 'there are texts of every kind');
SELECT is_empty($$
    SELECT skip FROM generate_series(0, (SELECT count(*) FROM wanted), 100) AS skip
    WHERE split_part(call_history_json('a"1\', NULL, 'date', 'asc', 100, skip)::text, ',"pagination":', 1) || '}' IS DISTINCT FROM
          '{"calls":[' || coalesce((SELECT string_agg(json, ',' ORDER BY started_at, call_id COLLATE "C")
                                   FROM (SELECT * FROM wanted ORDER BY started_at, call_id COLLATE "C" LIMIT 100 OFFSET skip) AS w), '') || ']}'
      AND position(',"pagination":' IN call_history_json('a"1\', NULL, 'date', 'asc', 100, skip)::text) > 0$$, 'pages of one agent, byte for byte');
SELECT is_empty($$
    SELECT skip FROM generate_series(0, 300, 100) AS skip
    WHERE call_history_json('a"1\', NULL, 'date', 'asc', 100, skip)::text IS DISTINCT FROM
          '{"calls":[' || (SELECT string_agg(json, ',' ORDER BY started_at, call_id COLLATE "C")
                           FROM (SELECT * FROM wanted ORDER BY started_at, call_id COLLATE "C" LIMIT 100 OFFSET skip) AS w)
          || format('],"pagination":{"total":%s,"limit":100,"offset":%s,"hasMore":true,"nextCursor":"%s"}}', (SELECT count(*) FROM wanted), skip,
                    call_history_json('a"1\', NULL, 'date', 'asc', 100, skip) -> 'pagination' ->> 'nextCursor')$$, 'the whole of a page, byte for byte');
SELECT is_empty($$
    SELECT call_id FROM calls WHERE (call_json(call_id, NULL)::jsonb ->> 'transcript') IS DISTINCT FROM transcript$$, 'every text comes back through a JSON reader as it is');

-- Times that have no four-digit year.
UPDATE calls SET created_at = 'infinity', updated_at = '-infinity' WHERE first_sent_ms = 1;
SELECT is((SELECT array_agg(c ->> k ORDER BY k) FROM call_json((SELECT call_id FROM calls WHERE first_sent_ms = 1), NULL) AS c, unnest(ARRAY['created_at', 'updated_at']) AS k), ARRAY[NULL, NULL]::text[], 'an infinite time is null');
UPDATE calls SET created_at = '10000-01-01 00:00:00+00', updated_at = '0044-03-15 12:00:00+00 BC' WHERE first_sent_ms = 1;
SELECT is((SELECT c ->> 'created_at' FROM call_json((SELECT call_id FROM calls WHERE first_sent_ms = 1), NULL) AS c), '+010000-01-01T00:00:00.000Z', 'a year after 9999 has six digits');
SELECT is((SELECT c ->> 'updated_at' FROM call_json((SELECT call_id FROM calls WHERE first_sent_ms = 1), NULL) AS c), '-000043-03-15T12:00:00.000Z', 'and so has one before Christ');

SELECT * FROM finish();
ROLLBACK;
