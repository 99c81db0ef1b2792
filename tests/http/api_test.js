// The dashboard's routes: who may, what comes back, and what is refused with which words.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { SERVICE_KEY, frontdesk, get, post, raw, request, settings, startAll, startServer, WEBHOOK } from './harness.js';
import { analyzed, ended, endedCall } from './samples.js';

const AGENT = 'agent_pages';
const CALLS = 45;
const HISTORY = `/api/dashboard/call-history/${AGENT}`;

let cluster, server, production;
before(async () => {
  ({ cluster, server } = await startAll());
  production = await startServer(cluster, { NODE_ENV: 'production' });
  // Ties in every key, and calls without a start, duration or cost.
  for (let i = 0; i < CALLS; i++) {
    const base = endedCall({
      agent_id: AGENT, agent_name: 'Pages', call_id: `call_page_${String((i * 17) % CALLS).padStart(3, '0')}`,
      duration_ms: (i % 5) * 1000, call_cost: { combined_cost: (i % 7) + 0.25 },
    });
    base.start_timestamp += (i % 9) * 60_000;
    if (i % 11 === 0) delete base.start_timestamp;
    if (i % 6 === 0) delete base.duration_ms;
    if (i % 8 === 0) delete base.call_cost;
    assert.equal((await post(server, i % 3 ? analyzed(base) : ended(base))).status, 204);
  }
  await post(server, ended(endedCall({ agent_id: 'agent_other', agent_name: 'Other', call_id: 'call_other' })));
});
after(() => Promise.all([server?.stop(), production?.stop()]));

/** Is it the contract's failure, whole? Returns its body. */
function failure(answer, status, code) {
  assert.equal(answer.status, status, answer.text);
  assert.match(answer.headers['content-type'], /^application\/json/);
  const body = answer.json;
  assert.equal(body.error, true);
  assert.equal(body.status, status);
  assert.equal(body.code, code);
  assert.match(body.message, /\S/);
  assert.equal(body.requestId, answer.headers['x-request-id']);
  return body;
}

// ---- who may ----

const guarded = ['/api/dashboard/agents', `/api/dashboard/agent-info/${AGENT}`, HISTORY, '/api/dashboard/call-history', '/api/dashboard/calls', '/api/dashboard/calls/call_other'];

test('without the key, or with a wrong one, every dashboard route answers 401 and says how to log in', async () => {
  const wrong = [{}, { 'x-api-key': '' }, { 'x-api-key': 'wrong' }, { 'x-api-key': `${SERVICE_KEY}x` }, { 'x-api-key': SERVICE_KEY.slice(0, -1) },
    { 'x-api-key': SERVICE_KEY.toUpperCase() }, { Authorization: 'Bearer wrong' }, { Authorization: 'Bearer ' }, { Authorization: 'Bearer' },
    { Authorization: `Basic ${Buffer.from(`x:${SERVICE_KEY}`).toString('base64')}` }, { Authorization: `Bearer ${SERVICE_KEY}x` }, { Cookie: `x-api-key=${SERVICE_KEY}` }];
  for (const target of guarded)
    for (const headers of wrong) {
      const answer = await request(server, 'GET', target, { headers });
      failure(answer, 401, 'unauthorized');
      assert.match(answer.headers['www-authenticate'], /^Bearer\b/);
    }
  failure(await request(server, 'GET', `${HISTORY}?x-api-key=${SERVICE_KEY}&api_key=${SERVICE_KEY}`), 401, 'unauthorized');
});

test('the service key is taken from x-api-key, or as a bearer token', async () => {
  for (const target of guarded) {
    assert.equal((await get(server, target)).status, 200, target);
    assert.equal((await request(server, 'GET', target, { headers: { Authorization: `Bearer ${SERVICE_KEY}` } })).status, 200, target);
    assert.equal((await request(server, 'GET', target, { headers: { Authorization: `bearer ${SERVICE_KEY}` } })).status, 200, target);
  }
});

