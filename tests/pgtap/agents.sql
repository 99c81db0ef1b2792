-- Agents, one and in pages.
BEGIN;
\ir lib/setup.psql
SELECT plan(26);

INSERT INTO agents (agent_id, agent_name, status, created_at, updated_at) VALUES
    ('agent_1', 'Ärztin Reception', 'ACTIVE', '2024-01-01 00:00:00+00', '2024-01-02 03:04:05.678+00'),
    ('agent_2', 'Sales 100%', 'INACTIVE', '2024-01-02 00:00:00+00', '2024-01-02 00:00:00+00'),
    ('agent_3', 'sales_east', 'ACTIVE', '2024-01-03 00:00:00+00', '2024-01-03 00:00:00+00'),
    ('agent_4', 'Night', 'ACTIVE', '2024-01-03 00:00:00+00', '2024-01-03 00:00:00+00');
INSERT INTO calls (agent_id, call_id, first_sent_ms, start_timestamp, details, provenance, created_at, updated_at)
SELECT 'agent_1', 'c' || n, 0, 1700000000000 + n, '{}', '', now(), now() FROM generate_series(1, 3) AS n;

SELECT is(agent_json('agent_1', NULL)::jsonb, jsonb_build_object('id', id, 'agent_id', 'agent_1', 'agent_name', 'Ärztin Reception', 'status', 'ACTIVE',
          'created_at', '2024-01-01T00:00:00.000Z', 'updated_at', '2024-01-02T03:04:05.678Z'), 'an agent') FROM agents WHERE agent_id = 'agent_1';
SELECT is((SELECT array_agg(k) FROM json_object_keys(agent_json('agent_1', NULL)) AS k), ARRAY['id', 'agent_id', 'agent_name', 'status', 'created_at', 'updated_at'], 'in this order');
SELECT is(agent_json('nobody', NULL)::text, NULL, 'an unknown agent is none');
SELECT is(agent_json(NULL, NULL)::text, NULL, 'nor is no agent');
SELECT is(agent_json('agent_1', '{agent_2}')::text, NULL, 'nor one that the caller may not see');
SELECT isnt(agent_json('agent_1', '{agent_2,agent_1}')::text, NULL, 'one that it may see is there');

CREATE FUNCTION pg_temp.ids(agents text[], status text, search text, rows integer DEFAULT 20, skip bigint DEFAULT 0) RETURNS text[] LANGUAGE sql AS $$
    SELECT ARRAY(SELECT a ->> 'agent_id' FROM json_array_elements(frontdesk.agents_json(agents, status, search, rows, skip) -> 'agents') AS a)
$$;
SELECT is(pg_temp.ids(NULL, NULL, NULL), '{agent_3,agent_4,agent_2,agent_1}', 'newest first, then by id');
SELECT is(pg_temp.ids(NULL, 'ACTIVE', NULL), '{agent_3,agent_4,agent_1}', 'the active ones');
SELECT is(pg_temp.ids(NULL, 'INACTIVE', NULL), '{agent_2}', 'the inactive ones');
SELECT is(pg_temp.ids(NULL, NULL, 'SALES'), '{agent_3,agent_2}', 'by part of the name, in any case');
SELECT is(pg_temp.ids(NULL, NULL, 'ärzt'), '{agent_1}', 'of any letter');
SELECT is(pg_temp.ids(NULL, NULL, 'T_4'), '{agent_4}', 'or of the id');
SELECT is(pg_temp.ids(NULL, NULL, '%'), '{agent_2}', 'a percent sign is itself');
SELECT is(pg_temp.ids(NULL, NULL, 's_e'), '{agent_3}', 'so is an underscore');
SELECT is(pg_temp.ids('{agent_1,agent_2,nobody}', NULL, NULL), '{agent_2,agent_1}', 'only those that the caller may see');
SELECT is(pg_temp.ids('{}', NULL, NULL), '{}', 'which may be none');
SELECT is(pg_temp.ids(NULL, NULL, NULL, 2, 1), '{agent_4,agent_2}', 'a page of them');
SELECT is(agents_json(NULL, NULL, NULL, 2, 1)::jsonb -> 'pagination', '{"total": 4, "limit": 2, "offset": 1, "hasMore": true}', 'with its place');
SELECT is(agents_json(NULL, 'ACTIVE', 'sales', 2, 0)::jsonb -> 'pagination', '{"total": 1, "limit": 2, "offset": 0, "hasMore": false}', 'total is of what was asked for');
SELECT is(agents_json(NULL, NULL, NULL, 2, 100)::jsonb, '{"agents": [], "pagination": {"total": 4, "limit": 2, "offset": 100, "hasMore": false}}', 'a page after the last');
SELECT is((agents_json(NULL, NULL, 'agent_1', 1, 0)::jsonb #> '{agents,0}') - 'id',
          '{"agent_id": "agent_1", "agent_name": "Ärztin Reception", "status": "ACTIVE", "created_at": "2024-01-01T00:00:00.000Z",
            "updated_at": "2024-01-02T03:04:05.678Z", "_count": {"calls": 3}, "last_call_at": "2023-11-14T22:13:20.003Z"}', 'each with its count of calls and its last');
SELECT is((agents_json(NULL, NULL, 'agent_4', 1, 0)::jsonb #> '{agents,0}') - 'id' -> 'last_call_at', 'null', 'which is null without calls');
SELECT throws_ok($$SELECT agents_json(NULL, 'active', NULL, 20, 0)$$, '22023', 'unknown status "active"', 'a status is ACTIVE or INACTIVE');
SELECT throws_ok($$SELECT agents_json(NULL, NULL, NULL, 0, 0)$$, '22023', NULL, 'at least one row');
SELECT throws_ok($$SELECT agents_json(NULL, NULL, NULL, 101, 0)$$, '22023', NULL, 'at most 100');
SELECT throws_ok($$SELECT agents_json(NULL, NULL, NULL, 20, -1)$$, '22023', NULL, 'not before the first');

SELECT * FROM finish();
ROLLBACK;
