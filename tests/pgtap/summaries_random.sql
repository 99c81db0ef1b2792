-- P17: whatever was written, summaries and series are what plain SQL over the calls says, in every
-- zone: random writes, then random questions, around the days when the clocks change.
BEGIN;
\ir lib/setup.psql
\ir lib/oracle.psql
SELECT plan(61);

SELECT setseed(0.5);
INSERT INTO agents (agent_id, agent_name) VALUES ('r1', 'One'), ('r2', 'Two');

-- A number from 0 to n - 1, and one of a list.
CREATE FUNCTION tap.below(n bigint) RETURNS bigint LANGUAGE sql VOLATILE AS $$ SELECT floor(random() * n)::bigint $$;
CREATE FUNCTION tap.one_of(VARIADIC list text[]) RETURNS text LANGUAGE sql VOLATILE AS $$ SELECT list[1 + tap.below(cardinality(list))] $$;

-- Zones, and a moment near which their clocks do something: whole and half hours, at midnight, at
-- one, a day left out, nothing at all.
CREATE TEMPORARY TABLE places (n serial, zone text, centre timestamptz);
INSERT INTO places (zone, centre) VALUES
    ('UTC', '2026-01-01'), ('Asia/Kolkata', '2026-02-28 18:30+00'), ('Asia/Kathmandu', '2026-05-01'),
    ('Australia/Lord_Howe', '2026-04-04 15:00+00'), ('Australia/Lord_Howe', '2026-10-03 15:30+00'),
    ('America/St_Johns', '2026-03-08 05:30+00'), ('America/St_Johns', '2026-11-01 04:30+00'),
    ('America/New_York', '2026-03-08 07:00+00'), ('America/New_York', '2026-11-01 06:00+00'), ('Europe/Berlin', '2026-03-29 01:00+00'),
    ('Africa/Cairo', '2026-04-23 22:00+00'), ('Africa/Cairo', '2026-10-29 21:00+00'),
    ('America/Havana', '2026-03-08 05:00+00'), ('America/Havana', '2026-11-01 05:00+00'),
    ('America/Sao_Paulo', '2018-02-18 02:00+00'), ('America/Sao_Paulo', '2018-11-04 03:00+00'),
    ('Pacific/Apia', '2011-12-30 10:00+00'), ('Antarctica/Troll', '2026-03-29 01:00+00'), ('Asia/Pyongyang', '2018-05-04 15:00+00'),
    ('Pacific/Chatham', '2026-04-04 14:00+00');

CREATE FUNCTION tap.random_call(centre bigint, spread bigint) RETURNS frontdesk.calls LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    c frontdesk.calls;
BEGIN
    c.agent_id := CASE WHEN random() < 0.8 THEN 'r1' ELSE 'r2' END;
    c.call_id := 'c' || tap.below(100000);
    -- Many on the hour, the quarter, or a millisecond before.
    c.first_sent_ms := greatest(0, centre - spread / 2 + tap.below(spread));
    IF random() < 0.5 THEN c.first_sent_ms := c.first_sent_ms / 900000 * 900000 - (random() < 0.3)::int; END IF;
    c.start_timestamp := CASE WHEN random() < 0.9 THEN c.first_sent_ms + tap.below(2) * 3600000 END;
    c.call_status := tap.one_of('ended', 'ended', 'error', 'not_connected', 'hovering', NULL);
    c.user_sentiment := tap.one_of('Positive', 'Neutral', 'Negative', 'Ecstatic', NULL, NULL);
    c.disconnection_reason := tap.one_of('user_hangup', 'agent_hangup', 'solar_flare', repeat('long', 30), NULL);
    c.call_successful := CASE tap.below(3) WHEN 0 THEN true WHEN 1 THEN false END;
    c.in_voicemail := CASE tap.below(3) WHEN 0 THEN true WHEN 1 THEN false END;
    c.duration_ms := CASE tap.below(6) WHEN 0 THEN NULL WHEN 1 THEN 0 WHEN 2 THEN 60000 WHEN 3 THEN tap.below(200) ELSE round(exp(random() * 16)) END;
    c.cost := CASE tap.below(6) WHEN 0 THEN NULL WHEN 1 THEN 0 WHEN 2 THEN 12.5 WHEN 3 THEN 0.0001 * tap.below(200) ELSE round((random() ^ 4 * 1000)::numeric, 4) END;
    c.details := '{}'; c.provenance := ''; c.created_at := now(); c.updated_at := now();
    RETURN c;
END
$$;

-- Adds so many calls; one that is there already takes the new values.
CREATE FUNCTION tap.write_calls(how_many bigint, centre bigint, spread bigint) RETURNS void LANGUAGE sql VOLATILE AS $$
    INSERT INTO frontdesk.calls (agent_id, call_id, first_sent_ms, start_timestamp, call_status, user_sentiment, disconnection_reason, call_successful,
                                 in_voicemail, duration_ms, cost, details, provenance, created_at, updated_at)
    SELECT DISTINCT ON (c.agent_id, c.call_id) c.agent_id, c.call_id, c.first_sent_ms, c.start_timestamp, c.call_status, c.user_sentiment,
           c.disconnection_reason, c.call_successful, c.in_voicemail, c.duration_ms, c.cost, c.details, c.provenance, c.created_at, c.updated_at
    FROM generate_series(1, how_many) AS n, LATERAL tap.random_call(centre, spread + 0 * n) AS c
    ON CONFLICT (agent_id, call_id) DO UPDATE SET
        start_timestamp = EXCLUDED.start_timestamp, call_status = EXCLUDED.call_status, cost = EXCLUDED.cost, duration_ms = EXCLUDED.duration_ms