test('two keys that disagree are none', async () => {
  const answer = await raw(server, `GET /api/dashboard/agents HTTP/1.1\r\nHost: x\r\nx-api-key: wrong\r\nx-api-key: ${SERVICE_KEY}\r\n\r\n`);
  assert.ok([400, 401].includes(answer.status), String(answer.status));
});

// ---- agents ----

test('agents come with their calls counted, the newest first, and their last call', async () => {
  const { success, data } = (await get(server, '/api/dashboard/agents')).json;
  assert.equal(success, true);
  assert.deepEqual(data.pagination, { total: 2, limit: 20, offset: 0, hasMore: false });
  assert.deepEqual(data.agents.map((a) => a.agent_id), ['agent_other', AGENT]);
  const pages = data.agents[1];
  assert.equal(pages._count.calls, CALLS);
  assert.equal(pages.agent_name, 'Pages');
  assert.equal(pages.status, 'ACTIVE');
  for (const field of ['id', 'created_at', 'updated_at', 'last_call_at']) assert.ok(field in pages, field);
});

test('agents are found by part of a name or id in any case, and by status', async () => {
  const ids = async (query) => (await get(server, `/api/dashboard/agents?${query}`)).json.data.agents.map((a) => a.agent_id);
  assert.deepEqual(await ids('search=PAG'), [AGENT]);
  assert.deepEqual(await ids('search=_oth'), ['agent_other']);
  assert.deepEqual(await ids('search=%25'), [], 'a percent sign is a percent sign');
  assert.deepEqual(await ids('status=ACTIVE'), ['agent_other', AGENT]);
  assert.deepEqual(await ids('status=INACTIVE'), []);
  assert.deepEqual(await ids('status=&search='), ['agent_other', AGENT], 'an empty value is as if absent');
  assert.deepEqual(await ids('limit=1&offset=1'), [AGENT]);
});

