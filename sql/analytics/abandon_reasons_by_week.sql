-- Why did calls end without success, week by week? Calls that never connected, or that the analysis
-- finds unsuccessful, by disconnection reason; share: percent of all calls of that week.
-- Reads every call in the range.
WITH asked AS (
    SELECT 'UTC' AS zone, timestamptz '-infinity' AS since, timestamptz 'infinity' AS until
), calls AS (
    SELECT date_trunc('week', to_timestamp(c.started_at / 1000.0) AT TIME ZONE a.zone)::date AS week,
           c.disconnection_reason AS reason,
           c.call_successful IS FALSE OR c.call_status = 'not_connected' AS abandoned
    FROM asked AS a
    JOIN frontdesk.calls AS c
        ON to_timestamp(c.started_at / 1000.0) >= a.since AND to_timestamp(c.started_at / 1000.0) < a.until
), weeks AS (
    SELECT week, count(*) AS calls FROM calls GROUP BY week
)
SELECT week,
       coalesce(calls.reason, 'not said') AS reason,
       count(*) AS abandoned,
       round(100.0 * count(*) / weeks.calls, 1) AS share
FROM calls JOIN weeks USING (week)
WHERE calls.abandoned
GROUP BY week, weeks.calls, calls.reason
ORDER BY week, abandoned DESC, reason;
