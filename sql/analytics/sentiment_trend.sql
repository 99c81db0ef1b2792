-- Are callers getting happier? Week by week, the share in percent of each sentiment among the calls
-- whose analysis names one.
-- Reads every call in the range.
WITH asked AS (
    SELECT 'UTC' AS zone, timestamptz '-infinity' AS since, timestamptz 'infinity' AS until
)
SELECT date_trunc('week', to_timestamp(c.started_at / 1000.0) AT TIME ZONE a.zone)::date AS week,
       count(*) AS analysed,
       round(100.0 * count(*) FILTER (WHERE c.user_sentiment = 'Positive') / count(*), 1) AS positive,
       round(100.0 * count(*) FILTER (WHERE c.user_sentiment = 'Neutral') / count(*), 1) AS neutral,
       round(100.0 * count(*) FILTER (WHERE c.user_sentiment = 'Negative') / count(*), 1) AS negative
FROM asked AS a
JOIN frontdesk.calls AS c
    ON to_timestamp(c.started_at / 1000.0) >= a.since AND to_timestamp(c.started_at / 1000.0) < a.until
WHERE c.user_sentiment IS NOT NULL
GROUP BY week
ORDER BY week;
