-- sql/analytics/: every query runs as the analysts' role, and says of a small set of calls what one
-- finds by hand. And what that role may not do.
BEGIN;
\ir lib/setup.psql
SELECT plan(22);

INSERT INTO agents (agent_id, agent_name) VALUES ('g1', 'Mia'), ('g2', 'Noah'), ('g3', 'Idle');
INSERT INTO calls (agent_id, call_id, first_sent_ms, start_timestamp, call_type, direction, from_number, to_number, call_status, disconnection_reason, duration_ms,
                   cost, call_successful, user_sentiment, in_voicemail, latency, details, provenance, created_at, updated_at)
SELECT agent, id, 0, extract(epoch FROM start) * 1000, 'phone_call', way, CASE way WHEN 'inbound' THEN human ELSE '+100' END, CASE way WHEN 'inbound' THEN '+100' ELSE human END,
       status, reason, ms, cents, success, mood, voicemail, e2e, coalesce(jsonb_build_object('call_cost', jsonb_build_object('total_duration_seconds', billed)), '{}'), '', now(), now()
FROM (VALUES
    ('g1', 'c1', timestamptz '2026-03-02 09:00+00', 'inbound', '+11', 'ended', 'user_hangup', 60000, 10, true, 'Positive', false, '{"e2e": {"p50": 800, "p95": 1500}}'::jsonb, 70),
    ('g1', 'c2', '2026-03-02 09:30+00', 'inbound', '+12', 'ended', 'user_hangup', 30000, 5, false, 'Negative', false, '{"e2e": {"p50": 900, "p95": 1600}}', 30),
    ('g1', 'c3', '2026-03-02 20:00+00', 'inbound', '+11', 'ended', 'call_transfer', 90000, 15, true, 'Neutral', false, NULL, 90),
    ('g2', 'c4', '2026-03-03 09:15+00', 'outbound', '+13', 'not_connected', 'dial_no_answer', NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    ('g2', 'c5', '2026-03-07 10:00+00', 'inbound', '+14', 'ended', 'voicemail_reached', 120000, 20, false, 'Neutral', true, NULL, 120),
    ('g1', 'c6', '2026-03-09 09:05+00', 'inbound', '+15', 'ended', 'user_hangup', 45000, 8, true, 'Positive', false, NULL, 45),
    ('g2', 'c7', '2026-03-09 16:59:59+00', 'inbound', '+12', 'ended', 'agent_hangup', 15000, 2.5, true, 'Positive', false, '{"e2e": {"p50": 1200, "p95": 2500}}', 15),
    ('g1', 'c8', '2026-04-01 12:00+00', 'inbound', '+11', 'ended', NULL, 10000, 1, NULL, NULL, NULL, NULL, NULL)
) AS v(agent, id, start, way, human, status, reason, ms, cents, success, mood, voicemail, e2e, billed);

GRANT USAGE ON SCHEMA tap TO frontdesk_analyst;
DO $$
BEGIN
    -- pgTAP keeps its count in temporary tables of this session.
    EXECUTE (SELECT string_agg(format('GRANT ALL ON %I.%I TO frontdesk_analyst', nspname, relname), ';')
             FROM pg_class JOIN pg_namespace AS n ON n.oid = relnamespace
             WHERE n.oid = pg_my_temp_schema() AND relkind IN ('r', 'S'));
END
$$;
SET LOCAL ROLE frontdesk_analyst;
SET LOCAL search_path TO tap, public;

\set query `cat sql/analytics/busiest_hours.sql`
SELECT results_eq(rtrim(:'query', E';\n'), $$VALUES
    ('Monday'::text, 9, 3::bigint, 0.6), ('Monday', 16, 1, 0.2), ('Monday', 20, 1, 0.2), ('Tuesday', 9, 1, 0.2), ('Wednesday', 12, 1, 0.2), ('Saturday', 10, 1, 0.2)$$, 'busiest hours');

\set query `cat sql/analytics/abandon_reasons_by_week.sql`
SELECT results_eq(rtrim(:'query', E';\n'), $$VALUES
    (date '2026-03-02', 'dial_no_answer'::text, 1::bigint, 20.0), ('2026-03-02', 'user_hangup', 1, 20.0), ('2026-03-02', 'voicemail_reached', 1, 20.0)$$, 'abandon reasons by week');

\set query `cat sql/analytics/cost_per_successful_call.sql`
SELECT results_eq(rtrim(:'query', E';\n'), $$VALUES
    ('Noah'::text, 3::bigint, 1::bigint, 0.23, 0.2250), ('Mia', 5, 3, 0.39, 0.1300)$$, 'cost per successful call');

\set query `cat sql/analytics/first_time_and_repeat_callers.sql`
SELECT results_eq(rtrim(:'query', E';\n'), $$VALUES
    (date '2026-03-01', 5::bigint, 0::bigint, 7::numeric, NULL::numeric), ('2026-04-01', 0, 1, NULL, 1)$$, 'first-time and repeat callers');

\set query `cat sql/analytics/after_hours_share.sql`
SELECT results_eq(rtrim(:'query', E';\n'), $$VALUES ('Noah'::text, 3::bigint, 1::bigint, 33.3), ('Mia', 5, 1, 20.0)$$, 'share of calls after hours');

\set query `cat sql/analytics/sentiment_trend.sql`
SELECT results_eq(rtrim(:'query', E';\n'), $$VALUES (date '2026-03-02', 4::bigint, 25.0, 50.0, 25.0), ('2026-03-09', 2, 100.0, 0.0, 0.0)$$, 'trend of sentiments');

\set query `cat sql/analytics/billed_against_talked.sql`
SELECT results_eq(rtrim(:'query', E';\n'), $$VALUES ('Mia'::text, 4::bigint, 225::numeric, 235::numeric, 4.44), ('Noah', 2, 135, 135, 0.00)$$, 'billed against talked seconds');

\set query `cat sql/analytics/p95_by_agent.sql`
SELECT results_eq(rtrim(:'query', E';\n'), $$VALUES ('Noah'::text, 2::bigint, 15.0, 120.0, 120.0, 120.0), ('Mia', 5, 44.8, 89.6, 89.6, 90.0)$$, 'p95 by agent');

\set query `cat sql/analytics/week_over_week.sql`
SELECT results_eq(rtrim(:'query', E';\n'), $$VALUES
    (date '2026-03-02', 5::numeric, NULL::numeric, 50.0, NULL::numeric, 0.50, NULL::numeric),
    ('2026-03-09', 2, -60.0, 100.0, 50.0, 0.11, -79.0),
    ('2026-03-16', 0, -100.0, NULL, NULL, 0.00, -100.0),
    ('2026-03-23', 0, NULL, NULL, NULL, 0.00, NULL),
    ('2026-03-30', 1, NULL, NULL, NULL, 0.01, NULL)$$, 'week over week');

\set query `cat sql/analytics/voicemail_and_transfers.sql`
SELECT results_eq(rtrim(:'query', E';\n'), $$VALUES ('Mia'::text, 5::bigint, 0.0, 20.0), ('Noah', 2, 50.0, 0.0)$$, 'voicemails and transfers');

\set query `cat sql/analytics/callers_to_call_back.sql`
SELECT results_eq(rtrim(:'query', E';\n'), $$VALUES
    ('+14'::text, timestamptz '2026-03-07 10:00+00', 'Noah'::text, 'Neutral'::text, 'voicemail_reached'::text, NULL::text)$$, 'callers to call back: who called again with success is not among them');

\set query `cat sql/analytics/slow_answers.sql`
SELECT results_eq(rtrim(:'query', E';\n'), $$VALUES ('Noah'::text, 1::bigint, 1200::numeric, 2500::numeric), ('Mia', 2, 800, 1500)$$, 'slow answers');

\set query `cat sql/analytics/overview_of_agents.sql`
SELECT results_eq(rtrim(:'query', E';\n'), $$VALUES
    ('Mia'::text, 5::bigint, 75.0, 3.9, 0.39, timestamptz '2026-04-01 12:00+00'), ('Noah', 3, 50.0, 2.3, 0.23, '2026-03-09 16:59:59+00'), ('Idle', 0, NULL, 0.0, 0.00, NULL)$$,
    'overview of agents');

-- Every file is listed, and tested here.
\set files `cd sql/analytics && echo *.sql`
\set listed `sed -n 's/^| .\([a-z0-9_]*\.sql\).*/\1/p' sql/analytics/README.md | LC_ALL=C sort | tr '\n' ' '`
\set tested `sed -n 's,^.set query .cat sql/analytics/\([a-z0-9_]*\.sql\).$,\1,p' tests/pgtap/analytics.sql | LC_ALL=C sort | tr '\n' ' '`
SELECT is(trim(:'listed'), trim(:'files'), 'the list names every query');
SELECT is(trim(:'tested'), trim(:'files'), 'and every query is tested');

-- What an analyst may not.
SELECT throws_ok($$INSERT INTO frontdesk.calls (agent_id) VALUES ('x')$$, '42501', NULL, 'an analyst adds no call');
SELECT throws_ok('SELECT * FROM frontdesk.users', '42501', NULL, 'and sees no users');
SELECT throws_ok('SELECT * FROM frontdesk.user_agents', '42501', NULL, 'nor who sees what');
SELECT throws_ok('SELECT * FROM frontdesk.api_keys', '42501', NULL, 'nor keys');
SELECT throws_ok('SELECT * FROM frontdesk.journal', '42501', NULL, 'nor the journal');
SELECT throws_ok('SELECT frontdesk.fold_rollups()', '42501', NULL, 'and folds no rollups');
SELECT throws_ok('DELETE FROM frontdesk.call_rollup', '42501', NULL, 'nor deletes any');

SELECT * FROM finish();
ROLLBACK;
