-- Whose last call went wrong, and who has not called since? Inbound callers whose latest call was
-- unsuccessful, or who were unhappy in it; the latest first.
-- Reads every call in the range.
WITH asked AS (
    SELECT timestamptz '-infinity' AS since, timestamptz 'infinity' AS until
), latest AS (
    SELECT DISTINCT ON (c.from_number) c.*
    FROM asked AS a
    JOIN frontdesk.calls AS c
        ON to_timestamp(c.started_at / 1000.0) >= a.since AND to_timestamp(c.started_at / 1000.0) < a.until
    WHERE c.direction = 'inbound' AND c.from_number IS NOT NULL
    ORDER BY c.from_number, c.started_at DESC, c.call_id DESC
)
SELECT l.from_number,
       to_timestamp(l.started_at / 1000.0) AS last_called,
       g.agent_name,
       l.user_sentiment,
       l.disconnection_reason,
       l.call_summary
FROM latest AS l JOIN frontdesk.agents AS g USING (agent_id)
WHERE l.call_successful IS FALSE OR l.user_sentiment = 'Negative'
ORDER BY l.started_at DESC, l.from_number;
