-- What polling does to the database. A run holds an advisory lock on its connection, so that there
-- is one at a time however many servers there are, and none that a dead process still holds. Each
-- call of a function is a transaction of its own: what was polled, the queue and the cursor move
-- together.

-- The number is the ASCII of "frontsyn".
CREATE FUNCTION frontdesk.sync_lock()
RETURNS boolean LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT pg_try_advisory_lock(7382085259404474734)
$$;

COMMENT ON FUNCTION frontdesk.sync_lock() IS 'Takes the right to run until this session ends; false when another session has it.';

CREATE FUNCTION frontdesk.sync_unlock()
RETURNS boolean LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT pg_advisory_unlock(7382085259404474734)
$$;

COMMENT ON FUNCTION frontdesk.sync_unlock() IS 'Gives the right to run back, for the next to have it at once.';

CREATE FUNCTION frontdesk.sync_running()
RETURNS boolean LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT EXISTS (SELECT FROM pg_locks
                   WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                     AND classid = 1718775662 AND objid = 1953724782 AND objsubid = 1 AND granted)
$$;

COMMENT ON FUNCTION frontdesk.sync_running() IS 'Is a run under way, in any process?';

CREATE FUNCTION frontdesk.sync_begin(
    of_agent text, forced boolean, scan_seconds bigint, agents_seconds bigint,
    OUT wait_ms bigint, OUT started_to bigint, OUT ended_to bigint, OUT scan_due boolean, OUT unconnected bigint,
    OUT looked_at bigint, OUT agents_due boolean)
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    now timestamptz := clock_timestamp();
    state frontdesk.sync_state;
BEGIN
    SELECT * INTO STRICT state FROM frontdesk.sync_state FOR UPDATE;
    wait_ms := CASE WHEN forced OR state.next_run_at IS NULL THEN 0
                    ELSE greatest(0, ceil(extract(epoch FROM state.next_run_at - now) * 1000)) END;
    IF wait_ms > 0 THEN
        RETURN;
    END IF;
    UPDATE frontdesk.sync_state SET run_started_at = now, run_agent_id = of_agent, run_expected = NULL,
        run_listed = 0, run_fetched = 0, run_added = 0, run_changed = 0, run_failed = 0;
    SELECT c.started_to, c.ended_to, c.scanned_at IS NULL OR c.scanned_at < now - make_interval(secs => scan_seconds), c.unconnected
    INTO started_to, ended_to, scan_due, unconnected
    FROM (SELECT) AS one LEFT JOIN frontdesk.sync_cursors AS c ON c.agent_id = of_agent;
    looked_at := state.looked_at;
    agents_due := state.agents_synced_at IS NULL OR state.agents_synced_at < now - make_interval(secs => agents_seconds);
END
$$;

COMMENT ON FUNCTION frontdesk.sync_begin(text, boolean, bigint, bigint) IS
'Begins a run for an agent (empty: all) and says where the last one ended. Unless forced, a run that is not due yet is not begun: wait_ms is then how long to wait, else 0.';

CREATE FUNCTION frontdesk.sync_watch(now_ms bigint, ahead_ms bigint)
RETURNS void LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
    UPDATE frontdesk.sync_state SET watched_since = coalesce(watched_since, now_ms), clock_ahead_ms = ahead_ms
$$;

COMMENT ON FUNCTION frontdesk.sync_watch(bigint, bigint) IS
'Notes what is known of the clocks: the time by Retell''s, ms since epoch, and how far the server''s is ahead.';

CREATE FUNCTION frontdesk.sync_expect(calls bigint)
RETURNS void LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
    UPDATE frontdesk.sync_state SET run_expected = calls
$$;

COMMENT ON FUNCTION frontdesk.sync_expect(bigint) IS 'Notes how many calls the run under way will list.';

-- A poll is an event of this name. What is stored says when it was heard, so that a call that
-- changes to what it was before gives a new event; what is not understood does not, so that it is
-- stored once.
CREATE FUNCTION frontdesk.sync_event(call bytea, polled_at bigint)
RETURNS bytea LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT '{"event":"call_polled"'::bytea || coalesce(convert_to(',"polled_at":' || polled_at, 'UTF8'), ''::bytea)
        || ',"call":'::bytea || call || '}'::bytea
$$;

COMMENT ON FUNCTION frontdesk.sync_event(bytea, bigint) IS 'The event that a polled call object is stored as; without a time when polled_at is null.';

