-- How many callers are new, month by month? A caller is the number at the human's end of a phone
-- call; new in the month of its first call ever, whichever agent took it.
-- Reads every call: who called before the range matters too.
WITH asked AS (
    SELECT 'UTC' AS zone, timestamptz '-infinity' AS since, timestamptz 'infinity' AS until
), phone AS (
    SELECT date_trunc('month', to_timestamp(c.started_at / 1000.0) AT TIME ZONE a.zone)::date AS month,
           CASE c.direction WHEN 'inbound' THEN c.from_number WHEN 'outbound' THEN c.to_number END AS caller,
           to_timestamp(c.started_at / 1000.0) >= a.since AND to_timestamp(c.started_at / 1000.0) < a.until AS counts
    FROM asked AS a, frontdesk.calls AS c
), callers AS (
    SELECT caller, month, count(*) AS calls, bool_or(counts) AS counts, min(month) OVER (PARTITION BY caller) AS first_month
    FROM phone
    WHERE caller IS NOT NULL
    GROUP BY caller, month
)
SELECT month,
       count(*) FILTER (WHERE month = first_month) AS new_callers,
       count(*) FILTER (WHERE month > first_month) AS repeat_callers,
       sum(calls) FILTER (WHERE month = first_month) AS calls_of_new,
       sum(calls) FILTER (WHERE month > first_month) AS calls_of_repeat
FROM callers
WHERE counts
GROUP BY month
ORDER BY month;
