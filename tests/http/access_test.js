// P19: a caller sees only its agents, on every route. The matrix is role × route × ownership; the
// routes come from the binary's own table (`frontdesk routes`), so that one without a rule here fails.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { SERVICE_KEY, call, eventually, frontdesk, post, settings, startAll } from './harness.js';
import { analyzed, endedCall } from './samples.js';

const PASSWORD = 'correct horse battery';
const DASHBOARD = '/api/dashboard';
const NOBODY = '00000000-0000-0000-0000-000000000000';

// How many calls each agent has: all different, so that a sum tells which agents went into it.
const CALLS = { m_one: 1, m_two: 2, m_four: 4, m_none: 0 };
const AGENTS = Object.keys(CALLS);
const SEEN = ['m_one', 'm_none']; // by whoever sees only some

let server, routes;
const callers = []; // {name, level, person, sees, send: {token} or {key}}

before(async () => {
  const all = await startAll();
  server = all.server;
  routes = JSON.parse((await frontdesk(['routes'], settings(all.cluster))).stdout);
  for (const [agent, count] of Object.entries(CALLS))
    for (let n = 1; n <= count; n++)
      assert.equal((await post(server, analyzed(endedCall({ agent_id: agent, agent_name: agent, call_id: `${agent}_${n}` })))).status, 204);

  await eventually('the words of all calls are indexed', async () => {
    await all.cluster.exec('SELECT frontdesk.index_text(10000)'); // rather than wait for the server to
    const { total } = (await call(server, 'GET', `${DASHBOARD}/search/calls?query=table`, { key: SERVICE_KEY })).json.data.pagination;
    return total === Object.values(CALLS).reduce((a, b) => a + b);
  });

  const ok = (answer, status = 200) => {
    assert.equal(answer.status, status, answer.text);
    return answer.json;
  };
  const register = async (email) => ok(await call(server, 'POST', '/api/auth/register', { body: { email, password: PASSWORD } }), 201);
  const chief = await register('chief@example.com');
  const as = { token: chief.token };
  ok(await call(server, 'POST', `${DASHBOARD}/agents`, { ...as, body: { agent_id: 'm_none', agent_name: 'm_none' } }), 201);
  const user = async (name, change, agents = []) => {
    const { data } = await register(`${name}@example.com`);
    if (change) ok(await call(server, 'PUT', `${DASHBOARD}/users/${data.id}`, { ...as, body: change }));
    for (const agentId of agents) ok(await call(server, 'POST', `${DASHBOARD}/assignments`, { ...as, body: { userId: data.id, agentId } }), 201);
    return { token: ok(await call(server, 'POST', '/api/auth/login', { body: { email: data.email, password: PASSWORD } })).token };
  };
  const key = async (body) => ({ key: ok(await call(server, 'POST', '/api/auth/keys', { ...as, body: { name: 'k', ...body } }), 201).data.key });

  const [NONE, USER, ADMIN, SUPERADMIN] = [-1, 0, 1, 2];
  callers.push(
    { name: 'nobody', level: NONE, sees: [], send: {} },
    { name: 'a wrong key', level: NONE, sees: [], send: { key: 'x'.repeat(40) } },
    { name: 'a user without agents', level: USER, person: true, sees: [], send: await user('none') },
    { name: 'a user with agents', level: USER, person: true, sees: SEEN, send: await user('some', null, SEEN) },
    { name: 'a user with all agents', level: USER, person: true, sees: AGENTS, send: await user('all', { all_agents: true }) },
    { name: 'an administrator', level: ADMIN, person: true, sees: AGENTS, send: await user('admin', { role: 'ADMIN' }) },
    { name: 'a superadministrator', level: SUPERADMIN, person: true, sees: AGENTS, send: as },
    { name: 'a key with agents', level: USER, sees: SEEN, send: await key({ role: 'USER', agents: SEEN }) },
    { name: 'a key without agents', level: USER, sees: [], send: await key({ role: 'USER', agents: [] }) },
    { name: 'a key for all agents', level: USER, sees: AGENTS, send: await key({ role: 'USER' }) },
    { name: 'an administrator\'s key', level: ADMIN, sees: AGENTS, send: await key({ role: 'ADMIN' }) },
    { name: 'the service key', level: ADMIN, sees: AGENTS, send: { key: SERVICE_KEY } },
  );
});
after(() => server?.stop());

// ---- the rules ----

const level = { reader: 0, person: 0, admin: 1, superadmin: 2 };
const anybody = (target) => ({ access: 'public', target });
/** Managing: sent in a form that changes nothing, which whoever may is told in another way than no. */
const manages = (target, body, access = 'admin') => ({ access, target, body });
/** Of one agent: there for those who see it; for others exactly as one that does not exist. */
const ofOne = (path) => ({ access: 'reader', one: path });
/** Of all agents that the caller sees: what is asked, and what of the answer must be theirs alone. */
const ofAll = (target, look) => ({ access: 'reader', target, look });

