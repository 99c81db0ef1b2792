// The rate limit: whom it counts, what it says, and whom it never touches.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import {
  SERVICE_KEY, WEBHOOK, call, eventually, frontdesk, get, migrate, post, raw, request, settings, sign, sleep, startCluster, startServer, within,
} from './harness.js';
import { ended, endedCall } from './samples.js';

const MAX = 5;
const WINDOW_MS = 60_000;
const AGENTS = '/api/dashboard/agents';

// A server of its own a test, and one database, so that no count of one test meets another's.
let cluster;
before(async () => {
  cluster = await startCluster();
  await migrate(cluster);
});

async function limited(t, more = {}) {
  const server = await startServer(cluster, { RATE_LIMIT_MAX: String(MAX), RATE_LIMIT_WINDOW_MS: String(WINDOW_MS), ...more });
  t.after(() => server.stop());
  return server;
}

const from = (server, address, target = AGENTS) => get(server, target, { 'X-Forwarded-For': address });

/** The answer's limit headers as numbers, after checking that all three ways of saying them agree. */
function limits({ headers }, policy = 'requests') {
  const [, name, max, window] = /^"(\w+)";q=(\d+);w=(\d+)$/.exec(headers['ratelimit-policy']);
  const [, again, remaining, seconds] = /^"(\w+)";r=(\d+);t=(\d+)$/.exec(headers.ratelimit);
  assert.deepEqual([name, again], [policy, policy]);
  assert.equal(headers['x-ratelimit-limit'], max);
  assert.equal(headers['x-ratelimit-remaining'], remaining);
  assert.ok(Math.abs(Number(headers['x-ratelimit-reset']) - Date.now() / 1000 - Number(seconds)) <= 2, 'the reset is a time of day');
  return { max: Number(max), window: Number(window), remaining: Number(remaining), seconds: Number(seconds) };
}

const noLimits = ({ headers }) => assert.deepEqual(Object.keys(headers).filter((name) => /ratelimit|retry-after/.test(name)), []);

test('requests of one address are counted down, and beyond the limit answered 429 with Retry-After', async (t) => {
  const server = await limited(t);
  for (let n = 1; n <= MAX + 2; n++) {
    const answer = await get(server, AGENTS);
    assert.equal(answer.status, n <= MAX ? 200 : 429);
    const { max, window, remaining, seconds } = limits(answer);
    assert.deepEqual([max, window, remaining], [MAX, WINDOW_MS / 1000, Math.max(0, MAX - n)]);
    assert.ok(seconds > 0 && seconds <= WINDOW_MS / 1000);
    assert.equal(answer.headers['retry-after'], n <= MAX ? undefined : String(seconds));
    if (n > MAX) {
      assert.equal(answer.json.code, 'too_many_requests');
      assert.equal(answer.json.requestId, answer.headers['x-request-id']);
    }
  }
});

test('whoever asks is counted, key or none, and whatever is asked: also what is not there', async (t) => {
  const server = await limited(t);
  const statuses = [];
  for (const [method, target, headers] of [['GET', AGENTS, {}], ['GET', AGENTS, { 'x-api-key': SERVICE_KEY }], ['GET', '/nowhere', {}], ['DELETE', AGENTS, {}], ['HEAD', AGENTS, {}], ['GET', AGENTS, { 'x-api-key': SERVICE_KEY }]]) {
    const answer = await request(server, method, target, { headers });
    limits(answer);
    statuses.push(answer.status);
  }
  assert.deepEqual(statuses, [401, 200, 404, 405, 401, 429]);
});

test('a client that is over its limit may ask again when its window ends', async (t) => {
  const server = await limited(t, { RATE_LIMIT_WINDOW_MS: '1500' });
  const answers = await Promise.all(Array.from({ length: 3 * MAX }, () => get(server, AGENTS)));
  assert.equal(answers.filter((a) => a.status === 200).length, MAX);
  const refused = answers.find((a) => a.status === 429);
  assert.ok(Number(refused.headers['retry-after']) <= 2);
  await sleep(Number(refused.headers['retry-after']) * 1000);
  const again = await get(server, AGENTS);
  assert.equal(again.status, 200);
  assert.equal(limits(again).remaining, MAX - 1);
});

