\echo Use "CREATE EXTENSION frontdesk" to load this file. \quit

-- Functions and types only: tables, indexes and roles belong to the migrations, which come after.
-- What the functions read and write is named in full inside them and looked up when they first run.

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
bodies: raw bytes of {"event": ..., "call": {...}}. sources: webhook, poll, replay or import. sent_ms: when each was sent, ms since epoch; null means now. All of one length, or error 22023; a null array gives no rows.
One row an event, in the order given: ord from 1; outcome inserted (a new call), updated, unchanged (a duplicate, or nothing new), kept (no call to merge into) or dead (not understood: error says why, the journal has it). agent_id, call_id and event are empty when unknown; error is null unless dead.
The result is the same whatever the order and number of deliveries, and one event''s fault never fails the others. Sessions that write the same call wait for each other: use READ COMMITTED and one batch a transaction. Costs about 0.1 ms an event in batches of 64; a duplicate a tenth of that.';

-- Polling: what has a poller heard that is not known yet?

CREATE FUNCTION frontdesk.preview(
    bodies pg_catalog.bytea[],
    sent_ms pg_catalog.int8)
RETURNS TABLE (
    ord pg_catalog.int4,
    outcome pg_catalog.text,
    agent_id pg_catalog.text,
    call_id pg_catalog.text,
    error pg_catalog.text)
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE ROWS 64
AS 'MODULE_PATHNAME', 'frontdesk_preview';

COMMENT ON FUNCTION frontdesk.preview(pg_catalog.bytea[], pg_catalog.int8) IS
'What ingest() would make of each of these polls now, in its words and as if it came alone: outcome inserted, updated, unchanged, kept or dead; agent_id and call_id are empty when unknown, error is null unless dead.
Nothing is written or locked. Unlike ingest() it takes a link whose query string alone differs for unchanged: Retell signs links anew in every answer. No rows for a null argument.';

CREATE FUNCTION frontdesk.transcript_is_final(provenance pg_catalog.bytea)
RETURNS pg_catalog.bool
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'frontdesk_transcript_is_final';

COMMENT ON FUNCTION frontdesk.transcript_is_final(pg_catalog.bytea) IS
'Was the transcript of the call with this provenance said after the call''s end? False when there is none, or only what was heard while it went on. Null for null; provenance that is not of its format is error XX001.';

-- Pages. Each function has a short form without filters, with the rights that the first migrations
-- give, and a long one with everything; one C function serves both. The two forms of call_history()
-- differ in the type of max_rows, without which a call with five arguments would fit both.

CREATE FUNCTION frontdesk.call_history(
    agent_id pg_catalog.text,
    sort_by pg_catalog.text DEFAULT 'date',
    sort_order pg_catalog.text DEFAULT 'desc',
    max_rows pg_catalog.int8 DEFAULT 20,
    skip_rows pg_catalog.int8 DEFAULT 0,
    status pg_catalog.text[] DEFAULT NULL,
    sentiment pg_catalog.text[] DEFAULT NULL,
    successful pg_catalog.text[] DEFAULT NULL,
    direction pg_catalog.text[] DEFAULT NULL,
    call_type pg_catalog.text[] DEFAULT NULL,
    reason pg_catalog.text[] DEFAULT NULL,
    since pg_catalog.timestamptz DEFAULT NULL,
    until pg_catalog.timestamptz DEFAULT NULL,
    min_duration_ms pg_catalog.int8 DEFAULT NULL,
    max_duration_ms pg_catalog.int8 DEFAULT NULL,
    min_cost pg_catalog.numeric DEFAULT NULL,
    max_cost pg_catalog.numeric DEFAULT NULL,
    caller pg_catalog.text[] DEFAULT NULL,
    q pg_catalog.text DEFAULT NULL)
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
    transcript_object pg_catalog.json,
    latency pg_catalog.jsonb,
    details pg_catalog.jsonb)
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL SAFE ROWS 20
AS 'MODULE_PATHNAME', 'frontdesk_call_history';

COMMENT ON FUNCTION frontdesk.call_history(pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.int8, pg_catalog.int8, pg_catalog.text[], pg_catalog.text[], pg_catalog.text[], pg_catalog.text[], pg_catalog.text[], pg_catalog.text[], pg_catalog.timestamptz, pg_catalog.timestamptz, pg_catalog.int8, pg_catalog.int8, pg_catalog.numeric, pg_catalog.numeric, pg_catalog.text[], pg_catalog.text) IS
'Calls of one agent, one row a call. sort_by: date, duration or cost; sort_order: desc or asc. max_rows null: all; skip_rows null: 0. An unknown or null agent has no rows.
Filters, all of which must hold; null is none. status, sentiment, direction, call_type, reason: any of the values listed. successful: any of true, false, unknown. since, until: start time, since <= t < until. min_duration_ms, max_duration_ms (ms), min_cost, max_cost (cents): inclusive; a call whose value is not known is in no range. caller: any of the numbers listed, or one that ends in * and stands for all that begin so. q: words in transcript and summary, as websearch_to_tsquery reads them, of calls that index_text() has seen.
Timestamps and duration_ms are in ms, times since epoch; duration_seconds is rounded half up; cost is in cents; caller_info is the number of the human, null for web calls. What Retell has not said is null and sorts as the lowest; ties break by start time, then call_id, in the same direction.
Cost: the rows of the page, however far in, without filters or with since and until; with others also the calls that are skipped, or looked through in vain.';

CREATE FUNCTION frontdesk.call_history(
    agent_id pg_catalog.text,
    sort_by pg_catalog.text,
    sort_order pg_catalog.text,
    max_rows pg_catalog.int4,
    skip_rows pg_catalog.int8)
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
    transcript_object pg_catalog.json,
    latency pg_catalog.jsonb,
    details pg_catalog.jsonb)
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL SAFE ROWS 20
AS 'MODULE_PATHNAME', 'frontdesk_call_history';

COMMENT ON FUNCTION frontdesk.call_history(pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.int4, pg_catalog.int8) IS
'The short form of call_history(), without filters.';

