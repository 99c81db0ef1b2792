-- How many calls end in a voicemail, or with a person? By agent, in percent of its connected calls.
-- Reads every call in the range.
WITH asked AS (
    SELECT timestamptz '-infinity' AS since, timestamptz 'infinity' AS until
)
SELECT g.agent_name,
       count(*) AS connected,
       round(100.0 * count(*) FILTER (WHERE c.in_voicemail) / count(*), 1) AS voicemail,
       round(100.0 * count(*) FILTER (WHERE c.disconnection_reason = 'call_transfer') / count(*), 1) AS transferred
FROM asked AS a
JOIN frontdesk.calls AS c
    ON to_timestamp(c.started_at / 1000.0) >= a.since AND to_timestamp(c.started_at / 1000.0) < a.until
JOIN frontdesk.agents AS g USING (agent_id)
WHERE c.call_status IS DISTINCT FROM 'not_connected'
GROUP BY g.agent_id, g.agent_name
ORDER BY transferred DESC, voicemail DESC, g.agent_name;
