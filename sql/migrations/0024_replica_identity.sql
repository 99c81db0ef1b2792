-- Tables without a key cannot be deleted from once all tables are published, as tools that copy a
-- database's changes do: folding and the text index then stood still. Their rows are short, and
-- written whole to the log only where changes are published.

ALTER TABLE frontdesk.call_rollup_delta REPLICA IDENTITY FULL;
ALTER TABLE frontdesk.call_text_queue REPLICA IDENTITY FULL;
