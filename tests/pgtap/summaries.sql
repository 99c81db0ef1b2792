-- Summaries, series and overviews against plain SQL over calls (lib/oracle.psql).
BEGIN;
\ir lib/setup.psql
\ir lib/oracle.psql
SELECT plan(63);

INSERT INTO agents (agent_id, agent_name) SELECT 'a' || n, 'Agent ' || n FROM generate_series(1, 4) AS n;

CREATE FUNCTION tap.ms(at timestamptz) RETURNS bigint LANGUAGE sql IMMUTABLE RETURN (extract(epoch FROM at) * 1000)::bigint;

-- One call; `more` overrides what an ordinary call has.
CREATE FUNCTION tap.add_call(agent text, id text, start timestamptz, more jsonb DEFAULT '{}') RETURNS void LANGUAGE sql AS $$
    INSERT INTO frontdesk.calls (agent_id, call_id, first_sent_ms, start_timestamp, call_status, disconnection_reason, duration_ms, cost,
                                 user_sentiment, call_successful, in_voicemail, details, provenance, created_at, updated_at)
    SELECT $1, $2, tap.ms($3), tap.ms($3), r.call_status, r.disconnection_reason, r.duration_ms, r.cost,
           r.user_sentiment, r.call_successful, r.in_voicemail, '{}', '', now(), now()
    FROM jsonb_populate_record(NULL::frontdesk.calls, '{"call_status": "ended", "disconnection_reason": "user_hangup"}' || more) AS r
$$;

-- ---- a small set, every number by hand ----

SELECT add_call('a1', 'c1', '2026-03-01 10:00+00', '{"duration_ms": 1500, "cost": 10.0001, "user_sentiment": "Positive", "call_successful": true, "in_voicemail": false}');
SELECT add_call('a1', 'c2', '2026-03-01 10:30+00', '{"duration_ms": 100, "cost": 0, "user_sentiment": "Negative", "call_successful": false, "in_voicemail": true}');
SELECT add_call('a1', 'c3', '2026-03-02 23:59:59.999+00', '{"duration_ms": 61500, "cost": 17.0035, "user_sentiment": "Positive", "call_successful": true, "in_voicemail": false}');
SELECT add_call('a1', 'c4', '2026-03-04 00:00+00', '{"call_status": "error", "disconnection_reason": "dial_failed"}');
SELECT add_call('a2', 'd1', '2026-03-02 12:00+00', '{"duration_ms": 499, "cost": 1, "call_successful": false, "disconnection_reason": null, "call_status": null}');

-- Asked for the first time, so planned, where operators are not PostgreSQL's.
CREATE SCHEMA evil;
DO $$
DECLARE
    name text; type text;
BEGIN
    FOREACH type IN ARRAY '{text,bigint,numeric}'::text[] LOOP
        EXECUTE format('CREATE FUNCTION evil.no(%s, %1$s) RETURNS boolean LANGUAGE sql RETURN false', type);
        FOREACH name IN ARRAY '{=,<,>,<=,>=,<>}'::text[] LOOP
            EXECUTE format('CREATE OPERATOR evil.%s (FUNCTION = evil.no, LEFTARG = %s, RIGHTARG = %2$s)', name, type);
        END LOOP;
    END LOOP;
END
$$;
SET LOCAL search_path TO evil, pg_catalog, pg_temp;
CREATE TEMPORARY TABLE under_evil AS
SELECT frontdesk.agent_summary_json('a1', NULL, NULL, NULL, NULL, NULL)::text AS summary,
       frontdesk.agent_summary_json('a1', '{a1}', 1772359200001, 1772582400001, 'hour', 'Asia/Kolkata')::text AS series,
       frontdesk.analytics_calls_json(NULL, NULL, NULL, NULL, 'UTC')::text AS days;
