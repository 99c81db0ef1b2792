-- P17 under fire: what writers, folders and readers of one run do, each in sessions of its own. A
-- reader's check is one statement, so rollups and calls are compared in one snapshot.
CREATE SCHEMA stress;

-- What a session did, for the summary.
CREATE TABLE stress.done (what text NOT NULL, times bigint NOT NULL);
CREATE TABLE stress.mismatch (what text NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp());

CREATE FUNCTION stress.agent(n integer DEFAULT floor(random() * 4)::integer) RETURNS text LANGUAGE sql VOLATILE AS $$ SELECT 'agent ' || n $$;

INSERT INTO frontdesk.agents (agent_id, agent_name) SELECT stress.agent(n), 'Agent' FROM generate_series(0, 3) AS n;

-- Mostly in the same two hours, else somewhere in half a year.
CREATE FUNCTION stress.moment() RETURNS bigint LANGUAGE sql VOLATILE AS $$
    SELECT 1709078400000 + (CASE WHEN random() < 0.7 THEN random() * 7200000 ELSE random() * 180 * 86400000.0 END)::bigint
$$;

CREATE PROCEDURE stress.add(prefix text, amount integer) LANGUAGE sql AS $$
    INSERT INTO frontdesk.calls (agent_id, call_id, first_sent_ms, start_timestamp, call_status, call_successful, user_sentiment, disconnection_reason,
                                 in_voicemail, duration_ms, cost, transcript, details, provenance, created_at, updated_at)
    SELECT stress.agent(), prefix || n, 0, stress.moment(), (ARRAY['ongoing', 'ended', 'error', 'new word', NULL])[1 + floor(random() * 5)],
           (ARRAY[true, false, NULL])[1 + floor(random() * 3)], (ARRAY['Positive', 'Negative', NULL])[1 + floor(random() * 3)],
           (ARRAY['user_hangup', 'bored', NULL])[1 + floor(random() * 3)], (ARRAY[true, false, NULL])[1 + floor(random() * 3)],
           nullif(floor(random() * 300000)::bigint, 7), nullif(round((random() * 100)::numeric, 4), 7), 'said', '{}', '', now(), now()
    FROM generate_series(1, amount) AS n
$$;

-- Rows of anybody, locked in the order of their keys: two that want the same wait, in no circle.
CREATE FUNCTION stress.some(amount integer) RETURNS TABLE (agent_id text, call_id text) LANGUAGE sql VOLATILE AS $$
    SELECT c.agent_id, c.call_id FROM frontdesk.calls AS c
    WHERE (c.agent_id, c.call_id) IN (SELECT s.agent_id, s.call_id FROM frontdesk.calls AS s WHERE s.agent_id = stress.agent() AND s.started_at >= stress.moment()
                                      ORDER BY s.started_at LIMIT amount)
    ORDER BY c.agent_id, c.call_id FOR UPDATE
$$;

CREATE PROCEDURE stress.change(kind integer, prefix text) LANGUAGE plpgsql AS $$
BEGIN
    CASE kind
        WHEN 0 THEN
            UPDATE frontdesk.calls AS c SET duration_ms = floor(random() * 600000), call_successful = random() < 0.5, call_status = 'ended' FROM stress.some(5) AS s WHERE c.agent_id = s.agent_id AND c.call_id = s.call_id;
        WHEN 1 THEN
            UPDATE frontdesk.calls AS c SET start_timestamp = stress.moment(), transcript = 'said more' FROM stress.some(3) AS s WHERE c.agent_id = s.agent_id AND c.call_id = s.call_id;
        WHEN 2 THEN
            UPDATE frontdesk.calls AS c SET agent_id = stress.agent(), call_id = prefix || c.call_id FROM stress.some(1) AS s WHERE c.agent_id = s.agent_id AND c.call_id = s.call_id;
        WHEN 3 THEN
            DELETE FROM frontdesk.calls AS c USING stress.some(8) AS s WHERE c.agent_id = s.agent_id AND c.call_id = s.call_id;
        WHEN 4 THEN
            UPDATE frontdesk.calls AS c SET transcript = 'said something else' FROM stress.some(4) AS s WHERE c.agent_id = s.agent_id AND c.call_id = s.call_id;
        WHEN 5 THEN
            INSERT INTO frontdesk.calls AS c (agent_id, call_id, first_sent_ms, call_status, details, provenance, created_at, updated_at)
            SELECT 'agent 0', 'shared ' || n, 1709078400000 + n, 'registered', '{}', '', now(), now() FROM generate_series(1, 5) AS n
            ON CONFLICT (agent_id, call_id) DO UPDATE SET duration_ms = floor(random() * 1000), call_status = 'ended';
        ELSE
            PERFORM count(*) FROM frontdesk.ingest(
                (SELECT array_agg(convert_to(format('{"event":"call_ended","call":{"call_id":"webhook %s","agent_id":"%s","start_timestamp":%s,"duration_ms":%s}}', n, stress.agent(n % 4), stress.moment(), floor(random() * 1000)), 'UTF8')) FROM generate_series(1, 4) AS n),
                array_fill('webhook'::text, ARRAY[4]), array_fill(1709078400000 + floor(random() * 1e6)::bigint, ARRAY[4]));
    END CASE;
