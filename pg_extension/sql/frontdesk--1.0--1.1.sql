\echo Use "ALTER EXTENSION frontdesk UPDATE TO '1.1'" to load this file. \quit

-- What 1.1 adds to 1.0. While 1.1 is not released (sql/releases), new functions go in here, and what
-- 1.0 has is replaced in here. A server of 1.0 goes on working after this step: nothing that it calls
-- is dropped, or returns something else.

-- Summaries over all agents, as rows. Until now analysts had them as the API's json only.

CREATE FUNCTION frontdesk.summary(
    since pg_catalog.timestamptz DEFAULT NULL,
    until pg_catalog.timestamptz DEFAULT NULL)
RETURNS TABLE (
    total pg_catalog.int8,
    successful pg_catalog.int8,
    unsuccessful pg_catalog.int8,
    unanalysed pg_catalog.int8,
    success_rate pg_catalog.numeric,
    in_voicemail pg_catalog.int8,
    by_status pg_catalog.jsonb,
    by_sentiment pg_catalog.jsonb,
    by_reason pg_catalog.jsonb,
    duration_count pg_catalog.int8,
    duration_sum pg_catalog.int8,
    duration_avg pg_catalog.int8,
    duration_min pg_catalog.int8,
    duration_p50 pg_catalog.int8,
    duration_p90 pg_catalog.int8,
    duration_p95 pg_catalog.int8,
    duration_p99 pg_catalog.int8,
    duration_max pg_catalog.int8,
    cost_count pg_catalog.int8,
    cost_sum pg_catalog.numeric,
    cost_avg pg_catalog.numeric,
    cost_min pg_catalog.numeric,
    cost_p50 pg_catalog.numeric,
    cost_p90 pg_catalog.numeric,
    cost_p95 pg_catalog.numeric,
    cost_p99 pg_catalog.numeric,
    cost_max pg_catalog.numeric,
    first_call_at pg_catalog.timestamptz,
    last_call_at pg_catalog.timestamptz,
    stats frontdesk.call_stats)
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL SAFE ROWS 1
AS 'MODULE_PATHNAME', 'frontdesk_summary';

COMMENT ON FUNCTION frontdesk.summary(pg_catalog.timestamptz, pg_catalog.timestamptz) IS
'agent_summary() of all agents'' calls together: always one row, with percentiles, first and last call of all of them. Reads as much as agent_summary() for each agent.';

CREATE FUNCTION frontdesk.summary_series(
    since pg_catalog.timestamptz DEFAULT NULL,
    until pg_catalog.timestamptz DEFAULT NULL,
    bucket pg_catalog.text DEFAULT 'day',
    tz pg_catalog.text DEFAULT 'UTC')
RETURNS TABLE (
    bucket pg_catalog.timestamptz,
    total pg_catalog.int8,
    successful pg_catalog.int8,
    unsuccessful pg_catalog.int8,
    unanalysed pg_catalog.int8,
    success_rate pg_catalog.numeric,
    duration_count pg_catalog.int8,
    duration_sum pg_catalog.int8,
    duration_avg pg_catalog.int8,
    duration_p50 pg_catalog.int8,
    duration_p95 pg_catalog.int8,
    cost_count pg_catalog.int8,
    cost_sum pg_catalog.numeric,
    cost_avg pg_catalog.numeric,
    stats frontdesk.call_stats)
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL SAFE ROWS 100
AS 'MODULE_PATHNAME', 'frontdesk_summary_series';

COMMENT ON FUNCTION frontdesk.summary_series(pg_catalog.timestamptz, pg_catalog.timestamptz, pg_catalog.text, pg_catalog.text) IS
'agent_summary_series() of all agents'' calls together. Without a bound the series begins with the first call of any agent, or ends with the last. Reads as much as agent_summary_series() for each agent.';

-- The end of every step. The schema's owner alone may run what is new, and grants it by migrations.
-- What is not new is left alone: a GRANT in here would make PostgreSQL take the rights that migrations
-- have given for the extension's own, and pg_dump would leave them out.
DO $$
DECLARE
    owner pg_catalog.name := (SELECT pg_catalog.pg_get_userbyid(nspowner) FROM pg_catalog.pg_namespace
                              WHERE nspname OPERATOR(pg_catalog.=) 'frontdesk');
    function pg_catalog.regprocedure;
BEGIN
    FOR function IN
        SELECT d.objid FROM pg_catalog.pg_depend AS d
        JOIN pg_catalog.pg_extension AS e ON e.oid OPERATOR(pg_catalog.=) d.refobjid
        WHERE d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass
          AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_extension'::pg_catalog.regclass
          AND d.deptype OPERATOR(pg_catalog.=) 'e' AND e.extname OPERATOR(pg_catalog.=) 'frontdesk'
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_init_privs AS p
                          WHERE p.classoid OPERATOR(pg_catalog.=) d.classid AND p.objoid OPERATOR(pg_catalog.=) d.objid)
    LOOP
        EXECUTE pg_catalog.format('REVOKE ALL ON ROUTINE %s FROM PUBLIC', function);
        EXECUTE pg_catalog.format('GRANT EXECUTE ON ROUTINE %s TO %I WITH GRANT OPTION', function, owner);
    END LOOP;
END
$$;