$$;

CREATE FUNCTION tap.random_writes(centre bigint) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    IF random() < 0.2 THEN DELETE FROM frontdesk.calls; ELSIF random() < 0.1 THEN TRUNCATE frontdesk.calls; END IF;
    -- Some days are busy enough for rollups of their hours.
    PERFORM tap.write_calls(20 + tap.below(60), centre, 40 * 86400000::bigint);
    PERFORM tap.write_calls(CASE WHEN random() < 0.6 THEN 350 ELSE 20 END, centre, 86400000::bigint * (1 + tap.below(3)));
    FOR i IN 1 .. tap.below(6) LOOP
        CASE tap.below(7)
        WHEN 0 THEN UPDATE frontdesk.calls SET duration_ms = duration_ms + 1, cost = cost * 2 WHERE random() < 0.3;
        WHEN 1 THEN UPDATE frontdesk.calls SET start_timestamp = start_timestamp + 86400000 WHERE random() < 0.1;
        WHEN 2 THEN UPDATE frontdesk.calls SET call_successful = NOT call_successful, user_sentiment = 'Neutral', in_voicemail = NULL WHERE random() < 0.2;
        WHEN 3 THEN DELETE FROM frontdesk.calls WHERE random() < 0.2;
        WHEN 4 THEN PERFORM frontdesk.fold_rollups();
        WHEN 5 THEN
            BEGIN
                PERFORM tap.write_calls(10, centre, 86400000);
                DELETE FROM frontdesk.calls WHERE random() < 0.5;
                RAISE EXCEPTION USING ERRCODE = 'FD001';
            EXCEPTION WHEN SQLSTATE 'FD001' THEN NULL;
            END;
        ELSE
            UPDATE frontdesk.calls SET transcript = 'said', disconnection_reason = disconnection_reason WHERE random() < 0.5;
        END CASE;
    END LOOP;
END
$$;

-- Null when the answer is right, else the question with what was got and what was wanted.
CREATE FUNCTION tap.difference(question text, got jsonb, wanted jsonb) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN got IS DISTINCT FROM wanted THEN format(E'%s\n  got:    %s\n  wanted: %s', question, got, wanted) END
$$;

CREATE FUNCTION tap.wrong_answer(zone text, centre bigint) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    unit text := tap.one_of('hour', 'day', 'day', 'week', 'month');
    span bigint := CASE unit WHEN 'hour' THEN 3 WHEN 'day' THEN 10 WHEN 'week' THEN 30 ELSE 70 END * 86400000::bigint;
    since bigint := centre - tap.below(span) / CASE WHEN random() < 0.5 THEN 1 ELSE 24 END;
    until bigint := since + tap.below(span);
    agents text[] := CASE WHEN random() < 0.7 THEN '{r1}'::text[] END;
    got jsonb; wanted jsonb;
BEGIN
    IF random() < 0.3 THEN since := since / 3600000 * 3600000; END IF;
    IF random() < 0.3 THEN until := greatest(since, until / 86400000 * 86400000); END IF;
    IF unit <> 'hour' AND random() < 0.15 THEN since := NULL; END IF;
    IF unit <> 'hour' AND random() < 0.15 THEN until := NULL; END IF;
    IF agents IS NULL THEN
        got := frontdesk.summary_json(NULL, since, until, unit, zone)::jsonb - 'agents';
    ELSE
        got := frontdesk.agent_summary_json('r1', NULL, since, until, unit, zone)::jsonb - 'agent_id';
    END IF;
    wanted := tap.near(tap.expected_summary(agents, since, until), got)
              || jsonb_build_object('series', tap.near_list(tap.expected_series(agents, since, until, unit, zone), got -> 'series'));
    RETURN tap.difference(format('%s in %s, %s to %s, agents %s', unit, zone, tap.iso(since), tap.iso(until), agents), got, wanted);
END
$$;

-- Three rounds a place: writes, then five questions.
CREATE FUNCTION tap.round_at(place places, round int) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    centre CONSTANT bigint := extract(epoch FROM place.centre) * 1000;
    wrong text;
BEGIN
    IF round = 1 THEN DELETE FROM frontdesk.calls; END IF;
    PERFORM tap.random_writes(centre);
    FOR i IN 1 .. 5 LOOP
        wrong := tap.wrong_answer(place.zone, centre);
        EXIT WHEN wrong IS NOT NULL;
    END LOOP;
    RETURN wrong;
END
$$;
SELECT is(tap.round_at(p, r), NULL, format('%s, round %s', (p).zone, r))
FROM (SELECT p, r FROM places AS p, generate_series(1, 3) AS r ORDER BY p.n, r) AS rounds;

SELECT is_empty('SELECT * FROM verify_rollups()', 'the rollups are what a recomputation gives');
SELECT * FROM finish();
ROLLBACK;
