-- Every function of the extension says what it is: volatility, strictness, parallel safety, a comment.
BEGIN;
\ir lib/setup.psql
SELECT plan(7);

CREATE TEMPORARY VIEW made AS
    SELECT p.*
    FROM pg_proc AS p
    JOIN pg_depend AS d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
    JOIN pg_extension AS e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
    WHERE e.extname = 'frontdesk';

SELECT results_eq(
    $$SELECT proname::text COLLATE "default", provolatile::text, proisstrict, proparallel::text FROM made ORDER BY 1, 3$$,
    $$VALUES ('agent_json', 's', false, 's'),
             ('agent_place', 's', false, 's'),
             ('agent_stats', 's', false, 's'),
             ('agent_stats_series', 's', true, 's'),
             ('agent_summary', 's', false, 's'),
             ('agent_summary_json', 's', false, 's'),
             ('agent_summary_series', 's', false, 's'),
             ('agents_json', 's', false, 's'),
             ('agents_overview', 's', false, 's'),
             ('analytics_agents_json', 's', false, 's'),
             ('analytics_calls_json', 's', false, 's'),
             ('analytics_overview_json', 's', false, 's'),
             ('analytics_sentiment_json', 's', false, 's'),
             ('by_reason', 'i', true, 's'),
             ('by_sentiment', 'i', true, 's'),
             ('by_status', 'i', true, 's'),
             ('call_history', 's', false, 's'),
             ('call_history', 's', false, 's'),
             ('call_history_json', 's', false, 's'),
             ('call_history_page', 's', false, 's'),
             ('call_json', 's', false, 's'),
             ('call_parts', 'i', false, 's'),
             ('call_stats_add', 'i', true, 's'),
             ('call_stats_agg', 'i', false, 's'),
             ('call_stats_agg', 'i', false, 's'),
             ('call_stats_agg_call', 'i', false, 's'),
             ('call_stats_agg_remove_call', 'i', false, 's'),
             ('call_stats_agg_remove_value', 'i', false, 's'),
             ('call_stats_agg_value', 'i', false, 's'),
             ('call_stats_eq', 'i', true, 's'),
             ('call_stats_hash', 'i', true, 's'),
             ('call_stats_hash_extended', 'i', true, 's'),
             ('call_stats_in', 'i', true, 's'),
             ('call_stats_ne', 'i', true, 's'),
             ('call_stats_out', 'i', true, 's'),
             ('call_stats_recv', 'i', true, 's'),
             ('call_stats_send', 'i', true, 's'),
             ('call_stats_subtract', 'i', true, 's'),
             ('calls_json', 's', false, 's'),
             ('calls_page', 's', false, 's'),
             ('cost_avg', 'i', true, 's'),
             ('cost_count', 'i', true, 's'),
             ('cost_max', 'i', true, 's'),
             ('cost_min', 'i', true, 's'),
             ('cost_percentile', 'i', true, 's'),
             ('cost_sum', 'i', true, 's'),
             ('count_changed_calls', 'v', false, 'u'),
             ('duration_avg', 'i', true, 's'),
             ('duration_count', 'i', true, 's'),
             ('duration_max', 'i', true, 's'),
             ('duration_min', 'i', true, 's'),
             ('duration_percentile', 'i', true, 's'),
             ('duration_sum', 'i', true, 's'),
             ('extension_version', 's', true, 's'),
             ('fold_rollups', 'v', false, 'u'),
             ('fold_rollups', 'v', true, 'u'),
             ('forget_all_calls', 'v', false, 'u'),
             ('in_voicemail', 'i', true, 's'),
             ('index_text', 'v', true, 'u'),
             ('ingest', 'v', true, 'u'),
             ('overview_json', 's', false, 's'),
             ('preview', 'v', true, 'u'),
             ('queue_text', 'v', false, 'u'),
             ('rebuild_rollups', 'v', false, 'u'),
             ('reindex_text', 'v', false, 'u'),
             ('stats_json', 's', false, 's'),
             ('success_rate', 'i', true, 's'),
             ('successful', 'i', true, 's'),
             ('summary', 's', false, 's'),
             ('summary_json', 's', false, 's'),
             ('summary_series', 's', false, 's'),
             ('text_lag', 's', false, 's'),
             ('total', 'i', true, 's'),
             ('transcript_is_final', 'i', true, 's'),
             ('unanalysed', 'i', true, 's'),
             ('unsuccessful', 'i', true, 's'),
             ('verify_rollups', 's', false, 's')$$,
    'each function has its labels, and there is no other');
SELECT is_empty(
    $$SELECT proname FROM made JOIN pg_language AS l ON l.oid = prolang WHERE lanname <> 'c' AND prokind <> 'a'$$,
    'all functions that the server calls are C');
SELECT is_empty(
    $$SELECT proname FROM made WHERE prosecdef AND (prorettype <> 'trigger'::regtype OR proconfig <> '{"search_path=pg_catalog, pg_temp"}')$$,
    'no function but triggers'', with a search_path of their own, runs with another''s rights');
SELECT is_empty(
    $$SELECT proname FROM made WHERE obj_description(oid, 'pg_proc') IS NULL$$,
    'every function has a comment');
SELECT is_empty(
    $$SELECT proname FROM made AS p, aclexplode(coalesce(proacl, acldefault('f', proowner))) AS a
      WHERE a.grantee = 0$$,
    'no function may be run by just anybody');
SELECT results_eq(
    $$SELECT extrelocatable, nspname::text COLLATE "default" FROM pg_extension JOIN pg_namespace AS n ON n.oid = extnamespace
      WHERE extname = 'frontdesk'$$,
    $$VALUES (false, 'frontdesk')$$,
    'the extension lives in its schema and stays there');
SELECT is(
    extension_version(),
    (SELECT extversion FROM pg_extension WHERE extname = 'frontdesk'),
    'the library that is loaded is of the version that is installed');

SELECT * FROM finish();
ROLLBACK;
