-- How far folding is behind can be seen from any server.

ALTER TABLE frontdesk.call_rollup_delta
    ADD COLUMN written_at timestamptz NOT NULL DEFAULT pg_catalog.now();

COMMENT ON COLUMN frontdesk.call_rollup_delta.written_at IS 'Start of the transaction that wrote it.';