test('agent-info tells of one agent, 404 of none', async () => {
  const { success, data } = (await get(server, `/api/dashboard/agent-info/${AGENT}`)).json;
  assert.equal(success, true);
  assert.equal(data.agent_id, AGENT);
  assert.equal(data.agent_name, 'Pages');
  assert.equal(data.status, 'ACTIVE');
  assert.match(data.id, /^[0-9a-f-]{36}$/);
  assert.match(data.created_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  failure(await get(server, '/api/dashboard/agent-info/nobody'), 404, 'not_found');
});

test('unknown agents and calls are 404, however they are spelt', async () => {
  for (const name of ['nobody', 'a%20b', '%F0%9F%98%80', "'%3B--", 'x'.repeat(2000), '..', '%2e%2e', '%2F'])
    for (const route of ['agent-info', 'call-history', 'calls']) {
      const answer = await get(server, `/api/dashboard/${route}/${name}`);
      failure(answer, 404, 'not_found');
    }
});

// ---- pages ----

test('every page in every order is what the table says', async () => {
  const keys = {
    date: 'coalesce(start_timestamp, first_sent_ms)',
    duration: 'coalesce(duration_ms, -1)',
    cost: 'coalesce(cost, -1)',
  };
  for (const [sortBy, key] of Object.entries(keys))
    for (const order of ['desc', 'asc']) {
      const truth = (await cluster.rows(`
        SELECT call_id FROM frontdesk.calls WHERE agent_id = '${AGENT}'
        ORDER BY ${key} ${order}, coalesce(start_timestamp, first_sent_ms) ${order}, call_id ${order}`)).map((r) => r.call_id);
      for (const [path, limit] of [[HISTORY, 7], [HISTORY, 100], [`/api/dashboard/call-history?agentId=${AGENT}`, 20], [`/api/dashboard/calls?agentId=${AGENT}`, 45]]) {
        const seen = [];
        for (let offset = 0; ; offset += limit) {
          const { data } = (await get(server, `${path}${path.includes('?') ? '&' : '?'}sortBy=${sortBy}&order=${order}&limit=${limit}&offset=${offset}`)).json;
          const hasMore = offset + limit < CALLS;
          assert.deepEqual(data.pagination, { ...data.pagination, total: CALLS, limit, offset, hasMore });
          seen.push(...data.calls.map((c) => c.call_id));
          if (!hasMore) break;
        }
        assert.deepEqual(seen, truth, `${path} ${sortBy} ${order} by ${limit}`);
      }
    }
});

test('without parameters: the newest 20 first', async () => {
  const { data } = (await get(server, HISTORY)).json;
  assert.equal(data.calls.length, 20);
  assert.deepEqual((await get(server, `${HISTORY}?sortBy=date&order=desc&limit=20&offset=0`)).json.data, data);
});

test('beyond the end a page is empty and its total still exact', async () => {
  for (const offset of [CALLS, 100_000, 2_000_000_000]) {
    const { data } = (await get(server, `${HISTORY}?offset=${offset}`)).json;
    assert.deepEqual(data.calls, []);
    assert.equal(data.pagination.total, CALLS);
    assert.equal(data.pagination.hasMore, false);
  }
});

test('call-history and calls without an agent tell of all agents', async () => {
  for (const route of ['call-history', 'calls']) {
    const { data } = (await get(server, `/api/dashboard/${route}?limit=100`)).json;
    assert.equal(data.pagination.total, CALLS + 1);
    assert.ok(data.calls.some((c) => c.agent.agent_name === 'Other'));
  }
});

test('numbers in the API are those of the analysts, to the last digit', async () => {
  const { data } = (await get(server, `${HISTORY}?limit=100`)).json;
  const rows = await cluster.rows(`SELECT call_id, cost, duration_ms, start_timestamp, call_successful FROM frontdesk.call_history('${AGENT}', max_rows => 100)`, 'ANALYST_DATABASE_URL');
  const pick = ({ call_id, cost, duration_ms, start_timestamp, call_successful }) => ({ call_id, cost, duration_ms, start_timestamp, call_successful });
  assert.deepEqual(rows.map(pick), data.calls.map(pick));
});

// ---- what is refused ----

test('every mistake of a query is named, all at once', async () => {
  const cases = {
    'limit=0': ['limit'], 'limit=101': ['limit'], 'limit=1e1': ['limit'], 'limit=%2B5': ['limit'], 'limit=+5': ['limit'], 'limit=abc': ['limit'],
    'limit=5.0': ['limit'], 'limit=-1': ['limit'], 'limit=0x10': ['limit'], 'limit=%205': ['limit'], 'limit=99999999999999999999': ['limit'],
    'limit=%D9%A5': ['limit'], 'offset=-1': ['offset'], 'offset=1e3': ['offset'], 'offset=99999999999999999999': ['offset'],
    'sortBy=foo': ['sortBy'], 'sortBy=DATE': ['sortBy'], 'order=up': ['order'], 'foo=1': ['foo'], 'Limit=5': ['Limit'],
    'limit=5&limit=5': ['limit'], 'limit=5&limit=': ['limit'], 'l%69mit=5&limit=6': ['limit'],
    'limit=0&offset=-1&sortBy=foo&order=x&bar=2': ['limit', 'offset', 'sortBy', 'order', 'bar'],
  };
  for (const path of [HISTORY, '/api/dashboard/call-history', '/api/dashboard/calls'])
    for (const [query, fields] of Object.entries(cases)) {
      const body = failure(await get(server, `${path}?${query}`), 400, 'validation_failed');
      assert.deepEqual(body.errors.map((e) => e.field).sort(), [...fields].sort(), `${path}?${query}`);
      for (const { message } of body.errors) assert.match(message, /\S/);
    }
});

test('the largest number that a refusal names is taken, and the next one is not', async () => {
  const numbers = { [`${HISTORY}?`]: ['offset', 'limit'], '/api/dashboard/agents?': ['offset', 'limit'], '/api/dashboard/calls?': ['offset', 'minDuration', 'maxDuration', 'minCost', 'maxCost'] };
  for (const [path, names] of Object.entries(numbers))
    for (const name of names) {
      const refused = failure(await get(server, `${path}${name}=${'9'.repeat(40)}`), 400, 'validation_failed');
      const [, highest] = refused.errors[0].message.match(/from \d to (\d+), in digits/);
      assert.equal((await get(server, `${path}${name}=${highest}`)).status, 200, `${name}=${highest}`);
      failure(await get(server, `${path}${name}=${BigInt(highest) + 1n}`), 400, 'validation_failed');
    }
});

test('an unknown key cannot write into the answer', async () => {
  const answer = await get(server, `${HISTORY}?%22%7D%3Cscript%3E%0d%0aX-Evil:1=1`);
  assert.equal(answer.status, 400);
  assert.equal(answer.headers['x-evil'], undefined);
  assert.doesNotThrow(() => answer.json);
});

test('bad agents\' queries are refused likewise', async () => {
  for (const [query, field] of [['status=ASLEEP', 'status'], ['limit=101', 'limit'], ['nope=1', 'nope'], ['search=%FF', 'search']]) {
    const body = failure(await get(server, `/api/dashboard/agents?${query}`), 400, 'validation_failed');
    assert.deepEqual(body.errors.map((e) => e.field), [field]);
  }
});

test('routes without parameters refuse any', async () => {
  for (const target of [`/api/dashboard/agent-info/${AGENT}?x=1`, '/api/dashboard/calls/call_other?limit=5'])
    failure(await get(server, target), 400, 'validation_failed');
});

// ---- methods and paths ----

test('HEAD is GET without the body, wherever GET is', async () => {
  for (const target of [...guarded, '/health', '/healthz', '/readyz']) {
    const whole = await get(server, target);
    const head = await request(server, 'HEAD', target, { headers: { 'x-api-key': SERVICE_KEY } });
    assert.equal(head.status, whole.status, target);
    assert.equal(head.body.length, 0);
    assert.equal(head.headers['content-type'], whole.headers['content-type']);
    if (target !== '/health') assert.equal(head.headers['content-length'], whole.headers['content-length']);
  }
});

const allowed = (target) => (target === '/api/dashboard/agents' ? ['GET', 'HEAD', 'OPTIONS', 'POST'] : ['GET', 'HEAD', 'OPTIONS']);

test('a known path with a wrong method is 405 and names the right ones', async () => {
  for (const target of [...guarded, '/health'])
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH'].filter((m) => !allowed(target).includes(m))) {
      const answer = await request(server, method, target, { headers: { 'x-api-key': SERVICE_KEY } });
      failure(answer, 405, 'method_not_allowed');
      assert.deepEqual(answer.headers.allow.split(/, */).sort(), allowed(target));
    }
});

