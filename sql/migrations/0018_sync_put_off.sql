-- A call that was fetched and is due still was not understood. It waits like one that could not be
-- fetched, and is given up in the end.

CREATE FUNCTION frontdesk.sync_put_off(agent_ids text[], call_ids text[])
RETURNS void LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
    UPDATE frontdesk.sync_fetches AS f SET tries = f.tries + 1, problem = 'what Retell says of this call is not understood',
        state = CASE WHEN f.tries >= 20 THEN 'gone' ELSE 'due' END,
        due_at = clock_timestamp() + make_interval(secs => least(3600, 15 * 2 ^ least(f.tries, 10)))
    FROM ROWS FROM (unnest(agent_ids), unnest(call_ids)) AS k (agent_id, call_id)
    WHERE f.agent_id = k.agent_id AND f.call_id = k.call_id AND f.state = 'due' AND f.due_at <= clock_timestamp()
$$;

COMMENT ON FUNCTION frontdesk.sync_put_off(text[], text[]) IS
'Of these calls, those that are due to be fetched wait: 15 s, and then twice as long each time up to an hour; after the 20th time they are given up.';

REVOKE ALL ON FUNCTION frontdesk.sync_put_off(text[], text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION frontdesk.sync_put_off(text[], text[]) TO frontdesk_server;
