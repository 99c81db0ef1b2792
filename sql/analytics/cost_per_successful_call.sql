-- What does a call that reached its aim cost, by agent? All of an agent's cost, in dollars, over its
-- successful calls: what the unsuccessful ones cost is part of the price.
-- Reads no calls: agents_overview() adds up rollups.
WITH asked AS (
    SELECT timestamptz '-infinity' AS since, timestamptz 'infinity' AS until
)
SELECT o.agent_name,
       o.total AS calls,
       o.successful,
       round(o.cost_sum / 100, 2) AS dollars,
       round(o.cost_sum / 100 / nullif(o.successful, 0), 4) AS dollars_per_successful_call
FROM asked, frontdesk.agents_overview(asked.since, asked.until) AS o
WHERE o.total > 0
ORDER BY dollars_per_successful_call DESC NULLS FIRST, o.agent_name;
