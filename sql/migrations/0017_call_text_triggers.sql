-- Whoever changes calls, in whatever way, queues them for the text index in the same transaction.

CREATE TRIGGER calls_text_insert AFTER INSERT ON frontdesk.calls
    REFERENCING NEW TABLE AS new_calls
    FOR EACH STATEMENT EXECUTE FUNCTION frontdesk.queue_text();

CREATE TRIGGER calls_text_update AFTER UPDATE ON frontdesk.calls
    REFERENCING OLD TABLE AS old_calls NEW TABLE AS new_calls
    FOR EACH STATEMENT EXECUTE FUNCTION frontdesk.queue_text();

CREATE TRIGGER calls_text_delete AFTER DELETE ON frontdesk.calls
    REFERENCING OLD TABLE AS old_calls
    FOR EACH STATEMENT EXECUTE FUNCTION frontdesk.queue_text();

CREATE TRIGGER calls_text_truncate AFTER TRUNCATE ON frontdesk.calls
    FOR EACH STATEMENT EXECUTE FUNCTION frontdesk.queue_text();

COMMENT ON TRIGGER calls_text_insert ON frontdesk.calls IS 'Queues new calls for the text index.';
COMMENT ON TRIGGER calls_text_update ON frontdesk.calls IS 'Queues calls whose texts or numbers changed for the text index.';
COMMENT ON TRIGGER calls_text_delete ON frontdesk.calls IS 'Queues calls that are gone, so that their rows go from the text index too.';
COMMENT ON TRIGGER calls_text_truncate ON frontdesk.calls IS 'Empties the text index with calls.';

-- What was stored before this migration.
SELECT frontdesk.reindex_text();
