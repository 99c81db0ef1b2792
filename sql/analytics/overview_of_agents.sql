-- All agents at a glance: calls, success (percent of the analysed), minutes, dollars, and when the
-- last call came; the busiest first, agents without calls too.
-- Reads no calls: agents_overview() adds up rollups.
WITH asked AS (
    SELECT timestamptz '-infinity' AS since, timestamptz 'infinity' AS until
)
SELECT o.agent_name,
       o.total AS calls,
       round(100 * o.success_rate, 1) AS success_rate,
       round(o.duration_sum / 60000.0, 1) AS minutes,
       round(o.cost_sum / 100, 2) AS dollars,
       o.last_call_at
FROM asked, frontdesk.agents_overview(asked.since, asked.until) AS o
ORDER BY o.total DESC, o.agent_name;