CREATE FUNCTION frontdesk.call_history_page(
    agent_id pg_catalog.text,
    agent_ids pg_catalog.text[],
    sort_by pg_catalog.text DEFAULT NULL,
    sort_order pg_catalog.text DEFAULT NULL,
    max_rows pg_catalog.int4 DEFAULT NULL,
    skip_rows pg_catalog.int8 DEFAULT NULL,
    page_cursor pg_catalog.text DEFAULT NULL,
    fields pg_catalog.text[] DEFAULT NULL,
    status pg_catalog.text[] DEFAULT NULL,
    sentiment pg_catalog.text[] DEFAULT NULL,
    successful pg_catalog.text[] DEFAULT NULL,
    direction pg_catalog.text[] DEFAULT NULL,
    call_type pg_catalog.text[] DEFAULT NULL,
    reason pg_catalog.text[] DEFAULT NULL,
    since_ms pg_catalog.int8 DEFAULT NULL,
    until_ms pg_catalog.int8 DEFAULT NULL,
    min_duration_ms pg_catalog.int8 DEFAULT NULL,
    max_duration_ms pg_catalog.int8 DEFAULT NULL,
    min_cost pg_catalog.numeric DEFAULT NULL,
    max_cost pg_catalog.numeric DEFAULT NULL,
    caller pg_catalog.text[] DEFAULT NULL,
    q pg_catalog.text DEFAULT NULL,
    search pg_catalog.text DEFAULT NULL)
RETURNS pg_catalog.json
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'frontdesk_call_history_json';

COMMENT ON FUNCTION frontdesk.call_history_page(pg_catalog.text, pg_catalog.text[], pg_catalog.text, pg_catalog.text, pg_catalog.int4, pg_catalog.int8, pg_catalog.text, pg_catalog.text[], pg_catalog.text[], pg_catalog.text[], pg_catalog.text[], pg_catalog.text[], pg_catalog.text[], pg_catalog.text[], pg_catalog.int8, pg_catalog.int8, pg_catalog.int8, pg_catalog.int8, pg_catalog.numeric, pg_catalog.numeric, pg_catalog.text[], pg_catalog.text, pg_catalog.text) IS
'A page of call_history() as {"calls": [...], "pagination": {"total", "limit", "offset", "hasMore", "nextCursor"}}. agent_ids: the agents that the caller may see; null means all. Null when the agent is unknown or not among them.
sort_by and sort_order null: date, desc; max_rows 1 to 100, null 20; skip_rows from 0, null 0. page_cursor: nextCursor of the page before, of the same agent, sort, order and filters, instead of skip_rows (offset is null then); any other text is error 22023 with page_cursor''s column name cursor. fields: the members to show, null means all. Filters as call_history(), but since_ms and until_ms are in ms since epoch; search: words as for q, or a part of call_id or of the caller''s number.
Units as call_history(); created_at and updated_at are ISO 8601, UTC, with milliseconds. total is exact in the snapshot of the query: from the rollups where they know the filters (none, time, status with successful with sentiment, or reason), else counted. Cost: that of call_history() and of the total.';

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
'The short form of call_history_page(), without filters, fields and cursor.';

CREATE FUNCTION frontdesk.calls_page(
    agent_ids pg_catalog.text[],
    sort_by pg_catalog.text DEFAULT NULL,
    sort_order pg_catalog.text DEFAULT NULL,
    max_rows pg_catalog.int4 DEFAULT NULL,
    skip_rows pg_catalog.int8 DEFAULT NULL,
    page_cursor pg_catalog.text DEFAULT NULL,
    fields pg_catalog.text[] DEFAULT NULL,
    status pg_catalog.text[] DEFAULT NULL,
    sentiment pg_catalog.text[] DEFAULT NULL,
    successful pg_catalog.text[] DEFAULT NULL,
    direction pg_catalog.text[] DEFAULT NULL,
    call_type pg_catalog.text[] DEFAULT NULL,
    reason pg_catalog.text[] DEFAULT NULL,
    since_ms pg_catalog.int8 DEFAULT NULL,
    until_ms pg_catalog.int8 DEFAULT NULL,
    min_duration_ms pg_catalog.int8 DEFAULT NULL,
    max_duration_ms pg_catalog.int8 DEFAULT NULL,
    min_cost pg_catalog.numeric DEFAULT NULL,
    max_cost pg_catalog.numeric DEFAULT NULL,
    caller pg_catalog.text[] DEFAULT NULL,
    q pg_catalog.text DEFAULT NULL,
    search pg_catalog.text DEFAULT NULL)
RETURNS pg_catalog.json
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'frontdesk_calls_json';

COMMENT ON FUNCTION frontdesk.calls_page(pg_catalog.text[], pg_catalog.text, pg_catalog.text, pg_catalog.int4, pg_catalog.int8, pg_catalog.text, pg_catalog.text[], pg_catalog.text[], pg_catalog.text[], pg_catalog.text[], pg_catalog.text[], pg_catalog.text[], pg_catalog.text[], pg_catalog.int8, pg_catalog.int8, pg_catalog.int8, pg_catalog.int8, pg_catalog.numeric, pg_catalog.numeric, pg_catalog.text[], pg_catalog.text, pg_catalog.text) IS
'As call_history_page(), over all agents in agent_ids (null means all agents). Never null. Cost: one index probe an agent more than a page of one agent.';

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
'The short form of calls_page(), without filters, fields and cursor.';

-- The text index: words of transcripts and summaries, parts of identifiers. See src/call_text.c.

CREATE FUNCTION frontdesk.call_parts(
    call_id pg_catalog.text,
    caller pg_catalog.text)
RETURNS pg_catalog.tsvector
LANGUAGE c IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'frontdesk_call_parts';

COMMENT ON FUNCTION frontdesk.call_parts(pg_catalog.text, pg_catalog.text) IS
'What call_text.parts holds of a call: for each of the first 1000 characters of its id and of the caller''s number that character and the two after it, in lower case. Nulls have none. Never null.';

-- SECURITY DEFINER, as only trigger functions are: whoever changes calls queues them.
CREATE FUNCTION frontdesk.queue_text()
RETURNS pg_catalog.trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'frontdesk_queue_text';

COMMENT ON FUNCTION frontdesk.queue_text() IS
'Trigger function, AFTER INSERT, UPDATE, DELETE or TRUNCATE ON calls FOR EACH STATEMENT, with transition tables: notes in call_text_queue which calls index_text() must look at; TRUNCATE empties the index. Leaves a statement alone that changes neither transcript, summary, numbers, direction nor key.';

CREATE FUNCTION frontdesk.index_text(
    max_rows pg_catalog.int4 DEFAULT 1000)
RETURNS pg_catalog.int8
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'frontdesk_index_text';

