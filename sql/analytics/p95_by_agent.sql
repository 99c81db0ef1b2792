-- How long are each agent's longest calls? Seconds that half, 19 of 20 and 99 of 100 of its calls
-- do not exceed, to within 0.8 %; the longest exactly.
-- Reads no calls: agents_overview() adds up rollups.
WITH asked AS (
    SELECT timestamptz '-infinity' AS since, timestamptz 'infinity' AS until
)
SELECT o.agent_name,
       o.duration_count AS calls,
       round(o.duration_p50 / 1000.0, 1) AS p50,
       round(o.duration_p95 / 1000.0, 1) AS p95,
       round(o.duration_p99 / 1000.0, 1) AS p99,
       round(o.duration_max / 1000.0, 1) AS longest
FROM asked, frontdesk.agents_overview(asked.since, asked.until) AS o
WHERE o.duration_count > 0
ORDER BY o.duration_p95 DESC, o.agent_name;