test('OPTIONS answers on every known path, without a key', async () => {
  for (const target of [...guarded, '/health']) {
    const answer = await request(server, 'OPTIONS', target);
    assert.equal(answer.status, 204, target);
    assert.deepEqual(answer.headers.allow.split(/, */).sort(), allowed(target));
  }
  assert.equal((await request(server, 'OPTIONS', '/nowhere')).status, 404);
});

test('unknown paths are 404 in the contract\'s shape', async () => {
  for (const target of ['/', '/api', '/api/', '/api/dashboard', '/api/dashboard/', '/api/dashboard/agent-info', '/api/dashboard/agent-info/', '/api/dashboard/agents/',
    '/api/dashboard/Agents', '//api/dashboard/agents', '/api/dashboard/agents/x/y', '/.env', '/etc/passwd', '/health/', '/healthx', '/api/dashboard/calls/a/b'])
    failure(await get(server, target), 404, 'not_found');
});

// ---- on every answer ----

const everyKind = [['GET', '/health', 200], ['GET', '/api/dashboard/agents', 200], ['GET', `${HISTORY}?limit=0`, 400], ['GET', '/nowhere', 404],
  ['POST', '/health', 405], ['OPTIONS', '/health', 204], ['POST', WEBHOOK, 401]];

test('every answer carries a request id: the caller\'s if it is well-formed, else a new one', async () => {
  for (const [method, target, status] of everyKind) {
    const ask = (id) => request(server, method, target, { headers: { 'x-api-key': SERVICE_KEY, ...(id === undefined ? {} : { 'X-Request-Id': id }) } });
    const id = `Own.id_-${'x'.repeat(50)}`;
    const echoed = await ask(id);
    assert.equal(echoed.status, status, `${method} ${target}`);
    assert.equal(echoed.headers['x-request-id'], id);
    const seen = new Set();
    for (const bad of [undefined, '', 'x'.repeat(65), 'a b', 'a"b', 'a/b', 'é', '<x>']) {
      const given = (await ask(bad)).headers['x-request-id'];
      assert.match(given, /^[A-Za-z0-9._-]{1,64}$/);
      assert.notEqual(given, bad);
      seen.add(given);
    }
    assert.equal(seen.size, 8, 'each request has its own');
  }
});

