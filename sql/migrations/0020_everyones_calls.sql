-- Pages by date over all agents: one walk along one index, instead of a look at every agent's.

CREATE INDEX calls_everyone_idx ON frontdesk.calls (started_at, call_id) INCLUDE (agent_id);

COMMENT ON INDEX frontdesk.calls_everyone_idx IS 'Pages of all agents'' calls by date.';
