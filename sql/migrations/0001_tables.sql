-- What Frontdesk keeps: agents, their calls, where each call lives, and every event as it came.
--
-- agent_id leads the keys of everything that grows, so that the same schema can be distributed by
-- agent (a call's id is unique through call_home, not through a key of calls). There are no foreign
-- keys between these tables: ingest writes all four in one transaction, and a key check on every
-- event would lock rows that every other event of the agent needs.
-- Identifiers compare by bytes (COLLATE "C"): faster, and the same order on every machine.

CREATE TABLE frontdesk.agents (
    id uuid NOT NULL DEFAULT pg_catalog.gen_random_uuid(),
    agent_id text COLLATE "C" NOT NULL,
    agent_name text NOT NULL,
    status text NOT NULL DEFAULT 'ACTIVE',
    created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    updated_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    CONSTRAINT agents_pkey PRIMARY KEY (agent_id),
    CONSTRAINT agents_agent_id_check CHECK (agent_id <> ''),
    CONSTRAINT agents_status_check CHECK (status IN ('ACTIVE', 'INACTIVE'))
);

COMMENT ON TABLE frontdesk.agents IS 'Phone agents. One that Retell mentions for the first time is added by ingest.';
COMMENT ON COLUMN frontdesk.agents.id IS 'Frontdesk''s own identifier.';
COMMENT ON COLUMN frontdesk.agents.agent_id IS 'Retell''s identifier.';
COMMENT ON COLUMN frontdesk.agents.agent_name IS 'Name for people; the agent_id until Retell or a person gives one.';
COMMENT ON COLUMN frontdesk.agents.status IS 'ACTIVE or INACTIVE. An inactive agent keeps its calls, and new ones are still stored.';
COMMENT ON COLUMN frontdesk.agents.created_at IS 'When it was first seen or added.';
COMMENT ON COLUMN frontdesk.agents.updated_at IS 'When its name or status last changed.';

CREATE TABLE frontdesk.call_home (
    call_id text COLLATE "C" NOT NULL,
    agent_id text COLLATE "C" NOT NULL,
    CONSTRAINT call_home_pkey PRIMARY KEY (call_id),
    CONSTRAINT call_home_call_id_check CHECK (call_id <> '')
);

COMMENT ON TABLE frontdesk.call_home IS 'Where each call lives: makes call_id unique, keeps a call with the agent it was first seen with, and is the lock that writers of one call queue on.';
COMMENT ON COLUMN frontdesk.call_home.call_id IS 'Retell''s identifier of the call.';
COMMENT ON COLUMN frontdesk.call_home.agent_id IS 'The agent that the call was first seen with; empty while only events without an agent have come.';

CREATE TABLE frontdesk.calls (
    id uuid NOT NULL DEFAULT pg_catalog.gen_random_uuid(),
    agent_id text COLLATE "C" NOT NULL,
    call_id text COLLATE "C" NOT NULL,
    first_sent_ms bigint NOT NULL,
    started_at bigint NOT NULL GENERATED ALWAYS AS (coalesce(start_timestamp, first_sent_ms)) STORED,
    call_type text,
    direction text,
    from_number text,
    to_number text,
    call_status text,
    start_timestamp bigint,
    end_timestamp bigint,
    duration_ms bigint,
    disconnection_reason text,
    cost numeric(14, 4),
    transcript text,
    call_summary text,
    user_sentiment text,
    call_successful boolean,
    in_voicemail boolean,
    recording_url text,
    agent_version bigint,
    transfer_destination text,
    custom_analysis jsonb,
    metadata jsonb,
    transcript_object jsonb,
    latency jsonb,
    details jsonb NOT NULL,
    provenance bytea NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT calls_pkey PRIMARY KEY (agent_id, call_id),
    CONSTRAINT calls_duration_ms_check CHECK (duration_ms >= 0),
    CONSTRAINT calls_cost_check CHECK (cost >= 0)
) WITH (fillfactor = 90);

COMMENT ON TABLE frontdesk.calls IS 'One row a call: what all of its events together say. Written by ingest only. What Retell has not said is null.';
COMMENT ON COLUMN frontdesk.calls.id IS 'Frontdesk''s own identifier of the call.';
COMMENT ON COLUMN frontdesk.calls.agent_id IS 'The agent that the call was first seen with.';
COMMENT ON COLUMN frontdesk.calls.call_id IS 'Retell''s identifier of the call.';
COMMENT ON COLUMN frontdesk.calls.first_sent_ms IS 'When the earliest of its events was sent, ms since epoch.';
COMMENT ON COLUMN frontdesk.calls.started_at IS 'Where the call stands in time, ms since epoch: start_timestamp, or first_sent_ms while there is none.';
COMMENT ON COLUMN frontdesk.calls.call_type IS 'phone_call, web_call, or what Retell adds later.';
COMMENT ON COLUMN frontdesk.calls.direction IS 'inbound or outbound; null for web calls.';
COMMENT ON COLUMN frontdesk.calls.from_number IS 'Calling number, E.164.';
COMMENT ON COLUMN frontdesk.calls.to_number IS 'Called number, E.164.';
COMMENT ON COLUMN frontdesk.calls.call_status IS 'registered, ongoing, ended, error, not_connected, or what Retell adds later. It never moves back.';
COMMENT ON COLUMN frontdesk.calls.start_timestamp IS 'Start, ms since epoch; null for a call that never connected.';
COMMENT ON COLUMN frontdesk.calls.end_timestamp IS 'End, ms since epoch.';
COMMENT ON COLUMN frontdesk.calls.duration_ms IS 'Length in milliseconds.';
COMMENT ON COLUMN frontdesk.calls.disconnection_reason IS 'Why it ended, in Retell''s words.';
COMMENT ON COLUMN frontdesk.calls.cost IS 'What Retell charges for the call, in cents, exact to 4 decimals.';
COMMENT ON COLUMN frontdesk.calls.transcript IS 'What was said, as text.';
COMMENT ON COLUMN frontdesk.calls.call_summary IS 'Summary, from the analysis.';
COMMENT ON COLUMN frontdesk.calls.user_sentiment IS 'Negative, Positive, Neutral or Unknown, from the analysis.';
COMMENT ON COLUMN frontdesk.calls.call_successful IS 'Did the call reach its aim, from the analysis; null (not false) until analysed.';
COMMENT ON COLUMN frontdesk.calls.in_voicemail IS 'Did it end in a voicemail, from the analysis; null until analysed.';
COMMENT ON COLUMN frontdesk.calls.recording_url IS 'Where the recording is; the address may expire.';
COMMENT ON COLUMN frontdesk.calls.agent_version IS 'Version of the agent that took the call.';
COMMENT ON COLUMN frontdesk.calls.transfer_destination IS 'Number or address that the call was transferred to.';
COMMENT ON COLUMN frontdesk.calls.custom_analysis IS 'custom_analysis_data of the analysis.';
COMMENT ON COLUMN frontdesk.calls.metadata IS 'What the creator of the call attached to it.';
COMMENT ON COLUMN frontdesk.calls.transcript_object IS 'Utterances with their words; times in seconds into the audio.';
COMMENT ON COLUMN frontdesk.calls.latency IS 'Latencies by component, ms.';
COMMENT ON COLUMN frontdesk.calls.details IS 'Everything else that Retell said of the call, by its own names. Never an access_token.';
COMMENT ON COLUMN frontdesk.calls.provenance IS 'Which event each value came from, so that a later but older event cannot replace it. Internal; see merge.h of the extension.';
COMMENT ON COLUMN frontdesk.calls.created_at IS 'When the row was made.';
COMMENT ON COLUMN frontdesk.calls.updated_at IS 'When one of its values last changed.';

-- Pages are cut from these. A missing value sorts as the lowest; one b-tree serves both directions,
-- because all of its columns turn together. The bare column is included so that the index alone
-- answers which calls are on a page, however far in.

CREATE INDEX calls_started_at_idx ON frontdesk.calls (agent_id, started_at, call_id);
CREATE INDEX calls_duration_idx ON frontdesk.calls (agent_id, (coalesce(duration_ms, (-1)::bigint)), started_at, call_id) INCLUDE (duration_ms);
CREATE INDEX calls_cost_idx ON frontdesk.calls (agent_id, (coalesce(cost, (-1)::numeric)), started_at, call_id) INCLUDE (cost);

COMMENT ON INDEX frontdesk.calls_started_at_idx IS 'Pages by date.';
COMMENT ON INDEX frontdesk.calls_duration_idx IS 'Pages by duration.';
COMMENT ON INDEX frontdesk.calls_cost_idx IS 'Pages by cost.';

CREATE TABLE frontdesk.journal (
    agent_id text COLLATE "C" NOT NULL,
    call_id text COLLATE "C" NOT NULL,
    event text COLLATE "C" NOT NULL,
    digest bytea NOT NULL,
    source text NOT NULL,
    sent_ms bigint NOT NULL,
    received_at timestamptz NOT NULL,
    state text NOT NULL,
    error text,
    body bytea NOT NULL,
    CONSTRAINT journal_pkey PRIMARY KEY (agent_id, call_id, event, digest),
    CONSTRAINT journal_digest_check CHECK (pg_catalog.octet_length(digest) = 32),
    CONSTRAINT journal_source_check CHECK (source IN ('webhook', 'poll', 'replay')),
    CONSTRAINT journal_state_check CHECK (state IN ('done', 'kept', 'dead')),
    CONSTRAINT journal_error_check CHECK ((state = 'dead') = (error IS NOT NULL))
);

COMMENT ON TABLE frontdesk.journal IS 'Every accepted event, byte for byte, once.';
COMMENT ON COLUMN frontdesk.journal.agent_id IS 'The agent of the event''s call; empty when there is none or it is not known yet.';
COMMENT ON COLUMN frontdesk.journal.call_id IS 'The event''s call; empty when it has none.';
COMMENT ON COLUMN frontdesk.journal.event IS 'The event''s name; empty when it could not be read.';
COMMENT ON COLUMN frontdesk.journal.digest IS 'SHA-256 of body: makes a second delivery recognisable.';
COMMENT ON COLUMN frontdesk.journal.source IS 'How it came first: webhook, poll or replay.';
COMMENT ON COLUMN frontdesk.journal.sent_ms IS 'When it was sent, ms since epoch: the earliest of its deliveries.';
COMMENT ON COLUMN frontdesk.journal.received_at IS 'When it was stored.';
COMMENT ON COLUMN frontdesk.journal.state IS 'done: merged into its call; kept: there is no call to merge it into; dead: it could not be understood.';
COMMENT ON COLUMN frontdesk.journal.error IS 'Why it is dead.';
COMMENT ON COLUMN frontdesk.journal.body IS 'The event''s bytes as they came.';

CREATE INDEX journal_received_at_idx ON frontdesk.journal USING brin (received_at);
CREATE INDEX journal_dead_idx ON frontdesk.journal (digest) WHERE state = 'dead';

COMMENT ON INDEX frontdesk.journal_received_at_idx IS 'Expiry and replay of a range; rows lie in the order they came.';
COMMENT ON INDEX frontdesk.journal_dead_idx IS 'The dead events, few, to look at and to replay.';

-- lz4 compresses a transcript several times faster than the default and nearly as well; a server
-- built without it keeps the default.
DO $$
BEGIN
    ALTER TABLE frontdesk.calls
        ALTER COLUMN transcript SET COMPRESSION lz4,
        ALTER COLUMN transcript_object SET COMPRESSION lz4,
        ALTER COLUMN details SET COMPRESSION lz4;
    ALTER TABLE frontdesk.journal
        ALTER COLUMN body SET COMPRESSION lz4;
EXCEPTION
    WHEN feature_not_supported THEN
        RAISE NOTICE 'this server has no lz4: the default compression is used';
END
$$;
