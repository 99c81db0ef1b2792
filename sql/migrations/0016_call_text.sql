-- The text index of calls, a table of its own that is filled after the fact: see index_text().

CREATE TABLE frontdesk.call_text (
    agent_id text COLLATE "C" NOT NULL,
    call_id text COLLATE "C" NOT NULL,
    words tsvector NOT NULL,
    parts tsvector NOT NULL,
    CONSTRAINT call_text_pkey PRIMARY KEY (agent_id, call_id)
);

COMMENT ON TABLE frontdesk.call_text IS 'What searches look for calls by; filled by index_text(), seconds behind calls. A row whose call is gone finds nothing.';
COMMENT ON COLUMN frontdesk.call_text.agent_id IS 'The call''s agent.';
COMMENT ON COLUMN frontdesk.call_text.call_id IS 'The call.';
COMMENT ON COLUMN frontdesk.call_text.words IS 'Words of its summary and transcript.';
COMMENT ON COLUMN frontdesk.call_text.parts IS 'Parts of its id and of the caller''s number, as call_parts() makes them.';

CREATE INDEX call_text_words_idx ON frontdesk.call_text USING gin (words, parts);

COMMENT ON INDEX frontdesk.call_text_words_idx IS 'Calls by words, and by parts of identifiers.';

-- Entries come and go by the thousand, in the order they came, and nobody looks for one of them: no
-- key, and a vacuum that keeps it short.
CREATE TABLE frontdesk.call_text_queue (
    agent_id text COLLATE "C" NOT NULL,
    call_id text COLLATE "C" NOT NULL,
    queued_at timestamptz NOT NULL DEFAULT pg_catalog.now()
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, autovacuum_analyze_threshold = 1000000);

COMMENT ON TABLE frontdesk.call_text_queue IS 'Calls that the text index has not seen as they are, each once or more often.';
COMMENT ON COLUMN frontdesk.call_text_queue.agent_id IS 'The call''s agent.';
COMMENT ON COLUMN frontdesk.call_text_queue.call_id IS 'The call; it may be gone.';
COMMENT ON COLUMN frontdesk.call_text_queue.queued_at IS 'When it changed.';

GRANT SELECT, INSERT, UPDATE, DELETE ON frontdesk.call_text TO frontdesk_server;
GRANT SELECT, INSERT, DELETE ON frontdesk.call_text_queue TO frontdesk_server; -- reindex_text() adds to it
GRANT SELECT ON frontdesk.call_text, frontdesk.call_text_queue TO frontdesk_analyst;

GRANT EXECUTE ON FUNCTION frontdesk.text_lag() TO frontdesk_server, frontdesk_analyst;
GRANT EXECUTE ON FUNCTION
    frontdesk.call_parts(text, text),
    frontdesk.index_text(integer),
    frontdesk.queue_text(),
    frontdesk.reindex_text(text)
    TO frontdesk_server;
