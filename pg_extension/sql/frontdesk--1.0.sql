\echo Use "CREATE EXTENSION frontdesk" to load this file. \quit

-- Functions only: tables, indexes and roles belong to the migrations, which come after. What the
-- functions read and write is named in full inside them and looked up when they first run.

CREATE FUNCTION frontdesk.extension_version()
RETURNS pg_catalog.text
LANGUAGE c STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'frontdesk_extension_version';

COMMENT ON FUNCTION frontdesk.extension_version() IS
'Version of the extension''s loaded library, such as 1.0. Never null.';

CREATE FUNCTION frontdesk.ingest(
    bodies pg_catalog.bytea[],
    sources pg_catalog.text[],
    sent_ms pg_catalog.int8[])
RETURNS TABLE (
    ord pg_catalog.int4,
    outcome pg_catalog.text,
    agent_id pg_catalog.text,
    call_id pg_catalog.text,
    event pg_catalog.text,
    error pg_catalog.text)
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE ROWS 64
AS 'MODULE_PATHNAME', 'frontdesk_ingest';

COMMENT ON FUNCTION frontdesk.ingest(pg_catalog.bytea[], pg_catalog.text[], pg_catalog.int8[]) IS
'Stores a batch of Retell''s events in the journal and merges them into their calls; adds agents not seen before.
bodies: raw bytes of {"event": ..., "call": {...}}. sources: webhook, poll or replay. sent_ms: when each was sent, ms since epoch; null means now. All of one length, or error 22023; a null array gives no rows.
One row an event, in the order given: ord from 1; outcome inserted (a new call), updated, unchanged (a duplicate, or nothing new), kept (no call to merge into) or dead (not understood: error says why, the journal has it). agent_id, call_id and event are empty when unknown; error is null unless dead.
The result is the same whatever the order and number of deliveries, and one event''s fault never fails the others. Sessions that write the same call wait for each other: use READ COMMITTED and one batch a transaction. Costs about 0.1 ms an event.';

CREATE FUNCTION frontdesk.call_history(
    agent_id pg_catalog.text,
    sort_by pg_catalog.text DEFAULT 'date',
    sort_order pg_catalog.text DEFAULT 'desc',
    max_rows pg_catalog.int4 DEFAULT 20,
    skip_rows pg_catalog.int8 DEFAULT 0)
RETURNS TABLE (
    id pg_catalog.uuid,
    agent_id pg_catalog.text,
    call_id pg_catalog.text,
    caller_info pg_catalog.text,
    start_timestamp pg_catalog.int8,
    end_timestamp pg_catalog.int8,
    duration_ms pg_catalog.int8,
    duration_seconds pg_catalog.int8,
    transcript pg_catalog.text,
    call_status pg_catalog.text,
    disconnection_reason pg_catalog.text,
    cost pg_catalog.numeric,
    call_summary pg_catalog.text,
    user_sentiment pg_catalog.text,
    call_successful pg_catalog.bool,
    recording_url pg_catalog.text,
    call_type pg_catalog.text,
    direction pg_catalog.text,
    from_number pg_catalog.text,
    to_number pg_catalog.text,
    created_at pg_catalog.timestamptz,
    updated_at pg_catalog.timestamptz,
    agent_version pg_catalog.int8,
    in_voicemail pg_catalog.bool,
    transfer_destination pg_catalog.text,
    custom_analysis pg_catalog.jsonb,
    metadata pg_catalog.jsonb,
    transcript_object pg_catalog.jsonb,
    latency pg_catalog.jsonb,
    details pg_catalog.jsonb)
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL SAFE ROWS 20
AS 'MODULE_PATHNAME', 'frontdesk_call_history';

COMMENT ON FUNCTION frontdesk.call_history(pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.int4, pg_catalog.int8) IS
'Calls of one agent, one row a call. sort_by: date, duration or cost; sort_order: desc or asc. max_rows null: all; skip_rows null: 0. An unknown or null agent has no rows.
Timestamps and duration_ms are in ms, times since epoch; duration_seconds is rounded half up; cost is in cents; caller_info is the number of the human, null for web calls. What Retell has not said is null and sorts as the lowest; ties break by start time, then call_id, in the same direction.
Reads an index up to skip_rows + max_rows, then the rows of the page.';

CREATE FUNCTION frontdesk.call_history_json(
    agent_id pg_catalog.text,
    agent_ids pg_catalog.text[],
    sort_by pg_catalog.text,
    sort_order pg_catalog.text,
    max_rows pg_catalog.int4,
    skip_rows pg_catalog.int8)