test('probes and preflights are never limited, and say nothing of limits', async (t) => {
  const server = await limited(t);
  for (let n = 0; n <= MAX; n++) await get(server, AGENTS);
  assert.equal((await get(server, AGENTS)).status, 429);
  for (const target of ['/health', '/healthz', '/readyz'])
    for (let n = 0; n <= MAX; n++) {
      const answer = await request(server, 'GET', target);
      assert.equal(answer.status, 200);
      noLimits(answer);
    }
  for (let n = 0; n <= MAX; n++) {
    const answer = await request(server, 'OPTIONS', AGENTS);
    assert.equal(answer.status, 204);
    noLimits(answer);
  }
});

test('RATE_LIMIT_MAX=0 is no limit', async (t) => {
  const server = await limited(t, { RATE_LIMIT_MAX: '0' });
  for (let n = 0; n < 20; n++) {
    const answer = await get(server, AGENTS);
    assert.equal(answer.status, 200);
    noLimits(answer);
  }
});

// ---- who is asking ----

test('X-Forwarded-For of a stranger is not believed', async (t) => {
  const server = await limited(t);
  for (let n = 0; n < MAX; n++) assert.equal((await from(server, `192.0.2.${n}`)).status, 200);
  assert.equal((await from(server, '192.0.2.99')).status, 429);
});

test('behind trusted proxies the right-most address that is not one of them is the client', async (t) => {
  const server = await limited(t, { TRUSTED_PROXIES: '127.0.0.1, 10.0.0.0/8,fd00::/8' });
  const spelt = ['192.0.2.1', '198.51.100.1, 192.0.2.1', '203.0.113.7,192.0.2.1, 10.1.2.3', '192.0.2.1:4711', '::ffff:192.0.2.1', '192.0.2.1, fd00::7, 10.9.9.9'];
  for (const [n, address] of spelt.entries()) {
    const answer = await from(server, address);
    assert.equal(answer.status, n < MAX ? 200 : 429, address);
  }
  assert.equal((await from(server, '192.0.2.2')).status, 200, 'its neighbour is somebody else');
  assert.equal((await from(server, '192.0.2.1, 192.0.2.3')).status, 200, 'what stands left of a stranger may be a lie');
  await eventually('the log names the client', () => server.log().some((line) => line.remote === '192.0.2.1'));
});

test('behind proxies in a row of several headers the last is looked at first', async (t) => {
  const server = await limited(t, { TRUSTED_PROXIES: '127.0.0.1' });
  const answer = await get(server, AGENTS, { 'X-Forwarded-For': ['198.51.100.1', '192.0.2.77, 127.0.0.1'] });
  assert.equal(answer.status, 200);
  await eventually('the log names the client', () => server.log().some((line) => line.remote === '192.0.2.77'));
});

test('an IPv6 client is its /56: other addresses of the same network share its limit', async (t) => {
  const server = await limited(t, { TRUSTED_PROXIES: '127.0.0.1' });
  for (let n = 0; n < MAX; n++) assert.equal((await from(server, `2001:db8:7:${n.toString(16)}::${n}`)).status, 200);
  assert.equal((await from(server, '2001:db8:7:ff::1')).status, 429);
  assert.equal((await from(server, '[2001:db8:7:aa::1]:443')).status, 429);
  assert.equal((await from(server, '2001:db8:7:100::1')).status, 200, 'the next /56 is somebody else');
});

test('P20: guesses at passwords are counted by the same /56, whatever the e-mail', async (t) => {
  const server = await limited(t, { TRUSTED_PROXIES: '127.0.0.1', RATE_LIMIT_MAX: '0' });
  const guess = (n, address) =>
    call(server, 'POST', '/api/auth/login', { body: { email: `nobody${n}@example.com`, password: 'a wrong password' }, headers: { 'X-Forwarded-For': address } });
  let answer;
  for (let n = 0; n < 60 && answer?.status !== 429; n++) answer = await guess(n, `2001:db8:9:${n.toString(16)}::1`);
  assert.equal(answer.status, 429);
  assert.match(answer.headers['retry-after'], /^[1-9]\d*$/);
  assert.equal((await guess(99, '2001:db8:9:100::1')).status, 401, 'the next /56 is somebody else');
});

