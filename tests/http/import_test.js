// Coming from the old back end: its Prisma tables, as they were, become ours by one script.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { fileURLToPath } from 'node:url';
import { eventually, get, post, request, startAll } from './harness.js';
import { analysis } from './samples.js';

const script = fileURLToPath(new URL('../../sql/import/prisma.sql', import.meta.url));
const CALLS = 10_000;

let cluster, server;
before(async () => {
  ({ cluster, server } = await startAll());
  await cluster.exec(OLD);
});
after(() => server.stop());

// cuid-like ids; camel-free column names; timestamps without zone; cents rounded; false where unanalysed.
const OLD = `
CREATE EXTENSION pgcrypto SCHEMA public;
CREATE SCHEMA old AUTHORIZATION frontdesk_owner;
SET ROLE frontdesk_owner;
CREATE TABLE old.users (id text PRIMARY KEY, email text, password_hash text, name text, phone text, role text, status text,
  created_at timestamp(3) DEFAULT now(), updated_at timestamp(3) DEFAULT now());
CREATE TABLE old.agents (id text PRIMARY KEY, agent_id text, agent_name text, status text, created_at timestamp(3) DEFAULT now(), updated_at timestamp(3) DEFAULT now());
CREATE TABLE old.user_agents (id text PRIMARY KEY, user_id text, agent_id text, created_at timestamp(3) DEFAULT now());
CREATE TABLE old.calls (id text PRIMARY KEY, agent_id text, call_id text, caller_info text, start_timestamp bigint, end_timestamp bigint,
  duration_ms int, duration_seconds int, transcript text, call_status text, disconnection_reason text, cost double precision,
  call_summary text, user_sentiment text, call_successful boolean NOT NULL, recording_url text,
  created_at timestamp(3) DEFAULT now(), updated_at timestamp(3) DEFAULT now());
RESET ROLE;
INSERT INTO old.users (id, email, password_hash, name, role, status)
SELECT 'cluser' || i, email, hash, name, role, status FROM (VALUES
  (1, 'Anna@Example.com ', public.crypt('anna has a long password', public.gen_salt('bf', 4)), 'Anna', 'SUPERADMIN', 'APPROVED'),
  (2, 'bert@example.com', public.crypt('bert has one too', public.gen_salt('bf', 10)), 'Bert', 'USER', 'APPROVED'),
  (3, 'carl@example.com', public.crypt('carl waits', public.gen_salt('bf', 4)), '', 'USER', 'PENDING'),
  (4, 'nobody@example.com', 'plain text', 'Nobody', 'USER', 'APPROVED'),
  (5, NULL, public.crypt('x', public.gen_salt('bf', 4)), 'No mail', 'USER', 'APPROVED')) AS t(i, email, hash, name, role, status);
INSERT INTO old.agents (id, agent_id, agent_name, status)
SELECT 'clagent' || i, 'agent_old_' || i, 'Old Agent ' || i, CASE WHEN i = 3 THEN 'INACTIVE' ELSE 'ACTIVE' END FROM generate_series(1, 3) AS i;
INSERT INTO old.user_agents VALUES ('clua1', 'cluser2', 'clagent1'), ('clua2', 'cluser2', 'agent_old_2'), ('clua3', 'cluser4', 'clagent1');
INSERT INTO old.calls (id, agent_id, call_id, caller_info, start_timestamp, end_timestamp, duration_ms, duration_seconds, transcript, call_status,
  disconnection_reason, cost, call_summary, user_sentiment, call_successful, recording_url)
SELECT 'clcall' || lpad(i::text, 6, '0'), CASE WHEN i % 2 = 0 THEN 'clagent' ELSE 'agent_old_' END || (1 + i % 3), 'call_old_' || i,
  CASE WHEN i % 5 = 0 THEN 'Web Call' ELSE '+1212555' || lpad((i % 10000)::text, 4, '0') END,
  1700000000000 + i * 60000::bigint, 1700000030000 + i * 60000::bigint, 30000 + i % 7, 30,
  CASE WHEN i % 4 = 0 THEN '' ELSE 'Agent: hello ' || i || E'\\nUser: "hi" \\\\ é' END, 'ended', 'user_hangup', i % 50,
  CASE WHEN i % 10 < 7 THEN 'Summary ' || i END, CASE WHEN i % 10 < 7 THEN (ARRAY['Positive', 'Neutral', 'Negative'])[1 + i % 3] ELSE 'Unknown' END,
  i % 10 < 5, 'https://recordings.example.com/' || i
FROM generate_series(1, ${CALLS}) AS i;
INSERT INTO old.calls (id, agent_id, call_id, call_successful) VALUES ('clcallbad', 'clagent1', NULL, false);
`;

const run = async () => {
  const { stdout, stderr } = await promisify(execFile)('psql', ['-X', '-A', '-F', '|', '-v', 'old=old', '-d', cluster.urls.MIGRATION_DATABASE_URL, '-f', script],
    { timeout: 300_000, env: { PATH: process.env.PATH, LANG: 'C.UTF-8' } });
  return { report: stdout, said: stderr };
};

test('a wrong schema is named, and nothing happens', async () => {
  const failed = promisify(execFile)('psql', ['-X', '-v', 'old=elsewhere', '-d', cluster.urls.MIGRATION_DATABASE_URL, '-f', script], { timeout: 60_000 });
  await assert.rejects(failed, /there is no table elsewhere\.users to import from[\s\S]*-v old=SCHEMA/);
  assert.equal(await cluster.journal(), 0);
});