test('every answer carries the security headers', async () => {
  for (const [method, target] of everyKind) {
    const { headers } = await request(server, method, target, { headers: { 'x-api-key': SERVICE_KEY } });
    const csp = headers['content-security-policy'] ?? '';
    assert.ok(csp.includes("default-src 'none'") && csp.includes("frame-ancestors 'none'"), `${method} ${target}`);
    assert.equal(headers['x-content-type-options'], 'nosniff');
    assert.equal(headers['referrer-policy'], 'no-referrer');
    assert.equal(headers['x-frame-options'], 'DENY');
    assert.equal(headers['x-xss-protection'], '0');
    assert.equal(headers['cross-origin-opener-policy'], 'same-origin');
    assert.equal(headers['cross-origin-resource-policy'], 'same-origin');
    assert.equal(headers['x-powered-by'], undefined);
    assert.equal(headers['strict-transport-security'], undefined, 'no HSTS outside production');
  }
  for (const target of guarded) assert.match((await get(server, target)).headers['cache-control'], /no-store/);
});

test('in production there is HSTS and no stack; elsewhere an error says where it was raised', async () => {
  const here = await get(server, '/nowhere');
  const there = await get(production, '/nowhere');
  assert.equal(typeof here.json.stack, 'string');
  assert.equal(there.json.stack, undefined);
  assert.match(there.headers['strict-transport-security'], /max-age=\d{7,}/);
});

// ---- operations ----

test('health, healthz and readyz answer on both ports, without a key', async () => {
  for (const port of [server.port, server.adminPort]) {
    const health = (await request(server, 'GET', '/health', { port })).json;
    assert.equal(health.status, 'healthy');
    assert.equal(typeof health.uptime, 'number');
    assert.match(health.version, /^\d+\.\d+\.\d+/);
    assert.match(health.timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.equal((await request(server, 'GET', '/healthz', { port })).status, 200);
    assert.equal((await request(server, 'GET', '/readyz', { port })).status, 200);
  }
});

test('the admin port serves nothing of the dashboard or the webhook', async () => {
  const port = server.adminPort;
  assert.equal((await request(server, 'GET', '/api/dashboard/agents', { port, headers: { 'x-api-key': SERVICE_KEY } })).status, 404);
  assert.equal((await request(server, 'POST', WEBHOOK, { port, body: '{}' })).status, 404);
});

test('frontdesk version says the version that /health says', async () => {
  const { code, stdout } = await frontdesk(['version'], settings(cluster));
  assert.equal(code, 0);
  assert.ok(stdout.includes((await request(server, 'GET', '/health')).json.version));
});
