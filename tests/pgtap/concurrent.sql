-- Sessions that ingest the same calls at the same time wait for each other, converge, and never lock
-- each other out. The sessions are real, over dblink, so what they write is committed: calls of an
-- agent of this test's own, deleted at the end.
BEGIN;
\ir lib/setup.psql
CREATE EXTENSION dblink SCHEMA tap;
SELECT plan(7);

CREATE FUNCTION pg_temp.event_of(call integer, n integer) RETURNS text LANGUAGE sql AS $$
    SELECT format('{"event":"%s","call":{"call_id":"concurrent-%s"%s,"call_status":"%s","transcript":"said %s","k%s":%s,"duration_ms":%s}}',
                  (ARRAY['call_started', 'transcript_updated', 'call_ended', 'call_analyzed'])[1 + n % 4], call,
                  CASE WHEN n % 5 > 0 THEN ',"agent_id":"concurrent"' END,
                  (ARRAY['registered', 'ongoing', 'ended', 'error'])[1 + n % 4], n, n % 3, n, n * 1000)
$$;

-- A session's batch: a third of all events, every event in two sessions, in an order of its own.
CREATE FUNCTION pg_temp.batch(session integer, part integer, seed double precision) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM setseed(seed);
    RETURN (SELECT format('SELECT count(*) FROM frontdesk.ingest(%L::bytea[], %L::text[], %L::bigint[])',
                          array_agg(convert_to(pg_temp.event_of(call, n), 'UTF8') ORDER BY o),
                          array_agg('webhook'::text), array_agg(1700000000000 + n ORDER BY o))
            FROM (SELECT call, n, random() AS o FROM generate_series(1, 6) AS call, generate_series(1, 12) AS n
                  WHERE (call + n + session) % 3 = 0 AND (n + session) % 2 = part) AS e);
END
$$;

-- What one session alone makes of it.
CREATE TEMPORARY TABLE alone AS
SELECT 'concurrent-' || call AS call_id,
       tap.row_after(format('SELECT count(*) FROM generate_series(1, 12) AS n, tap.send(pg_temp.event_of(%s, n), 1700000000000 + n)', call),
                     'concurrent-' || call) AS row
FROM generate_series(1, 6) AS call;
SELECT is((SELECT count(row) FROM alone), 6::bigint, 'one session alone makes six calls');

SELECT is((SELECT count(*) FROM (
               SELECT dblink_connect('session ' || s, format('dbname=%s host=%s port=%s user=%s', current_database(),
                      split_part(current_setting('unix_socket_directories'), ',', 1), current_setting('port'), session_user))
               FROM generate_series(1, 6) AS s) AS c), 6::bigint, 'six sessions connect');

CREATE FUNCTION pg_temp.all_at_once(round integer) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    answers bigint := 0;
    answer bigint;
BEGIN
    FOR part IN 0..1 LOOP
        FOR s IN 1..6 LOOP
            PERFORM dblink_send_query('session ' || s, pg_temp.batch(s, part, (s + round * 6) / 100.0));
        END LOOP;
        FOR s IN 1..6 LOOP
            SELECT n INTO answer FROM dblink_get_result('session ' || s) AS t(n bigint);
            answers := answers + answer;
            PERFORM * FROM dblink_get_result('session ' || s) AS t(n bigint); -- the end of the result
        END LOOP;
    END LOOP;
    RETURN answers;
END
$$;

-- Ten rounds, each from nothing.
CREATE TEMPORARY TABLE rounds (number integer, answers bigint, differing bigint, journaled bigint, agents bigint);
CREATE FUNCTION pg_temp.clear() RETURNS void LANGUAGE sql AS $$
    SELECT dblink_exec('session 1', format('DELETE FROM frontdesk.%I WHERE agent_id = ''concurrent''', t))
    FROM unnest(ARRAY['calls', 'call_home', 'journal', 'agents']) AS t
$$;
DO $$
BEGIN
    FOR i IN 1..10 LOOP
        PERFORM pg_temp.clear();
        INSERT INTO rounds (number, answers) VALUES (i, pg_temp.all_at_once(i));
        UPDATE rounds SET
            differing = (SELECT count(*) FROM alone AS a WHERE a.row IS DISTINCT FROM tap.call_row(a.call_id)),
            journaled = (SELECT count(*) FROM frontdesk.journal WHERE agent_id = 'concurrent' AND state = 'done'),
            agents = (SELECT count(*) FROM frontdesk.agents WHERE agent_id = 'concurrent')
        WHERE number = i;
    END LOOP;
    PERFORM pg_temp.clear();
END
$$;
SELECT is((SELECT sum(answers) FROM rounds), 10 * 6 * 24::numeric, 'every session has an answer for every event, no deadlock among them');
SELECT is((SELECT sum(differing) FROM rounds), 0::numeric, 'P3: every call is what one session alone makes of it');
SELECT is((SELECT array_agg(DISTINCT journaled) FROM rounds), ARRAY[72::bigint], 'P4: each event is in the journal once');
SELECT is((SELECT array_agg(DISTINCT agents) FROM rounds), ARRAY[1::bigint], 'and the agent is one');
SELECT is((SELECT count(*) FROM (SELECT dblink_disconnect('session ' || s) FROM generate_series(1, 6) AS s) AS c), 6::bigint, 'the sessions go');

SELECT * FROM finish();
ROLLBACK;