COMMENT ON FUNCTION frontdesk.index_text(pg_catalog.int4) IS
'Takes at most max_rows entries from call_text_queue, brings those calls'' rows in call_text up to date, and says how many entries it took: 0 when the queue is empty, or when another session is at it. The server calls it about once a second. Words are made by the text search configuration that the setting frontdesk.text_search_config names (simple without it), from the first 100000 characters. Null max_rows gives null. Use READ COMMITTED. Costs about 0.5 ms an entry.';

CREATE FUNCTION frontdesk.reindex_text(
    agent_id pg_catalog.text DEFAULT NULL)
RETURNS pg_catalog.int8
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'frontdesk_reindex_text';

COMMENT ON FUNCTION frontdesk.reindex_text(pg_catalog.text) IS
'Puts every call of an agent, or of all when null, into call_text_queue, for instance after frontdesk.text_search_config was changed; says how many. Until index_text() is through, words are found as they were.';

CREATE FUNCTION frontdesk.text_lag(
    OUT pending pg_catalog.int8,
    OUT oldest pg_catalog.timestamptz)
LANGUAGE c STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'frontdesk_text_lag';

COMMENT ON FUNCTION frontdesk.text_lag() IS
'How far the text index is behind: how many entries wait for index_text(), and since when the oldest does (null without any).';

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
'A page of agents, newest first, as {"agents": [...], "pagination": {...}}, each with _count.calls and last_call_at (ISO 8601; null without calls). agent_ids: the agents that the caller may see; null means all. status: ACTIVE, INACTIVE, or null for both; search: part of the name or id in any case, null for all. max_rows 1 to 100, null 20; skip_rows from 0, null 0. Never null. Reads a few rollups of each agent on the page.';

CREATE FUNCTION frontdesk.agent_json(
    agent_id pg_catalog.text,
    agent_ids pg_catalog.text[])
RETURNS pg_catalog.json
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'frontdesk_agent_json';

COMMENT ON FUNCTION frontdesk.agent_json(pg_catalog.text, pg_catalog.text[]) IS
'One agent: id, agent_id, agent_name, status, created_at, updated_at. agent_ids: the agents that the caller may see; null means all. Null when there is no such agent, or it is not among them.';

-- ---- call_stats: the statistics of a set of calls as one value ----

CREATE TYPE frontdesk.call_stats;

CREATE FUNCTION frontdesk.call_stats_in(pg_catalog.cstring)
RETURNS frontdesk.call_stats
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'frontdesk_call_stats_in';

COMMENT ON FUNCTION frontdesk.call_stats_in(pg_catalog.cstring) IS
'Text of a call_stats, see the type. 22P02 when it is none, 22003 when its sums leave 64 bits.';

CREATE FUNCTION frontdesk.call_stats_out(frontdesk.call_stats)
RETURNS pg_catalog.cstring
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'frontdesk_call_stats_out';

COMMENT ON FUNCTION frontdesk.call_stats_out(frontdesk.call_stats) IS
'A call_stats as text.';

CREATE FUNCTION frontdesk.call_stats_recv(pg_catalog.internal)
RETURNS frontdesk.call_stats
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'frontdesk_call_stats_recv';

COMMENT ON FUNCTION frontdesk.call_stats_recv(pg_catalog.internal) IS
'Binary of a call_stats, its bytes as they are stored. 22P03 when they are none or not in their one canonical spelling.';

CREATE FUNCTION frontdesk.call_stats_send(frontdesk.call_stats)
RETURNS pg_catalog.bytea
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'frontdesk_call_stats_send';

COMMENT ON FUNCTION frontdesk.call_stats_send(frontdesk.call_stats) IS
'A call_stats as binary.';

CREATE TYPE frontdesk.call_stats (
    INPUT = frontdesk.call_stats_in,
    OUTPUT = frontdesk.call_stats_out,
    RECEIVE = frontdesk.call_stats_recv,
    SEND = frontdesk.call_stats_send,
    INTERNALLENGTH = VARIABLE,
    ALIGNMENT = int4,
    STORAGE = external
);

COMMENT ON TYPE frontdesk.call_stats IS
'Statistics of a set of calls: counts by status, success and sentiment together, by disconnection reason and by voicemail; number and sum of durations (ms) and of costs (1/10000 cent), and a histogram of each (cells at most 1.6 % wide). Adds and subtracts exactly, so counts may be negative in a difference. Equal statistics are equal bytes. Words longer than 64 bytes are counted under their beginning.
Made by call_stats_agg(), asked by total(), success_rate(), by_status(), duration_percentile() and others. A value takes 25 bytes for one call and 2 kB for a million. Text is JSON: {"calls": [[status, successful, sentiment, count], ...], "reasons": [[reason, count], ...], "in_voicemail": {"true": count, "false": count}, "duration_ms": {"sum": ms, "cells": [[cell, count], ...]}, "cost": {...}}.';

CREATE FUNCTION frontdesk.call_stats_add(a frontdesk.call_stats, b frontdesk.call_stats)
RETURNS frontdesk.call_stats
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'frontdesk_call_stats_add';

COMMENT ON FUNCTION frontdesk.call_stats_add(frontdesk.call_stats, frontdesk.call_stats) IS
'The statistics of both sets of calls together. 22003 when a sum leaves 64 bits.';

CREATE FUNCTION frontdesk.call_stats_subtract(a frontdesk.call_stats, b frontdesk.call_stats)
RETURNS frontdesk.call_stats
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'frontdesk_call_stats_subtract';

COMMENT ON FUNCTION frontdesk.call_stats_subtract(frontdesk.call_stats, frontdesk.call_stats) IS
'The statistics of the calls of a without those of b, exactly. 22003 when a sum leaves 64 bits.';

CREATE FUNCTION frontdesk.call_stats_eq(a frontdesk.call_stats, b frontdesk.call_stats)
RETURNS pg_catalog.bool
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'frontdesk_call_stats_eq';

COMMENT ON FUNCTION frontdesk.call_stats_eq(frontdesk.call_stats, frontdesk.call_stats) IS
'Do both say the same?';

CREATE FUNCTION frontdesk.call_stats_ne(a frontdesk.call_stats, b frontdesk.call_stats)
RETURNS pg_catalog.bool
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'frontdesk_call_stats_ne';

COMMENT ON FUNCTION frontdesk.call_stats_ne(frontdesk.call_stats, frontdesk.call_stats) IS
'Does one say something else?';

CREATE FUNCTION frontdesk.call_stats_hash(frontdesk.call_stats)
RETURNS pg_catalog.int4
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'frontdesk_call_stats_hash';

