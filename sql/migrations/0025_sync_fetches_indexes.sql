-- Calls of which Retell has no transcript stay listed for months, and where it stores none these are
-- all calls: the state of polling, which a dashboard asks for, must not read them all, nor must the
-- end of every run.

CREATE INDEX sync_fetches_gone_idx ON frontdesk.sync_fetches (started_at) WHERE state = 'gone';
CREATE INDEX sync_fetches_settled_idx ON frontdesk.sync_fetches (due_at) WHERE state <> 'due';

COMMENT ON INDEX frontdesk.sync_fetches_gone_idx IS 'How many calls Retell does not know any more.';
COMMENT ON INDEX frontdesk.sync_fetches_settled_idx IS 'What is old enough to go.';
