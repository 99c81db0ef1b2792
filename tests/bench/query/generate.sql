-- A data set that looks like half a year of a busy installation, the same in every run.
--
--   psql -v calls=1000000 -v words=300 -f generate.sql
--
-- calls: how many, 3 of 10 of them of one agent (the first by id), the rest of 49 others alike.
-- words: about how many a transcript has; 300 are 2 kB.
--
-- Days have busy and quiet hours, weekends are quiet, one call in 30 never connected, one in 10 cost
-- nothing, and what Retell says late or not at all is missing as often as it is in life. Rows lie in
-- the order of their start, as ingest would have left them. All "random" numbers are hashes of the
-- number of the row. The triggers work as they do on any write; deltas are folded after each batch.
\set ON_ERROR_STOP on
SET client_min_messages = warning;

DROP SCHEMA IF EXISTS bench CASCADE;
CREATE SCHEMA bench;

-- From 0 to 1, without 1; `salt` tells the uses of one number apart.
CREATE FUNCTION bench.chance(nr bigint, salt int) RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (hashint8extended(nr, salt) & 2147483647) / 2147483648.0::double precision;

-- Near enough to a normal distribution, with mean 0 and deviation 1.
CREATE FUNCTION bench.normal(nr bigint, salt int) RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (bench.chance(nr, salt) + bench.chance(nr, salt + 1) + bench.chance(nr, salt + 2) + bench.chance(nr, salt + 3)
      + bench.chance(nr, salt + 4) + bench.chance(nr, salt + 5) - 3) * sqrt(2);

CREATE FUNCTION bench.pick(choices text[], at double precision) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN choices[1 + floor(at * cardinality(choices))::int];

CREATE TABLE bench.agents AS
SELECT n, 'agent_' || left(md5('agent' || n), 26) AS agent_id FROM generate_series(0, 49) AS n;