const pageOfCalls = (d) => ({ calls: d.pagination.total, names: [...new Set(d.calls.map((c) => c.agent_id))] });
const pageOfAgents = (d) => ({ agents: d.pagination.total, names: d.agents.map((a) => a.agent_id) });
const body = {};

const rules = {
  'GET /health': anybody('/health'),
  'GET /healthz': anybody('/healthz'),
  'GET /readyz': anybody('/readyz'),
  'GET /openapi.json': anybody('/openapi.json'),
  'POST /api/auth/login': { ...anybody('/api/auth/login'), body },
  'POST /api/auth/register': { ...anybody('/api/auth/register'), body },
  'POST /api/webhooks/retell': { access: 'signed', target: '/api/webhooks/retell', body },

  'GET /api/auth/me': { access: 'person', target: '/api/auth/me' },
  'POST /api/auth/password': { access: 'person', target: '/api/auth/password', body },
  'POST /api/auth/logout-all': { access: 'person', target: '/api/auth/logout-all?x=1', body },

  'GET /api/auth/keys': manages('/api/auth/keys'),
  'POST /api/auth/keys': manages('/api/auth/keys', body),
  'DELETE /api/auth/keys/:id': manages(`/api/auth/keys/${NOBODY}`),
  [`POST ${DASHBOARD}/agents`]: manages(`${DASHBOARD}/agents`, body),
  [`PUT ${DASHBOARD}/agents/:agentId`]: manages(`${DASHBOARD}/agents/nobody`, body),
  [`DELETE ${DASHBOARD}/agents/:agentId`]: manages(`${DASHBOARD}/agents/nobody`),
  [`GET ${DASHBOARD}/agents/:agentId/users`]: manages(`${DASHBOARD}/agents/m_one/users`),
  [`POST ${DASHBOARD}/assignments`]: manages(`${DASHBOARD}/assignments`, body),
  [`DELETE ${DASHBOARD}/assignments`]: manages(`${DASHBOARD}/assignments`, body),
  [`GET ${DASHBOARD}/users`]: manages(`${DASHBOARD}/users`),
  [`GET ${DASHBOARD}/users/:id`]: manages(`${DASHBOARD}/users/${NOBODY}`),
  [`PUT ${DASHBOARD}/users/:id`]: manages(`${DASHBOARD}/users/${NOBODY}`, body),
  [`DELETE ${DASHBOARD}/users/:id`]: manages(`${DASHBOARD}/users/${NOBODY}`),
  [`GET ${DASHBOARD}/users/:id/agents`]: manages(`${DASHBOARD}/users/${NOBODY}/agents`),
  [`POST ${DASHBOARD}/users/:id/approve`]: manages(`${DASHBOARD}/users/${NOBODY}/approve`, body, 'superadmin'),
  [`POST ${DASHBOARD}/sync-agents`]: manages(`${DASHBOARD}/sync-agents?x=1`, body),
  [`POST ${DASHBOARD}/sync-calls`]: manages(`${DASHBOARD}/sync-calls?x=1`, body),
  [`GET ${DASHBOARD}/sync-status`]: { access: 'reader', target: `${DASHBOARD}/sync-status` },

  [`GET ${DASHBOARD}/agent-info/:agentId`]: ofOne((agent) => `agent-info/${agent}`),
  [`GET ${DASHBOARD}/agent-summary/:agentId`]: ofOne((agent) => `agent-summary/${agent}`),
  [`GET ${DASHBOARD}/call-history/:agentId`]: ofOne((agent) => `call-history/${agent}`),
  [`GET ${DASHBOARD}/calls/:callId`]: { ...ofOne((agent) => `calls/${agent}_1`), withCalls: true },
  [`GET ${DASHBOARD}/agents`]: ofAll('agents', pageOfAgents),
  [`GET ${DASHBOARD}/search/agents`]: ofAll('search/agents?query=M_', pageOfAgents),
  [`GET ${DASHBOARD}/call-history`]: { ...ofAll('call-history', pageOfCalls), one: (agent) => `call-history?agentId=${agent}` },
  [`GET ${DASHBOARD}/calls`]: { ...ofAll('calls', pageOfCalls), one: (agent) => `calls?agentId=${agent}` },
  [`GET ${DASHBOARD}/search/calls`]: { ...ofAll('search/calls?query=table', pageOfCalls), one: (agent) => `search/calls?query=table&agentId=${agent}` },
  [`GET ${DASHBOARD}/stats`]: ofAll('stats', (d) => ({ agents: d.agents.total, calls: d.calls.total })),
  [`GET ${DASHBOARD}/overview`]: ofAll('overview', (d) => ({ agents: d.stats.agents.total, calls: d.stats.calls.total, again: d.analytics.totalCalls })),
  [`GET ${DASHBOARD}/summary`]: ofAll('summary', (d) => ({ calls: d.calls.total, names: d.agents.map((a) => a.agent_id) })),
  [`GET ${DASHBOARD}/analytics/overview`]: { ...ofAll('analytics/overview', (d) => ({ agents: d.totalAgents, calls: d.totalCalls })), one: (agent) => `analytics/overview?agentId=${agent}` },
  [`GET ${DASHBOARD}/analytics/agents`]: ofAll('analytics/agents', (d) => ({ calls: d.reduce((n, a) => n + a.totalCalls, 0), names: d.map((a) => a.agent_id) })),
  [`GET ${DASHBOARD}/analytics/calls`]: { ...ofAll('analytics/calls', (d) => ({ calls: d.summary.totalCalls })), one: (agent) => `analytics/calls?agentId=${agent}` },
  [`GET ${DASHBOARD}/analytics/sentiment`]: { ...ofAll('analytics/sentiment', (d) => ({ calls: d.totalCallsWithSentiment })), one: (agent) => `analytics/sentiment?agentId=${agent}` },
};