CREATE FUNCTION frontdesk.sync_store(
    of_agent text, calls bytea[], asked_ms bigint, whole boolean, new_started_to bigint, new_ended_to bigint,
    OUT added bigint, OUT changed bigint, OUT failed bigint, OUT problem text)
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    state frontdesk.sync_state;
    seen record;
    bodies bytea[] := '{}';
    seen_calls text[] := '{}';
    news_of text[] := '{}';
    said record;
    past_is_known boolean;
BEGIN
    SELECT * INTO STRICT state FROM frontdesk.sync_state;
    past_is_known := EXISTS (SELECT FROM frontdesk.sync_cursors AS c WHERE c.agent_id = '' AND c.synced_at IS NOT NULL);
    FOR seen IN SELECT * FROM frontdesk.preview(
        coalesce((SELECT array_agg(frontdesk.sync_event(c.call, asked_ms) ORDER BY c.ord)
                  FROM unnest(calls) WITH ORDINALITY AS c (call, ord)), '{}'), asked_ms)
    LOOP
        IF seen.outcome <> 'unchanged' THEN
            bodies := bodies || frontdesk.sync_event(calls[seen.ord], CASE WHEN seen.outcome IN ('inserted', 'updated') THEN asked_ms END);
        END IF;
        IF seen.outcome <> 'dead' AND seen.call_id <> '' THEN
            seen_calls := seen_calls || seen.call_id;
        END IF;
    END LOOP;

    added := 0; changed := 0; failed := 0;
    FOR said IN SELECT * FROM frontdesk.ingest(bodies, array_fill('poll'::text, ARRAY[cardinality(bodies)]),
                                               array_fill(asked_ms, ARRAY[cardinality(bodies)])) LOOP
        CASE said.outcome
            WHEN 'inserted' THEN
                added := added + 1;
                news_of := news_of || said.call_id;
                INSERT INTO frontdesk.sync_finds (agent_id, call_id, found_at)
                SELECT c.agent_id, c.call_id, clock_timestamp() FROM frontdesk.calls AS c
                WHERE c.agent_id = said.agent_id AND c.call_id = said.call_id
                  AND coalesce(c.start_timestamp >= state.watched_since, past_is_known)
                ON CONFLICT DO NOTHING;
            WHEN 'updated' THEN
                news_of := news_of || said.call_id;
                changed := changed + (SELECT count(*) FROM frontdesk.calls AS c
                    WHERE c.agent_id = said.agent_id AND c.call_id = said.call_id AND c.created_at < state.run_started_at
                      AND NOT EXISTS (SELECT FROM frontdesk.sync_fetches AS f
                                      WHERE f.agent_id = c.agent_id AND f.call_id = c.call_id AND f.run_at = state.run_started_at));
            WHEN 'dead' THEN
                failed := failed + 1;
                problem := coalesce(problem, said.error);
            WHEN 'kept' THEN
                failed := failed + 1;
                problem := coalesce(problem, 'a call names no agent');
            ELSE
                NULL;
        END CASE;
    END LOOP;

    PERFORM frontdesk.sync_queue(seen_calls, news_of, whole, state.run_started_at);
    UPDATE frontdesk.sync_state SET
        run_listed = run_listed + CASE WHEN whole THEN 0 ELSE cardinality(calls) END,
        run_fetched = run_fetched + CASE WHEN whole THEN cardinality(calls) ELSE 0 END,
        run_added = run_added + added, run_changed = run_changed + changed, run_failed = run_failed + failed;
    IF new_started_to IS NOT NULL OR new_ended_to IS NOT NULL THEN
        INSERT INTO frontdesk.sync_cursors AS c (agent_id, started_to, ended_to) VALUES (of_agent, new_started_to, new_ended_to)
        ON CONFLICT (agent_id) DO UPDATE SET started_to = greatest(c.started_to, excluded.started_to),
            ended_to = greatest(c.ended_to, excluded.ended_to);
    END IF;
END
$$;

COMMENT ON FUNCTION frontdesk.sync_store(text, bytea[], bigint, boolean, bigint, bigint) IS
'Stores call objects as Retell''s API gave them, asked at asked_ms by Retell''s clock; whole: with transcripts. Only what is new becomes an event. Moves the cursor of of_agent (empty: all) forward, where given. Says how many calls were new, changed for the first time in this run, and not understood, with the first reason.';