COMMENT ON FUNCTION frontdesk.call_stats_hash(frontdesk.call_stats) IS
'A hash of the value, for hashed plans.';

CREATE FUNCTION frontdesk.call_stats_hash_extended(frontdesk.call_stats, pg_catalog.int8)
RETURNS pg_catalog.int8
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'frontdesk_call_stats_hash_extended';

COMMENT ON FUNCTION frontdesk.call_stats_hash_extended(frontdesk.call_stats, pg_catalog.int8) IS
'A seeded hash of the value, for hashed plans.';

CREATE OPERATOR frontdesk.+ (
    LEFTARG = frontdesk.call_stats, RIGHTARG = frontdesk.call_stats, FUNCTION = frontdesk.call_stats_add, COMMUTATOR = +
);

COMMENT ON OPERATOR frontdesk.+ (frontdesk.call_stats, frontdesk.call_stats) IS 'both together';

CREATE OPERATOR frontdesk.- (
    LEFTARG = frontdesk.call_stats, RIGHTARG = frontdesk.call_stats, FUNCTION = frontdesk.call_stats_subtract
);

COMMENT ON OPERATOR frontdesk.- (frontdesk.call_stats, frontdesk.call_stats) IS 'the first without the second';

CREATE OPERATOR frontdesk.= (
    LEFTARG = frontdesk.call_stats, RIGHTARG = frontdesk.call_stats, FUNCTION = frontdesk.call_stats_eq, COMMUTATOR = =, NEGATOR = <>, RESTRICT = pg_catalog.eqsel, JOIN = pg_catalog.eqjoinsel, HASHES
);

COMMENT ON OPERATOR frontdesk.= (frontdesk.call_stats, frontdesk.call_stats) IS 'say the same';

CREATE OPERATOR frontdesk.<> (
    LEFTARG = frontdesk.call_stats, RIGHTARG = frontdesk.call_stats, FUNCTION = frontdesk.call_stats_ne, COMMUTATOR = <>, NEGATOR = =, RESTRICT = pg_catalog.neqsel, JOIN = pg_catalog.neqjoinsel
);

COMMENT ON OPERATOR frontdesk.<> (frontdesk.call_stats, frontdesk.call_stats) IS 'say something else';

CREATE OPERATOR CLASS frontdesk.call_stats_ops DEFAULT FOR TYPE frontdesk.call_stats USING hash AS
    OPERATOR 1 frontdesk.= (frontdesk.call_stats, frontdesk.call_stats),
    FUNCTION 1 frontdesk.call_stats_hash(frontdesk.call_stats),
    FUNCTION 2 frontdesk.call_stats_hash_extended(frontdesk.call_stats, pg_catalog.int8);

COMMENT ON OPERATOR CLASS frontdesk.call_stats_ops USING hash IS 'equality of statistics';

CREATE FUNCTION frontdesk.call_stats_agg_call(
    state frontdesk.call_stats,
    call_status pg_catalog.text,
    call_successful pg_catalog.bool,
    user_sentiment pg_catalog.text,
    disconnection_reason pg_catalog.text,
    in_voicemail pg_catalog.bool,
    duration_ms pg_catalog.int8,
    cost pg_catalog.numeric)
RETURNS frontdesk.call_stats
LANGUAGE c IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'frontdesk_call_stats_agg_call';

COMMENT ON FUNCTION frontdesk.call_stats_agg_call(frontdesk.call_stats, pg_catalog.text, pg_catalog.bool, pg_catalog.text, pg_catalog.text, pg_catalog.bool, pg_catalog.int8, pg_catalog.numeric) IS
'Step of call_stats_agg(): adds a call.';

CREATE FUNCTION frontdesk.call_stats_agg_remove_call(
    state frontdesk.call_stats,
    call_status pg_catalog.text,
    call_successful pg_catalog.bool,
    user_sentiment pg_catalog.text,
    disconnection_reason pg_catalog.text,
    in_voicemail pg_catalog.bool,
    duration_ms pg_catalog.int8,
    cost pg_catalog.numeric)
RETURNS frontdesk.call_stats
LANGUAGE c IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'frontdesk_call_stats_agg_remove_call';

COMMENT ON FUNCTION frontdesk.call_stats_agg_remove_call(frontdesk.call_stats, pg_catalog.text, pg_catalog.bool, pg_catalog.text, pg_catalog.text, pg_catalog.bool, pg_catalog.int8, pg_catalog.numeric) IS
'Step of call_stats_agg() over a moving window: takes a call away.';

CREATE FUNCTION frontdesk.call_stats_agg_value(state frontdesk.call_stats, stats frontdesk.call_stats)
RETURNS frontdesk.call_stats
LANGUAGE c IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'frontdesk_call_stats_agg_value';

COMMENT ON FUNCTION frontdesk.call_stats_agg_value(frontdesk.call_stats, frontdesk.call_stats) IS
'Step of call_stats_agg(): adds statistics; joins partial states.';

CREATE FUNCTION frontdesk.call_stats_agg_remove_value(state frontdesk.call_stats, stats frontdesk.call_stats)
RETURNS frontdesk.call_stats
LANGUAGE c IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'frontdesk_call_stats_agg_remove_value';

COMMENT ON FUNCTION frontdesk.call_stats_agg_remove_value(frontdesk.call_stats, frontdesk.call_stats) IS
'Step of call_stats_agg() over a moving window: takes statistics away.';

CREATE AGGREGATE frontdesk.call_stats_agg(
    call_status pg_catalog.text,
    call_successful pg_catalog.bool,
    user_sentiment pg_catalog.text,
    disconnection_reason pg_catalog.text,
    in_voicemail pg_catalog.bool,
    duration_ms pg_catalog.int8,
    cost pg_catalog.numeric
) (
    SFUNC = frontdesk.call_stats_agg_call,
    STYPE = frontdesk.call_stats,
    SSPACE = 4096,
    COMBINEFUNC = frontdesk.call_stats_agg_value,
    MSFUNC = frontdesk.call_stats_agg_call,
    MINVFUNC = frontdesk.call_stats_agg_remove_call,
    MSTYPE = frontdesk.call_stats,
    MSSPACE = 4096,
    PARALLEL = SAFE
);

