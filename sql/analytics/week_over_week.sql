-- What changed since last week? Calls, success rate (percent) and cost (dollars) of each week of all
-- agents together, and the change of each against the week before (calls and cost in percent, the
-- rate in points).
-- Reads no calls: agent_summary_series() adds up rollups, one agent after the other.
WITH asked AS (
    SELECT 'UTC' AS zone, timestamptz '-infinity' AS since, timestamptz 'infinity' AS until
), weeks AS (
    SELECT s.bucket, sum(s.total) AS calls, sum(s.successful) AS successful, sum(s.successful + s.unsuccessful) AS analysed,
           sum(s.cost_sum) / 100 AS dollars
    FROM asked AS a, frontdesk.agents AS g,
         frontdesk.agent_summary_series(g.agent_id, a.since, a.until, 'week', a.zone) AS s
    GROUP BY s.bucket
), rated AS (
    SELECT (bucket AT TIME ZONE a.zone)::date AS week, calls, dollars, 100.0 * successful / nullif(analysed, 0) AS rate
    FROM weeks, asked AS a
)
SELECT this.week,
       this.calls,
       round(100.0 * (this.calls - before.calls) / nullif(before.calls, 0), 1) AS calls_change,
       round(this.rate, 1) AS success_rate,
       round(this.rate - before.rate, 1) AS success_rate_change,
       round(this.dollars, 2) AS dollars,
       round(100 * (this.dollars - before.dollars) / nullif(before.dollars, 0), 1) AS dollars_change
FROM rated AS this LEFT JOIN rated AS before ON before.week = this.week - 7
ORDER BY this.week;
