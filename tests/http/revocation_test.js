// What was taken away on one server counts on every other within 30 seconds, and costs no request a
// query; and what known callers get while the database is away.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { call, eventually, frontdesk, settings, startAll, startServer } from './harness.js';

const PASSWORD = 'correct horse battery';
const USERS = '/api/dashboard/users';
const LIMIT_MS = 30_000;

let cluster, one, two, root;
before(async () => {
  ({ cluster, server: one } = await startAll());
  two = await startServer(cluster);
  root = (await call(one, 'POST', '/api/auth/register', { body: { email: 'root@example.com', password: PASSWORD } })).json.token;
});
after(() => Promise.all([one?.stop(), two?.stop()]));

// Passes the guard and goes no further: whoever is let in is told of the mistake.
const knock = async (server, who) => (await call(server, 'GET', '/api/dashboard/agents?limit=0', who)).status;
const [IN, OUT] = [400, 401];

let counter = 0;
async function person(role = 'USER') {
  const email = `person${++counter}@example.com`;
  const { data } = (await call(one, 'POST', '/api/auth/register', { body: { email, password: PASSWORD } })).json;
  if (role !== 'USER') await call(one, 'PUT', `${USERS}/${data.id}`, { token: root, body: { role } });
  const { token } = (await call(one, 'POST', '/api/auth/login', { body: { email, password: PASSWORD } })).json;
  return { id: data.id, email, token };
}

const ok = (answer) => assert.ok(answer.status < 300, answer.text);

test('who logs out everywhere a hundred times at once can log in right after', async () => {
  const { email, token } = await person();
  await Promise.all(Array.from({ length: 64 }, () => knock(one, { token })));
  // Held up in the database, so that all of them are past the guard.
  const lock = cluster.exec(`BEGIN; SELECT FROM frontdesk.users WHERE email = '${email}' FOR UPDATE; SELECT pg_sleep(1); COMMIT`);
  await eventually('the user is locked', async () => (await cluster.value("SELECT count(*)::int FROM pg_stat_activity WHERE wait_event = 'PgSleep'")) > 0);
  const answers = await Promise.all(Array.from({ length: 64 }, () => call(one, 'POST', '/api/auth/logout-all', { token })));
  await lock;
  assert.ok(answers.filter((a) => a.status === 200).length > 40, 'most were past the guard');
  assert.equal(await knock(one, { token }), OUT);
  const login = await call(one, 'POST', '/api/auth/login', { body: { email, password: PASSWORD } });
  assert.equal(await knock(one, { token: login.json.token }), IN);
});

test('P20: what is revoked on one server is refused there at once, and on another within 30 s', async () => {
  const ways = {
    rejected: async (p) => ok(await call(one, 'PUT', `${USERS}/${p.id}`, { token: root, body: { status: 'REJECTED' } })),
    deleted: async (p) => ok(await call(one, 'DELETE', `${USERS}/${p.id}`, { token: root })),
    promoted: async (p) => ok(await call(one, 'PUT', `${USERS}/${p.id}`, { token: root, body: { role: 'ADMIN' } })),
    'logged out everywhere': async (p) => ok(await call(one, 'POST', '/api/auth/logout-all', { token: p.token })),
    'with a new password': async (p) => ok(await call(one, 'POST', '/api/auth/password', { token: p.token, body: { currentPassword: PASSWORD, newPassword: 'another password' } })),
  };
  const gone = [];
  for (const [name, revoke] of Object.entries(ways)) gone.push({ name, revoke, who: await person() });
  for (const role of ['USER', 'ADMIN']) {
    const { data } = (await call(one, 'POST', '/api/auth/keys', { token: root, body: { name: role, role } })).json;
    gone.push({
      name: `a key of role ${role}`, who: { key: data.key },
      revoke: async () => ok(await call(one, 'DELETE', `/api/auth/keys/${data.id}`, { token: root })),
    });
  }
  const stays = await person();
  for (const { who } of [...gone, { who: stays }]) for (const server of [one, two]) assert.equal(await knock(server, who), IN);

  for (const { name, who, revoke } of gone) {
    await revoke(who);
    assert.equal(await knock(one, who), OUT, `${name}: at once on the server that did it`);
  }
  const end = Date.now() + LIMIT_MS;
  for (const { name, who } of gone)
    await eventually(`${name}: refused on the other server`, async () => (await knock(two, who)) === OUT, end - Date.now());
  assert.equal(await knock(two, stays), IN, 'whoever was not revoked goes on');
});

test('P20: an operator\'s `user disable` and `user password` count within 30 s', async () => {
  const [disabled, changed] = [await person(), await person()];
  for (const p of [disabled, changed]) assert.equal(await knock(one, p), IN);
  assert.equal((await frontdesk(['user', 'disable', disabled.email], settings(cluster))).code, 0);
  assert.equal((await frontdesk(['user', 'password', changed.email], settings(cluster), { input: 'another password\n' })).code, 0);
  const end = Date.now() + LIMIT_MS;
  for (const p of [disabled, changed]) await eventually('it is refused', async () => (await knock(one, p)) === OUT, end - Date.now());
});

test('P19: an agent that is taken away is out of sight on every server within 30 s', async () => {
  const p = await person();
  ok(await call(one, 'POST', '/api/dashboard/agents', { token: root, body: { agent_id: 'agent_r', agent_name: 'R' } }));
  ok(await call(one, 'POST', '/api/dashboard/assignments', { token: root, body: { userId: p.id, agentId: 'agent_r' } }));
  const sees = async (server) => (await call(server, 'GET', '/api/dashboard/agent-info/agent_r', { token: p.token })).status === 200;
  for (const server of [one, two]) assert.ok(await sees(server));
  ok(await call(one, 'DELETE', '/api/dashboard/assignments', { token: root, body: { userId: p.id, agentId: 'agent_r' } }));
  assert.ok(!(await sees(one)), 'at once where it was done');
  await eventually('out of sight', async () => !(await sees(two)), LIMIT_MS);
});

test('a caller that is known costs no query', async () => {
  const p = await person();
  assert.equal(await knock(one, p), IN);
  const before = await cluster.asked();
  for (let i = 0; i < 50; i++) assert.equal(await knock(one, p), IN);
  assert.equal(await cluster.asked(), before);
});

test('while the database is away known callers go on for a while, others get 503; all recover', async () => {
  const p = await person();
  const { data } = (await call(one, 'POST', '/api/auth/keys', { token: root, body: { name: 'new', role: 'USER' } })).json;
  assert.equal(await knock(one, p), IN);
  await cluster.stop();
  assert.equal(await knock(one, p), IN, 'known a moment ago');
  const unknown = await call(one, 'GET', '/api/dashboard/agents', { key: data.key });
  assert.equal(unknown.status, 503, 'nobody can tell');
  assert.ok(unknown.headers['retry-after']);
  const login = await call(one, 'POST', '/api/auth/login', { body: { email: p.email, password: PASSWORD } });
  assert.equal(login.status, 503);
  assert.ok(login.headers['retry-after']);
  const forged = await call(one, 'GET', '/api/dashboard/agents', { token: `${p.token}x` });
  assert.equal(forged.status, OUT, 'what is not ours is refused as ever');
  await eventually('what is known grows too old', async () => (await knock(one, p)) === 503, LIMIT_MS);
  await cluster.start();
  await eventually('known again', async () => (await knock(one, p)) === IN);
  assert.equal((await call(one, 'GET', '/api/dashboard/agents', { key: data.key })).status, 200);
});
