-- How many calls come when the office is closed? By agent: calls outside the opening hours of the
-- working days, and their share in percent.
-- Reads the start of every call in the range.
WITH asked AS (
    SELECT 'UTC' AS zone, timestamptz '-infinity' AS since, timestamptz 'infinity' AS until,
           time '09:00' AS opens, time '17:00' AS closes, 5 AS last_working_day -- 5: Friday
), calls AS (
    SELECT c.agent_id,
           extract(isodow FROM l.at) > a.last_working_day OR l.at::time < a.opens OR l.at::time >= a.closes AS after_hours
    FROM asked AS a
    JOIN frontdesk.calls AS c
        ON to_timestamp(c.started_at / 1000.0) >= a.since AND to_timestamp(c.started_at / 1000.0) < a.until,
    LATERAL (SELECT to_timestamp(c.started_at / 1000.0) AT TIME ZONE a.zone AS at) AS l
)
SELECT g.agent_name,
       count(*) AS calls,
       count(*) FILTER (WHERE calls.after_hours) AS after_hours,
       round(100.0 * count(*) FILTER (WHERE calls.after_hours) / count(*), 1) AS share
FROM calls JOIN frontdesk.agents AS g USING (agent_id)
GROUP BY g.agent_id, g.agent_name
ORDER BY share DESC, g.agent_name;