RETURNS pg_catalog.json
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'frontdesk_call_history_json';

COMMENT ON FUNCTION frontdesk.call_history_json(pg_catalog.text, pg_catalog.text[], pg_catalog.text, pg_catalog.text, pg_catalog.int4, pg_catalog.int8) IS
'A page of call_history() as {"calls": [...], "pagination": {"total", "limit", "offset", "hasMore"}}. agent_ids: the agents that the caller may see; null means all. Null when the agent is unknown or not among them.
sort_by and sort_order null: date, desc; max_rows 1 to 100, null 20; skip_rows from 0, null 0. Units as call_history(); created_at and updated_at are ISO 8601, UTC, with milliseconds. total is exact: an index-only count of the agent''s calls.';

CREATE FUNCTION frontdesk.calls_json(
    agent_ids pg_catalog.text[],
    sort_by pg_catalog.text,
    sort_order pg_catalog.text,
    max_rows pg_catalog.int4,
    skip_rows pg_catalog.int8)
RETURNS pg_catalog.json
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'frontdesk_calls_json';

COMMENT ON FUNCTION frontdesk.calls_json(pg_catalog.text[], pg_catalog.text, pg_catalog.text, pg_catalog.int4, pg_catalog.int8) IS
'As call_history_json(), over all agents in agent_ids (null means all agents). Never null. Reads up to skip_rows + max_rows index entries of each agent, then the rows of the page.';

CREATE FUNCTION frontdesk.call_json(
    call_id pg_catalog.text,
    agent_ids pg_catalog.text[])
RETURNS pg_catalog.json
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'frontdesk_call_json';

COMMENT ON FUNCTION frontdesk.call_json(pg_catalog.text, pg_catalog.text[]) IS
'One call with everything that is known of it, its agent included. agent_ids: the agents that the caller may see; null means all. Null when there is no such call, or its agent is not among them. Units as call_history_json().';

CREATE FUNCTION frontdesk.agents_json(
    agent_ids pg_catalog.text[],
    status pg_catalog.text,
    search pg_catalog.text,
    max_rows pg_catalog.int4,
    skip_rows pg_catalog.int8)
RETURNS pg_catalog.json
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'frontdesk_agents_json';

COMMENT ON FUNCTION frontdesk.agents_json(pg_catalog.text[], pg_catalog.text, pg_catalog.text, pg_catalog.int4, pg_catalog.int8) IS
'A page of agents, newest first, as {"agents": [...], "pagination": {...}}, each with _count.calls and last_call_at (ISO 8601; null without calls). agent_ids: the agents that the caller may see; null means all. status: ACTIVE, INACTIVE, or null for both; search: part of the name or id in any case, null for all. max_rows 1 to 100, null 20; skip_rows from 0, null 0. Never null. Counts the calls of the agents on the page by index.';

CREATE FUNCTION frontdesk.agent_json(
    agent_id pg_catalog.text,
    agent_ids pg_catalog.text[])
RETURNS pg_catalog.json
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'frontdesk_agent_json';

COMMENT ON FUNCTION frontdesk.agent_json(pg_catalog.text, pg_catalog.text[]) IS
'One agent: id, agent_id, agent_name, status, created_at, updated_at. agent_ids: the agents that the caller may see; null means all. Null when there is no such agent, or it is not among them.';

-- Nobody may run these until the schema's owner says so: the migrations, which run as that owner and
-- not as the superuser that installs the extension, grant them role by role.
DO $$
DECLARE
    owner pg_catalog.name := (SELECT pg_catalog.pg_get_userbyid(nspowner) FROM pg_catalog.pg_namespace
                              WHERE nspname OPERATOR(pg_catalog.=) 'frontdesk');
    function pg_catalog.regprocedure;
BEGIN
    FOR function IN
        SELECT d.objid FROM pg_catalog.pg_depend AS d
        JOIN pg_catalog.pg_extension AS e ON e.oid OPERATOR(pg_catalog.=) d.refobjid
        WHERE d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass
          AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_extension'::pg_catalog.regclass
          AND d.deptype OPERATOR(pg_catalog.=) 'e' AND e.extname OPERATOR(pg_catalog.=) 'frontdesk'
    LOOP
        EXECUTE pg_catalog.format('REVOKE ALL ON ROUTINE %s FROM PUBLIC', function);
        EXECUTE pg_catalog.format('GRANT EXECUTE ON ROUTINE %s TO %I WITH GRANT OPTION', function, owner);
    END LOOP;
END
$$;