-- A transcript that was looked for and is not there is looked for again when the call has changed.
CREATE FUNCTION frontdesk.sync_queue(call_ids text[], news_of text[], whole boolean, run_at timestamptz)
RETURNS void LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF whole THEN
        DELETE FROM frontdesk.sync_fetches AS f USING frontdesk.call_home AS h, frontdesk.calls AS c
        WHERE h.call_id = ANY (call_ids) AND f.agent_id = h.agent_id AND f.call_id = h.call_id
          AND c.agent_id = h.agent_id AND c.call_id = h.call_id AND frontdesk.transcript_is_final(c.provenance);
        UPDATE frontdesk.sync_fetches AS f SET state = 'none', problem = NULL
        FROM frontdesk.call_home AS h
        WHERE h.call_id = ANY (call_ids) AND f.agent_id = h.agent_id AND f.call_id = h.call_id;
        RETURN;
    END IF;
    INSERT INTO frontdesk.sync_fetches AS f (agent_id, call_id, started_at, run_at)
    SELECT c.agent_id, c.call_id, c.started_at, CASE WHEN c.call_id = ANY (news_of) THEN sync_queue.run_at END
    FROM frontdesk.call_home AS h
    JOIN frontdesk.calls AS c ON c.agent_id = h.agent_id AND c.call_id = h.call_id
    WHERE h.call_id = ANY (call_ids) AND c.call_status IN ('ended', 'error') AND NOT frontdesk.transcript_is_final(c.provenance)
    ORDER BY c.agent_id, c.call_id
    ON CONFLICT (agent_id, call_id) DO UPDATE SET state = 'due', tries = 0, due_at = clock_timestamp(), run_at = excluded.run_at
        WHERE f.state = 'none' AND excluded.run_at IS NOT NULL;
END
$$;

COMMENT ON FUNCTION frontdesk.sync_queue(text[], text[], boolean, timestamptz) IS
'Puts listed calls that are over and lack their transcript into the queue, or takes calls that were fetched whole out of it. Called by sync_store().';

CREATE FUNCTION frontdesk.sync_fetch_failed(of_agent text, of_call text, is_gone boolean, reason text)
RETURNS void LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE frontdesk.sync_fetches SET state = CASE WHEN is_gone THEN 'gone' ELSE state END, tries = tries + 1, problem = reason,
        due_at = clock_timestamp() + make_interval(secs => least(3600, 15 * 2 ^ least(tries, 10)))
    WHERE agent_id = of_agent AND call_id = of_call;
    UPDATE frontdesk.sync_state SET run_failed = run_failed + 1;
END
$$;

COMMENT ON FUNCTION frontdesk.sync_fetch_failed(text, text, boolean, text) IS
'A call could not be fetched: it is tried again after 15 s, and then after twice as long each time up to an hour; never, if Retell says that it is gone.';

CREATE FUNCTION frontdesk.sync_unfinished(
    of_agent text, since bigint, before bigint, now_ms bigint, looked_at bigint, max_rows integer)
RETURNS TABLE (call_id text) LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY
    SELECT c.call_id FROM frontdesk.agents AS a CROSS JOIN LATERAL (
        SELECT o.call_id, o.started_at, coalesce(o.end_timestamp, o.started_at) AS since_ms
        FROM frontdesk.calls AS o
        WHERE o.agent_id = a.agent_id AND o.started_at >= sync_unfinished.since
          AND (o.started_at < sync_unfinished.before OR o.start_timestamp IS NULL)
          AND (o.call_status IS NULL OR o.call_status NOT IN ('ended', 'error', 'not_connected')
               OR (o.call_status <> 'not_connected' AND o.call_summary IS NULL AND o.call_successful IS NULL
                   AND o.user_sentiment IS NULL AND o.in_voicemail IS NULL AND o.custom_analysis IS NULL))) AS c
    WHERE (of_agent = '' OR a.agent_id = of_agent)
      AND (sync_unfinished.looked_at IS NULL OR now_ms - c.since_ms < 3600000
           OR floor(ln(greatest(now_ms - c.since_ms, 1)::float8) * 8.5) > floor(ln(greatest(sync_unfinished.looked_at - c.since_ms, 1)::float8) * 8.5))
    ORDER BY c.started_at DESC LIMIT max_rows;
END
$$;

COMMENT ON FUNCTION frontdesk.sync_unfinished(text, bigint, bigint, bigint, bigint, integer) IS
'Calls since a time that are not over, or over and not analysed, and due to be looked at again: in every run for an hour, then whenever they have become an eighth older. Those that started from `before` on are listed anyway and left out. Times are ms since epoch by Retell''s clock.';

CREATE FUNCTION frontdesk.sync_settle_finds()
RETURNS void LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    lost bigint;
BEGIN
    WITH old AS (
        DELETE FROM frontdesk.sync_finds WHERE found_at < clock_timestamp() - interval '10 minutes' RETURNING agent_id, call_id)
    SELECT count(*) INTO lost FROM old
    WHERE NOT EXISTS (SELECT FROM frontdesk.journal AS j
                      WHERE j.agent_id = old.agent_id AND j.call_id = old.call_id AND j.source = 'webhook');
    UPDATE frontdesk.sync_state SET found_by_poll = found_by_poll + lost WHERE lost > 0;
