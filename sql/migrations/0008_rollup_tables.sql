-- Statistics of each agent's calls by month, day and hour, and the changes not yet added to them.
-- Both are written by the extension only: deltas by triggers on calls, rollups by folding deltas.
--
-- Columns are ordered so that none is padded: there may be a row for every hour of a busy agent.
-- Rows of the present hour, day and month are updated about once a second; the room that fillfactor
-- leaves keeps their versions on one page, off the index. Values are not compressed: they are dense.

CREATE TABLE frontdesk.call_rollup (
    bucket bigint NOT NULL,
    n bigint NOT NULL,
    split boolean NOT NULL,
    grain "char" NOT NULL,
    agent_id text COLLATE "C" NOT NULL,
    stats frontdesk.call_stats NOT NULL,
    CONSTRAINT call_rollup_pkey PRIMARY KEY (agent_id, grain, bucket),
    CONSTRAINT call_rollup_grain_check CHECK (grain IN ('h', 'd', 'm'))
) WITH (
    fillfactor = 70,
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_cost_delay = 0
);

COMMENT ON TABLE frontdesk.call_rollup IS 'Statistics of each agent''s calls by bucket of time (UTC). Not the whole truth without call_rollup_delta: ask agent_stats().';
COMMENT ON COLUMN frontdesk.call_rollup.bucket IS 'Start of the month, day or hour, ms since epoch.';
COMMENT ON COLUMN frontdesk.call_rollup.n IS 'How many calls are in it: total(stats).';
COMMENT ON COLUMN frontdesk.call_rollup.split IS 'Are there rows for the days of this month, or the hours of this day? There are once it has more than 128 calls.';
COMMENT ON COLUMN frontdesk.call_rollup.grain IS 'm, d or h: month, day or hour.';
COMMENT ON COLUMN frontdesk.call_rollup.agent_id IS 'The calls'' agent.';
COMMENT ON COLUMN frontdesk.call_rollup.stats IS 'Their statistics.';

CREATE TABLE frontdesk.call_rollup_delta (
    delta_id bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    bucket bigint NOT NULL,
    n bigint NOT NULL,
    agent_id text COLLATE "C" NOT NULL,
    stats frontdesk.call_stats NOT NULL,
    CONSTRAINT call_rollup_delta_pkey PRIMARY KEY (agent_id, delta_id)
) WITH (
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_insert_scale_factor = 0,
    autovacuum_vacuum_insert_threshold = 1000,
    autovacuum_vacuum_cost_delay = 0
);

COMMENT ON TABLE frontdesk.call_rollup_delta IS 'What statements on calls changed in their statistics and is not yet folded into call_rollup. Appended by triggers, emptied by fold_rollups().';
COMMENT ON COLUMN frontdesk.call_rollup_delta.delta_id IS 'Order of writing.';
COMMENT ON COLUMN frontdesk.call_rollup_delta.bucket IS 'Start of the hour whose calls changed, ms since epoch.';
COMMENT ON COLUMN frontdesk.call_rollup_delta.n IS 'How many calls it has more, or less: total(stats).';
COMMENT ON COLUMN frontdesk.call_rollup_delta.agent_id IS 'The calls'' agent.';
COMMENT ON COLUMN frontdesk.call_rollup_delta.stats IS 'The new calls'' statistics less the old ones''.';

GRANT SELECT, INSERT, UPDATE, DELETE ON frontdesk.call_rollup TO frontdesk_server;
GRANT SELECT, UPDATE, DELETE ON frontdesk.call_rollup_delta TO frontdesk_server;
GRANT SELECT ON frontdesk.call_rollup, frontdesk.call_rollup_delta TO frontdesk_analyst;

GRANT EXECUTE ON FUNCTION
    frontdesk.agent_place(text, boolean, bigint, bigint, bigint),
    frontdesk.agent_stats(text, bigint, bigint),
    frontdesk.agent_stats_series(text, bigint[]),
    frontdesk.verify_rollups(text)
    TO frontdesk_server, frontdesk_analyst;
GRANT EXECUTE ON FUNCTION
    frontdesk.fold_rollups(),
    frontdesk.fold_rollups(text, bigint),
    frontdesk.rebuild_rollups(text)
    TO frontdesk_server;
