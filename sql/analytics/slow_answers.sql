-- Which agents make callers wait for an answer? Milliseconds from the end of what a caller says to
-- the first word of the answer: the middle call's median and the middle call's p95, by agent.
-- Reads every call in the range, and its latency.
WITH asked AS (
    SELECT timestamptz '-infinity' AS since, timestamptz 'infinity' AS until
), waits AS (
    SELECT c.agent_id, (c.latency #>> '{e2e,p50}')::numeric AS p50, (c.latency #>> '{e2e,p95}')::numeric AS p95
    FROM asked AS a
    JOIN frontdesk.calls AS c
        ON to_timestamp(c.started_at / 1000.0) >= a.since AND to_timestamp(c.started_at / 1000.0) < a.until
    WHERE jsonb_typeof(c.latency #> '{e2e,p50}') = 'number' AND jsonb_typeof(c.latency #> '{e2e,p95}') = 'number'
)
SELECT g.agent_name,
       count(*) AS calls,
       percentile_disc(0.5) WITHIN GROUP (ORDER BY waits.p50) AS typical_wait,
       percentile_disc(0.5) WITHIN GROUP (ORDER BY waits.p95) AS long_wait
FROM waits JOIN frontdesk.agents AS g USING (agent_id)
GROUP BY g.agent_id, g.agent_name
ORDER BY typical_wait DESC, g.agent_name;