test('serve refuses networks and limits that are none, all at once', async () => {
  const { code, stderr } = await frontdesk(['serve'], settings(cluster, {
    TRUSTED_PROXIES: '10.0.0.0/8, 10.0.0.1/8, nginx', RATE_LIMIT_MAX: '-1', RATE_LIMIT_WINDOW_MS: '15m', ALLOWED_ORIGINS: 'https://ok.example, https://bad.example/, *',
  }));
  assert.equal(code, 1);
  for (const said of ['TRUSTED_PROXIES: `10.0.0.1/8`', 'TRUSTED_PROXIES: `nginx`', 'RATE_LIMIT_MAX', 'RATE_LIMIT_WINDOW_MS', 'ALLOWED_ORIGINS: `https://bad.example/`', 'ALLOWED_ORIGINS: `*`'])
    assert.ok(stderr.includes(said), `${said} in: ${stderr}`);
  assert.ok(!stderr.includes('ok.example') && !stderr.includes('10.0.0.0/8`'), stderr);
});

// ---- webhooks ----

test('P15: a thousand genuine events at once from one address are all accepted, whatever its limit', async (t) => {
  const server = await limited(t, { RATE_LIMIT_MAX: '1' });
  for (let n = 0; n < 3; n++) await get(server, AGENTS);
  for (let n = 0; n < 3; n++) await post(server, ended(endedCall()), { signature: null });
  assert.equal((await get(server, AGENTS)).status, 429);
  const calls = Array.from({ length: 1000 }, () => endedCall({ agent_id: 'agent_flood' }));
  const answers = await within(60_000, 'a thousand events', Promise.all(calls.map((call) => post(server, ended(call)))));
  assert.equal(answers.filter((a) => a.status === 204).length, 1000);
  answers.forEach(noLimits);
  assert.equal(await cluster.value("SELECT count(*)::int FROM frontdesk.calls WHERE agent_id = 'agent_flood'"), 1000);
});

test('posts that Retell did not sign are counted, and beyond the limit refused with 429', async (t) => {
  const server = await limited(t);
  const forged = [
    { signature: null }, { signature: 'v=1,d=00' }, { ms: Date.now() - 3_600_000 }, { key: 'key_of_somebody_else' }, { signature: `v=${Date.now()},d=${'0'.repeat(64)}` },
  ];
  for (let n = 1; n <= 2 * MAX; n++) {
    const answer = await post(server, ended(endedCall()), forged[n % forged.length]);
    assert.equal(answer.status, n <= MAX ? 401 : 429);
    assert.equal('www-authenticate' in answer.headers, answer.status === 401);
    assert.equal(limits(answer, 'failures').remaining, Math.max(0, MAX - n));
  }
  assert.equal((await post(server, ended(endedCall({ agent_id: 'agent_genuine' })))).status, 204, 'a genuine one passes all the same');
  assert.equal((await get(server, AGENTS)).status, 200, 'and requests have a count of their own');
});

test('posts that are too large to look at are counted too', async (t) => {
  const server = await limited(t);
  for (let n = 1; n <= MAX + 1; n++) {
    const signature = await sign('x');
    const answer = await raw(server, `POST ${WEBHOOK} HTTP/1.1\r\nHost: x\r\nx-retell-signature: ${signature}\r\nContent-Length: 99999999\r\n\r\n`);
    assert.equal(answer.status, n <= MAX ? 413 : 429);
  }
  assert.equal((await post(server, 'no JSON at all')).status, 400, 'what is signed is told what is wrong with it');
});

test('a large post without a plausible signature is refused before its body is read', async (t) => {
  const server = await limited(t, { RATE_LIMIT_MAX: '1000' });
  for (const signature of ['', 'v=1,d=00', `v=${Date.now() - 600_000},d=${'0'.repeat(64)}`]) {
    // Announces 5 MB and sends next to nothing: only an answer that waits for no body can come.
    const answer = await raw(server, `POST ${WEBHOOK} HTTP/1.1\r\nHost: x\r\nx-retell-signature: ${signature}\r\nContent-Length: 5000000\r\n\r\nx`, { deadlineMs: 5_000 });
    assert.equal(answer.status, 401);
  }
});