const nameOf = (route) => `${route.method} ${route.pattern}`;
const full = (target) => (target.startsWith('/') ? target : `${DASHBOARD}/${target}`);

// ---- the matrix ----

test('P19: every route has a rule, and lets in whom the rule says', () => {
  assert.ok(routes.length > 0);
  for (const route of routes) {
    const rule = rules[nameOf(route)];
    assert.ok(rule, `${nameOf(route)} has no rule here: say who may, and what of it depends on the agents that a caller sees`);
    assert.equal(route.access, rule.access, nameOf(route));
    if (rule.access === 'reader' && route.pattern !== `${DASHBOARD}/sync-status`) assert.ok(rule.one || rule.look, nameOf(route));
  }
});

/** What the route's access means for this caller: 401, 403, or 0 for "may". */
function refusal(access, caller) {
  if (access === 'public') return 0;
  if (access === 'signed' || caller.level < 0) return 401;
  if (access === 'person') return caller.person ? 0 : 403;
  return caller.level >= level[access] ? 0 : 403;
}

test('P19: every role is let in, told to log in, or refused, on every route', async () => {
  for (const route of routes) {
    const rule = rules[nameOf(route)];
    const target = full(rule.target ?? rule.one('m_one'));
    for (const caller of callers) {
      const { status } = await call(server, route.method, target, { ...caller.send, body: rule.body });
      const wanted = refusal(rule.access, caller);
      const what = `${caller.name}: ${nameOf(route)} answers ${status}`;
      if (wanted) assert.equal(status, wanted, what);
      else assert.ok(status < 500 && ![401, 403].includes(status), what);
    }
  }
});

test('P19: lists, totals and sums are of the caller\'s agents alone', async () => {
  for (const route of routes.filter((r) => rules[nameOf(r)].look)) {
    const { target, look } = rules[nameOf(route)];
    for (const caller of callers.filter((c) => c.level >= 0)) {
      const answer = await call(server, 'GET', full(target), caller.send);
      assert.equal(answer.status, 200, `${caller.name}: ${target}: ${answer.text}`);
      const seen = look(answer.json.data);
      const calls = caller.sees.reduce((n, agent) => n + CALLS[agent], 0);
      const what = `${caller.name}: ${target}`;
      if ('calls' in seen) assert.equal(seen.calls, calls, what);
      if ('again' in seen) assert.equal(seen.again, calls, what);
      if ('agents' in seen) assert.equal(seen.agents, caller.sees.length, what);
      for (const name of seen.names ?? []) assert.ok(caller.sees.includes(name), `${what} shows ${name}`);
    }
  }
});

test('P19: an agent or call out of sight is answered byte for byte as one that does not exist', async () => {
  const bytes = (answer) => answer.text.replaceAll(answer.json.requestId, 'id');
  for (const route of routes.filter((r) => rules[nameOf(r)].one)) {
    const { one, withCalls } = rules[nameOf(route)];
    for (const caller of callers.filter((c) => c.level >= 0)) {
      const missing = await call(server, 'GET', full(one('nobody')), caller.send);
      assert.equal(missing.status, 404, `${caller.name}: ${one('nobody')}`);
      for (const agent of AGENTS) {
        const answer = await call(server, 'GET', full(one(agent)), caller.send);
        const there = caller.sees.includes(agent) && !(withCalls && !CALLS[agent]);
        assert.equal(answer.status, there ? 200 : 404, `${caller.name}: ${one(agent)}`);
        if (!there) assert.equal(bytes(answer), bytes(missing), `${caller.name}: ${one(agent)}`);
      }
    }
  }
});