SET LOCAL search_path TO tap, frontdesk, public;
SELECT is((SELECT jsonb_array_length(series::jsonb -> 'series') FROM under_evil), 63, 'nobody''s operators are taken for PostgreSQL''s');
SELECT is((SELECT days::jsonb #>> '{summary,totalCalls}' FROM under_evil), '5', 'in no answer');

SELECT is((SELECT summary FROM under_evil),
    '{"agent_id":"a1","from":null,"to":null,'
    '"calls":{"total":4,"by_status":{"ended":3,"error":1},"by_sentiment":{"Negative":1,"Positive":2},"by_reason":{"user_hangup":3,"dial_failed":1},'
    '"successful":2,"unsuccessful":1,"unanalysed":1,"success_rate":0.6667,"in_voicemail":1},'
    '"duration_ms":{"count":3,"sum":63100,"avg":21033,"min":100,"p50":1495,"p90":61500,"p95":61500,"p99":61500,"max":61500},'
    '"cost":{"count":3,"sum":27.0036,"avg":9.0012,"min":0,"p50":9.9839,"p90":17.0035,"p95":17.0035,"p99":17.0035,"max":17.0035},'
    '"first_call_at":"2026-03-01T10:00:00.000Z","last_call_at":"2026-03-04T00:00:00.000Z"}',
    'a summary, to the last byte') ;
SELECT is(agent_summary_json('a4', NULL, 1000, 2000, NULL, NULL)::text,
    '{"agent_id":"a4","from":"1970-01-01T00:00:01.000Z","to":"1970-01-01T00:00:02.000Z",'
    '"calls":{"total":0,"by_status":{},"by_sentiment":{},"by_reason":{},"successful":0,"unsuccessful":0,"unanalysed":0,"success_rate":null,"in_voicemail":0},'
    '"duration_ms":{"count":0,"sum":0,"avg":null,"min":null,"p50":null,"p90":null,"p95":null,"p99":null,"max":null},'
    '"cost":{"count":0,"sum":0,"avg":null,"min":null,"p50":null,"p90":null,"p95":null,"p99":null,"max":null},'
    '"first_call_at":null,"last_call_at":null}', 'of an agent without calls: zeros, and null where there is nothing to divide by');
SELECT is(agent_summary_json('a1', NULL, ms('2026-03-01'), ms('2026-03-05'), 'day', NULL)::jsonb -> 'series', $$[
    {"bucket":"2026-03-01T00:00:00.000Z","total":2,"successful":1,"unsuccessful":1,"unanalysed":0,"duration_ms":{"sum":1600,"avg":800,"p50":100,"p95":1495},"cost":{"sum":10.0001,"avg":5.0001}},
    {"bucket":"2026-03-02T00:00:00.000Z","total":1,"successful":1,"unsuccessful":0,"unanalysed":0,"duration_ms":{"sum":61500,"avg":61500,"p50":61500,"p95":61500},"cost":{"sum":17.0035,"avg":17.0035}},
    {"bucket":"2026-03-03T00:00:00.000Z","total":0,"successful":0,"unsuccessful":0,"unanalysed":0,"duration_ms":{"sum":0,"avg":null,"p50":null,"p95":null},"cost":{"sum":0,"avg":null}},
    {"bucket":"2026-03-04T00:00:00.000Z","total":1,"successful":0,"unsuccessful":0,"unanalysed":1,"duration_ms":{"sum":0,"avg":null,"p50":null,"p95":null},"cost":{"sum":0,"avg":null}}]$$::jsonb,
    'a series has the empty buckets too');
SELECT is(summary_json('{a1,a2,a3,nobody}', NULL, NULL, 'month', 'Europe/Berlin')::jsonb - 'duration_ms' - 'cost', $${
    "from":null,"to":null,"calls":{"total":5,"by_status":{"ended":3,"error":1},"by_sentiment":{"Positive":2,"Negative":1},
    "by_reason":{"user_hangup":3,"dial_failed":1},"successful":2,"unsuccessful":2,"unanalysed":1,"success_rate":0.5,"in_voicemail":1},
    "first_call_at":"2026-03-01T10:00:00.000Z","last_call_at":"2026-03-04T00:00:00.000Z",
    "agents":[
     {"agent_id":"a1","agent_name":"Agent 1","total":4,"success_rate":0.6667,
      "duration_ms":{"count":3,"sum":63100,"avg":21033,"min":100,"p50":1495,"p90":61500,"p95":61500,"p99":61500,"max":61500},
      "cost":{"count":3,"sum":27.0036,"avg":9.0012,"min":0,"p50":9.9839,"p90":17.0035,"p95":17.0035,"p99":17.0035,"max":17.0035}},
     {"agent_id":"a2","agent_name":"Agent 2","total":1,"success_rate":0,
      "duration_ms":{"count":1,"sum":499,"avg":499,"min":499,"p50":499,"p90":499,"p95":499,"p99":499,"max":499},
      "cost":{"count":1,"sum":1,"avg":1,"min":1,"p50":1,"p90":1,"p95":1,"p99":1,"max":1}},
     {"agent_id":"a3","agent_name":"Agent 3","total":0,"success_rate":null,
      "duration_ms":{"count":0,"sum":0,"avg":null,"min":null,"p50":null,"p90":null,"p95":null,"p99":null,"max":null},
      "cost":{"count":0,"sum":0,"avg":null,"min":null,"p50":null,"p90":null,"p95":null,"p99":null,"max":null}}],
    "series":[{"bucket":"2026-02-28T23:00:00.000Z","total":5,"successful":2,"unsuccessful":2,"unanalysed":1,
      "duration_ms":{"sum":63599,"avg":15900,"p50":497,"p95":61695},"cost":{"sum":28.0036,"avg":7.0009}}]}$$::jsonb,
    'a summary over several agents, with each of them');
SELECT is(analytics_overview_json(NULL, NULL, NULL, NULL)::text,
    '{"totalCalls":5,"successfulCalls":2,"successRate":50,"totalCost":28.0036,"avgCost":7.0009,"totalDurationSeconds":64,"avgDurationSeconds":16,'
    '"totalAgents":4,"callsByStatus":{"ended":3,"error":1}}', 'analytics/overview');
SELECT is(analytics_overview_json(NULL, 'a1', NULL, NULL)::jsonb ->> 'successRate', '66.67', 'rates have two decimals');
SELECT is(analytics_overview_json('{a4}', NULL, NULL, NULL)::text,
    '{"totalCalls":0,"successfulCalls":0,"successRate":0,"totalCost":0,"avgCost":0,"totalDurationSeconds":0,"avgDurationSeconds":0,"totalAgents":1,"callsByStatus":{}}',
    'without calls everything is 0');
SELECT is(analytics_agents_json('{a1,a2,a3}', ms('2026-03-02'), NULL)::text,
    '[{"agent_id":"a1","agent_name":"Agent 1","totalCalls":2,"successfulCalls":1,"successRate":100,"totalCost":17.0035,"avgCost":17.0035,"totalDurationSeconds":62,"avgDurationSeconds":62},'
    '{"agent_id":"a2","agent_name":"Agent 2","totalCalls":1,"successfulCalls":0,"successRate":0,"totalCost":1,"avgCost":1,"totalDurationSeconds":0,"avgDurationSeconds":0},'
    '{"agent_id":"a3","agent_name":"Agent 3","totalCalls":0,"successfulCalls":0,"successRate":0,"totalCost":0,"avgCost":0,"totalDurationSeconds":0,"avgDurationSeconds":0}]',
    'analytics/agents: the busiest first, seconds rounded half up');
SELECT is(analytics_calls_json(NULL, 'a1', NULL, NULL, 'America/New_York')::jsonb, $${
    "summary":{"totalCalls":4,"successfulCalls":2,"successRate":66.67,"totalCost":27.0036,"avgCost":9.0012,"totalDurationSeconds":63,"avgDurationSeconds":21},
    "dailyStats":[{"date":"2026-03-01","totalCalls":2,"successfulCalls":1,"totalCost":10.0001,"totalDuration":2},
                  {"date":"2026-03-02","totalCalls":1,"successfulCalls":1,"totalCost":17.0035,"totalDuration":62},
                  {"date":"2026-03-03","totalCalls":1,"successfulCalls":0,"totalCost":0,"totalDuration":0}]}$$::jsonb,
    'analytics/calls: the days of the zone');
SELECT is(analytics_sentiment_json(NULL, NULL, NULL, NULL)::text,
    '{"totalCallsWithSentiment":3,"sentimentDistribution":{"Negative":{"count":1,"percentage":33},"Positive":{"count":2,"percentage":67}}}', 'analytics/sentiment');
UPDATE agents SET status = 'INACTIVE' WHERE agent_id = 'a3';
SELECT is(stats_json(NULL)::text, '{"agents":{"total":4,"active":3,"inactive":1},"calls":{"total":5},"cost":{"total":28.0036}}', 'stats');
SELECT is(overview_json('{a2,a3}')::jsonb, jsonb_build_object('stats', stats_json('{a2,a3}'), 'analytics', analytics_overview_json('{a2,a3}', NULL, NULL, NULL)),
    'overview is the two');

-- ---- as rows ----

SELECT is((SELECT count(*) FROM agent_summary('a1', '2026-03-01', '2026-03-02')), 1::bigint, 'a summary is one row');
SELECT is((SELECT (s.total, s.successful, s.unsuccessful, s.unanalysed, s.success_rate, s.in_voicemail, s.by_reason, s.duration_count, s.duration_sum, s.duration_avg,
                   s.duration_min, s.duration_p50, s.duration_max, s.cost_sum, s.cost_avg, s.cost_min, s.cost_max, s.first_call_at, s.last_call_at)::text
           FROM agent_summary('a1', '2026-03-01 10:00+00', '2026-03-02 23:59:59.999+00') AS s),
    '(2,1,1,0,0.5000,1,"{""user_hangup"": 2}",2,1600,800,100,100,1500,10.0001,5.0001,0.0000,10.0001,"2026-03-01 10:00:00+00","2026-03-01 10:30:00+00")',
    'a range includes its begin and not its end');
SELECT is((SELECT s.total FROM agent_summary('a1', '2026-03-02 23:59:59.999+00', '2026-03-02 23:59:59.9990001+00') AS s), 0::bigint, 'an empty range');
SELECT is((SELECT s.total FROM agent_summary('a1', '2026-03-02 23:59:59.999+00', '2026-03-02 23:59:59.999001+00') AS s), 1::bigint, 'a range shorter than a millisecond');
SELECT is((SELECT array_agg(s.total) FROM (VALUES (NULL::timestamptz, NULL::timestamptz), ('-infinity', 'infinity')) AS v(f, t), agent_summary('a1', f, t) AS s),
    '{4,4}', 'null and infinity are no bound');
SELECT is((SELECT s.total FROM agent_summary('nobody') AS s), 0::bigint, 'an unknown agent has a row of zeros');
SELECT is((SELECT s.total FROM agent_summary(NULL) AS s), 0::bigint, 'and so has none');
SELECT ok((SELECT s.stats = (SELECT call_stats_agg(c.call_status, c.call_successful, c.user_sentiment, c.disconnection_reason, c.in_voicemail, c.duration_ms, c.cost)
                             FROM calls AS c WHERE c.agent_id = 'a1') FROM agent_summary('a1') AS s), 'stats is the value that the aggregate gives');
SELECT is((SELECT array_agg((agent_id, agent_name, total, cost_sum)::text) FROM agents_overview('2026-03-02')),
    '{"(a1,\"Agent 1\",2,17.0035)","(a2,\"Agent 2\",1,1.0000)","(a3,\"Agent 3\",0,0.0000)","(a4,\"Agent 4\",0,0.0000)"}', 'an overview has every agent, by name');
SELECT is((SELECT array_agg((bucket, total, duration_sum, duration_p95, cost_sum)::text) FROM agent_summary_series('a1', NULL, NULL, 'week', 'UTC')),
    '{"(\"2026-02-23 00:00:00+00\",2,1600,1495,10.0001)","(\"2026-03-02 00:00:00+00\",2,61500,61500,17.0035)"}', 'weeks begin on Mondays');
SELECT is((SELECT count(*) FROM agent_summary_series('a1')), 4::bigint, 'without arguments: days, from the first call to the last');
SELECT is((SELECT count(*) FROM agent_summary_series('a1', '2026-03-01', '2026-03-01')), 0::bigint, 'an empty range has no buckets');
SELECT is_empty($$SELECT * FROM agent_summary_series('a4')$$, 'nor has an agent without calls');
SELECT is_empty($$SELECT * FROM agent_summary_series(NULL, '2026-03-01', '2026-03-03')$$, 'nor none');
SELECT is((SELECT count(*) FROM agent_summary_series('a4', '2026-03-01', '2026-03-03')), 2::bigint, 'but a range with bounds has');
SELECT is((SELECT jsonb_build_object('total', s.total, 'rate', s.success_rate, 'voicemail', s.in_voicemail, 'reasons', s.by_reason, 'p50', s.duration_p50, 'max', s.duration_max,
                                     'cost', s.cost_sum, 'avg', s.cost_avg, 'least', s.cost_min, 'first', ms(s.first_call_at), 'last', ms(s.last_call_at)) FROM summary() AS s),
    $${"total": 5, "rate": 0.5000, "voicemail": 1, "reasons": {"user_hangup": 3, "dial_failed": 1}, "p50": 497, "max": 61500, "cost": 28.0036, "avg": 7.0009, "least": 0,
       "first": 1772359200000, "last": 1772582400000}$$::jsonb, 'summary() is of all agents'' calls together');
SELECT is((SELECT array_agg((s.total, s.duration_sum)::text) FROM (VALUES ('2026-03-02'::timestamptz, '2026-03-03'::timestamptz), ('2027-01-01', NULL)) AS v(f, t), summary(f, t) AS s),
    '{"(2,61999)","(0,0)"}', 'in a range, and one row where there is nothing');
SELECT ok((SELECT s.stats = (SELECT call_stats_agg(o.stats) FROM agents_overview() AS o) FROM summary() AS s), 'its stats are those of the overview added up');
SELECT is((SELECT array_agg((bucket, total, duration_sum, duration_p95, cost_sum)::text) FROM summary_series(NULL, NULL, 'week', 'UTC')),
    '{"(\"2026-02-23 00:00:00+00\",2,1600,1495,10.0001)","(\"2026-03-02 00:00:00+00\",3,61999,61695,18.0035)"}', 'summary_series() is of all agents'' calls together');
SELECT is((SELECT array_agg(total ORDER BY bucket) FROM summary_series('2026-03-01', '2026-03-06')), '{2,2,0,1,0}', 'with the days on which nobody called');

-- ---- who sees what ----

SELECT is(agent_summary_json('a1', '{a2}', NULL, NULL, NULL, NULL)::text, NULL, 'an agent that the caller may not see has no summary');
SELECT is(agent_summary_json('nobody', NULL, NULL, NULL, NULL, NULL)::text, NULL, 'nor has one that is not there');
SELECT is(agent_summary_json(NULL, NULL, NULL, NULL, NULL, NULL)::text, NULL, 'nor no agent');
SELECT is(analytics_overview_json('{a2}', 'a1', NULL, NULL)::text, NULL, 'nor analytics');
SELECT is(analytics_calls_json('{a2}', 'a1', NULL, NULL, NULL)::text, NULL, 'nor days');
SELECT is(analytics_sentiment_json('{a2}', 'a1', NULL, NULL)::text, NULL, 'nor sentiments');
SELECT is(analytics_overview_json('{a2}', NULL, NULL, NULL)::jsonb -> 'totalCalls', '1', 'all agents are those that the caller may see');
SELECT is(summary_json('{}', NULL, NULL, 'day', 'UTC')::jsonb #> '{calls,total}', '0', 'who may see none sees zeros');

-- ---- what is refused ----

CREATE FUNCTION tap.refusal(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    code text; field text; message text;
BEGIN
    EXECUTE statement;
    RETURN NULL;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, field = COLUMN_NAME, message = MESSAGE_TEXT;
    RETURN concat_ws(' ', code, field, message);
END
$$;
SELECT is(refusal(format('SELECT agent_summary_json(''a1'', NULL, %s)', arguments)), message, arguments) FROM (VALUES
    ($$2, 1, NULL, NULL$$, '22023 to must not be before the range''s begin'),
    ($$1, 1, NULL, NULL$$, NULL),
    ($$NULL, NULL, 'year', NULL$$, '22023 bucket unknown bucket "year"'),
    ($$NULL, NULL, 'DAY', NULL$$, '22023 bucket unknown bucket "DAY"'),
    ($$NULL, NULL, 'day', 'Mars/Phobos'$$, '22023 tz unknown time zone "Mars/Phobos"'),
    ($$NULL, NULL, NULL, 'Mars/Phobos'$$, '22023 tz unknown time zone "Mars/Phobos"'),
    ($$NULL, NULL, 'day', '../../etc/passwd'$$, '22023 tz unknown time zone "../../etc/passwd"'),
    ($$0, 1, 'day', 'ABC-1'$$, '22023 tz unknown time zone "ABC-1"'), -- as PostgreSQL would make up, and remember
    ($$0, 1, 'day', 'Etc/ABC1'$$, '22023 tz unknown time zone "Etc/ABC1"'),
    ($$0, 1, 'day', 'GMT+123'$$, '22023 tz unknown time zone "GMT+123"'),
    ($$0, 1, 'day', 'UTC+1'$$, '22023 tz unknown time zone "UTC+1"'),
    ($$0, 1, 'day', 'Etc/GMT+12'$$, NULL),
    ($$0, 1, 'day', 'gmt-0'$$, NULL),
    ($$0, 1, 'day', 'EST5EDT'$$, NULL),
    ($$0, 5000 * 3600000::bigint, 'hour', 'UTC'$$, NULL),
    ($$0, 5000 * 3600000::bigint + 1, 'hour', 'UTC'$$, '22023 from makes more than 5000 buckets up to the end of the range'),
    ($$-9223372036854775808, 9223372036854775807, NULL, NULL$$, NULL),
    ($$-9223372036854775807, 9223372036854775806, 'month', NULL$$, '22023 from makes more than 5000 buckets up to the end of the range')) AS v(arguments, message);
SELECT is(refusal($$SELECT * FROM agent_summary('a1', '2026-03-02', '2026-03-01')$$), '22023 to must not be before the range''s begin', 'rows refuse the same');

-- A single call with an absurd date.
SELECT add_call('a1', 'c0', '1970-01-01 00:00+00');
SELECT is((SELECT count(*) FROM json_array_elements(analytics_calls_json(NULL, NULL, NULL, NULL, NULL) -> 'dailyStats')), 4999::bigint,
    'an absurd date takes nobody''s days away: the latest are shown');
SELECT is(analytics_calls_json(NULL, NULL, NULL, NULL, NULL) -> 'summary' ->> 'totalCalls', '6', 'and all is counted');

SELECT * FROM finish();
ROLLBACK;
