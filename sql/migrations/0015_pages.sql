-- Pages with filters: the index that finds one caller's calls, and who may ask for pages.
--
-- The caller is the human's end of the line, as call_history() shows it. The expression stands in the
-- extension's filters with the same words: the planner knows the index by it. Compared by bytes, so
-- that a prefix is a range.

CREATE INDEX calls_caller_idx ON frontdesk.calls (
    agent_id,
    (CASE WHEN direction = 'inbound' THEN from_number WHEN direction = 'outbound' THEN to_number END COLLATE "C"),
    started_at,
    call_id);

COMMENT ON INDEX frontdesk.calls_caller_idx IS 'Pages of one caller''s calls, by number or its beginning.';

GRANT EXECUTE ON FUNCTION
    frontdesk.call_history(text, text, text, bigint, bigint, text[], text[], text[], text[], text[], text[], timestamptz, timestamptz, bigint, bigint, numeric, numeric, text[], text),
    frontdesk.call_history_page(text, text[], text, text, integer, bigint, text, text[], text[], text[], text[], text[], text[], text[], bigint, bigint, bigint, bigint, numeric, numeric, text[], text, text),
    frontdesk.calls_page(text[], text, text, integer, bigint, text, text[], text[], text[], text[], text[], text[], text[], bigint, bigint, bigint, bigint, numeric, numeric, text[], text, text)
    TO frontdesk_server, frontdesk_analyst;
