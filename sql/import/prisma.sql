-- Moves the data of the Express and Prisma back end into Frontdesk:
--
--   psql "$MIGRATION_DATABASE_URL" -v old=SCHEMA -f sql/import/prisma.sql
--
-- SCHEMA (default: public) holds the old tables users, agents, calls and user_agents, in the same
-- database as Frontdesk: restore a dump of them there first. They are only read. Running it twice is
-- safe: what is here already stays as it is, and a run that was cut short goes on where it stopped.
--
-- What becomes of what:
--   users        keep e-mail, name, phone, role, status and password: a bcrypt hash is verified once
--                more at the next login and then replaced by argon2id. They get new ids.
--   agents       keep name and status
--   user_agents  by the e-mail of the user and Retell's id of the agent, whichever ids they held
--   calls        become events (call_imported, source import) and go through frontdesk.ingest like
--                everything else. They yield to all that Retell itself says later: the next sync
--                replaces rounded costs by exact ones and adds what the old back end dropped.
--   call_successful = false on a call without summary and sentiment meant "not analysed": it becomes
--                null. An empty transcript becomes null.
-- At the end a table says what was found, moved and left out, and compares the sums.
\set ON_ERROR_STOP on
\if :{?old}
\else
    \set old public
\endif
\set QUIET on
SET TimeZone = 'UTC';
SET client_min_messages = notice;
SET search_path = pg_catalog, pg_temp;

CREATE TEMPORARY TABLE moved (ord int PRIMARY KEY, what text, found bigint, moved bigint, here_already bigint, left_out bigint, why text);
CREATE TEMPORARY TABLE old_agents (old_id text, agent_id text, r jsonb);
CREATE INDEX ON old_agents (agent_id);
CREATE INDEX ON old_agents (old_id);
CREATE TEMPORARY TABLE old_users (old_id text, email text, hash text, r jsonb);
CREATE INDEX ON old_users (old_id);
CREATE TEMPORARY TABLE compared (ord int PRIMARY KEY, sum_of text, old numeric, new numeric);

-- A column by any of the names that Prisma may have given it.
CREATE FUNCTION pg_temp.pick(r jsonb, VARIADIC names text[]) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT nullif(r ->> n, '') FROM unnest(names) WITH ORDINALITY AS t(n, i) WHERE nullif(r ->> n, '') IS NOT NULL ORDER BY i LIMIT 1
$$;

-- A time as ms since epoch: a number is one already, anything else is read as a timestamp (UTC).
CREATE FUNCTION pg_temp.ms(t text) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN t IS NULL THEN NULL WHEN t ~ '^[0-9]+(\.[0-9]+)?$' THEN trunc(t::numeric)::bigint
                ELSE (extract(epoch FROM t::timestamptz) * 1000)::bigint END
$$;

CREATE FUNCTION pg_temp.stamp(t text) RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT to_timestamp(pg_temp.ms(t) / 1000.0)
$$;

