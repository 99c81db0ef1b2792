-- How far polling has come: one row of state, one cursor for each set of calls that is listed, the
-- calls whose transcript is still to be fetched, and those that no webhook has told of. Changed by
-- the sync_… functions only, in the transactions that store what was polled. None of it is for
-- analysts.

CREATE TABLE frontdesk.sync_state (
    only_row boolean NOT NULL DEFAULT true,
    watched_since bigint,
    looked_at bigint,
    agents_synced_at timestamptz,
    success_at timestamptz,
    error text,
    error_at timestamptz,
    next_run_at timestamptz,
    clock_ahead_ms bigint NOT NULL DEFAULT 0,
    found_by_poll bigint NOT NULL DEFAULT 0,
    run_started_at timestamptz,
    run_agent_id text COLLATE "C" NOT NULL DEFAULT '',
    run_expected bigint,
    run_listed bigint NOT NULL DEFAULT 0,
    run_fetched bigint NOT NULL DEFAULT 0,
    run_added bigint NOT NULL DEFAULT 0,
    run_changed bigint NOT NULL DEFAULT 0,
    run_failed bigint NOT NULL DEFAULT 0,
    CONSTRAINT sync_state_pkey PRIMARY KEY (only_row),
    CONSTRAINT sync_state_only_row_check CHECK (only_row)
) WITH (fillfactor = 50);

COMMENT ON TABLE frontdesk.sync_state IS 'The one row of polling''s state: what came of the last run, and how far the one under way is.';
COMMENT ON COLUMN frontdesk.sync_state.only_row IS 'Always true: there is one row.';
COMMENT ON COLUMN frontdesk.sync_state.watched_since IS 'When the first run began, ms since epoch by Retell''s clock: calls that started earlier are history, which no webhook could tell of.';
COMMENT ON COLUMN frontdesk.sync_state.looked_at IS 'When the last successful run over all agents began, ms since epoch by Retell''s clock.';
COMMENT ON COLUMN frontdesk.sync_state.agents_synced_at IS 'When the list of agents was last taken over.';
COMMENT ON COLUMN frontdesk.sync_state.success_at IS 'When a run over all agents last succeeded.';
COMMENT ON COLUMN frontdesk.sync_state.error IS 'Why the last run failed and what to do; null when it did not.';
COMMENT ON COLUMN frontdesk.sync_state.error_at IS 'When it failed.';
COMMENT ON COLUMN frontdesk.sync_state.next_run_at IS 'When some server polls next; null when none does.';
COMMENT ON COLUMN frontdesk.sync_state.clock_ahead_ms IS 'How far the server''s clock was ahead of Retell''s in the last run, ms.';
COMMENT ON COLUMN frontdesk.sync_state.found_by_poll IS 'Calls that polling found and of which no webhook ever told, those in sync_finds not counted.';
COMMENT ON COLUMN frontdesk.sync_state.run_started_at IS 'When the last run began. Whether it is still under way, its advisory lock tells.';
COMMENT ON COLUMN frontdesk.sync_state.run_agent_id IS 'The agent that it is for; empty for all.';
COMMENT ON COLUMN frontdesk.sync_state.run_expected IS 'How many calls it will list, as Retell counted them; null when it was not asked.';
COMMENT ON COLUMN frontdesk.sync_state.run_listed IS 'Calls that it has listed.';
COMMENT ON COLUMN frontdesk.sync_state.run_fetched IS 'Calls that it has fetched whole, for their transcripts.';
COMMENT ON COLUMN frontdesk.sync_state.run_added IS 'Calls that were new.';
COMMENT ON COLUMN frontdesk.sync_state.run_changed IS 'Calls that were known and have changed.';
COMMENT ON COLUMN frontdesk.sync_state.run_failed IS 'Calls that could not be stored or fetched.';

INSERT INTO frontdesk.sync_state DEFAULT VALUES;

CREATE TABLE frontdesk.sync_cursors (
    agent_id text COLLATE "C" NOT NULL,
    started_to bigint,
    ended_to bigint,
    scanned_at timestamptz,
    synced_at timestamptz,
    unconnected bigint,
    CONSTRAINT sync_cursors_pkey PRIMARY KEY (agent_id)
) WITH (fillfactor = 50);