COMMENT ON AGGREGATE frontdesk.call_stats_agg(pg_catalog.text, pg_catalog.bool, pg_catalog.text, pg_catalog.text, pg_catalog.bool, pg_catalog.int8, pg_catalog.numeric) IS
'Statistics of calls, from their columns in this order: call_status, call_successful, user_sentiment, disconnection_reason, in_voicemail, duration_ms (ms), cost (cents). Null is counted as "none". Null over no rows. 22003 when duration or cost is negative or no finite number.';

CREATE AGGREGATE frontdesk.call_stats_agg(stats frontdesk.call_stats) (
    SFUNC = frontdesk.call_stats_agg_value,
    STYPE = frontdesk.call_stats,
    SSPACE = 4096,
    COMBINEFUNC = frontdesk.call_stats_agg_value,
    MSFUNC = frontdesk.call_stats_agg_value,
    MINVFUNC = frontdesk.call_stats_agg_remove_value,
    MSTYPE = frontdesk.call_stats,
    MSSPACE = 4096,
    PARALLEL = SAFE
);

COMMENT ON AGGREGATE frontdesk.call_stats_agg(frontdesk.call_stats) IS
'The sum of statistics. Nulls are left out; null over no rows.';

CREATE FUNCTION frontdesk.total(stats frontdesk.call_stats)
RETURNS pg_catalog.int8
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'frontdesk_total';

COMMENT ON FUNCTION frontdesk.total(frontdesk.call_stats) IS
'How many calls. Never null.';

CREATE FUNCTION frontdesk.successful(stats frontdesk.call_stats)
RETURNS pg_catalog.int8
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'frontdesk_successful';

COMMENT ON FUNCTION frontdesk.successful(frontdesk.call_stats) IS
'How many calls were successful (call_successful is true). Never null.';

CREATE FUNCTION frontdesk.unsuccessful(stats frontdesk.call_stats)
RETURNS pg_catalog.int8
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'frontdesk_unsuccessful';

COMMENT ON FUNCTION frontdesk.unsuccessful(frontdesk.call_stats) IS
'How many calls were analysed and not successful. Never null.';

CREATE FUNCTION frontdesk.unanalysed(stats frontdesk.call_stats)
RETURNS pg_catalog.int8
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'frontdesk_unanalysed';

COMMENT ON FUNCTION frontdesk.unanalysed(frontdesk.call_stats) IS
'How many calls have no call_successful yet. Never null.';

CREATE FUNCTION frontdesk.success_rate(stats frontdesk.call_stats)
RETURNS pg_catalog.float8
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'frontdesk_success_rate';

COMMENT ON FUNCTION frontdesk.success_rate(frontdesk.call_stats) IS
'successful / (successful + unsuccessful), 0 to 1; null when none is analysed.';

CREATE FUNCTION frontdesk.in_voicemail(stats frontdesk.call_stats)
RETURNS pg_catalog.int8
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'frontdesk_in_voicemail';

COMMENT ON FUNCTION frontdesk.in_voicemail(frontdesk.call_stats) IS
'How many calls ended in a voicemail. Never null.';

CREATE FUNCTION frontdesk.duration_count(stats frontdesk.call_stats)
RETURNS pg_catalog.int8
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'frontdesk_duration_count';

COMMENT ON FUNCTION frontdesk.duration_count(frontdesk.call_stats) IS
'How many calls have a duration. Never null.';

CREATE FUNCTION frontdesk.duration_sum(stats frontdesk.call_stats)
RETURNS pg_catalog.int8
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'frontdesk_duration_sum';

COMMENT ON FUNCTION frontdesk.duration_sum(frontdesk.call_stats) IS
'Sum of the durations in ms, exact. Never null.';

CREATE FUNCTION frontdesk.duration_avg(stats frontdesk.call_stats)
RETURNS pg_catalog.numeric
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'frontdesk_duration_avg';

COMMENT ON FUNCTION frontdesk.duration_avg(frontdesk.call_stats) IS
'Average duration in ms, exact, of the calls that have one; null when none has.';

CREATE FUNCTION frontdesk.duration_min(stats frontdesk.call_stats)
RETURNS pg_catalog.int8
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'frontdesk_duration_min';

COMMENT ON FUNCTION frontdesk.duration_min(frontdesk.call_stats) IS
'Shortest duration in ms, rounded down to its histogram cell (at most 1.6 %); null when there is none.';

CREATE FUNCTION frontdesk.duration_max(stats frontdesk.call_stats)
RETURNS pg_catalog.int8
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'frontdesk_duration_max';

COMMENT ON FUNCTION frontdesk.duration_max(frontdesk.call_stats) IS
'Longest duration in ms, rounded up to its histogram cell (at most 1.6 %); null when there is none.';

CREATE FUNCTION frontdesk.cost_count(stats frontdesk.call_stats)
RETURNS pg_catalog.int8
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'frontdesk_cost_count';

COMMENT ON FUNCTION frontdesk.cost_count(frontdesk.call_stats) IS
'How many calls have a cost. Never null.';

CREATE FUNCTION frontdesk.cost_sum(stats frontdesk.call_stats)
RETURNS pg_catalog.numeric
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'frontdesk_cost_sum';

COMMENT ON FUNCTION frontdesk.cost_sum(frontdesk.call_stats) IS
'Sum of the costs in cents, exact. Never null.';

CREATE FUNCTION frontdesk.cost_avg(stats frontdesk.call_stats)
RETURNS pg_catalog.numeric
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'frontdesk_cost_avg';

COMMENT ON FUNCTION frontdesk.cost_avg(frontdesk.call_stats) IS
'Average cost in cents, exact, of the calls that have one; null when none has.';

CREATE FUNCTION frontdesk.cost_min(stats frontdesk.call_stats)
RETURNS pg_catalog.numeric
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'frontdesk_cost_min';

COMMENT ON FUNCTION frontdesk.cost_min(frontdesk.call_stats) IS
'Least cost in cents, rounded down to its histogram cell (at most 1.6 %); null when there is none.';

CREATE FUNCTION frontdesk.cost_max(stats frontdesk.call_stats)
RETURNS pg_catalog.numeric
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'frontdesk_cost_max';

COMMENT ON FUNCTION frontdesk.cost_max(frontdesk.call_stats) IS
'Greatest cost in cents, rounded up to its histogram cell (at most 1.6 %); null when there is none.';

CREATE FUNCTION frontdesk.duration_percentile(stats frontdesk.call_stats, p pg_catalog.float8)
RETURNS pg_catalog.int8
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'frontdesk_duration_percentile';

