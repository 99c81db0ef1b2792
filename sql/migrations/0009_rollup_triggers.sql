-- From here on every change of calls is counted in its own transaction. Each CREATE TRIGGER locks
-- calls against changes until this migration commits; the rollups of the calls that are there
-- already are then made from a snapshot that is taken after that.

CREATE TRIGGER count_new_calls
    AFTER INSERT ON frontdesk.calls
    REFERENCING NEW TABLE AS new_calls
    FOR EACH STATEMENT EXECUTE FUNCTION frontdesk.count_changed_calls();

CREATE TRIGGER count_changed_calls
    AFTER UPDATE ON frontdesk.calls
    REFERENCING OLD TABLE AS old_calls NEW TABLE AS new_calls
    FOR EACH STATEMENT EXECUTE FUNCTION frontdesk.count_changed_calls();

CREATE TRIGGER count_deleted_calls
    AFTER DELETE ON frontdesk.calls
    REFERENCING OLD TABLE AS old_calls
    FOR EACH STATEMENT EXECUTE FUNCTION frontdesk.count_changed_calls();

CREATE TRIGGER forget_all_calls
    AFTER TRUNCATE ON frontdesk.calls
    FOR EACH STATEMENT EXECUTE FUNCTION frontdesk.forget_all_calls();

COMMENT ON TRIGGER count_new_calls ON frontdesk.calls IS 'Statistics of new calls.';
COMMENT ON TRIGGER count_changed_calls ON frontdesk.calls IS 'Statistics of changed calls.';
COMMENT ON TRIGGER count_deleted_calls ON frontdesk.calls IS 'Statistics of deleted calls.';
COMMENT ON TRIGGER forget_all_calls ON frontdesk.calls IS 'No statistics of no calls.';

SELECT frontdesk.rebuild_rollups();
