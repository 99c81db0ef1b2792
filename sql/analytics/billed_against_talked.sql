-- How many seconds are billed that nobody talked? By agent: seconds that Retell bills
-- (call_cost.total_duration_seconds, kept in details) against the calls' durations, over the calls
-- that have both; overhead in percent of the talked seconds.
-- Reads every call in the range, and its details.
WITH asked AS (
    SELECT timestamptz '-infinity' AS since, timestamptz 'infinity' AS until
), calls AS (
    SELECT c.agent_id, c.duration_ms / 1000.0 AS talked,
           (c.details #>> '{call_cost,total_duration_seconds}')::numeric AS billed
    FROM asked AS a
    JOIN frontdesk.calls AS c
        ON to_timestamp(c.started_at / 1000.0) >= a.since AND to_timestamp(c.started_at / 1000.0) < a.until
    WHERE c.duration_ms IS NOT NULL
      AND jsonb_typeof(c.details #> '{call_cost,total_duration_seconds}') = 'number'
)
SELECT g.agent_name,
       count(*) AS calls,
       round(sum(calls.talked)) AS talked_seconds,
       sum(calls.billed) AS billed_seconds,
       round(100 * (sum(calls.billed) - sum(calls.talked)) / nullif(sum(calls.talked), 0), 2) AS overhead
FROM calls JOIN frontdesk.agents AS g USING (agent_id)
GROUP BY g.agent_id, g.agent_name
ORDER BY overhead DESC NULLS LAST, g.agent_name;