-- Retell's id of an agent, given that or the old row's own id.
CREATE FUNCTION pg_temp.agent_of(id text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT coalesce((SELECT a.agent_id FROM pg_temp.old_agents AS a WHERE a.agent_id = id LIMIT 1),
                    (SELECT a.agent_id FROM pg_temp.old_agents AS a WHERE a.old_id = id LIMIT 1), id)
$$;

-- An old call in Retell's words.
CREATE FUNCTION pg_temp.event_of(r jsonb) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_object('event', 'call_imported', 'call', jsonb_strip_nulls(jsonb_build_object(
        'call_id', pg_temp.pick(r, 'call_id', 'callId'),
        'agent_id', pg_temp.agent_of(pg_temp.pick(r, 'agent_id', 'agentId')),
        'call_status', pg_temp.pick(r, 'call_status', 'callStatus', 'status'),
        'call_type', coalesce(pg_temp.pick(r, 'call_type', 'callType'), CASE WHEN is_number THEN 'phone_call' END),
        'direction', coalesce(pg_temp.pick(r, 'direction'), CASE WHEN is_number THEN 'inbound' END),
        'from_number', coalesce(pg_temp.pick(r, 'from_number', 'fromNumber'), CASE WHEN is_number THEN caller END),
        'to_number', pg_temp.pick(r, 'to_number', 'toNumber'),
        'start_timestamp', pg_temp.ms(pg_temp.pick(r, 'start_timestamp', 'startTimestamp')),
        'end_timestamp', pg_temp.ms(pg_temp.pick(r, 'end_timestamp', 'endTimestamp')),
        'duration_ms', coalesce(trunc(pg_temp.pick(r, 'duration_ms', 'durationMs')::numeric)::bigint,
                                (pg_temp.pick(r, 'duration_seconds', 'durationSeconds')::numeric * 1000)::bigint),
        'disconnection_reason', pg_temp.pick(r, 'disconnection_reason', 'disconnectionReason'),
        'transcript', pg_temp.pick(r, 'transcript'),
        'recording_url', pg_temp.pick(r, 'recording_url', 'recordingUrl'),
        'call_cost', CASE WHEN cost IS NOT NULL THEN jsonb_build_object('combined_cost', cost::numeric) END,
        'call_analysis', CASE WHEN analysed THEN jsonb_build_object('call_summary', summary, 'user_sentiment', sentiment, 'call_successful', successful) END)))
    FROM (SELECT pg_temp.pick(r, 'caller_info', 'callerInfo') AS caller, pg_temp.pick(r, 'cost') AS cost,
                 coalesce(pg_temp.pick(r, 'caller_info', 'callerInfo') ~ '^\+?[0-9]{5,15}$', false) AS is_number,
                 pg_temp.pick(r, 'call_summary', 'callSummary') AS summary, pg_temp.pick(r, 'user_sentiment', 'userSentiment') AS sentiment,
                 pg_temp.pick(r, 'call_successful', 'callSuccessful')::boolean AS successful) AS o
    CROSS JOIN LATERAL (SELECT summary IS NOT NULL OR coalesce(sentiment, 'Unknown') <> 'Unknown' OR coalesce(successful, false) AS analysed) AS a
$$;

CREATE PROCEDURE pg_temp.check_tables(old text) LANGUAGE plpgsql AS $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['users', 'agents', 'calls', 'user_agents'] LOOP
        IF to_regclass(format('%I.%I', old, wanted)) IS NULL THEN
            RAISE EXCEPTION 'there is no table %.% to import from', old, wanted
                USING HINT = 'Restore a dump of the old database into this one and name its schema: -v old=SCHEMA';
        END IF;
    END LOOP;
END
$$;

CREATE PROCEDURE pg_temp.import_agents(old text) LANGUAGE plpgsql AS $$
DECLARE
    found bigint;
    fresh bigint;
    known bigint;
BEGIN
    EXECUTE format('INSERT INTO pg_temp.old_agents SELECT r ->> ''id'' AS old_id,
        pg_temp.pick(r, ''agent_id'', ''agentId'') AS agent_id, r FROM (SELECT to_jsonb(a) AS r FROM %I.agents AS a) AS t', old);
    SELECT count(*), count(DISTINCT a.agent_id) FILTER (WHERE EXISTS (SELECT FROM frontdesk.agents AS b WHERE b.agent_id = a.agent_id))
    INTO found, known FROM pg_temp.old_agents AS a;
    WITH written AS (
        INSERT INTO frontdesk.agents AS b (agent_id, agent_name, status, created_at, updated_at)
        SELECT DISTINCT ON (agent_id) agent_id, coalesce(pg_temp.pick(r, 'agent_name', 'agentName', 'name'), agent_id),
            CASE WHEN upper(pg_temp.pick(r, 'status')) = 'INACTIVE' THEN 'INACTIVE' ELSE 'ACTIVE' END,
            coalesce(pg_temp.stamp(pg_temp.pick(r, 'created_at', 'createdAt')), now()),
            coalesce(pg_temp.stamp(pg_temp.pick(r, 'updated_at', 'updatedAt')), now())
        FROM pg_temp.old_agents WHERE agent_id IS NOT NULL ORDER BY agent_id
        ON CONFLICT (agent_id) DO UPDATE SET agent_name = excluded.agent_name WHERE b.agent_name = b.agent_id AND excluded.agent_name <> b.agent_id
        RETURNING xmax = 0 AS fresh)
    SELECT count(*) FILTER (WHERE w.fresh) INTO fresh FROM written AS w;
    INSERT INTO pg_temp.moved VALUES (1, 'agents', found, fresh, known, found - fresh - known, 'without agent_id, or twice');
END
$$;

CREATE PROCEDURE pg_temp.import_users(old text) LANGUAGE plpgsql AS $$
DECLARE
    found bigint;
    fresh bigint;
    known bigint;
BEGIN
    PERFORM frontdesk.lock_people();
    EXECUTE format('INSERT INTO pg_temp.old_users SELECT r ->> ''id'' AS old_id, lower(trim(r ->> ''email'')) AS email,
        pg_temp.pick(r, ''password_hash'', ''passwordHash'', ''password'') AS hash, r FROM (SELECT to_jsonb(u) AS r FROM %I.users AS u) AS t', old);
    SELECT count(*), count(DISTINCT o.email) FILTER (WHERE EXISTS (SELECT FROM frontdesk.users AS u WHERE u.email = o.email))
    INTO found, known FROM pg_temp.old_users AS o;
    WITH written AS (
        INSERT INTO frontdesk.users (email, name, phone, role, status, all_agents, password_hash, created_at)
        SELECT DISTINCT ON (email) email, left(r ->> 'name', 120), pg_temp.pick(r, 'phone'),
            CASE WHEN upper(pg_temp.pick(r, 'role')) IN ('ADMIN', 'SUPERADMIN') THEN upper(pg_temp.pick(r, 'role'))
                 WHEN upper(pg_temp.pick(r, 'role')) = 'SUPER_ADMIN' THEN 'SUPERADMIN' ELSE 'USER' END,
            CASE WHEN upper(coalesce(pg_temp.pick(r, 'status'), 'APPROVED')) IN ('APPROVED', 'ACTIVE') THEN 'APPROVED'
                 WHEN upper(pg_temp.pick(r, 'status')) IN ('REJECTED', 'INACTIVE', 'DISABLED') THEN 'REJECTED' ELSE 'PENDING' END,
            coalesce(pg_temp.pick(r, 'all_agents', 'allAgents')::boolean, false), hash,
            coalesce(pg_temp.stamp(pg_temp.pick(r, 'created_at', 'createdAt')), now())
        FROM pg_temp.old_users
        WHERE email ~ '^[^@\s]+@[^@\s]+$' AND length(email) <= 254
          AND (hash ~ '^\$2[aby]\$(0[4-9]|1[0-4])\$[./A-Za-z0-9]{53}$' OR hash LIKE '$argon2id$%')
        ORDER BY email ON CONFLICT (email) DO NOTHING RETURNING 1)
    SELECT count(*) INTO fresh FROM written;
    INSERT INTO pg_temp.moved VALUES (2, 'users', found, fresh, known, found - fresh - known, 'no e-mail, or no password hash that can be used');
END
$$;

CREATE PROCEDURE pg_temp.import_assignments(old text) LANGUAGE plpgsql AS $$
DECLARE
    found bigint;
    fresh bigint;
    known bigint;
BEGIN
    EXECUTE format('CREATE TEMPORARY TABLE old_assignments AS SELECT u.id AS user_id, a.agent_id
        FROM (SELECT to_jsonb(t) AS r FROM %I.user_agents AS t) AS t
        LEFT JOIN pg_temp.old_users AS o ON o.old_id = pg_temp.pick(t.r, ''user_id'', ''userId'')
        LEFT JOIN frontdesk.users AS u ON u.email = o.email
        LEFT JOIN frontdesk.agents AS a ON a.agent_id = pg_temp.agent_of(pg_temp.pick(t.r, ''agent_id'', ''agentId''))', old);
    SELECT count(*), count(*) FILTER (WHERE EXISTS (SELECT FROM frontdesk.user_agents AS x WHERE x.user_id = o.user_id AND x.agent_id = o.agent_id))
    INTO found, known FROM pg_temp.old_assignments AS o;
    WITH written AS (
        INSERT INTO frontdesk.user_agents (user_id, agent_id) SELECT DISTINCT user_id, agent_id FROM pg_temp.old_assignments
        WHERE user_id IS NOT NULL AND agent_id IS NOT NULL ON CONFLICT DO NOTHING RETURNING 1)
    SELECT count(*) INTO fresh FROM written;
    INSERT INTO pg_temp.moved VALUES (3, 'user_agents', found, fresh, known, found - fresh - known, 'the user or the agent was not moved');
END
$$;

-- 500 calls a transaction, in the order of their ids: what is committed is not done again.
CREATE PROCEDURE pg_temp.import_calls(old text) LANGUAGE plpgsql AS $$
DECLARE
    total bigint;
    done bigint := 0;
    fresh bigint := 0;
    known bigint := 0;
    dead bigint := 0;
    last text := '';
    batch record;
BEGIN
    EXECUTE format('SELECT count(*) FROM %I.calls', old) INTO total;
    LOOP
        EXECUTE format('SELECT max(id) AS last, count(*) AS n, array_agg(convert_to(event::text, ''UTF8'') ORDER BY id) AS bodies,
                array_agg(sent ORDER BY id) AS sent FROM (
            SELECT c.id::text COLLATE "C" AS id, pg_temp.event_of(r) AS event,
                coalesce(pg_temp.ms(pg_temp.pick(r, ''created_at'', ''createdAt'')), pg_temp.ms(pg_temp.pick(r, ''start_timestamp'', ''startTimestamp'')), 0) AS sent
            FROM (SELECT c.id::text COLLATE "C" AS id, to_jsonb(c) AS r FROM %I.calls AS c WHERE c.id::text COLLATE "C" > $1
                  ORDER BY c.id::text COLLATE "C" LIMIT 500) AS c) AS t', old)
        INTO batch USING last;
        EXIT WHEN batch.n = 0;
        SELECT fresh + count(*) FILTER (WHERE outcome IN ('inserted', 'updated')), known + count(*) FILTER (WHERE outcome = 'unchanged'),
               dead + count(*) FILTER (WHERE outcome IN ('dead', 'kept'))
        INTO fresh, known, dead
        FROM frontdesk.ingest(batch.bodies, array_fill('import'::text, ARRAY[batch.n::int]), batch.sent);
        last := batch.last;
        done := done + batch.n;
        COMMIT;
        IF done % 5000 = 0 OR done = total THEN
            RAISE NOTICE '% of % calls', done, total;
        END IF;
    END LOOP;
    INSERT INTO pg_temp.moved VALUES (4, 'calls', total, fresh, known, dead, 'without call_id: see frontdesk.journal, state dead');
END
$$;

CREATE PROCEDURE pg_temp.compare(old text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format($q$
        INSERT INTO pg_temp.compared
        WITH o AS (SELECT DISTINCT ON (pg_temp.pick(r, 'call_id', 'callId')) pg_temp.pick(r, 'call_id', 'callId') AS call_id,
                       pg_temp.event_of(r) -> 'call' AS call
                   FROM (SELECT to_jsonb(c) AS r FROM %I.calls AS c) AS t WHERE pg_temp.pick(r, 'call_id', 'callId') IS NOT NULL
                   ORDER BY 1),
        n AS (SELECT c.* FROM o JOIN frontdesk.call_home AS h ON h.call_id = o.call_id
              JOIN frontdesk.calls AS c ON c.agent_id = h.agent_id AND c.call_id = h.call_id)
        SELECT 1, 'calls', (SELECT count(*) FROM o), (SELECT count(*) FROM n)
        UNION ALL SELECT 2, 'duration_ms', (SELECT sum((call ->> 'duration_ms')::numeric) FROM o), (SELECT sum(duration_ms) FROM n)
        UNION ALL SELECT 3, 'cost (cents)', (SELECT sum((call -> 'call_cost' ->> 'combined_cost')::numeric) FROM o), (SELECT sum(cost) FROM n)
        UNION ALL SELECT 4, 'analysed', (SELECT count(*) FROM o WHERE call ? 'call_analysis'),
            (SELECT count(*) FROM n WHERE call_summary IS NOT NULL OR user_sentiment IS NOT NULL OR call_successful IS NOT NULL)
        UNION ALL SELECT 5, 'successful', (SELECT count(*) FROM o WHERE (call -> 'call_analysis' ->> 'call_successful')::boolean),
            (SELECT count(*) FROM n WHERE call_successful)
        UNION ALL SELECT 6, 'transcripts', (SELECT count(*) FROM o WHERE call ? 'transcript'), (SELECT count(*) FROM n WHERE transcript IS NOT NULL)
    $q$, old);
END
$$;

CALL pg_temp.check_tables(:'old');
BEGIN;
CALL pg_temp.import_agents(:'old');
CALL pg_temp.import_users(:'old');
CALL pg_temp.import_assignments(:'old');
COMMIT;
CALL pg_temp.import_calls(:'old');
CALL pg_temp.compare(:'old');

\pset footer off
\echo What was moved
SELECT what, found, moved, here_already AS "here already", left_out AS "left out", CASE WHEN left_out > 0 THEN why END AS why
FROM pg_temp.moved ORDER BY ord;
\echo The sums, in the old tables and here (a sync makes costs exact later)
SELECT sum_of, old, new, CASE WHEN old IS NOT DISTINCT FROM new THEN 'equal' ELSE 'differs' END AS verdict FROM pg_temp.compared ORDER BY ord;