END
$$;

COMMENT ON FUNCTION frontdesk.sync_settle_finds() IS
'Counts the calls that a poll found more than ten minutes ago and that no webhook has told of since: Retell does not try longer.';

CREATE FUNCTION frontdesk.sync_found_by_poll()
RETURNS bigint LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT s.found_by_poll + (SELECT count(*) FROM frontdesk.sync_finds AS f
        WHERE NOT EXISTS (SELECT FROM frontdesk.journal AS j
                          WHERE j.agent_id = f.agent_id AND j.call_id = f.call_id AND j.source = 'webhook'))
    FROM frontdesk.sync_state AS s
$$;

COMMENT ON FUNCTION frontdesk.sync_found_by_poll() IS 'Calls since polling began that only a poll has told of: the loss of webhooks.';

CREATE FUNCTION frontdesk.sync_end(
    of_agent text, reason text, scanned boolean, new_unconnected bigint, began_ms bigint, ahead_ms bigint, next_seconds bigint)
RETURNS void LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    now timestamptz := clock_timestamp();
BEGIN
    PERFORM frontdesk.sync_settle_finds();
    DELETE FROM frontdesk.sync_fetches WHERE state <> 'due' AND due_at < now - interval '90 days';
    IF reason IS NULL THEN
        INSERT INTO frontdesk.sync_cursors AS c (agent_id, scanned_at, synced_at, unconnected)
        VALUES (of_agent, CASE WHEN scanned THEN now END, now, new_unconnected)
        ON CONFLICT (agent_id) DO UPDATE SET scanned_at = coalesce(excluded.scanned_at, c.scanned_at), synced_at = now,
            unconnected = coalesce(excluded.unconnected, c.unconnected);
    END IF;
    UPDATE frontdesk.sync_state SET
        error = reason, error_at = CASE WHEN reason IS NULL THEN error_at ELSE now END,
        success_at = CASE WHEN reason IS NULL AND of_agent = '' THEN now ELSE success_at END,
        looked_at = CASE WHEN reason IS NULL AND of_agent = '' THEN began_ms ELSE looked_at END,
        clock_ahead_ms = ahead_ms,
        next_run_at = CASE WHEN next_seconds IS NULL THEN next_run_at
                           WHEN next_seconds = 0 THEN NULL
                           ELSE now + make_interval(secs => next_seconds) END;
END
$$;

COMMENT ON FUNCTION frontdesk.sync_end(text, text, boolean, bigint, bigint, bigint, bigint) IS
'Ends a run: well, when reason is null. next_seconds: when the next one is due; 0: never, null: as it was.';

CREATE FUNCTION frontdesk.sync_agents(agent_ids text[], agent_names text[], OUT added bigint, OUT changed bigint)
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    now timestamptz := clock_timestamp();
BEGIN
    INSERT INTO frontdesk.agents (agent_id, agent_name, listed_at)
    SELECT DISTINCT ON (l.agent_id) l.agent_id, coalesce(nullif(l.agent_name, ''), l.agent_id), now
    FROM ROWS FROM (unnest(agent_ids), unnest(agent_names)) AS l (agent_id, agent_name)
    WHERE l.agent_id <> '' ORDER BY l.agent_id
    ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS added = ROW_COUNT;

    WITH listed AS (
        SELECT DISTINCT ON (l.agent_id) l.agent_id, nullif(l.agent_name, '') AS agent_name
        FROM ROWS FROM (unnest(agent_ids), unnest(agent_names)) AS l (agent_id, agent_name) ORDER BY l.agent_id),
    back AS (
        UPDATE frontdesk.agents AS a SET agent_name = CASE WHEN a.named_by_hand THEN a.agent_name ELSE coalesce(l.agent_name, a.agent_name) END,
            status = CASE WHEN a.vanished_at IS NULL THEN a.status ELSE 'ACTIVE' END, vanished_at = NULL, updated_at = now
        FROM listed AS l
        WHERE l.agent_id = a.agent_id AND ((l.agent_name <> a.agent_name AND NOT a.named_by_hand) OR a.vanished_at IS NOT NULL)
        RETURNING a.agent_id),
    gone AS (
        UPDATE frontdesk.agents AS a SET status = 'INACTIVE', vanished_at = now, updated_at = now
        WHERE a.status = 'ACTIVE' AND a.agent_id <> ALL (agent_ids) AND a.created_at < now - interval '5 minutes'
          AND (a.listed_at IS NOT NULL OR EXISTS (SELECT FROM frontdesk.calls AS c WHERE c.agent_id = a.agent_id))
        RETURNING a.agent_id)
    SELECT (SELECT count(*) FROM back) + (SELECT count(*) FROM gone) INTO changed;
    UPDATE frontdesk.agents SET listed_at = now WHERE agent_id = ANY (agent_ids);
    UPDATE frontdesk.sync_state SET agents_synced_at = now;
