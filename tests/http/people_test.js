// People: registering, logging in, being approved, assigned and managed, as a dashboard does it.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { SERVICE_KEY, call, eventually, post, startAll, startServer } from './harness.js';
import { ended, endedCall } from './samples.js';

const PASSWORD = 'correct horse battery';
const USERS = '/api/dashboard/users';
const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

let cluster, server;
before(async () => {
  ({ cluster, server } = await startAll());
  for (const agent of ['agent_a', 'agent_b'])
    for (const n of [1, 2])
      assert.equal((await post(server, ended(endedCall({ agent_id: agent, agent_name: `Name of ${agent}`, call_id: `${agent}_${n}` })))).status, 204);
});
after(() => server?.stop());

function failure(answer, status, code) {
  assert.equal(answer.status, status, answer.text);
  assert.equal(answer.json.error, true);
  assert.equal(answer.json.code, code, answer.text);
  assert.equal(answer.json.status, status);
  if (status === 401) assert.match(answer.headers['www-authenticate'], /^Bearer\b/);
  return answer.json;
}

const good = (answer, status = 200) => {
  assert.equal(answer.status, status, answer.text);
  assert.equal(answer.json.success, true);
  return answer.json;
};

const register = (body, on = server) => call(on, 'POST', '/api/auth/register', { body: { password: PASSWORD, ...body } });
const login = (email, password = PASSWORD, on = server) => call(on, 'POST', '/api/auth/login', { body: { email, password } });
const tokenOf = async (email, password, on) => good(await login(email, password, on)).token;

let root; // the superadmin's token
let counter = 0;
/** A user of that role who has logged in: {id, email, token}. */
async function person(role = 'USER') {
  const email = `person${++counter}@example.com`;
  const { data } = good(await register({ email }), 201);
  if (role !== 'USER') good(await call(server, 'PUT', `${USERS}/${data.id}`, { token: root, body: { role } }));
  return { id: data.id, email, token: await tokenOf(email) };
}