test('everything is moved once, counted, and the sums agree', async () => {
  const { report, said } = await run();
  assert.match(said, new RegExp(`${CALLS + 1} of ${CALLS + 1} calls`));
  assert.match(report, /^agents\|3\|3\|0\|0\|$/m);
  assert.match(report, /^users\|5\|3\|0\|2\|no e-mail, or no password hash that can be used$/m);
  assert.match(report, /^user_agents\|3\|2\|0\|1\|/m);
  assert.match(report, new RegExp(`^calls\\|${CALLS + 1}\\|${CALLS}\\|0\\|1\\|without call_id`, 'm'));
  for (const sum of ['calls', 'duration_ms', 'cost \\(cents\\)', 'analysed', 'successful', 'transcripts'])
    assert.match(report, new RegExp(`^${sum}\\|[0-9.]+\\|[0-9.]+\\|equal$`, 'm'));
  const [expected] = await cluster.rows(`SELECT count(*)::int AS calls, sum(duration_ms)::int AS ms, sum(cost)::int AS cost,
    count(*) FILTER (WHERE call_successful)::int AS good, count(*) FILTER (WHERE transcript <> '')::int AS said FROM old.calls WHERE call_id IS NOT NULL`);
  const [got] = await cluster.rows(`SELECT count(*)::int AS calls, sum(duration_ms)::int AS ms, sum(cost)::int AS cost,
    count(*) FILTER (WHERE call_successful)::int AS good, count(transcript)::int AS said FROM frontdesk.calls`);
  assert.deepEqual(got, expected);
  assert.equal(await cluster.value("SELECT count(*)::int FROM frontdesk.calls WHERE call_successful IS NULL"), CALLS * 3 / 10, 'unanalysed is not unsuccessful');
});

test('a second run changes nothing', async () => {
  const all = () => cluster.exec("SELECT md5(string_agg(c::text, '' ORDER BY call_id)), (SELECT count(*) FROM frontdesk.journal), (SELECT md5(string_agg(u::text, '' ORDER BY email)) FROM frontdesk.users AS u) FROM frontdesk.calls AS c");
  const before = await all();
  const { report } = await run();
  assert.match(report, /^users\|5\|0\|3\|2\|/m);
  assert.match(report, new RegExp(`^calls\\|${CALLS + 1}\\|0\\|${CALLS}\\|1\\|`, 'm'));
  assert.equal(await all(), before);
});

test('the API shows the imported calls', async () => {
  const { json } = await get(server, '/api/dashboard/calls/call_old_12');
  const { id, created_at, updated_at, agent, ...call } = json.data;
  assert.deepEqual(agent, { agent_id: 'agent_old_1', agent_name: 'Old Agent 1', status: 'ACTIVE' });
  assert.equal(call.caller_info, '+12125550012');
  assert.equal(call.transcript, null);
  assert.deepEqual([call.start_timestamp, call.duration_ms, call.cost, call.call_successful, call.user_sentiment], [1700000720000, 30005, 12, true, 'Positive']);
  assert.equal((await get(server, '/api/dashboard/calls/call_old_13')).json.data.transcript, 'Agent: hello 13\nUser: "hi" \\ é');
  assert.equal((await get(server, '/api/dashboard/calls/call_old_15')).json.data.caller_info, null);
  assert.equal((await get(server, '/api/dashboard/agent-info/agent_old_3')).json.data.status, 'INACTIVE');
});

test('what Retell says later wins over what was imported, be it sent when it may', async () => {
  const call = { call_id: 'call_old_9', agent_id: 'agent_old_1', call_status: 'ended', duration_ms: 30_002, call_cost: { combined_cost: 8.6217 }, call_analysis: analysis };
  assert.equal((await post(server, { event: 'call_analyzed', call })).status, 204);
  const { data } = (await get(server, '/api/dashboard/calls/call_old_9')).json;
  assert.deepEqual([data.cost, data.call_successful, data.call_summary, data.transcript], [8.6217, true, analysis.call_summary, 'Agent: hello 9\nUser: "hi" \\ é']);
});

test('an imported user logs in with the old password, is rehashed, and sees the assigned agents only', async () => {
  const login = (email, password) => request(server, 'POST', '/api/auth/login', {
    body: JSON.stringify({ email, password }), headers: { 'Content-Type': 'application/json' },
  });
  const hash = (email) => cluster.value(`SELECT password_hash FROM frontdesk.users WHERE email = '${email}'`);
  assert.match(await hash('bert@example.com'), /^\$2a\$10\$/);
  assert.equal((await login('bert@example.com', 'bert has another')).status, 401);
  assert.match(await hash('bert@example.com'), /^\$2a\$10\$/);
  const { token } = (await login('bert@example.com', 'bert has one too')).json;
  await eventually('the password is hashed anew', async () => (await hash('bert@example.com')).startsWith('$argon2id$'));
  assert.equal((await login('bert@example.com', 'bert has one too')).status, 200);
  const seen = await request(server, 'GET', '/api/dashboard/agents', { headers: { Authorization: `Bearer ${token}` } });
  assert.deepEqual(seen.json.data.agents.map((a) => a.agent_id).sort(), ['agent_old_1', 'agent_old_2']);
  assert.equal((await login('carl@example.com', 'carl waits')).status, 403, 'still pending');
  assert.equal((await login('anna@example.com', 'anna has a long password')).status, 200);
});