COMMENT ON FUNCTION frontdesk.duration_percentile(frontdesk.call_stats, pg_catalog.float8) IS
'The duration in ms that the share p (0 to 1) of those known does not exceed, as percentile_disc() defines it, within 0.8 %; exact for one call; null when none is known. 22003 when p is outside 0 to 1.';

CREATE FUNCTION frontdesk.cost_percentile(stats frontdesk.call_stats, p pg_catalog.float8)
RETURNS pg_catalog.numeric
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'frontdesk_cost_percentile';

COMMENT ON FUNCTION frontdesk.cost_percentile(frontdesk.call_stats, pg_catalog.float8) IS
'The cost in cents that the share p (0 to 1) of those known does not exceed, as percentile_disc() defines it, within 0.8 %; exact for one call; null when none is known. 22003 when p is outside 0 to 1.';

CREATE FUNCTION frontdesk.by_status(stats frontdesk.call_stats)
RETURNS TABLE (call_status pg_catalog.text, calls pg_catalog.int8)
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE ROWS 5
AS 'MODULE_PATHNAME', 'frontdesk_by_status';

COMMENT ON FUNCTION frontdesk.by_status(frontdesk.call_stats) IS
'How many calls there are of each status; null is none. No row for what there is none of.';

CREATE FUNCTION frontdesk.by_sentiment(stats frontdesk.call_stats)
RETURNS TABLE (user_sentiment pg_catalog.text, calls pg_catalog.int8)
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE ROWS 5
AS 'MODULE_PATHNAME', 'frontdesk_by_sentiment';

COMMENT ON FUNCTION frontdesk.by_sentiment(frontdesk.call_stats) IS
'How many calls there are of each sentiment; null is none. No row for what there is none of.';

CREATE FUNCTION frontdesk.by_reason(stats frontdesk.call_stats)
RETURNS TABLE (disconnection_reason pg_catalog.text, calls pg_catalog.int8)
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE ROWS 5
AS 'MODULE_PATHNAME', 'frontdesk_by_reason';

COMMENT ON FUNCTION frontdesk.by_reason(frontdesk.call_stats) IS
'How many calls there are of each disconnection reason; null is none. No row for what there is none of.';

-- ---- rollups: statistics of each agent's calls by month, day and hour ----

-- SECURITY DEFINER, as only trigger functions are: whoever changes calls changes their rollups.
CREATE FUNCTION frontdesk.count_changed_calls()
RETURNS pg_catalog.trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'frontdesk_count_changed_calls';

COMMENT ON FUNCTION frontdesk.count_changed_calls() IS
'Trigger function, AFTER INSERT, UPDATE or DELETE ON calls FOR EACH STATEMENT with transition tables: writes what the statement changed in its calls'' statistics to call_rollup_delta. Costs about 20 µs a statement and 1 µs a row; nothing is written when no statistics changed.';

CREATE FUNCTION frontdesk.forget_all_calls()
RETURNS pg_catalog.trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'frontdesk_forget_all_calls';

COMMENT ON FUNCTION frontdesk.forget_all_calls() IS
'Trigger function, AFTER TRUNCATE ON calls: empties call_rollup and call_rollup_delta.';

CREATE FUNCTION frontdesk.fold_rollups(agent_id pg_catalog.text, max_deltas pg_catalog.int8)
RETURNS pg_catalog.int8
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'frontdesk_fold_rollups';

COMMENT ON FUNCTION frontdesk.fold_rollups(pg_catalog.text, pg_catalog.int8) IS
'Moves up to max_deltas rows of call_rollup_delta of an agent into call_rollup; returns how many. Changes no answer: rollups are read with their deltas. Any number of these may run at once. Costs 4 µs a delta where they are of the same hours, up to 30 where they are scattered.';

CREATE FUNCTION frontdesk.fold_rollups()
RETURNS pg_catalog.int8
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'frontdesk_fold_all_rollups';

COMMENT ON FUNCTION frontdesk.fold_rollups() IS
'fold_rollups() for the 64 agents with most deltas, up to 10000 deltas in all, about a second long; returns how many it moved, 0 when there is nothing left. The server calls it about once a second.';

CREATE FUNCTION frontdesk.rebuild_rollups(agent_id pg_catalog.text DEFAULT NULL)
RETURNS pg_catalog.int8
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'frontdesk_rebuild_rollups';

COMMENT ON FUNCTION frontdesk.rebuild_rollups(pg_catalog.text) IS
'Makes call_rollup anew from calls, for one agent or (null) for all; returns for how many. For when verify_rollups() names something. Calls may be written meanwhile; folds wait, so other sessions'' fold_rollups() may time out. READ COMMITTED only, else error 25001. Reads every call of the agent: some 5 µs each.';

CREATE FUNCTION frontdesk.verify_rollups(agent_id pg_catalog.text DEFAULT NULL)
RETURNS TABLE (
    agent_id pg_catalog.text,
    grain pg_catalog.text,
    bucket pg_catalog.int8,
    problem pg_catalog.text,
    expected frontdesk.call_stats,
    found frontdesk.call_stats)
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL SAFE ROWS 10
AS 'MODULE_PATHNAME', 'frontdesk_verify_rollups';

COMMENT ON FUNCTION frontdesk.verify_rollups(pg_catalog.text) IS
'Compares call_rollup with calls, for one agent or (null) for all: one row for each bucket that is not as it should be, none when all is well. grain: month, day, hour, or total (of call_total, with nothing else said); bucket: its start, ms since epoch, UTC; problem: missing, left over or different; expected and found: what is folded there (without deltas), null when nothing is. Reads every call of the agent, in one snapshot: some 5 µs each.';

CREATE FUNCTION frontdesk.agent_stats(agent_id pg_catalog.text, since pg_catalog.int8 DEFAULT NULL, until pg_catalog.int8 DEFAULT NULL)
RETURNS frontdesk.call_stats
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'frontdesk_agent_stats';

COMMENT ON FUNCTION frontdesk.agent_stats(pg_catalog.text, pg_catalog.int8, pg_catalog.int8) IS
'Statistics of an agent''s calls with since <= started_at < until, ms since epoch; null means no bound. Exact at every moment; ask them by total(), success_rate(), duration_percentile() and others. Empty for an unknown agent, null for null. Reads rollups, and calls only of the hours (for a quiet agent: days, months) that the bounds cut.';

