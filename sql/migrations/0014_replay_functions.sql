-- Merging again what the journal has: after a fault was mended, or to be sure. Done in steps, each a
-- transaction of its own that holds few calls for a short time; a step says where the next begins.

CREATE FUNCTION frontdesk.replay_size(since timestamptz, until timestamptz, dead_only boolean)
RETURNS bigint LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT count(*) FROM frontdesk.journal
    WHERE received_at >= since AND received_at < until AND state IN ('dead', CASE WHEN NOT dead_only THEN 'done' END)
$$;

COMMENT ON FUNCTION frontdesk.replay_size(timestamptz, timestamptz, boolean) IS 'How many events of the journal replaying that range is about.';

-- One event a call is enough: ingest() then merges all that the journal has of it.
CREATE FUNCTION frontdesk.replay_calls(
    since timestamptz, until timestamptz, after_agent text, after_call text, max_calls integer,
    OUT last_agent text, OUT last_call text, OUT events bigint, OUT calls bigint, OUT changed bigint)
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    bodies bytea[];
    times bigint[];
BEGIN
    SELECT array_agg(c.body), array_agg(c.sent_ms), coalesce(sum(c.n), 0), count(*),
           (array_agg(c.agent_id ORDER BY c.agent_id DESC, c.call_id DESC))[1], (array_agg(c.call_id ORDER BY c.agent_id DESC, c.call_id DESC))[1]
    INTO bodies, times, events, calls, last_agent, last_call
    FROM (SELECT DISTINCT ON (j.agent_id, j.call_id) j.agent_id, j.call_id, j.body, j.sent_ms,
                 count(*) OVER (PARTITION BY j.agent_id, j.call_id) AS n
          FROM frontdesk.journal AS j
          WHERE (j.agent_id, j.call_id) > (after_agent, after_call) AND j.state = 'done' AND j.received_at >= since AND j.received_at < until
          ORDER BY j.agent_id, j.call_id LIMIT max_calls) AS c;
    SELECT count(*) FILTER (WHERE i.outcome IN ('inserted', 'updated')) INTO changed
    FROM frontdesk.ingest(bodies, array_fill('replay'::text, ARRAY[calls::integer]), times) AS i;
END
$$;

COMMENT ON FUNCTION frontdesk.replay_calls(timestamptz, timestamptz, text, text, integer) IS
'Merges anew the next calls of which the journal received events in that range, in the order of their keys. last_agent and last_call are where the next step begins; calls 0: there are no more. changed: calls that are other than before.';

CREATE FUNCTION frontdesk.replay_dead(
    since timestamptz, until timestamptz, after bytea, max_events integer,
    OUT last_digest bytea, OUT events bigint, OUT revived bigint)
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    bodies bytea[];
    times bigint[];
BEGIN
    SELECT array_agg(d.body), array_agg(d.sent_ms), count(*), (array_agg(d.digest ORDER BY d.digest DESC))[1]
    INTO bodies, times, events, last_digest
    FROM (SELECT j.body, j.sent_ms, j.digest FROM frontdesk.journal AS j
          WHERE j.state = 'dead' AND j.digest > after AND j.received_at >= since AND j.received_at < until
          ORDER BY j.digest LIMIT max_events) AS d;
    SELECT count(*) FILTER (WHERE i.outcome <> 'dead') INTO revived
    FROM frontdesk.ingest(bodies, array_fill('replay'::text, ARRAY[events::integer]), times) AS i;
END
$$;

COMMENT ON FUNCTION frontdesk.replay_dead(timestamptz, timestamptz, bytea, integer) IS
'Tries the next dead events of that range again, in the order of their digests. last_digest is where the next step begins; events 0: there are no more. revived: those that are understood now.';

REVOKE ALL ON FUNCTION
    frontdesk.replay_size(timestamptz, timestamptz, boolean),
    frontdesk.replay_calls(timestamptz, timestamptz, text, text, integer),
    frontdesk.replay_dead(timestamptz, timestamptz, bytea, integer)
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    frontdesk.replay_size(timestamptz, timestamptz, boolean),
    frontdesk.replay_calls(timestamptz, timestamptz, text, text, integer),
    frontdesk.replay_dead(timestamptz, timestamptz, bytea, integer)
    TO frontdesk_server;
