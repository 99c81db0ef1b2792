-- How many calls each agent has, of those that are folded: a row an agent, so that the total of a page
-- over many agents costs a row of each and not one a month.

CREATE TABLE frontdesk.call_total (
    agent_id text COLLATE "C" NOT NULL,
    n bigint NOT NULL,
    CONSTRAINT call_total_pkey PRIMARY KEY (agent_id)
) WITH (
    fillfactor = 50,
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_cost_delay = 0
);

COMMENT ON TABLE frontdesk.call_total IS 'How many calls each agent has. Not the whole truth without call_rollup_delta. Written by folding, with call_rollup.';
COMMENT ON COLUMN frontdesk.call_total.agent_id IS 'The calls'' agent.';
COMMENT ON COLUMN frontdesk.call_total.n IS 'The sum of n over the agent''s months in call_rollup.';

-- Nobody folds while this is filled.
LOCK TABLE frontdesk.call_rollup IN SHARE ROW EXCLUSIVE MODE;

INSERT INTO frontdesk.call_total (agent_id, n)
SELECT agent_id, pg_catalog.sum(n) FROM frontdesk.call_rollup WHERE grain = 'm' GROUP BY agent_id;

GRANT SELECT, INSERT, UPDATE, DELETE ON frontdesk.call_total TO frontdesk_server;
GRANT SELECT ON frontdesk.call_total TO frontdesk_analyst;
