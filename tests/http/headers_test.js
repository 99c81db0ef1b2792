// What every answer carries, whoever gives it: the security headers, and what lets a dashboard on
// another origin read it.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { SERVICE_KEY, WEBHOOK, migrate, post, raw, request, sign, startCluster, startServer } from './harness.js';
import { ended, endedCall } from './samples.js';

const AGENTS = '/api/dashboard/agents';
const HOST = 'Host: localhost\r\n';
const KEY = { 'x-api-key': SERVICE_KEY };

// helmet 8's set, or stricter; the contract's, section 7.
const SECURITY = {
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'origin-agent-cluster': '?1',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-dns-prefetch-control': 'off',
  'x-download-options': 'noopen',
  'x-frame-options': 'DENY',
  'x-permitted-cross-domain-policies': 'none',
  'x-xss-protection': '0',
  'cache-control': 'no-store',
};
const HSTS = 'max-age=31536000; includeSubDomains';

let cluster, server, production, listed;
before(async () => {
  cluster = await startCluster();
  await migrate(cluster);
  [server, production, listed] = await Promise.all([
    startServer(cluster, { DB_POOL_SIZE: '2' }),
    startServer(cluster, { DB_POOL_SIZE: '2', NODE_ENV: 'production' }),
    startServer(cluster, { DB_POOL_SIZE: '2', NODE_ENV: 'production', ALLOWED_ORIGINS: 'https://one.example, http://localhost:5173', RATE_LIMIT_MAX: '40', TRUSTED_PROXIES: '127.0.0.1' }),
  ]);
});
after(() => Promise.all([server, production, listed].map((each) => each?.stop())));

// One way to each status that the contract names, from each layer that answers: [status, layer, ask].
const ways = [
  [200, 'a probe', (to) => request(to, 'GET', '/healthz')],
  [200, 'a handler', (to) => request(to, 'GET', AGENTS, { headers: KEY })],
  [200, 'HEAD', (to) => request(to, 'HEAD', AGENTS, { headers: KEY })],
  [204, 'a webhook', (to) => post(to, ended(endedCall({ agent_id: 'agent_headers' })))],
  [204, 'OPTIONS', (to) => request(to, 'OPTIONS', AGENTS)],
  [400, 'validation', (to) => request(to, 'GET', `${AGENTS}?limit=no`, { headers: KEY })],
  [400, 'the gate', (to) => raw(to, `GET /healthz HTTP/1.1\r\n${HOST}${HOST}\r\n`)],
  [400, 'the parser', (to) => raw(to, 'NO HTTP AT ALL\r\n\r\n')],
  [401, 'the guard', (to) => request(to, 'GET', AGENTS)],
  [401, 'a webhook', (to) => post(to, ended(endedCall()), { signature: null })],
  [404, 'the router', (to) => request(to, 'GET', '/nowhere')],
  [404, 'a handler', (to) => request(to, 'GET', '/api/dashboard/calls/nobody', { headers: KEY })],
  [405, 'the router', (to) => request(to, 'DELETE', AGENTS, { headers: KEY })],
  [411, 'the gate', (to) => raw(to, `POST ${WEBHOOK} HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`)],
  [413, 'the router', async (to) => raw(to, `POST ${WEBHOOK} HTTP/1.1\r\n${HOST}x-retell-signature: ${await sign('x')}\r\nContent-Length: 99999999\r\n\r\n`)],
  [414, 'the gate', (to) => raw(to, `GET /${'a'.repeat(9000)} HTTP/1.1\r\n${HOST}\r\n`)],
  [431, 'the gate', (to) => raw(to, `GET /healthz HTTP/1.1\r\n${HOST}X-A: ${'a'.repeat(20_000)}\r\n\r\n`)],
  [431, 'the parser', (to) => raw(to, `GET /healthz HTTP/1.1\r\n${HOST}X-A: ${'a'.repeat(200_000)}\r\n\r\n`)],
  [505, 'the gate or the parser', (to) => raw(to, `GET /healthz HTTP/3.7\r\n${HOST}\r\n`)],
];

function secure(answer, status, what) {
  assert.equal(answer.status, status, what);
  for (const [name, value] of Object.entries(SECURITY)) assert.equal(answer.headers[name], value, `${name} on ${what}`);
  assert.match(answer.headers['x-request-id'], /^[A-Za-z0-9._-]{1,64}$/, what);
  assert.ok(answer.headers.vary.split(/,\s*/).includes('Origin'), `Vary on ${what}`);
  for (const name of ['x-powered-by', 'server', 'access-control-allow-origin']) assert.equal(answer.headers[name], undefined, `${name} on ${what}`);
}

for (const [status, layer, ask] of ways)
  test(`${status} from ${layer} carries every security header, in production HSTS too`, async () => {
    const here = await ask(server);
    secure(here, status, layer);
    assert.equal(here.headers['strict-transport-security'], undefined);
    const there = await ask(production);
    secure(there, status, layer);
    assert.equal(there.headers['strict-transport-security'], HSTS);
  });

// ---- dashboards on other origins ----

const ask = (to, origin, { method = 'GET', target = AGENTS, headers = {} } = {}) =>
  request(to, method, target, { headers: { 'X-Forwarded-For': '192.0.2.1', ...KEY, ...(origin === null ? {} : { Origin: origin }), ...headers } });