CREATE TABLE bench.transcripts AS
WITH vocabulary AS MATERIALIZED (
    SELECT regexp_split_to_array('hello thanks for calling how can help today would like to book a table reservation for two four six
        people on friday saturday evening at seven half past name is please spell that number email confirm account order invoice
        delivery address changed yesterday tomorrow morning could you hold one moment let me check the system shows available no
        sorry we are closed then maybe sunday yes that works great wonderful perfect okay appointment doctor patient insurance policy
        claim payment card declined refund price quote service repair engine oil tires inspection schedule cancel move later earlier
        anything else goodbye have a nice day', '\s+') AS words
)
SELECT k, string_agg(CASE w % 12 WHEN 0 THEN E'\nAgent: ' WHEN 6 THEN E'\nUser: ' ELSE ' ' END
                     || words[1 + floor(bench.chance(k * 10000 + w, 7) * cardinality(words))::int], '' ORDER BY w) AS transcript
FROM vocabulary, generate_series(0, 999) AS k, generate_series(1, :words) AS w GROUP BY k;
CREATE UNIQUE INDEX ON bench.transcripts (k);

-- Who is called when. 26 weeks from a Monday, 9 of 10 calls by day.
CREATE UNLOGGED TABLE bench.starts AS
SELECT row_number() OVER (ORDER BY start_ms, nr) AS at, nr, start_ms,
       CASE WHEN nr % 10 < 3 THEN 0 ELSE 1 + floor(bench.chance(nr, 1) * 49)::int END AS agent
FROM (SELECT nr, 1772409600000::bigint
             + 86400000::bigint * (floor(bench.chance(nr, 2) * 26)::int * 7
                                   + CASE WHEN bench.chance(nr, 3) < 0.88 THEN floor(bench.chance(nr, 4) * 5)::int ELSE 5 + floor(bench.chance(nr, 4) * 2)::int END)
             + floor(3600000 * CASE WHEN bench.chance(nr, 5) < 0.9 THEN 8 + 6 * (bench.chance(nr, 6) + bench.chance(nr, 8)) ELSE 24 * bench.chance(nr, 6) END)::bigint
             AS start_ms
      FROM generate_series(1, :calls) AS nr) AS s;
CREATE UNIQUE INDEX ON bench.starts (at);
ANALYZE bench.starts;

INSERT INTO frontdesk.agents (agent_id, agent_name, created_at)
SELECT agent_id, 'Front desk ' || n, '2026-03-01'::timestamptz + n * interval '1 minute' FROM bench.agents;

-- Calls number after_row + 1 to last_row, in the order of their start.
CREATE PROCEDURE bench.add_calls(after_row bigint, last_row bigint) LANGUAGE sql AS $$
    WITH drawn AS (
        SELECT s.nr, a.agent_id, 'call_' || md5('call' || s.nr) AS call_id, s.start_ms,
               bench.chance(s.nr, 10) > 0.033 AS connected,
               bench.chance(s.nr, 11) > 0.04 AS analysed,
               round(exp(11.2 + 0.9 * bench.normal(s.nr, 12)))::bigint AS duration_ms,
               bench.chance(s.nr, 20) AS price, bench.chance(s.nr, 21) AS mood, bench.chance(s.nr, 22) AS luck,
               bench.chance(s.nr, 23) AS reason, bench.chance(s.nr, 24) AS side
        FROM bench.starts AS s JOIN bench.agents AS a ON a.n = s.agent
        WHERE s.at > after_row AND s.at <= last_row
    ), homes AS (
        INSERT INTO frontdesk.call_home (call_id, agent_id) SELECT call_id, agent_id FROM drawn
    )
    INSERT INTO frontdesk.calls (
        agent_id, call_id, first_sent_ms, call_type, direction, from_number, to_number, call_status, start_timestamp, end_timestamp,
        duration_ms, disconnection_reason, cost, transcript, call_summary, user_sentiment, call_successful, in_voicemail, recording_url,
        agent_version, details, provenance, created_at, updated_at)
    SELECT agent_id, call_id, start_ms, CASE WHEN side < 0.9 THEN 'phone_call' ELSE 'web_call' END,
           CASE WHEN side < 0.7 THEN 'inbound' WHEN side < 0.9 THEN 'outbound' END,
           CASE WHEN side < 0.9 THEN '+1212555' || lpad((nr % 7919)::text, 4, '0') END, CASE WHEN side < 0.9 THEN '+14155550199' END,
           CASE WHEN NOT connected THEN 'not_connected' WHEN luck < 0.01 THEN 'error' ELSE 'ended' END,
           CASE WHEN connected THEN start_ms END, CASE WHEN connected THEN start_ms + duration_ms END, CASE WHEN connected THEN duration_ms END,
           CASE WHEN NOT connected THEN bench.pick('{dial_busy,dial_failed,dial_no_answer}', reason)
                WHEN reason < 0.6 THEN 'user_hangup' WHEN reason < 0.85 THEN 'agent_hangup' WHEN reason < 0.92 THEN 'call_transfer'
                ELSE bench.pick('{voicemail_reached,inactivity,max_duration_reached,error_llm_websocket_open}', (reason - 0.92) / 0.08) END,
           CASE WHEN NOT connected OR price < 0.02 THEN NULL WHEN price < 0.12 THEN 0 ELSE round((duration_ms * 0.00013 + price)::numeric, 4) END,
           CASE WHEN connected THEN t.transcript END,
           CASE WHEN connected AND analysed THEN 'The caller asked for ' || left(t.transcript, 120) END,
           CASE WHEN connected AND analysed THEN CASE WHEN mood < 0.55 THEN 'Neutral' WHEN mood < 0.85 THEN 'Positive' WHEN mood < 0.95 THEN 'Negative' ELSE 'Unknown' END END,
           CASE WHEN connected AND analysed THEN luck > 0.2 END, CASE WHEN connected AND analysed THEN reason >= 0.92 AND reason < 0.94 END,
           CASE WHEN connected THEN 'https://recordings.example.com/' || call_id || '.wav' END,
           3, '{"agent_name": "Front desk"}', '', to_timestamp(start_ms / 1000.0), to_timestamp((start_ms + duration_ms) / 1000.0)
    FROM drawn JOIN bench.transcripts AS t ON t.k = nr % 1000
$$;

-- A thousand calls a transaction, as many as the server stores in a busy second, and then a fold; of
-- a very large set more at once.
CREATE PROCEDURE bench.add_all_calls(calls bigint) LANGUAGE plpgsql AS $$
DECLARE
    batch CONSTANT bigint := greatest(1000, calls / 1000);
    done bigint := 0;
BEGIN
    WHILE done < calls LOOP
        CALL bench.add_calls(done, least(done + batch, calls));
        COMMIT;
        PERFORM frontdesk.fold_rollups();
        COMMIT;
        done := least(done + batch, calls);
        IF done % greatest(batch, calls / 10 / batch * batch) = 0 THEN
            RAISE INFO '  % of % calls', done, calls;
        END IF;
    END LOOP;
    WHILE frontdesk.fold_rollups() > 0 LOOP
        COMMIT;
    END LOOP;
END
$$;

-- A very large set is loaded as a restore would: indexes and rollups are made afterwards, at once.
SELECT :calls > 2000000 AS very_large \gset
\if :very_large
    CREATE TABLE bench.indexes AS
    SELECT indexrelid::regclass AS name, pg_get_indexdef(indexrelid) AS definition FROM pg_index
    WHERE indrelid = 'frontdesk.calls'::regclass AND NOT indisprimary;
    SELECT format('DROP INDEX %s', name) FROM bench.indexes \gexec
    ALTER TABLE frontdesk.calls DISABLE TRIGGER USER;
\endif
CALL bench.add_all_calls(:calls);
\if :very_large
    SET maintenance_work_mem = '1GB';
    SELECT definition FROM bench.indexes \gexec
    ALTER TABLE frontdesk.calls ENABLE TRIGGER USER;
    SELECT frontdesk.rebuild_rollups();
\endif
DROP TABLE bench.starts;

VACUUM (ANALYZE) frontdesk.calls, frontdesk.call_home, frontdesk.agents, frontdesk.call_rollup, frontdesk.call_rollup_delta;

-- Batches of events as the server hands them to ingest: new calls that ended in the hour after the
-- last of the set, most of them of different agents.
CREATE TABLE bench.batches AS
SELECT nr / 64 AS n, array_agg(convert_to(jsonb_build_object('event', 'call_ended', 'call', call)::text, 'UTF8')) AS bodies,
       array_agg('webhook'::text) AS sources, array_agg(sent_ms) AS sent_ms
FROM (SELECT nr, 1788134400000 + nr AS sent_ms, jsonb_build_object(
          'call_id', 'call_' || md5('new' || nr), 'call_type', 'phone_call', 'agent_id', a.agent_id, 'agent_version', 3, 'call_status', 'ended',
          'direction', 'inbound', 'from_number', '+12125550123', 'to_number', '+14155550199', 'start_timestamp', 1788134400000 + nr - 100000,
          'end_timestamp', 1788134400000 + nr, 'duration_ms', 100000 - nr, 'disconnection_reason', 'user_hangup', 'transcript', t.transcript,
          'recording_url', 'https://recordings.example.com/' || nr || '.wav', 'call_cost', jsonb_build_object('combined_cost', nr / 100.0)) AS call
      FROM generate_series(0, 20 * 64 - 1) AS nr
      JOIN bench.agents AS a ON a.n = CASE WHEN nr % 10 < 3 THEN 0 ELSE 1 + nr % 49 END
      JOIN bench.transcripts AS t ON t.k = nr % 1000) AS e
GROUP BY nr / 64;
