-- When do people call? Calls by weekday and hour of the local clock, and how many that is in an
-- average week; the busiest hour first.
-- Reads the start of every call in the range.
WITH asked AS (
    SELECT 'UTC' AS zone, timestamptz '-infinity' AS since, timestamptz 'infinity' AS until
), local AS (
    SELECT to_timestamp(c.started_at / 1000.0) AT TIME ZONE a.zone AS at
    FROM asked AS a
    JOIN frontdesk.calls AS c
        ON to_timestamp(c.started_at / 1000.0) >= a.since AND to_timestamp(c.started_at / 1000.0) < a.until
), weeks AS (
    SELECT greatest(1, ceil(extract(epoch FROM max(at) - min(at)) / (7 * 86400))) AS count FROM local
)
SELECT trim(to_char(local.at, 'Day')) AS weekday,
       extract(hour FROM local.at)::int AS hour,
       count(*) AS calls,
       round(count(*) / weeks.count, 1) AS calls_a_week
FROM local, weeks
GROUP BY extract(isodow FROM local.at), weekday, hour, weeks.count
ORDER BY calls DESC, extract(isodow FROM local.at), hour;