END
$$;

-- Writes until `seconds` are over: commits, aborts, savepoints that are kept and that are not.
CREATE PROCEDURE stress.write(me integer, seconds double precision) LANGUAGE plpgsql AS $$
DECLARE
    ends timestamptz := clock_timestamp() + make_interval(secs => seconds);
    rounds bigint := 0;
    prefix text;
BEGIN
    WHILE clock_timestamp() < ends LOOP
        rounds := rounds + 1;
        prefix := format('%s-%s-', me, rounds);
        CALL stress.add(prefix, 1 + floor(random() ^ 3 * 30)::integer);
        BEGIN
            CALL stress.add(prefix || 's', 2);
            IF random() < 0.5 THEN
                RAISE EXCEPTION USING ERRCODE = 'FD001';
            END IF;
        EXCEPTION WHEN SQLSTATE 'FD001' THEN
            NULL;
        END;
        CALL stress.change(floor(random() * 7)::integer, prefix);
        IF random() < 0.2 THEN
            ROLLBACK;
        ELSE
            COMMIT;
        END IF;
        IF random() < 0.001 THEN
            TRUNCATE frontdesk.calls;
            COMMIT;
        END IF;
    END LOOP;
    INSERT INTO stress.done VALUES ('transactions written', rounds);
END
$$;

CREATE PROCEDURE stress.fold(seconds double precision) LANGUAGE plpgsql AS $$
DECLARE
    ends timestamptz := clock_timestamp() + make_interval(secs => seconds);
    rounds bigint := 0;
    moved bigint := 0;
    n bigint;
BEGIN
    WHILE clock_timestamp() < ends LOOP
        rounds := rounds + 1;
        n := CASE WHEN random() < 0.5 THEN frontdesk.fold_rollups() ELSE frontdesk.fold_rollups(stress.agent(), floor(random() * 50)::bigint) END;
        IF random() < 0.1 THEN
            ROLLBACK;
        ELSE
            COMMIT;
            moved := moved + n;
        END IF;
        IF random() < 0.005 THEN
            PERFORM frontdesk.rebuild_rollups(stress.agent());
            COMMIT;
        END IF;
    END LOOP;
    INSERT INTO stress.done VALUES ('folds', rounds), ('deltas folded', moved);
END
$$;

CREATE FUNCTION stress.of_calls(agent text, since bigint, until bigint) RETURNS frontdesk.call_stats LANGUAGE sql STABLE AS $$
    SELECT coalesce(frontdesk.call_stats_agg(call_status, call_successful, user_sentiment, disconnection_reason, in_voicemail, duration_ms, cost), frontdesk.agent_stats(''))
    FROM frontdesk.calls WHERE agent_id = agent AND started_at >= since AND started_at < until
$$;

