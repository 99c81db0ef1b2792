-- P3 at random: many histories of one call with retries, sent again at other times, in batches of any
-- size. Whatever comes when, the row is that of each event sent once, at its first time, in order.
-- 2000 of them, or as many as one likes:
--   PGOPTIONS='-c tests.histories=10000' tests/pgtap/run tests/pgtap/random_orders.sql
BEGIN;
\ir lib/setup.psql
SELECT plan(3);
SELECT setseed(0.42);

CREATE FUNCTION pg_temp.histories() RETURNS integer LANGUAGE sql AS $$
    SELECT coalesce(nullif(current_setting('tests.histories', true), ''), '2000')::integer
$$;

-- Bodies of 12 events that disagree in many fields and many details.
CREATE FUNCTION pg_temp.body_of(n integer) RETURNS text LANGUAGE sql AS $$
    SELECT jsonb_build_object(
        'event', (ARRAY['call_started', 'transcript_updated', 'transfer_started', 'call_ended', 'call_analyzed', 'call_paused'])[1 + n % 6],
        'transfer_option', jsonb_build_object('n', n),
        'call', jsonb_strip_nulls(jsonb_build_object(
            'call_id', 'r',
            'agent_id', CASE WHEN n % 4 <> 2 THEN 'a' END,
            'call_status', (ARRAY['registered', 'ongoing', 'ended', 'error', 'not_connected', NULL, 'new'])[1 + n % 7],
            'start_timestamp', CASE WHEN n % 3 = 0 THEN 1700000000000 + n END,
            'duration_ms', CASE WHEN n % 2 = 0 THEN 1000 * n END,
            'transcript', CASE n % 3 WHEN 0 THEN '' WHEN 1 THEN 'said ' || n END,
            'call_cost', CASE WHEN n % 5 < 3 THEN jsonb_build_object('combined_cost', n + 0.25) END,
            'call_analysis', CASE WHEN n % 4 = 1 THEN jsonb_build_object('call_summary', 'summary ' || n, 'call_successful', n % 8 = 1, 'extra', n) END,
            'metadata', CASE WHEN n % 3 = 2 THEN jsonb_build_object('n', n) END,
            'd' || n % 5, n, 'detail' || n % 3, jsonb_build_array(n), 'empty', CASE WHEN n % 2 = 0 THEN '[]'::jsonb ELSE to_jsonb(n) END)))::text
$$;

CREATE FUNCTION pg_temp.deliver(numbers integer[], times bigint[]) RETURNS void LANGUAGE sql AS $$
    SELECT count(*) FROM frontdesk.ingest(
        (SELECT array_agg(convert_to(pg_temp.body_of(n), 'UTF8') ORDER BY o) FROM unnest(numbers) WITH ORDINALITY AS t(n, o)),
        (SELECT array_agg(CASE WHEN n % 6 = 4 THEN 'poll' ELSE 'webhook' END ORDER BY o) FROM unnest(numbers) WITH ORDINALITY AS t(n, o)),
        times)
$$;

CREATE TEMPORARY TABLE differing (history integer, got jsonb, wanted jsonb);

-- Deliveries in that order, in batches of random sizes.
CREATE FUNCTION pg_temp.deliver_in_pieces(numbers integer[], times bigint[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    at integer := 1;
    size integer;
BEGIN
    WHILE at <= cardinality(numbers) LOOP
        size := 1 + (random() * random() * 15)::integer;
        PERFORM pg_temp.deliver(numbers[at:at + size - 1], times[at:at + size - 1]);
        at := at + size;
    END LOOP;
END
$$;

DO $$
DECLARE
    first_times bigint[];
    numbers integer[];
    times bigint[];
    wanted jsonb;
    got jsonb;
BEGIN
    FOR history IN 1..pg_temp.histories() LOOP
        -- Every 20 histories a new truth: when each event was sent first.
        IF history % 20 = 1 THEN
            first_times := ARRAY(SELECT 1700000000000 + (random() * 50)::bigint * 1000 FROM generate_series(1, 12));
            SELECT array_agg(n ORDER BY first_times[n], n), array_agg(first_times[n] ORDER BY first_times[n], n)
            INTO numbers, times FROM generate_series(1, 12) AS n;
            wanted := tap.row_after(format('SELECT pg_temp.deliver(%L, %L)', numbers, times), 'r');
        END IF;
        SELECT array_agg(n ORDER BY o), array_agg(t ORDER BY o) INTO numbers, times
        FROM (SELECT n, random() AS o, first_times[n] + retry * (random() * 20)::bigint * 1000 AS t
              FROM generate_series(1, 12) AS n, generate_series(0, (random() * 2.4)::integer) AS retry) AS deliveries;
        got := tap.row_after(format('SELECT pg_temp.deliver_in_pieces(%L, %L)', numbers, times), 'r');
        IF got IS NULL OR got IS DISTINCT FROM wanted THEN
            INSERT INTO differing VALUES (history, got, wanted);
        END IF;
    END LOOP;
    PERFORM pg_temp.deliver_in_pieces(numbers, times);
END
$$;

SELECT is_empty('SELECT * FROM differing', format('P3: %s random histories with retries end in the same row', pg_temp.histories()));
SELECT is((SELECT count(*) FROM journal), 12::bigint, 'the journal has each event of the last once');
SELECT is((SELECT count(*) FROM journal WHERE agent_id = 'a' AND state = 'done'), 12::bigint, 'those without an agent among them');

SELECT * FROM finish();
ROLLBACK;
