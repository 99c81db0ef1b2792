-- The type call_stats: what it says against plain SQL, its text and binary forms, its arithmetic.
BEGIN;
\ir lib/setup.psql
SELECT plan(62);

-- Calls as strange as they come, the same in every run.
CREATE TEMPORARY TABLE sample AS
SELECT setseed(0.5) IS NOT NULL AS seeded, 0 AS n, NULL::text AS call_status, NULL::boolean AS call_successful,
       NULL::text AS user_sentiment, NULL::text AS disconnection_reason, NULL::boolean AS in_voicemail,
       NULL::bigint AS duration_ms, NULL::numeric AS cost;
INSERT INTO sample
SELECT true, n,
       (ARRAY['registered', 'ended', 'error', 'paused', '', NULL])[1 + floor(random() * 6)],
       (ARRAY[true, false, NULL])[1 + floor(random() * 3)],
       (ARRAY['Positive', 'Negative', 'délicieux', NULL])[1 + floor(random() * 4)],
       (ARRAY['user_hangup', 'dial_busy', 'bored "to death" \', repeat('x', 63) || 'é', NULL])[1 + floor(random() * 5)],
       (ARRAY[true, false, NULL])[1 + floor(random() * 3)],
       nullif(floor(exp(random() * 14))::bigint, 1), nullif(round((exp(random() * 8))::numeric, 4), 1.0)
FROM generate_series(1, 3000) AS n;

CREATE FUNCTION pg_temp.stats_of(which sample) RETURNS call_stats LANGUAGE sql AS $$
    SELECT call_stats_agg(which.call_status, which.call_successful, which.user_sentiment, which.disconnection_reason,
                          which.in_voicemail, which.duration_ms, which.cost)
$$;
CREATE TEMPORARY TABLE known AS
SELECT call_stats_agg(call_status, call_successful, user_sentiment, disconnection_reason, in_voicemail, duration_ms, cost) AS s
FROM sample;

-- What it says.
SELECT is(total(s), (SELECT count(*) FROM sample), 'total counts calls') FROM known;
SELECT is(successful(s), (SELECT count(*) FROM sample WHERE call_successful), 'successful') FROM known;
SELECT is(unsuccessful(s), (SELECT count(*) FROM sample WHERE NOT call_successful), 'unsuccessful') FROM known;
SELECT is(unanalysed(s), (SELECT count(*) FROM sample WHERE call_successful IS NULL), 'unanalysed is not unsuccessful') FROM known;
SELECT is(success_rate(s), (SELECT avg(call_successful::int)::float8 FROM sample), 'success_rate is of the analysed') FROM known;
SELECT is(in_voicemail(s), (SELECT count(*) FROM sample AS c WHERE c.in_voicemail), 'in_voicemail') FROM known;
SELECT set_eq('SELECT b.* FROM known, by_status(s) AS b', 'SELECT call_status, count(*) FROM sample GROUP BY 1', 'by_status, with words never seen before, the empty one and none');
SELECT set_eq('SELECT b.* FROM known, by_sentiment(s) AS b', 'SELECT user_sentiment, count(*) FROM sample GROUP BY 1', 'by_sentiment');
SELECT set_eq('SELECT b.* FROM known, by_reason(s) AS b',
              $$SELECT CASE WHEN octet_length(disconnection_reason) > 64 THEN repeat('x', 63) ELSE disconnection_reason END, count(*) FROM sample GROUP BY 1$$,
              'by_reason, a word of more than 64 bytes under its beginning');
SELECT is(duration_count(s), (SELECT count(duration_ms) FROM sample), 'duration_count leaves out what is not known') FROM known;
SELECT is(duration_sum(s), (SELECT sum(duration_ms)::bigint FROM sample), 'duration_sum is exact') FROM known;
SELECT is(duration_avg(s), (SELECT avg(duration_ms) FROM sample), 'duration_avg is exact') FROM known;
SELECT is(cost_count(s), (SELECT count(cost) FROM sample), 'cost_count') FROM known;
SELECT is(cost_sum(s), (SELECT sum(cost) FROM sample), 'cost_sum is exact to the last decimal') FROM known;
SELECT ok(abs(cost_avg(s) - (SELECT avg(cost) FROM sample)) < 1e-12, 'cost_avg is exact') FROM known;
SELECT is_empty(
    $$SELECT p, said, exact
      FROM known, unnest(ARRAY[0, 0.01, 0.25, 0.5, 0.9, 0.95, 0.99, 1]) AS p, duration_percentile(s, p) AS said,
           LATERAL (SELECT percentile_disc(p) WITHIN GROUP (ORDER BY duration_ms) AS exact FROM sample) AS e
      WHERE abs(said - exact) > 0.008 * exact OR said IS NULL$$,
    'duration_percentile is within 0.8 % of percentile_disc');
SELECT is_empty(
    $$SELECT p, said, exact
      FROM known, unnest(ARRAY[0, 0.01, 0.25, 0.5, 0.9, 0.95, 0.99, 1]) AS p, cost_percentile(s, p) AS said,
           LATERAL (SELECT percentile_disc(p) WITHIN GROUP (ORDER BY cost) AS exact FROM sample) AS e
      WHERE abs(said - exact) > 0.008 * exact OR said IS NULL$$,
    'cost_percentile is within 0.8 % of percentile_disc');
SELECT ok(duration_min(s) BETWEEN 0.984 * least AND least AND duration_max(s) BETWEEN greatest AND 1.016 * greatest, 'duration_min and _max bound the durations')
FROM known, (SELECT min(duration_ms) AS least, max(duration_ms) AS greatest FROM sample) AS ends;
SELECT ok(cost_min(s) BETWEEN 0.984 * least AND least AND cost_max(s) BETWEEN greatest AND 1.016 * greatest, 'cost_min and _max bound the costs')
FROM known, (SELECT min(cost) AS least, max(cost) AS greatest FROM sample) AS ends;
SELECT is(duration_percentile(call_stats_agg('ended', NULL, NULL, NULL, NULL, 123457, 1234.5678), 0.5), 123457::bigint, 'one duration is exact');
SELECT is(cost_percentile(call_stats_agg('ended', NULL, NULL, NULL, NULL, 123457, 1234.5678), 0.5), 1234.5678, 'one cost is exact');
SELECT throws_ok('SELECT duration_percentile(s, 1.01) FROM known', '22003', 'percentile 1.01 is not between 0 and 1', 'no share above 1');
SELECT throws_ok($$SELECT cost_percentile(s, 'NaN') FROM known$$, '22003', 'percentile NaN is not between 0 and 1', 'no share that is no number');

-- Nothing, and differences.
SELECT is((SELECT call_stats_agg(k.s - k.s) FROM known AS k), s - s, 'what is subtracted from itself is nothing') FROM known;
SELECT results_eq('SELECT total(s - s), success_rate(s - s), duration_avg(s - s), cost_percentile(s - s, 0.5), duration_min(s - s), cost_sum(s - s) FROM known',
                  'SELECT 0::bigint, NULL::float8, NULL::numeric, NULL::numeric, NULL::bigint, 0.0000', 'nothing has no rate, average, percentile or least');
SELECT is(call_stats_agg(call_status, call_successful, user_sentiment, disconnection_reason, in_voicemail, duration_ms, cost), NULL, 'null over no rows') FROM sample WHERE false;
SELECT is(call_stats_agg(NULL::call_stats), NULL, 'null over nulls');
SELECT is((a + b) - a, b, 'a sum without a part is the other part')
FROM (SELECT (SELECT call_stats_agg(pg_temp.stats_of(c)) FROM sample AS c WHERE n % 3 = 0) AS a, (SELECT call_stats_agg(pg_temp.stats_of(c)) FROM sample AS c WHERE n % 3 > 0) AS b) AS parts;
SELECT is(total((s - s) - s), -total(s), 'a difference may be negative') FROM known;

-- Aggregates.
SELECT is((SELECT call_stats_agg(part) FROM (SELECT call_stats_agg(pg_temp.stats_of(c)) AS part FROM sample AS c GROUP BY n % 37) AS p), s, 'the sum of parts is the whole') FROM known;
SELECT is_empty(
    $$SELECT n FROM (SELECT n, call_stats_agg(pg_temp.stats_of(c)) OVER w AS moving, call_stats_agg(call_status, call_successful, user_sentiment, disconnection_reason, in_voicemail, duration_ms, cost) OVER w AS same,
                            (SELECT call_stats_agg(pg_temp.stats_of(d)) FROM sample AS d WHERE d.n BETWEEN c.n - 5 AND c.n + 2 AND d.n <= 150) AS fresh
                     FROM sample AS c WHERE n <= 150 WINDOW w AS (ORDER BY n ROWS BETWEEN 5 PRECEDING AND 2 FOLLOWING)) AS m
      WHERE moving <> fresh OR same <> fresh$$, 'over a moving window rows are taken away exactly');
SELECT is((SELECT call_stats_agg(n ORDER BY o) FROM (SELECT pg_temp.stats_of(c) AS n, n % 11 AS o FROM sample AS c) AS q), s, 'the order does not matter') FROM known;
SELECT throws_ok($$SELECT call_stats_agg('ended', NULL, NULL, NULL, NULL, -1, NULL)$$, '22003', 'duration of a call must not be negative', 'no negative duration');
SELECT throws_ok($$SELECT call_stats_agg('ended', NULL, NULL, NULL, NULL, NULL, -0.01)$$, '22003', 'cost of a call must not be negative', 'no negative cost');
SELECT throws_ok($$SELECT call_stats_agg('ended', NULL, NULL, NULL, NULL, NULL, 'NaN')$$, '22003', 'cost of a call must be a finite number', 'no cost that is no number');
SELECT throws_ok($$SELECT call_stats_agg('ended', NULL, NULL, NULL, NULL, NULL, 1e15)$$, '22003', NULL, 'no cost beyond 64 bits');
SELECT throws_ok('SELECT call_stats_agg_value(s, s) FROM known', 'XX000', NULL, 'the steps of the aggregates are theirs alone');

CREATE TABLE tap.parallel_sample AS SELECT s.* FROM sample AS s, generate_series(1, 20);
SET LOCAL parallel_setup_cost TO 0;
SET LOCAL parallel_tuple_cost TO 0;
SET LOCAL min_parallel_table_scan_size TO 0;
CREATE FUNCTION pg_temp.plan_of(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    line text;
    lines text := '';
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS off) ' || statement LOOP
        lines := lines || line || E'\n';
    END LOOP;
    RETURN lines;
END
$$;
\set parallel 'SELECT call_stats_agg(call_status, call_successful, user_sentiment, disconnection_reason, in_voicemail, duration_ms, cost) AS all_of_them FROM tap.parallel_sample'
SELECT matches(pg_temp.plan_of(:'parallel'), 'Partial Aggregate', 'workers add up parts');
:parallel \gset
SET LOCAL max_parallel_workers_per_gather TO 0;
SELECT is(:'all_of_them'::call_stats, (SELECT call_stats_agg(s) FROM known, generate_series(1, 20)), 'which make the same as one alone');

-- Overflow.
SELECT throws_ok($$SELECT s + s FROM (SELECT call_stats_agg('ended', NULL, NULL, NULL, NULL, 9223372036854775807, NULL) AS s) AS q$$, '22003', 'call_stats out of range', 'a sum beyond 64 bits is an error');
SELECT throws_ok($$SELECT s - t FROM (SELECT call_stats_agg('ended', NULL, NULL, NULL, NULL, 9223372036854775807, NULL) AS s) AS q,
                   (VALUES ('{"calls": [], "reasons": [], "in_voicemail": {"true": 0, "false": 0}, "duration_ms": {"sum": -1, "cells": []}, "cost": {"sum": 0, "cells": []}}'::call_stats)) AS v (t)$$,
                 '22003', 'call_stats out of range', 'so is a difference');
SELECT throws_ok($$SELECT call_stats_agg('ended', NULL, NULL, NULL, NULL, 9223372036854775807, NULL) FROM generate_series(1, 2)$$, '22003', 'call_stats out of range', 'and an aggregate');

-- Text.
SELECT is(call_stats_agg('ended', true, 'Positive', 'user_hangup', false, 60000, 5)::text,
          '{"calls": [["ended", true, "Positive", 1]], "reasons": [["user_hangup", 1]], "in_voicemail": {"true": 0, "false": 1}, "duration_ms": {"sum": 60000, "cells": [[693, 1]]}, "cost": {"sum": 50000, "cells": [[673, 1]]}}',
          'one call as text');
SELECT is(s::text::call_stats, s, 'text goes out and comes in') FROM known;
SELECT is((s - t)::text::call_stats, s - t, 'so does a difference') FROM known, (SELECT pg_temp.stats_of(c) AS t FROM sample AS c LIMIT 1) AS one;
SELECT ok(s::text::json IS NOT NULL, 'it is json') FROM known;
CREATE FUNCTION pg_temp.error_of(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
    RETURN 'none';
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE;
END
$$;
SELECT is_empty(
    $$SELECT t, pg_temp.error_of(format('SELECT %L::call_stats', t)) FROM unnest(ARRAY['', 'NaN', '{}', 'null', '[]', '{"calls": []}', '1',
        '{"calls": [], "reasons": [], "in_voicemail": {"true": 0, "false": 0}, "duration_ms": {"sum": 0, "cells": []}, "cost": {"sum": NaN, "cells": []}}',
        '{"calls": [], "reasons": [], "in_voicemail": {"true": 0, "false": 0}, "duration_ms": {"sum": 0, "cells": []}, "cost": {"sum": "NaN", "cells": []}}',
        '{"calls": [], "reasons": [], "in_voicemail": {"true": 0, "false": 0}, "duration_ms": {"sum": 0.5, "cells": []}, "cost": {"sum": 0, "cells": []}}',
        '{"calls": [], "reasons": [], "in_voicemail": {"true": 0, "false": 0}, "duration_ms": {"sum": 1e3, "cells": []}, "cost": {"sum": 0, "cells": []}}',
        '{"calls": [], "reasons": [], "in_voicemail": {"true": 0, "false": 0}, "duration_ms": {"sum": 9223372036854775808, "cells": []}, "cost": {"sum": 0, "cells": []}}',
        '{"calls": [], "reasons": [], "in_voicemail": {"true": 0}, "duration_ms": {"sum": 0, "cells": []}, "cost": {"sum": 0, "cells": []}}',
        '{"calls": [], "reasons": [], "in_voicemail": {"true": 0, "false": 0}, "duration_ms": {"sum": 0, "cells": [[3712, 1]]}, "cost": {"sum": 0, "cells": []}}',
        '{"calls": [], "reasons": [], "in_voicemail": {"true": 0, "false": 0}, "duration_ms": {"sum": 0, "cells": [[-1, 1]]}, "cost": {"sum": 0, "cells": []}}',
        '{"calls": [], "reasons": [], "in_voicemail": {"true": 0, "false": 0}, "duration_ms": {"sum": 0, "cells": [[1, 0]]}, "cost": {"sum": 0, "cells": []}}',
        '{"calls": [], "reasons": [], "in_voicemail": {"true": 0, "false": 0}, "duration_ms": {"sum": 0, "cells": [[1, 1], [1, 1]]}, "cost": {"sum": 0, "cells": []}}',
        '{"calls": [], "reasons": [], "in_voicemail": {"true": 0, "false": 0}, "duration_ms": {"sum": 0, "cells": [[1, 1, 1]]}, "cost": {"sum": 0, "cells": []}}',
        '{"calls": [["ended", true, "Positive", 1]], "reasons": [], "in_voicemail": {"true": 0, "false": 0}, "duration_ms": {"sum": 0, "cells": []}, "cost": {"sum": 0, "cells": []}}',
        '{"calls": [["ended", 1, "Positive", 1]], "reasons": [["a", 1]], "in_voicemail": {"true": 0, "false": 0}, "duration_ms": {"sum": 0, "cells": []}, "cost": {"sum": 0, "cells": []}}',
        '{"calls": [["\u0000", true, "Positive", 1]], "reasons": [["a", 1]], "in_voicemail": {"true": 0, "false": 0}, "duration_ms": {"sum": 0, "cells": []}, "cost": {"sum": 0, "cells": []}}',
        '{"calls": [["\ud800", true, "Positive", 1]], "reasons": [["a", 1]], "in_voicemail": {"true": 0, "false": 0}, "duration_ms": {"sum": 0, "cells": []}, "cost": {"sum": 0, "cells": []}}',
        format('{"calls": [["%s", true, "Positive", 1]], "reasons": [["a", 1]], "in_voicemail": {"true": 0, "false": 0}, "duration_ms": {"sum": 0, "cells": []}, "cost": {"sum": 0, "cells": []}}', repeat('y', 65)),
        '{"reasons": [], "calls": [], "in_voicemail": {"true": 0, "false": 0}, "duration_ms": {"sum": 0, "cells": []}, "cost": {"sum": 0, "cells": []}}',
        '{"calls": [], "reasons": [], "in_voicemail": {"true": 0, "false": 0}, "duration_ms": {"sum": 0, "cells": []}, "cost": {"sum": 0, "cells": []}, "more": 1}',
        '{"calls": [], "reasons": [], "in_voicemail": {"true": 0, "false": 0}, "duration_ms": {"sum": 0, "cells": []}, "cost": {"sum": 0, "cells": []}} x']) AS t
      WHERE pg_temp.error_of(format('SELECT %L::call_stats', t)) <> '22P02'$$, 'text that is no value is refused with 22P02');
SELECT is(pg_temp.error_of($$SELECT '{"calls": [["ended", true, null, 9223372036854775807], ["error", true, null, 1]], "reasons": [], "in_voicemail": {"true": 0, "false": 0}, "duration_ms": {"sum": 0, "cells": []}, "cost": {"sum": 0, "cells": []}}'::call_stats$$),
          '22003', 'text whose counts do not add up within 64 bits is refused with 22003');

-- Binary: send says the bytes, COPY reads them.
SELECT is(call_stats_send(call_stats_agg('ended', true, 'Positive', 'user_hangup', false, 60000, 5)), '\x010134020101020002c0a90701b50502a08d0601a10502'::bytea, 'one call as bytes, as when the first was stored');
SELECT is(call_stats_send(call_stats_agg('busy', NULL, NULL, '', NULL, NULL, NULL)), '\x81010462757379000100015a02012302000000000000'::bytea, 'words of its own as bytes');
SELECT is(call_stats_send(s - s), '\x010000000000000000'::bytea, 'nothing as bytes') FROM known;
SELECT is(octet_length(call_stats_send(call_stats_agg('ended', true, 'Positive', 'user_hangup', false, 60000, 5))), 23, 'one call takes 23 bytes');

CREATE TEMPORARY TABLE there (n integer, s call_stats);
CREATE TEMPORARY TABLE back (n integer, s call_stats);
INSERT INTO there
SELECT 0, s FROM known UNION ALL SELECT n, pg_temp.stats_of(c) FROM sample AS c WHERE n BETWEEN 1 AND 300
UNION ALL SELECT 1000 + n, s - pg_temp.stats_of(c) FROM known, sample AS c WHERE n BETWEEN 1 AND 50
UNION ALL SELECT -1, NULL;
-- In the throw-away cluster's own folder, which goes with it.
SELECT current_setting('data_directory') || '/call_stats.copy' AS file \gset
COPY there TO :'file' (FORMAT binary);
COPY back FROM :'file' (FORMAT binary);
SELECT set_eq('TABLE there', 'TABLE back', 'binary COPY brings back what it took');
TRUNCATE back;
COPY there TO :'file';
COPY back FROM :'file';
SELECT set_eq('TABLE there', 'TABLE back', 'text COPY brings back what it took');

-- What COPY says of a file with one row of one call_stats of these bytes.
CREATE TEMPORARY TABLE received (s call_stats);
CREATE FUNCTION pg_temp.error_of_binary(bytes bytea) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    file text := current_setting('data_directory') || '/call_stats.copy';
    object oid := lo_from_bytea(0, '\x5047434f50590aff0d0a00'::bytea || int8send(0) || int2send(1::smallint) ||
                                   int4send(octet_length(bytes)) || bytes || int2send((-1)::smallint));
BEGIN
    PERFORM lo_export(object, file), lo_unlink(object);
    RETURN pg_temp.error_of(format('COPY received FROM %L (FORMAT binary)', file));
END
$$;
SELECT is(pg_temp.error_of_binary('\x010134020101020002c0a90701b50502a08d0601a10502'), 'none', 'bytes come in');
SELECT is_empty(
    $$SELECT b, pg_temp.error_of_binary(b) FROM unnest(ARRAY['\x', '\x02', '\x01', '\x0100000000000000', '\x01000000000000000000', '\x018000000000000000000000',
        '\x0101340201', '\x01ffffffff0f00000000000000', '\x810101780000000000000000000000', '\x0100000000000180000000', '\x01000000000001801d020000']::bytea[]) AS b
      WHERE pg_temp.error_of_binary(b) <> '22P03'$$, 'bytes that are no value are refused with 22P03');
SELECT is_empty(
    $$SELECT n FROM generate_series(0, 22) AS n WHERE pg_temp.error_of_binary(substr('\x010134020101020002c0a90701b50502a08d0601a10502'::bytea, 1, n)) <> '22P03'$$,
    'a value cut short is refused wherever it is cut');
SELECT is(pg_temp.error_of_binary('\x010200feffffffffffffffff0100feffffffffffffffff010000000000000000'), '22003', 'bytes whose counts do not add up within 64 bits are refused with 22003');
SELECT is(pg_temp.error_of_binary('\x810102c3280000015a02010002000000000000'), '22021', 'a word that is not in the database''s encoding is refused');

-- Equality and hashing: GROUP BY, DISTINCT, EXCEPT.
SELECT is((SELECT count(*) FROM (SELECT DISTINCT s FROM (SELECT s FROM known UNION ALL SELECT s FROM known) AS twice) AS once), 1::bigint, 'equal values are one group');
SELECT is((SELECT count(*) FROM (SELECT s FROM there WHERE n >= 1000 EXCEPT SELECT s FROM back) AS d), 0::bigint, 'values can be compared as sets');
SET LOCAL enable_hashjoin TO on;
SELECT ok(a.s = b.s AND NOT a.s <> b.s, 'equal is not different') FROM known AS a, known AS b;

SELECT * FROM finish();
ROLLBACK;