CREATE FUNCTION frontdesk.agent_stats_series(agent_id pg_catalog.text, bounds pg_catalog.int8[])
RETURNS TABLE (since pg_catalog.int8, until pg_catalog.int8, stats frontdesk.call_stats)
LANGUAGE c STABLE STRICT PARALLEL SAFE ROWS 100
AS 'MODULE_PATHNAME', 'frontdesk_agent_stats_series';

COMMENT ON FUNCTION frontdesk.agent_stats_series(pg_catalog.text, pg_catalog.int8[]) IS
'agent_stats() for each two neighbours of bounds, in one go: ms since epoch, ascending, at least two, or error 22023. One row each, empty ones too.';

CREATE FUNCTION frontdesk.agent_place(agent_id pg_catalog.text, descending pg_catalog.bool, skip pg_catalog.int8, since pg_catalog.int8 DEFAULT NULL, until pg_catalog.int8 DEFAULT NULL)
RETURNS TABLE (place_since pg_catalog.int8, place_until pg_catalog.int8, place_skip pg_catalog.int8)
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL SAFE ROWS 1
AS 'MODULE_PATHNAME', 'frontdesk_agent_place';

COMMENT ON FUNCTION frontdesk.agent_place(pg_catalog.text, pg_catalog.bool, pg_catalog.int8, pg_catalog.int8, pg_catalog.int8) IS
'Where to look for the call that comes after skip others of the agent, by started_at, among those with since <= started_at < until (null means no bound): a range, short for a busy agent, and how many calls of that to skip still. No row when there are no more calls than skip.';

-- Summaries (summary.h): for analysts as rows, for the API as json.

CREATE FUNCTION frontdesk.agent_summary(
    agent_id pg_catalog.text,
    since pg_catalog.timestamptz DEFAULT NULL,
    until pg_catalog.timestamptz DEFAULT NULL)
RETURNS TABLE (
    total pg_catalog.int8,
    successful pg_catalog.int8,
    unsuccessful pg_catalog.int8,
    unanalysed pg_catalog.int8,
    success_rate pg_catalog.numeric,
    in_voicemail pg_catalog.int8,
    by_status pg_catalog.jsonb,
    by_sentiment pg_catalog.jsonb,
    by_reason pg_catalog.jsonb,
    duration_count pg_catalog.int8,
    duration_sum pg_catalog.int8,
    duration_avg pg_catalog.int8,
    duration_min pg_catalog.int8,
    duration_p50 pg_catalog.int8,
    duration_p90 pg_catalog.int8,
    duration_p95 pg_catalog.int8,
    duration_p99 pg_catalog.int8,
    duration_max pg_catalog.int8,
    cost_count pg_catalog.int8,
    cost_sum pg_catalog.numeric,
    cost_avg pg_catalog.numeric,
    cost_min pg_catalog.numeric,
    cost_p50 pg_catalog.numeric,
    cost_p90 pg_catalog.numeric,
    cost_p95 pg_catalog.numeric,
    cost_p99 pg_catalog.numeric,
    cost_max pg_catalog.numeric,
    first_call_at pg_catalog.timestamptz,
    last_call_at pg_catalog.timestamptz,
    stats frontdesk.call_stats)
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL SAFE ROWS 1
AS 'MODULE_PATHNAME', 'frontdesk_agent_summary';

COMMENT ON FUNCTION frontdesk.agent_summary(pg_catalog.text, pg_catalog.timestamptz, pg_catalog.timestamptz) IS
'All numbers of one agent''s calls that started from since up to until (null or infinite: no bound): always one row, of zeros and nulls when there are none.
Durations are in ms, costs in cents. Counts, sums, minima and maxima are exact; percentiles are those of percentile_disc() within 0.8 %. success_rate is successful / (successful + unsuccessful), 0 to 1, rounded to 4 decimals; averages are of the calls that have a value, rounded to ms and 1/10000 cent; null where there is nothing to divide. Everything is rounded half up. by_status, by_sentiment and by_reason count calls by word, those without one left out. stats holds all of it, to be added to others.
22023 when until is before since. Reads about a row for each month, the days and hours at the range''s ends, and the calls of the hours that it cuts: some 0.5 ms, whatever the number of calls.';

CREATE FUNCTION frontdesk.agent_summary_series(
    agent_id pg_catalog.text,
    since pg_catalog.timestamptz DEFAULT NULL,
    until pg_catalog.timestamptz DEFAULT NULL,
    bucket pg_catalog.text DEFAULT 'day',
    tz pg_catalog.text DEFAULT 'UTC')
RETURNS TABLE (
    bucket pg_catalog.timestamptz,
    total pg_catalog.int8,
    successful pg_catalog.int8,
    unsuccessful pg_catalog.int8,
    unanalysed pg_catalog.int8,
    success_rate pg_catalog.numeric,
    duration_count pg_catalog.int8,
    duration_sum pg_catalog.int8,
    duration_avg pg_catalog.int8,
    duration_p50 pg_catalog.int8,
    duration_p95 pg_catalog.int8,
    cost_count pg_catalog.int8,
    cost_sum pg_catalog.numeric,
    cost_avg pg_catalog.numeric,
    stats frontdesk.call_stats)
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL SAFE ROWS 100
AS 'MODULE_PATHNAME', 'frontdesk_agent_summary_series';

COMMENT ON FUNCTION frontdesk.agent_summary_series(pg_catalog.text, pg_catalog.timestamptz, pg_catalog.timestamptz, pg_catalog.text, pg_catalog.text) IS
'One agent''s calls from since up to until in buckets: hour, day, week (from Monday) or month of a time zone, such as Europe/Berlin; null: day, UTC. One row a bucket, in order, empty ones too; without a bound the series begins with the first call or ends with the last. bucket is when it begins, which may be before since. A day begins at the first moment of its date and is as long as the clocks make it; an hour also ends when the clocks change.
Numbers as agent_summary(). 22023 for an unknown bucket or zone, or more than 5000 buckets. Reads about a row for each bucket; where buckets do not begin on the hour in UTC, also the calls of the hours that they cut.';

CREATE FUNCTION frontdesk.agents_overview(
    since pg_catalog.timestamptz DEFAULT NULL,
    until pg_catalog.timestamptz DEFAULT NULL)