const preflight = (to, origin, method, headers) =>
  ask(to, origin, { method: 'OPTIONS', headers: { 'x-api-key': [], 'Access-Control-Request-Method': method, ...(headers ? { 'Access-Control-Request-Headers': headers } : {}) } });
const corsHeaders = ({ headers }) => Object.keys(headers).filter((name) => name.startsWith('access-control-'));
const EXPOSED = ['RateLimit', 'RateLimit-Policy', 'Retry-After', 'X-RateLimit-Limit', 'X-RateLimit-Remaining', 'X-RateLimit-Reset', 'X-Request-Id'];

function readable(answer, origin) {
  assert.equal(answer.headers['access-control-allow-origin'], origin);
  assert.equal(answer.headers['access-control-allow-credentials'], 'true');
  assert.deepEqual(answer.headers['access-control-expose-headers'].split(', '), EXPOSED);
}

test('CORS: a listed origin reads every answer, errors too; any other gets no CORS header', async () => {
  for (const origin of ['https://one.example', 'http://localhost:5173']) {
    for (const target of [AGENTS, '/nowhere', `${AGENTS}?limit=no`, '/healthz']) readable(await ask(listed, origin, { target }), origin);
    readable(await ask(listed, origin, { method: 'DELETE' }), origin);
    readable(await ask(listed, origin, { headers: { 'x-api-key': 'wrong' } }), origin);
    readable(await ask(listed, origin, { headers: { Upgrade: 'websocket' } }), origin);
  }
  for (const origin of ['https://two.example', 'https://one.example.evil.example', 'https://xone.example', 'http://one.example', 'https://one.example:8443', 'https://one.example/',
    'HTTPS://ONE.EXAMPLE', 'https://one.example, http://localhost:5173', 'null', 'http://localhost:5174', 'x', null]) {
    const answer = await ask(listed, origin, { headers: { 'X-Forwarded-For': '192.0.2.2' } });
    assert.equal(answer.status, 200);
    assert.deepEqual(corsHeaders(answer), [], String(origin));
    assert.match(answer.headers.vary, /\bOrigin\b/);
  }
});

test('CORS: two Origin headers are none', async () => {
  const answer = await raw(listed, `GET /healthz HTTP/1.1\r\n${HOST}Origin: https://one.example\r\nOrigin: https://one.example\r\n\r\n`);
  assert.deepEqual(corsHeaders(answer), []);
});

test('CORS: without a list no origin may in production, and any may elsewhere', async () => {
  for (const origin of ['https://one.example', 'http://localhost:5173', 'null']) {
    assert.deepEqual(corsHeaders(await ask(production, origin)), []);
    assert.deepEqual(corsHeaders(await preflight(production, origin, 'GET', 'x-api-key')), []);
    readable(await ask(server, origin), origin);
  }
});

test('CORS: a preflight is answered 204 with the methods of the route table and the headers asked for, without a key', async () => {
  const answer = await preflight(listed, 'https://one.example', 'GET', 'authorization,content-type,x-api-key');
  assert.equal(answer.status, 204);
  assert.equal(answer.text, '');
  readable(answer, 'https://one.example');
  assert.equal(answer.headers['access-control-allow-methods'], answer.headers.allow);
  assert.match(answer.headers.allow, /^GET, HEAD,( \w+,)* OPTIONS$/);
  assert.equal(answer.headers['access-control-allow-headers'], 'authorization,content-type,x-api-key');
  assert.match(answer.headers['access-control-max-age'], /^\d+$/);
  assert.match(answer.headers.vary, /Access-Control-Request-Headers/);

  assert.deepEqual(corsHeaders(await preflight(listed, 'https://two.example', 'GET', 'x-api-key')), []);
  assert.equal((await preflight(listed, 'https://one.example', 'GET')).headers['access-control-allow-headers'], undefined);
  assert.equal((await preflight(listed, 'https://one.example', 'GET', 'a: b')).headers['access-control-allow-headers'], undefined);
  const plain = await ask(listed, 'https://one.example', { method: 'OPTIONS' });
  assert.equal(plain.headers['access-control-allow-methods'], undefined, 'OPTIONS that asks about no method is no preflight');
});

test('CORS: a page of an allowed origin reads a 429, and learns when to go on', async () => {
  let answer;
  for (let n = 0; n <= 40; n++) answer = await ask(listed, 'https://one.example', { headers: { 'X-Forwarded-For': '192.0.2.9' } });
  assert.equal(answer.status, 429);
  readable(answer, 'https://one.example');
  assert.match(answer.headers['retry-after'], /^\d+$/);
});

// ---- when things go wrong: last, because they do ----

test('429, 500 and 503 carry every security header', async () => {
  const small = await startServer(cluster, { DB_POOL_SIZE: '2', RATE_LIMIT_MAX: '2', NODE_ENV: 'production' });
  const check = (answer, status) => {
    secure(answer, status, String(status));
    assert.equal(answer.headers['strict-transport-security'], HSTS);
    assert.equal(answer.json.status, status);
    assert.equal(answer.json.stack, undefined);
  };
  const list = (to) => request(to, 'GET', AGENTS, { headers: KEY });
  try {
    await cluster.exec('REVOKE USAGE ON SCHEMA frontdesk FROM frontdesk_server');
    check(await list(small), 500);
    await cluster.stop();
    check(await list(small), 503);
    check(await list(small), 429);
    check(await request(small, 'GET', '/readyz'), 503);
  } finally {
    await small.stop();
  }
});