describe('people', () => {
  test('the flow that is documented: register, token, me, call history with a token and with a key', async () => {
    const made = good(await register({ email: 'First@Example.com', name: '', phone: '+15550100' }), 201);
    assert.deepEqual(made.data, { ...made.data, email: 'first@example.com', name: '', role: 'SUPERADMIN', status: 'APPROVED' });
    assert.match(made.data.created_at, ISO);
    assert.ok(!made.message);
    root = made.token;
    const { data } = good(await call(server, 'GET', '/api/auth/me', { token: root }));
    assert.deepEqual(data, { ...made.data, phone: '+15550100', all_agents: false, agents: [] });
    for (const who of [{ token: root }, { key: SERVICE_KEY }]) {
      const { data: page } = good(await call(server, 'GET', '/api/dashboard/call-history/agent_a?limit=1', who));
      assert.equal(page.pagination.total, 2);
    }
    const again = good(await login('FIRST@example.com'));
    assert.match(again.expiresAt, ISO);
    assert.ok(Math.abs(Date.parse(again.expiresAt) - Date.now() - 86_400_000) < 60_000, 'a day from now');
    good(await call(server, 'GET', '/api/auth/me', { token: again.token }));
  });

  test('an e-mail registers once, in whatever case; the second is a user', async () => {
    failure(await register({ email: 'first@EXAMPLE.com' }), 409, 'email_taken');
    assert.equal(good(await register({ email: 'second@example.com' }), 201).data.role, 'USER');
  });

  test('every mistake in a registration is named', async () => {
    const bad = failure(await register({ email: 'nobody', password: 'short', name: 'x'.repeat(121), role: 'ADMIN' }), 400, 'validation_failed');
    assert.deepEqual(bad.errors.map((e) => e.field).sort(), ['email', 'name', 'password', 'role']);
    for (const password of ['', '1234567', ' '.repeat(12), 'x'.repeat(129), null, 12345678, undefined])
      failure(await register({ email: 'x@example.com', password }), 400, 'validation_failed');
    failure(await register({ email: `${'x'.repeat(250)}@example.com` }), 400, 'validation_failed');
    good(await register({ email: 'letters@example.com', password: 'ä'.repeat(128), name: 'ü'.repeat(120) }), 201);
    good(await login('letters@example.com', 'ä'.repeat(128)));
  });

  test('a wrong password and an unknown user are told the same', async () => {
    const wrong = await login('first@example.com', 'wrong password');
    const unknown = await login('nobody@example.com', 'wrong password');
    failure(wrong, 401, 'unauthorized');
    const told = (a) => a.text.replaceAll(a.json.requestId, 'id');
    assert.equal(told(wrong), told(unknown));
  });

  test('me needs a token: a key is known, but is nobody', async () => {
    failure(await call(server, 'GET', '/api/auth/me'), 401, 'unauthorized');
    failure(await call(server, 'GET', '/api/auth/me', { key: SERVICE_KEY }), 403, 'forbidden');
    good(await call(server, 'GET', '/api/auth/me', { key: SERVICE_KEY, token: root }));
  });

  test('a changed password gives a new token and ends the older ones', async () => {
    const one = await person();
    const second = await tokenOf(one.email);
    const change = (body, token = one.token) => call(server, 'POST', '/api/auth/password', { token, body });
    failure(await change({ currentPassword: 'wrong password', newPassword: 'another password' }), 401, 'unauthorized');
    failure(await change({ currentPassword: PASSWORD, newPassword: 'short' }), 400, 'validation_failed');
    failure(await change({ currentPassword: PASSWORD, newPassword: ' '.repeat(20) }), 400, 'validation_failed');
    const { token, expiresAt } = good(await change({ currentPassword: PASSWORD, newPassword: 'another password' }));
    assert.match(expiresAt, ISO);
    for (const old of [one.token, second]) failure(await call(server, 'GET', '/api/auth/me', { token: old }), 401, 'unauthorized');
    good(await call(server, 'GET', '/api/auth/me', { token }));
    failure(await login(one.email), 401, 'unauthorized');
    good(await call(server, 'GET', '/api/auth/me', { token: await tokenOf(one.email, 'another password') }));
  });

  test('logging out everywhere ends every token, and the next login counts, in the same second too', async () => {
    const one = await person();
    for (let i = 0; i < 3; i++) {
      const tokens = [await tokenOf(one.email), await tokenOf(one.email)];
      good(await call(server, 'POST', '/api/auth/logout-all', { token: tokens[0] }));
      for (const token of tokens) failure(await call(server, 'GET', '/api/auth/me', { token }), 401, 'unauthorized');
    }
    good(await call(server, 'GET', '/api/auth/me', { token: await tokenOf(one.email) }));
  });

  test('a hash of other parameters is replaced at the next login', async () => {
    const one = await person();
    const old = '$argon2id$v=19$m=8192,t=1,p=1$Bw7VsHEoykE5Nc8iheQDpQ$t9TFMrpZvo+HwEJGrb4DLJLcLwWKQWEnN18ObV2zREY';
    await cluster.exec(`UPDATE frontdesk.users SET password_hash = '${old}' WHERE id = '${one.id}'`);
    good(await login(one.email, 'an old password'));
    const hash = await cluster.value(`SELECT password_hash FROM frontdesk.users WHERE id = '${one.id}'`);
    assert.match(hash, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    good(await login(one.email, 'an old password'));
    await cluster.exec(`UPDATE frontdesk.users SET password_hash = '${old}' WHERE id = '${one.id}'`);
    good(await call(server, 'POST', '/api/auth/password', { token: one.token, body: { currentPassword: 'an old password', newPassword: PASSWORD } }));
    good(await login(one.email));
  });
});

describe('managing people', () => {
  test('administrators list, find, look at and change users', async () => {
    const one = await person();
    const admin = await person('ADMIN');
    const list = async (query) => good(await call(server, 'GET', `${USERS}?${query}`, { token: admin.token })).data;
    const { users, pagination } = await list('limit=2');
    assert.equal(users.length, 2);
    assert.equal(users[0].id, admin.id, 'the newest first');
    assert.equal(pagination.total, await cluster.value('SELECT count(*)::int FROM frontdesk.users'));
    assert.equal(pagination.hasMore, true);
    assert.deepEqual(Object.keys(users[0]).sort(), ['all_agents', 'created_at', 'email', 'id', 'name', 'phone', 'role', 'status', 'updated_at']);
    assert.deepEqual((await list(`search=${one.email.toUpperCase()}`)).users.map((u) => u.id), [one.id]);
    assert.ok((await list('role=ADMIN')).users.some((u) => u.id === admin.id));
    assert.deepEqual((await list('status=PENDING')).users, []);
    assert.deepEqual((await list('search=%25')).users, []);
    assert.equal(good(await call(server, 'GET', `${USERS}/${one.id}`, { key: SERVICE_KEY })).data.email, one.email);
    const changed = good(await call(server, 'PUT', `${USERS}/${one.id}`, { token: admin.token, body: { name: 'New Name', all_agents: true } })).data;
    assert.deepEqual([changed.name, changed.all_agents, changed.role], ['New Name', true, 'USER']);
    for (const target of [`${USERS}/00000000-0000-0000-0000-000000000000`, `${USERS}/x`]) failure(await call(server, 'GET', target, { token: admin.token }), 404, 'not_found');
    failure(await call(server, 'PUT', `${USERS}/${one.id}`, { token: admin.token, body: { email: 'x@example.com', role: 'ROOT' } }), 400, 'validation_failed');
  });

  test('only a superadmin makes, changes or deletes superadmins, approves, and sets a status', async () => {
    const one = await person();
    const admin = await person('ADMIN');
    const chief = await person('SUPERADMIN');
    for (const who of [{ token: admin.token }, { key: SERVICE_KEY }]) {
      failure(await call(server, 'PUT', `${USERS}/${one.id}`, { ...who, body: { role: 'SUPERADMIN' } }), 403, 'forbidden');
      failure(await call(server, 'PUT', `${USERS}/${one.id}`, { ...who, body: { status: 'REJECTED' } }), 403, 'forbidden');
      failure(await call(server, 'PUT', `${USERS}/${chief.id}`, { ...who, body: { name: 'x' } }), 403, 'forbidden');
      failure(await call(server, 'DELETE', `${USERS}/${chief.id}`, who), 403, 'forbidden');
      failure(await call(server, 'POST', `${USERS}/${one.id}/approve`, who), 403, 'forbidden');
      good(await call(server, 'PUT', `${USERS}/${one.id}`, { ...who, body: { status: 'APPROVED', name: 'said but not changed' } }));
    }
    failure(await call(server, 'PUT', `${USERS}/${chief.id}`, { token: chief.token, body: { role: 'USER' } }), 403, 'forbidden');
    failure(await call(server, 'DELETE', `${USERS}/${chief.id}`, { token: chief.token }), 403, 'forbidden');
    good(await call(server, 'PUT', `${USERS}/${chief.id}`, { token: chief.token, body: { name: 'my own name' } }));
    good(await call(server, 'DELETE', `${USERS}/${one.id}`, { token: chief.token }));
    failure(await call(server, 'GET', `${USERS}/${one.id}`, { token: chief.token }), 404, 'not_found');
    failure(await call(server, 'GET', '/api/auth/me', { token: one.token }), 401, 'unauthorized');
    failure(await login(one.email), 401, 'unauthorized');
  });

  test('a changed role ends the tokens that name the old one', async () => {
    const one = await person('ADMIN');
    good(await call(server, 'GET', USERS, { token: one.token }));
    good(await call(server, 'PUT', `${USERS}/${one.id}`, { token: root, body: { role: 'USER' } }));
    failure(await call(server, 'GET', USERS, { token: one.token }), 401, 'unauthorized');
    failure(await call(server, 'GET', USERS, { token: await tokenOf(one.email) }), 403, 'forbidden');
  });

  test('two superadmins who unmake one another at once leave one', async () => {
    for (let round = 0; round < 5; round++) {
      const [a, b] = [await person('SUPERADMIN'), await person('SUPERADMIN')];
      const others = await cluster.rows(`SELECT id FROM frontdesk.users WHERE role = 'SUPERADMIN' AND id NOT IN ('${a.id}', '${b.id}')`);
      await cluster.exec(`UPDATE frontdesk.users SET role = 'ADMIN' WHERE id NOT IN ('${a.id}', '${b.id}') AND role = 'SUPERADMIN'`);
      const answers = await Promise.all([
        call(server, 'PUT', `${USERS}/${b.id}`, { token: a.token, body: { role: 'USER' } }),
        round % 2 ? call(server, 'DELETE', `${USERS}/${a.id}`, { token: b.token })
          : call(server, 'PUT', `${USERS}/${a.id}`, { token: b.token, body: { role: 'USER' } }),
      ]);
      assert.deepEqual(answers.map((x) => x.status === 200).sort(), [false, true], answers.map((x) => x.text).join());
      assert.equal(await cluster.value("SELECT count(*)::int FROM frontdesk.users WHERE role = 'SUPERADMIN'"), 1);
      for (const { id } of others) await cluster.exec(`UPDATE frontdesk.users SET role = 'SUPERADMIN' WHERE id = '${id}'`);
    }
  });

  test('agents are assigned and taken away, and a user sees those and nothing else', async () => {
    const one = await person();
    const seen = async () => good(await call(server, 'GET', '/api/dashboard/agents', { token: one.token })).data.agents.map((a) => a.agent_id).sort();
    const assign = (method, agentId, userId = one.id) => call(server, method, '/api/dashboard/assignments', { token: root, body: { userId, agentId } });
    assert.deepEqual(await seen(), []);
    const made = good(await assign('POST', 'agent_a'), 201).data;
    assert.deepEqual({ ...made, created_at: 0 }, { user_id: one.id, agent_id: 'agent_a', created_at: 0 });
    assert.match(made.created_at, ISO);
    failure(await assign('POST', 'agent_a'), 409, 'conflict');
    failure(await assign('POST', 'nobody'), 404, 'not_found');
    failure(await assign('POST', 'agent_a', '00000000-0000-0000-0000-000000000000'), 404, 'not_found');
    failure(await assign('POST', 'agent_a', 'x'), 400, 'validation_failed');
    assert.deepEqual(await seen(), ['agent_a']);
    assert.deepEqual(good(await call(server, 'GET', '/api/auth/me', { token: one.token })).data.agents.map((a) => a.agent_id), ['agent_a']);
    const { data: agents } = good(await call(server, 'GET', `${USERS}/${one.id}/agents`, { token: root }));
    assert.equal(agents[0].agent.agent_name, 'Name of agent_a');
    const { data: users } = good(await call(server, 'GET', '/api/dashboard/agents/agent_a/users', { token: root }));
    assert.ok(users.some((u) => u.user.email === one.email && ISO.test(u.created_at)));
    failure(await call(server, 'GET', '/api/dashboard/agents/nobody/users', { token: root }), 404, 'not_found');
    good(await assign('DELETE', 'agent_a'));
    failure(await assign('DELETE', 'agent_a'), 404, 'not_found');
    assert.deepEqual(await seen(), []);
    good(await call(server, 'PUT', `${USERS}/${one.id}`, { token: root, body: { all_agents: true } }));
    assert.deepEqual(await seen(), ['agent_a', 'agent_b']);
  });
});

describe('agents', () => {
  test('administrators add, rename and deactivate agents; a name given by hand stays', async () => {
    const AGENTS = '/api/dashboard/agents';
    const made = good(await call(server, 'POST', AGENTS, { token: root, body: { agent_id: 'agent_new', agent_name: 'By hand' } }), 201).data;
    assert.deepEqual([made.agent_id, made.agent_name, made.status], ['agent_new', 'By hand', 'ACTIVE']);
    failure(await call(server, 'POST', AGENTS, { token: root, body: { agent_id: 'agent_new', agent_name: 'Again' } }), 409, 'conflict');
    assert.equal(failure(await call(server, 'POST', AGENTS, { token: root, body: {} }), 400, 'validation_failed').errors.length, 2);
    const change = (agent, body) => call(server, 'PUT', `${AGENTS}/${agent}`, { token: root, body });
    assert.equal(good(await change('agent_new', { status: 'INACTIVE' })).data.status, 'INACTIVE');
    assert.equal(good(await change('agent_new', { agent_name: 'agent_new', status: 'ACTIVE' })).data.agent_name, 'agent_new');
    failure(await change('nobody', { status: 'INACTIVE' }), 404, 'not_found');
    assert.equal((await post(server, ended(endedCall({ agent_id: 'agent_new', agent_name: 'Retell says' })))).status, 204);
    const info = async () => good(await call(server, 'GET', '/api/dashboard/agent-info/agent_new', { token: root })).data;
    assert.equal((await info()).agent_name, 'agent_new');
    assert.equal(good(await call(server, 'DELETE', `${AGENTS}/agent_new`, { token: root })).message, 'Agent deactivated successfully');
    assert.equal((await info()).status, 'INACTIVE');
    failure(await call(server, 'DELETE', `${AGENTS}/nobody`, { token: root }), 404, 'not_found');
  });
});

describe('keys', () => {
  const KEYS = '/api/auth/keys';
  const make = (body) => call(server, 'POST', KEYS, { token: root, body });

  test('a key is shown once, works at once, and is listed without itself', async () => {
    const { data } = good(await make({ name: 'a dashboard', role: 'ADMIN' }), 201);
    assert.match(data.key, /^fd_[A-Za-z0-9_-]{43}$/);
    assert.equal(data.prefix, data.key.slice(0, 11));
    good(await call(server, 'GET', USERS, { key: data.key }));
    good(await call(server, 'GET', USERS, { token: data.key }));
    const { keys, pagination } = good(await call(server, 'GET', KEYS, { token: root })).data;
    assert.equal(pagination.total, keys.length);
    const listed = keys.find((k) => k.id === data.id);
    assert.deepEqual(Object.keys(listed).sort(), ['agents', 'created_at', 'created_by', 'expires_at', 'id', 'last_used_at', 'name', 'prefix', 'role']);
    for (const other of [data.key.slice(0, -1), `${data.key}x`, data.key.toLowerCase(), `fd_${'A'.repeat(43)}`, 'fd_'])
      failure(await call(server, 'GET', '/api/dashboard/agents', { key: other }), 401, 'unauthorized');
  });

  test('a USER key sees its agents, or all, and manages nothing', async () => {
    const agents = async (key) => good(await call(server, 'GET', '/api/dashboard/agents', { key })).data.agents.map((a) => a.agent_id);
    const one = good(await make({ name: 'one', role: 'USER', agents: ['agent_b'] }), 201).data;
    assert.deepEqual(await agents(one.key), ['agent_b']);
    const none = good(await make({ name: 'none', role: 'USER', agents: [] }), 201).data;
    assert.deepEqual(await agents(none.key), []);
    const all = good(await make({ name: 'all', role: 'USER' }), 201).data;
    assert.ok((await agents(all.key)).length >= 2);
    for (const { key } of [one, none, all]) failure(await call(server, 'GET', USERS, { key }), 403, 'forbidden');
    const bad = failure(await make({ name: ' ', role: 'SUPERADMIN', agents: ['a', 'a'], expiresAt: 'soon' }), 400, 'validation_failed');
    assert.deepEqual([...new Set(bad.errors.map((e) => e.field))].sort(), ['agents', 'expiresAt', 'name', 'role']);
    failure(await make({ name: 'x', role: 'USER', agents: ['nobody'] }), 400, 'validation_failed');
    failure(await make({ name: 'x', role: 'ADMIN', agents: ['agent_a'] }), 400, 'validation_failed');
    failure(await make({ name: 'x', role: 'USER', expiresAt: '2020-01-01' }), 400, 'validation_failed');
  });

  test('a key ends when it expires, and when it is revoked', async () => {
    const soon = new Date(Date.now() + 1500).toISOString();
    const { data } = good(await make({ name: 'short', role: 'USER', expiresAt: soon }), 201);
    assert.equal(data.expires_at, soon);
    good(await call(server, 'GET', '/api/dashboard/agents', { key: data.key }));
    await eventually('it expires', async () => (await call(server, 'GET', '/api/dashboard/agents', { key: data.key })).status === 401);
    assert.ok(Date.now() >= Date.parse(soon));
    const other = good(await make({ name: 'other', role: 'USER' }), 201).data;
    good(await call(server, 'GET', '/api/dashboard/agents', { key: other.key }));
    good(await call(server, 'DELETE', `${KEYS}/${other.id.toUpperCase()}`, { token: root }));
    failure(await call(server, 'GET', '/api/dashboard/agents', { key: other.key }), 401, 'unauthorized');
    failure(await call(server, 'DELETE', `${KEYS}/${other.id}`, { token: root }), 404, 'not_found');
    failure(await call(server, 'DELETE', `${KEYS}/x`, { token: root }), 404, 'not_found');
  });

  test('when a key was last used is written down when the server stops, if not before', async () => {
    const { data } = good(await make({ name: 'used', role: 'USER' }), 201);
    const other = await startServer(cluster);
    good(await call(other, 'GET', '/api/dashboard/agents', { key: data.key }));
    await other.stop();
    const { keys } = good(await call(server, 'GET', `${KEYS}?limit=100`, { token: root })).data;
    assert.ok(Math.abs(Date.parse(keys.find((k) => k.id === data.id).last_used_at) - Date.now()) < 60_000);
  });
});

describe('who may register', () => {
  test('by approval: register, wait, be approved, log in, be assigned an agent, see it and nothing else', async () => {
    const strict = await startServer(cluster, { REGISTRATION: 'approval' });
    try {
      const made = good(await register({ email: 'waiting@example.com' }, strict), 201);
      assert.equal(made.data.status, 'PENDING');
      assert.ok(made.message && !made.token);
      failure(await login('waiting@example.com', 'wrong password', strict), 401, 'unauthorized');
      failure(await login('waiting@example.com', PASSWORD, strict), 403, 'account_pending');
      const approved = good(await call(strict, 'POST', `${USERS}/${made.data.id}/approve`, { token: root })).data;
      assert.equal(approved.status, 'APPROVED');
      const token = await tokenOf('waiting@example.com', PASSWORD, strict);
      good(await call(strict, 'POST', '/api/dashboard/assignments', { token: root, body: { userId: made.data.id, agentId: 'agent_a' } }), 201);
      const { data } = good(await call(strict, 'GET', '/api/dashboard/calls', { token }));
      assert.deepEqual([...new Set(data.calls.map((c) => c.agent_id))], ['agent_a']);
      assert.equal(data.pagination.total, 2);
      failure(await call(strict, 'GET', '/api/dashboard/call-history/agent_b', { token }), 404, 'not_found');
      good(await call(strict, 'PUT', `${USERS}/${made.data.id}`, { token: root, body: { status: 'REJECTED' } }));
      failure(await login('waiting@example.com', PASSWORD, strict), 403, 'account_rejected');
      failure(await call(strict, 'GET', '/api/dashboard/calls', { token }), 401, 'unauthorized');
    } finally {
      await strict.stop();
    }
  });

  test('nobody when it is closed; approval is the default in production', async () => {
    const closed = await startServer(cluster, { REGISTRATION: 'closed' });
    failure(await register({ email: 'late@example.com' }, closed), 403, 'registration_closed');
    await closed.stop();
    const production = await startServer(cluster, { NODE_ENV: 'production' });
    assert.equal(good(await register({ email: 'production@example.com' }, production), 201).data.status, 'PENDING');
    await production.stop();
  });

  test('of two who are first at once, one becomes superadmin', async () => {
    for (let round = 0; round < 5; round++) {
      await cluster.exec('BEGIN; CREATE TABLE IF NOT EXISTS public.kept AS TABLE frontdesk.users; DELETE FROM frontdesk.users; COMMIT');
      const answers = await Promise.all([1, 2, 3, 4].map((n) => register({ email: `first${n}@example.com` })));
      assert.deepEqual(answers.map((a) => good(a, 201).data.role).sort(), ['SUPERADMIN', 'USER', 'USER', 'USER']);
    }
    await cluster.exec('DELETE FROM frontdesk.users; INSERT INTO frontdesk.users TABLE public.kept; DROP TABLE public.kept');
  });

  test('the settings make a superadmin at start, and leave one that is there as it is', async () => {
    const env = { SUPERADMIN_EMAIL: 'Boss@Example.com', SUPERADMIN_PASSWORD: 'the boss himself', SUPERADMIN_NAME: 'Boss' };
    const one = await startServer(cluster, env);
    const token = await tokenOf('boss@example.com', 'the boss himself', one);
    const { data } = good(await call(one, 'GET', '/api/auth/me', { token }));
    assert.deepEqual([data.role, data.status, data.name], ['SUPERADMIN', 'APPROVED', 'Boss']);
    await one.stop();
    const two = await startServer(cluster, { ...env, SUPERADMIN_PASSWORD: 'somebody else' });
    failure(await login('boss@example.com', 'somebody else', two), 401, 'unauthorized');
    good(await call(two, 'GET', '/api/auth/me', { token: await tokenOf('boss@example.com', 'the boss himself', two) }));
    await two.stop();
  });
});

describe('without a database', () => {
  test('the superadmin of the settings is made once there is one', async () => {
    await cluster.stop();
    const late = await startServer(cluster, { SUPERADMIN_EMAIL: 'late@example.com', SUPERADMIN_PASSWORD: PASSWORD });
    try {
      assert.equal((await login('late@example.com', PASSWORD, late)).status, 503);
      await cluster.start();
      await eventually('it may log in', async () => {
        const made = await cluster.value("SELECT count(*)::int FROM frontdesk.users WHERE email = 'late@example.com' AND role = 'SUPERADMIN'");
        return made === 1 && (await login('late@example.com', PASSWORD, late)).status === 200;
      }, 90_000);
    } finally {
      await late.stop();
    }
  });
});

describe('the log', () => {
  test('says who did what to whom from where, and no secret and no e-mail', () => {
    const audit = server.log().filter((line) => line.msg === 'audit');
    for (const action of ['register', 'login', 'password', 'logout everywhere', 'user.change', 'user.delete', 'assignment.add', 'key.create', 'key.revoke', 'agent.add'])
      assert.ok(audit.some((line) => line.action === action && line.by && line.outcome && line.remote === '127.0.0.1'), action);
    assert.ok(audit.some((line) => line.by === 'service key'));
    assert.ok(audit.some((line) => /^user [0-9a-f-]{36}$/.test(line.by)));
    for (const secret of [PASSWORD, 'another password', root, root.split('.')[2], `fd_${'A'.repeat(43)}`, '@example.com', SERVICE_KEY, '$argon2'])
      assert.ok(!server.output.includes(secret), secret);
  });
});
