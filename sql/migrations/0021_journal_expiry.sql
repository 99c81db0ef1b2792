-- Old rows must be found without reading the others, also when the space of those that went is used
-- again: then rows do not lie in the order of time any more, which a brin index lives on. New rows
-- go to the right end of a b-tree, which costs them next to nothing.

DROP INDEX frontdesk.journal_received_at_idx;
CREATE INDEX journal_received_at_idx ON frontdesk.journal (received_at);

COMMENT ON INDEX frontdesk.journal_received_at_idx IS 'Expiry, and replay of a range of time.';

-- Rows come and go, and none is changed: vacuum for what has gone before a fifth of the table has.
ALTER TABLE frontdesk.journal SET (autovacuum_vacuum_scale_factor = 0.05);