RETURNS TABLE (
    agent_id pg_catalog.text,
    agent_name pg_catalog.text,
    total pg_catalog.int8,
    successful pg_catalog.int8,
    unsuccessful pg_catalog.int8,
    unanalysed pg_catalog.int8,
    success_rate pg_catalog.numeric,
    in_voicemail pg_catalog.int8,
    by_status pg_catalog.jsonb,
    by_sentiment pg_catalog.jsonb,
    by_reason pg_catalog.jsonb,
    duration_count pg_catalog.int8,
    duration_sum pg_catalog.int8,
    duration_avg pg_catalog.int8,
    duration_min pg_catalog.int8,
    duration_p50 pg_catalog.int8,
    duration_p90 pg_catalog.int8,
    duration_p95 pg_catalog.int8,
    duration_p99 pg_catalog.int8,
    duration_max pg_catalog.int8,
    cost_count pg_catalog.int8,
    cost_sum pg_catalog.numeric,
    cost_avg pg_catalog.numeric,
    cost_min pg_catalog.numeric,
    cost_p50 pg_catalog.numeric,
    cost_p90 pg_catalog.numeric,
    cost_p95 pg_catalog.numeric,
    cost_p99 pg_catalog.numeric,
    cost_max pg_catalog.numeric,
    first_call_at pg_catalog.timestamptz,
    last_call_at pg_catalog.timestamptz,
    stats frontdesk.call_stats)
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL SAFE ROWS 50
AS 'MODULE_PATHNAME', 'frontdesk_agents_overview';

COMMENT ON FUNCTION frontdesk.agents_overview(pg_catalog.timestamptz, pg_catalog.timestamptz) IS
'agent_summary() of each agent, by name; agents without calls too.';

CREATE FUNCTION frontdesk.agent_summary_json(
    agent_id pg_catalog.text,
    agent_ids pg_catalog.text[],
    since pg_catalog.int8,
    until pg_catalog.int8,
    bucket pg_catalog.text,
    tz pg_catalog.text)
RETURNS pg_catalog.json
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'frontdesk_agent_summary_json';

COMMENT ON FUNCTION frontdesk.agent_summary_json(pg_catalog.text, pg_catalog.text[], pg_catalog.int8, pg_catalog.int8, pg_catalog.text, pg_catalog.text) IS
'agent_summary() as the API answers GET agent-summary, with agent_summary_series() as series unless bucket is null. since and until in ms since epoch; null: no bound. agent_ids: the agents that the caller may see; null means all. Null when the agent is unknown or not among them. 22023 names the API''s parameter that is wrong: to, bucket, tz, or from for more than 5000 buckets.';

CREATE FUNCTION frontdesk.summary_json(
    agent_ids pg_catalog.text[],
    since pg_catalog.int8,
    until pg_catalog.int8,
    bucket pg_catalog.text,
    tz pg_catalog.text)
RETURNS pg_catalog.json
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'frontdesk_summary_json';

COMMENT ON FUNCTION frontdesk.summary_json(pg_catalog.text[], pg_catalog.int8, pg_catalog.int8, pg_catalog.text, pg_catalog.text) IS
'The same over all agents in agent_ids (null means all), and by agent: GET summary. Percentiles are those of all calls together. Reads as much as agent_summary() for each agent.';

CREATE FUNCTION frontdesk.analytics_overview_json(
    agent_ids pg_catalog.text[],
    agent_id pg_catalog.text,
    since pg_catalog.int8,
    until pg_catalog.int8)
RETURNS pg_catalog.json
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'frontdesk_analytics_overview_json';

COMMENT ON FUNCTION frontdesk.analytics_overview_json(pg_catalog.text[], pg_catalog.text, pg_catalog.int8, pg_catalog.int8) IS
'GET analytics/overview: totals of the calls that started from since up to until (ms since epoch; null: no bound), of one agent or of all (agent_id null). Costs in cents, durations in whole seconds, successRate in percent of the analysed calls with 2 decimals; averages are of the calls that have a value; 0 when there are none. Everything is rounded half up. agent_ids: the agents that the caller may see; null means all. Null when agent_id is unknown or not among them.';

CREATE FUNCTION frontdesk.analytics_agents_json(
    agent_ids pg_catalog.text[],
    since pg_catalog.int8,
    until pg_catalog.int8)
RETURNS pg_catalog.json
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'frontdesk_analytics_agents_json';

COMMENT ON FUNCTION frontdesk.analytics_agents_json(pg_catalog.text[], pg_catalog.int8, pg_catalog.int8) IS
'GET analytics/agents: the totals of analytics_overview_json() for each agent, the busiest first.';

CREATE FUNCTION frontdesk.analytics_calls_json(
    agent_ids pg_catalog.text[],
    agent_id pg_catalog.text,
    since pg_catalog.int8,
    until pg_catalog.int8,
    tz pg_catalog.text)
RETURNS pg_catalog.json
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'frontdesk_analytics_calls_json';

COMMENT ON FUNCTION frontdesk.analytics_calls_json(pg_catalog.text[], pg_catalog.text, pg_catalog.int8, pg_catalog.int8, pg_catalog.text) IS
'GET analytics/calls: the totals of analytics_overview_json(), and dailyStats for each day of the time zone (null: UTC), empty days too. Without since the days begin with the first call, but there are never more than 5000, the latest; with it, 22023 names the parameter from when there are more.';

CREATE FUNCTION frontdesk.analytics_sentiment_json(
    agent_ids pg_catalog.text[],
    agent_id pg_catalog.text,
    since pg_catalog.int8,
    until pg_catalog.int8)
RETURNS pg_catalog.json
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'frontdesk_analytics_sentiment_json';

COMMENT ON FUNCTION frontdesk.analytics_sentiment_json(pg_catalog.text[], pg_catalog.text, pg_catalog.int8, pg_catalog.int8) IS
'GET analytics/sentiment: how many calls have a sentiment, and how many have which; percentage is a whole number, rounded half up. Arguments as analytics_overview_json().';

CREATE FUNCTION frontdesk.stats_json(
    agent_ids pg_catalog.text[])
RETURNS pg_catalog.json
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'frontdesk_stats_json';

COMMENT ON FUNCTION frontdesk.stats_json(pg_catalog.text[]) IS
'GET stats: how many agents, active or not, how many calls they have, and the sum of their costs in cents. agent_ids: the agents that the caller may see; null means all.';

CREATE FUNCTION frontdesk.overview_json(
    agent_ids pg_catalog.text[])
RETURNS pg_catalog.json
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'frontdesk_overview_json';

COMMENT ON FUNCTION frontdesk.overview_json(pg_catalog.text[]) IS
'GET overview: stats_json() and analytics_overview_json() of all time.';

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