END
$$;

COMMENT ON FUNCTION frontdesk.sync_agents(text[], text[]) IS
'Takes over Retell''s whole list of agents: adds, renames (but not those that a person has named), and makes INACTIVE those that it lacks, unless they are only minutes old or were never Retell''s. One that comes back is ACTIVE again, unless a person made it INACTIVE. Says how many were new and how many changed.';

CREATE FUNCTION frontdesk.sync_status_json()
RETURNS json LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT json_build_object(
        'calls', json_build_object('lastSynced', frontdesk.iso_time(c.synced_at)),
        'agents', json_build_object('lastSynced', frontdesk.iso_time(s.agents_synced_at)),
        'running', r.running,
        'lastSuccessAt', frontdesk.iso_time(s.success_at),
        'lastError', s.error,
        'lastErrorAt', frontdesk.iso_time(s.error_at),
        'nextRunAt', frontdesk.iso_time(s.next_run_at),
        'lagSeconds', floor(extract(epoch FROM clock_timestamp() - s.success_at)),
        'callsFoundByPollOnly', frontdesk.sync_found_by_poll(),
        'pendingHydration', (SELECT count(*) FROM frontdesk.sync_fetches WHERE state = 'due'),
        'goneAtRetell', (SELECT count(*) FROM frontdesk.sync_fetches WHERE state = 'gone'),
        'clockAheadMs', s.clock_ahead_ms,
        'run', CASE WHEN s.run_started_at IS NOT NULL THEN json_build_object(
            'startedAt', frontdesk.iso_time(s.run_started_at), 'agentId', nullif(s.run_agent_id, ''),
            'listed', s.run_listed, 'expected', s.run_expected, 'fetched', s.run_fetched,
            'callsSynced', s.run_added, 'callsUpdated', s.run_changed, 'errors', s.run_failed) END)
    FROM frontdesk.sync_state AS s
    CROSS JOIN (SELECT frontdesk.sync_running() AS running) AS r
    LEFT JOIN frontdesk.sync_cursors AS c ON c.agent_id = ''
$$;

COMMENT ON FUNCTION frontdesk.sync_status_json() IS 'The state of polling as the API shows it.';

REVOKE ALL ON FUNCTION
    frontdesk.sync_lock(),
    frontdesk.sync_unlock(),
    frontdesk.sync_running(),
    frontdesk.sync_begin(text, boolean, bigint, bigint),
    frontdesk.sync_watch(bigint, bigint),
    frontdesk.sync_expect(bigint),
    frontdesk.sync_event(bytea, bigint),
    frontdesk.sync_store(text, bytea[], bigint, boolean, bigint, bigint),
    frontdesk.sync_queue(text[], text[], boolean, timestamptz),
    frontdesk.sync_fetch_failed(text, text, boolean, text),
    frontdesk.sync_unfinished(text, bigint, bigint, bigint, bigint, integer),
    frontdesk.sync_settle_finds(),
    frontdesk.sync_found_by_poll(),
    frontdesk.sync_end(text, text, boolean, bigint, bigint, bigint, bigint),
    frontdesk.sync_agents(text[], text[]),
    frontdesk.sync_status_json()
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    frontdesk.preview(bytea[], bigint),
    frontdesk.transcript_is_final(bytea),
    frontdesk.sync_lock(),
    frontdesk.sync_unlock(),
    frontdesk.sync_running(),
    frontdesk.sync_begin(text, boolean, bigint, bigint),
    frontdesk.sync_watch(bigint, bigint),
    frontdesk.sync_expect(bigint),
    frontdesk.sync_event(bytea, bigint),
    frontdesk.sync_store(text, bytea[], bigint, boolean, bigint, bigint),
    frontdesk.sync_queue(text[], text[], boolean, timestamptz),
    frontdesk.sync_fetch_failed(text, text, boolean, text),
    frontdesk.sync_unfinished(text, bigint, bigint, bigint, bigint, integer),
    frontdesk.sync_settle_finds(),
    frontdesk.sync_found_by_poll(),
    frontdesk.sync_end(text, text, boolean, bigint, bigint, bigint, bigint),
    frontdesk.sync_agents(text[], text[]),
    frontdesk.sync_status_json()
    TO frontdesk_server;