COMMENT ON TABLE frontdesk.sync_cursors IS 'How far the lists of calls have been read: over all agents, and for agents that were synced alone. One never moves another.';
COMMENT ON COLUMN frontdesk.sync_cursors.agent_id IS 'The agent; empty for all.';
COMMENT ON COLUMN frontdesk.sync_cursors.started_to IS 'Calls that started before this are stored, ms since epoch.';
COMMENT ON COLUMN frontdesk.sync_cursors.ended_to IS 'Calls that ended before this are stored as ended, ms since epoch.';
COMMENT ON COLUMN frontdesk.sync_cursors.scanned_at IS 'When the whole of POLL_WINDOW_HOURS was last read again.';
COMMENT ON COLUMN frontdesk.sync_cursors.synced_at IS 'When a run last came to its end.';
COMMENT ON COLUMN frontdesk.sync_cursors.unconnected IS 'How many calls never connected, as Retell counted them: those may have no times to be listed by.';

CREATE TABLE frontdesk.sync_fetches (
    agent_id text COLLATE "C" NOT NULL,
    call_id text COLLATE "C" NOT NULL,
    started_at bigint NOT NULL,
    state text NOT NULL DEFAULT 'due',
    tries integer NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    run_at timestamptz,
    problem text,
    CONSTRAINT sync_fetches_pkey PRIMARY KEY (agent_id, call_id),
    CONSTRAINT sync_fetches_state_check CHECK (state IN ('due', 'none', 'gone'))
);

COMMENT ON TABLE frontdesk.sync_fetches IS 'Calls that are over and whose transcript is not known: Retell''s lists leave it out, so each is fetched by itself.';
COMMENT ON COLUMN frontdesk.sync_fetches.agent_id IS 'Where the call lives.';
COMMENT ON COLUMN frontdesk.sync_fetches.call_id IS 'The call.';
COMMENT ON COLUMN frontdesk.sync_fetches.started_at IS 'Its place in time, ms since epoch: the newest is fetched first.';
COMMENT ON COLUMN frontdesk.sync_fetches.state IS 'due: to be fetched; none: Retell has no transcript of it; gone: Retell does not know the call any more.';
COMMENT ON COLUMN frontdesk.sync_fetches.tries IS 'How often fetching it failed.';
COMMENT ON COLUMN frontdesk.sync_fetches.due_at IS 'Not before this.';
COMMENT ON COLUMN frontdesk.sync_fetches.run_at IS 'Start of the run that counted the call as new or changed, so that its transcript does not count it again.';
COMMENT ON COLUMN frontdesk.sync_fetches.problem IS 'Why fetching it failed last.';

CREATE INDEX sync_fetches_due_idx ON frontdesk.sync_fetches (started_at) WHERE state = 'due';
COMMENT ON INDEX frontdesk.sync_fetches_due_idx IS 'What to fetch next.';

CREATE TABLE frontdesk.sync_finds (
    agent_id text COLLATE "C" NOT NULL,
    call_id text COLLATE "C" NOT NULL,
    found_at timestamptz NOT NULL,
    CONSTRAINT sync_finds_pkey PRIMARY KEY (agent_id, call_id)
);

COMMENT ON TABLE frontdesk.sync_finds IS 'Calls that a poll found first, of the last minutes: if no webhook follows, it was lost.';
COMMENT ON COLUMN frontdesk.sync_finds.agent_id IS 'Where the call lives.';
COMMENT ON COLUMN frontdesk.sync_finds.call_id IS 'The call.';
COMMENT ON COLUMN frontdesk.sync_finds.found_at IS 'When it was found.';

ALTER TABLE frontdesk.agents ADD COLUMN listed_at timestamptz, ADD COLUMN vanished_at timestamptz;
COMMENT ON COLUMN frontdesk.agents.listed_at IS 'When Retell''s list of agents last had it; null when it never had.';
COMMENT ON COLUMN frontdesk.agents.vanished_at IS 'When it was made INACTIVE because Retell''s list lacked it; null when it was not, or when a person did.';

GRANT SELECT, INSERT, UPDATE, DELETE ON frontdesk.sync_state, frontdesk.sync_cursors, frontdesk.sync_fetches, frontdesk.sync_finds
    TO frontdesk_server;
