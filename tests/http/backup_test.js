// P21: a backup restores, by the very commands of README.md.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { frontdesk, get, migrate, post, request, scratch, settings, startAll, startCluster, startServer } from './harness.js';
import { asDocumented } from './readme.js';
import { analyzed, ended, endedCall } from './samples.js';

const TARGETS = ['/api/dashboard/agents', '/api/dashboard/call-history?limit=100', '/api/dashboard/call-history?sortBy=cost&order=asc&limit=7&offset=3',
  '/api/dashboard/call-history/agent_sample_front_desk?sortBy=duration', '/api/dashboard/agent-summary/agent_sample_front_desk?bucket=day&tz=America/St_Johns',
  '/api/dashboard/summary?bucket=week', '/api/dashboard/analytics/overview', '/api/dashboard/analytics/agents', '/api/dashboard/analytics/calls?tz=Asia/Kolkata',
  '/api/dashboard/analytics/sentiment', '/api/dashboard/overview'];
const PERSON = { email: 'owner@example.com', password: 'a password that outlives the machine' };

const login = (server) => request(server, 'POST', '/api/auth/login', { body: JSON.stringify(PERSON), headers: { 'Content-Type': 'application/json' } });
const me = (server, token) => request(server, 'GET', '/api/auth/me', { headers: { Authorization: `Bearer ${token}` } });

test('P21: dump, lose everything, restore: same answers, login works, events go on', async () => {
  const first = await startAll();
  await frontdesk(['trigger', 'call_analyzed', '--calls', '60', '--seed', '21', '--url', `http://127.0.0.1:${first.server.port}/api/webhooks/retell`], settings(first.cluster));
  // Some of what is counted is folded, some is not.
  await first.cluster.exec('SELECT frontdesk.fold_rollups()');
  const open = endedCall();
  assert.equal((await post(first.server, ended(open))).status, 204);
  const registered = await request(first.server, 'POST', '/api/auth/register', { body: JSON.stringify(PERSON), headers: { 'Content-Type': 'application/json' } });
  assert.equal(registered.status, 201);
  const key = (await request(first.server, 'POST', '/api/auth/keys', {
    body: JSON.stringify({ name: 'backup', role: 'USER' }), headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${registered.json.token}` },
  })).json.data.key;
  const { token } = (await login(first.server)).json;
  const before = await Promise.all(TARGETS.map(async (target) => (await get(first.server, target)).text));
  const statistics = await first.cluster.exec("SELECT * FROM frontdesk.call_history('agent_sample_front_desk') ORDER BY call_id", 'ANALYST_DATABASE_URL');

  const dir = scratch();
  await asDocumented('pg_dump -Fc -f frontdesk.dump "$SUPERUSER_DATABASE_URL"', first.cluster.urls, dir);
  await first.server.stop();
  first.cluster.destroy();
  assert.ok(fs.statSync(path.join(dir, 'frontdesk.dump')).size > 10_000);

  const cluster = await startCluster();
  await migrate(cluster);
  await asDocumented(`psql "$SUPERUSER_DATABASE_URL" -c 'DROP SCHEMA frontdesk CASCADE'`, cluster.urls, dir);
  await asDocumented('pg_restore --clean --if-exists --single-transaction -d "$SUPERUSER_DATABASE_URL" frontdesk.dump', cluster.urls, dir);
  await migrate(cluster);
  const server = await startServer(cluster);
  assert.deepEqual(await Promise.all(TARGETS.map(async (target) => (await get(server, target)).text)), before);
  assert.equal(await cluster.exec("SELECT * FROM frontdesk.call_history('agent_sample_front_desk') ORDER BY call_id", 'ANALYST_DATABASE_URL'), statistics);
  assert.deepEqual(await cluster.rows('SELECT * FROM frontdesk.verify_rollups()'), [], 'the statistics came along');
  assert.equal((await login(server)).status, 200, 'the password is the same');
  assert.equal((await me(server, token)).status, 200, 'a token outlives the restore');
  assert.equal((await get(server, TARGETS[0], { 'x-api-key': key })).status, 200, 'and so does a key');
  assert.equal((await get(server, TARGETS[0], { 'x-api-key': `${key.slice(0, -1)}${key.endsWith('A') ? 'B' : 'A'}` })).status, 401);

  assert.equal((await post(server, analyzed(open))).status, 204);
  const call = (await get(server, `/api/dashboard/calls/${open.call_id}`)).json.data;
  assert.equal(call.call_successful, true, 'an event after the restore finds the call from before it');
  assert.equal(call.transcript, open.transcript);
  assert.equal(await cluster.value('SELECT count(*)::int FROM frontdesk.calls'), 61);
  assert.deepEqual(await cluster.rows('SELECT * FROM frontdesk.verify_rollups()'), [], 'and goes on counting');
  assert.equal((await get(server, '/api/dashboard/stats')).json.data.calls.total, 61);
  await server.stop();
});

test('P21: a server that runs while its schema is restored under it goes on', async () => {
  const { cluster, server } = await startAll();
  const before = endedCall();
  assert.equal((await post(server, ended(before))).status, 204);
  await cluster.exec('SELECT frontdesk.fold_rollups()', 'DATABASE_URL');
  const dir = scratch();
  await asDocumented('pg_dump -Fc -f frontdesk.dump "$SUPERUSER_DATABASE_URL"', cluster.urls, dir);
  await asDocumented(`psql "$SUPERUSER_DATABASE_URL" -c 'DROP SCHEMA frontdesk CASCADE'`, cluster.urls, dir);
  await asDocumented('pg_restore --clean --if-exists --single-transaction -d "$SUPERUSER_DATABASE_URL" frontdesk.dump', cluster.urls, dir);

  // Sessions that were there before are used again, and what they had prepared is of another schema.
  const after = Array.from({ length: 8 }, () => endedCall());
  const answers = await Promise.all(after.map((call) => post(server, ended(call))));
  assert.deepEqual(answers.map((answer) => answer.status), after.map(() => 204));
  assert.equal((await post(server, analyzed(before))).status, 204);
  assert.equal((await get(server, `/api/dashboard/calls/${before.call_id}`)).json.data.call_successful, true);
  assert.equal((await get(server, '/api/dashboard/stats')).json.data.calls.total, 9);
  assert.deepEqual(await cluster.rows('SELECT * FROM frontdesk.verify_rollups()'), []);
  await server.stop();
});