-- All that is wrong at this moment. Others who answer from rollups add their check here.
CREATE FUNCTION stress.wrong(since bigint, until bigint, step bigint) RETURNS SETOF text LANGUAGE sql STABLE AS $$
    SELECT format('statistics of %s', a) FROM (SELECT stress.agent(n) AS a FROM generate_series(0, 3) AS n) AS agents
    WHERE frontdesk.agent_stats(a) OPERATOR(frontdesk.<>) stress.of_calls(a, 0, 1e15::bigint)
    UNION ALL
    SELECT format('totals of %s', a) FROM (SELECT stress.agent(n) AS a FROM generate_series(0, 3) AS n) AS agents,
           LATERAL (SELECT count(*) AS n, coalesce(sum(duration_ms), 0)::bigint AS ms, coalesce(sum(cost), 0) AS cents FROM frontdesk.calls WHERE agent_id = a) AS c,
           LATERAL (SELECT frontdesk.agent_stats(a) AS s) AS s
    WHERE (frontdesk.total(s), frontdesk.duration_sum(s), frontdesk.cost_sum(s)) <> (c.n, ms, cents)
    UNION ALL
    SELECT format('%s from %s to %s', a, since, until) FROM (SELECT stress.agent(n) AS a FROM generate_series(0, 3) AS n) AS agents
    WHERE frontdesk.agent_stats(a, since, until) OPERATOR(frontdesk.<>) stress.of_calls(a, since, until)
    UNION ALL
    SELECT format('series from %s by %s', since, step)
    FROM frontdesk.agent_stats_series('agent 1', (SELECT array_agg(since + n * step ORDER BY n) FROM generate_series(0, 12) AS n)) AS s
    WHERE s.stats OPERATOR(frontdesk.<>) stress.of_calls('agent 1', s.since, s.until)
    UNION ALL
    SELECT format('place %s', before)
    FROM (SELECT started_at, row_number() OVER (ORDER BY started_at) - 1 AS before FROM frontdesk.calls WHERE agent_id = 'agent 2' OFFSET 0) AS c
    LEFT JOIN LATERAL frontdesk.agent_place('agent 2', false, before) AS p ON true
    WHERE before % 500 = step % 500 AND (p IS NULL OR started_at < place_since OR started_at >= place_until)
    UNION ALL
    SELECT format('page of %s by %s %s after %s', agents, sort_by, sort_order, skip)
    FROM (SELECT CASE since % 3 WHEN 0 THEN NULL ELSE ARRAY[stress.agent((since % 4)::integer)] END AS agents, (ARRAY['date', 'duration', 'cost'])[1 + until % 3] AS sort_by,
                 CASE until % 2 WHEN 0 THEN 'asc' ELSE 'desc' END AS sort_order, since / 7 % 2500 AS skip) AS asked,
         LATERAL (SELECT frontdesk.calls_page(agents, sort_by, sort_order, 20, skip) AS page) AS p,
         LATERAL (SELECT count(*) AS n, array_agg(call_id::text ORDER BY k, started_at, call_id) AS ids
                  FROM (SELECT *, CASE sort_by WHEN 'date' THEN started_at WHEN 'duration' THEN coalesce(duration_ms, -1) ELSE coalesce(cost, -1) END AS k FROM frontdesk.calls
                        WHERE agents IS NULL OR agent_id = ANY (agents)) AS c) AS t
    WHERE (page #>> '{pagination,total}')::bigint <> n OR ARRAY(SELECT c ->> 'call_id' FROM json_array_elements(page -> 'calls') AS c)
          <> CASE sort_order WHEN 'asc' THEN coalesce(ids[skip + 1:skip + 20], '{}') ELSE ARRAY(SELECT ids[n - skip - i] FROM generate_series(0, least(20, n - skip) - 1) AS i) END
    UNION ALL
    SELECT format('%s %s %s %s', agent_id, grain, bucket, problem) FROM frontdesk.verify_rollups(stress.agent((step % 4)::integer))
$$;

CREATE PROCEDURE stress.read(seconds double precision) LANGUAGE plpgsql AS $$
DECLARE
    ends timestamptz := clock_timestamp() + make_interval(secs => seconds);
    rounds bigint := 0;
    since bigint;
BEGIN
    WHILE clock_timestamp() < ends LOOP
        rounds := rounds + 1;
        since := stress.moment();
        -- By hours or days, or by no unit.
        INSERT INTO stress.mismatch (what)
        SELECT * FROM stress.wrong(since, since + (random() * 40 * 86400000)::bigint,
                                   (ARRAY[3600000, 86400000, 1 + floor(random() * 1e8)])[1 + floor(random() * 3)]::bigint);
        COMMIT;
    END LOOP;
    INSERT INTO stress.done VALUES ('checks', rounds);
END
$$;
