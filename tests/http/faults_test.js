// What breaks between the server and its database, and what dies: short forms. tests/faults/ has the long ones.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { call, eventually, get, migrate, post, request, sleep, startCluster, startServer } from './harness.js';
import { Proxy, killOnce, smallCluster } from './faults.js';
import { metricsOf } from './metrics.js';
import { ended, endedCall } from './samples.js';

const TWO_SECONDS = 2500; // and what a busy machine may add

let cluster, proxy, server;
before(async () => {
  cluster = await startCluster();
  await migrate(cluster);
  proxy = await new Proxy(cluster).listen();
  server = await startServer(cluster, { DATABASE_URL: proxy.url });
});
after(async () => {
  proxy?.set('pass');
  await server?.stop();
  proxy?.close();
});

const rows = (callId, of = cluster) => of.value(`SELECT count(*)::int FROM frontdesk.calls WHERE call_id = '${callId}'`);
const works = (on = server) => eventually('it recovers alone', async () => {
  const answer = await post(on, ended(endedCall({ agent_id: 'agent_recovered' })));
  assert.ok([204, 503].includes(answer.status), String(answer.status));
  return answer.status === 204 && (await get(on, '/api/dashboard/agents')).status === 200;
}, 30_000);

/** Everything that needs the database: 503 with Retry-After, in time. */
async function allUnavailable() {
  const since = Date.now();
  const asked = {
    webhook: post(server, ended(endedCall({ agent_id: 'agent_outage' }))),
    history: get(server, '/api/dashboard/call-history'),
    agents: get(server, '/api/dashboard/agents'),
    agent: get(server, '/api/dashboard/agent-info/agent_outage'),
    login: call(server, 'POST', '/api/auth/login', { body: { email: 'nobody@example.com', password: 'a long password' } }),
  };
  for (const [name, answer] of Object.entries(asked)) {
    const { status, headers, text } = await answer;
    assert.equal(status, 503, `${name}: ${text}`);
    assert.match(headers['retry-after'], /^[1-9]\d*$/, name);
  }
  const took = Date.now() - since;
  assert.ok(took < TWO_SECONDS, `took ${took} ms`);
}

test('P1: a connection cut before the statement arrives stores nothing and acknowledges nothing, or is tried again', async () => {
  await works();
  const lost = endedCall({ agent_id: 'agent_cut' });
  proxy.set('query', 'reset');
  assert.equal((await post(server, ended(lost))).status, 503);
  assert.equal(proxy.struck, 1);
  assert.equal(await rows(lost.call_id), 0);
  proxy.set('pass');
  await works();
  const retried = endedCall({ agent_id: 'agent_cut' });
  proxy.set('query', 'pass');
  assert.equal((await post(server, ended(retried))).status, 204, 'one retry, on another connection');
  assert.equal(proxy.struck, 2);
  assert.equal(await rows(retried.call_id), 1);
});

test('P1: a connection cut after the commit, before its answer, is no false refusal twice: the event is there once', async () => {
  await works();
  const event = ended(endedCall({ agent_id: 'agent_cut' }));
  const struck = proxy.struck;
  proxy.set('answer', 'reset');
  assert.equal((await post(server, event)).status, 503, 'nobody can know');
  assert.equal(proxy.struck, struck + 1);
  assert.equal(await rows(event.call.call_id), 1, 'it was committed');
  proxy.set('pass');
  await works();
  assert.equal((await post(server, event)).status, 204, 'Retell delivers it again');
  assert.equal(await cluster.journal(`call_id = '${event.call.call_id}'`), 1);
  const other = ended(endedCall({ agent_id: 'agent_cut' }));
  proxy.set('answer', 'pass');
  assert.equal((await post(server, other)).status, 204, 'or the server tries again at once');
  assert.equal(await cluster.journal(`call_id = '${other.call.call_id}'`), 1);
});

for (const [mode, what] of [['drop', 'a network that swallows everything'], ['reset', 'connections that are reset']]) {
  test(`P6: ${what}: 503 with Retry-After within 2 s, and recovery without help`, async () => {
    await works();
    proxy.set(mode);
    for (let round = 0; round < 2; round++) await allUnavailable();
    assert.equal((await request(server, 'GET', '/healthz')).status, 200);
    assert.equal((await request(server, 'GET', '/readyz')).status, 503);
    proxy.set('reset'); // what was swallowed never comes; the old connections are of no use
    proxy.set('pass');
    await works();
  });
}

test('P6: no connection is left for the server: 503 with Retry-After within 2 s, and recovery without help', async () => {
  await works();
  await cluster.exec("ALTER ROLE frontdesk_server CONNECTION LIMIT 0; SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'frontdesk_server'");
  try {
    await eventually('it notices', async () => (await get(server, '/api/dashboard/agents')).status === 503);
    await allUnavailable();
  } finally {
    await cluster.exec('ALTER ROLE frontdesk_server CONNECTION LIMIT -1');
  }
  await works();
});

test('P6: a disk that is full: 503 and nothing acknowledged that is not stored; room is enough to recover', async () => {
  const disk = await smallCluster(160);
  let other;
  try {
    await migrate(disk.cluster);
    other = await startServer(disk.cluster);
    await works(other);
    disk.fill();
    const acknowledged = [];
    let took = 0;
    await eventually('the disk is full for the database too', async () => {
      const large = endedCall({ agent_id: 'agent_disk', transcript: Array.from({ length: 4000 }, (_, i) => `${Math.sin(i)}`).join(' ') });
      const since = Date.now();
      const answer = await post(other, ended(large));
      took = Date.now() - since;
      assert.ok([204, 503].includes(answer.status), `${answer.status} ${answer.text}`);
      if (answer.status === 204) acknowledged.push(large.call_id);
      else assert.match(answer.headers['retry-after'], /^[1-9]\d*$/);
      return answer.status === 503;
    }, 60_000);
    assert.ok(took < TWO_SECONDS, `took ${took} ms`);
    disk.free();
    await disk.cluster.start(); // in case it had to stop for good
    await works(other);
    for (const id of acknowledged) assert.equal(await rows(id, disk.cluster), 1, id);
  } finally {
    await other?.stop('SIGKILL');
    disk.cluster.destroy();
    await disk.unmount();
  }
});

test('P2: killed at its first sends and writes, the server has acknowledged nothing that is not stored', async () => {
  for (const nth of [1, 2, 3, 6]) {
    const { killed, missing } = await killOnce(cluster, nth);
    assert.ok(killed, `it was killed at ${nth}`);
    assert.deepEqual(missing, [], `killed at ${nth}`);
  }
});

// ---- statements that share a round trip ----

const agentInfo = (on, agent) => get(on, `/api/dashboard/agent-info/${agent}`);

const atLeast = (on, count, what) => eventually(`${count} ${what}`, async () =>
  (await metricsOf(on)).value(`frontdesk_database_${what}`, { pool: 'api' }) >= count);

/** Waits until so many statements of requests wait for a lock. */
const locked = (count) => eventually(`${count} are under way`, () => cluster.value(`SELECT count(*) = ${count} FROM pg_stat_activity
  WHERE application_name = 'frontdesk-api' AND wait_event_type = 'Lock'`));

/** Asks for all these agents while nobody can be told of one; `beforehand` comes when some wait for the first. */
async function askTogether(on, agents, beforehand = () => {}) {
  await atLeast(on, 8, 'connections'); // all: who waits for one takes all along that come meanwhile
  const release = await cluster.hold('LOCK TABLE frontdesk.agents');
  const answers = Promise.all(agents.map((agent) => agentInfo(on, agent)));
  await atLeast(on, agents.length / 4, 'waiting');
  beforehand();
  await release();
  return answers;
}

const SHARED = ['agent_shared_0', 'agent_shared_1', 'agent_shared_2', 'agent_shared_3', 'agent_shared_4', 'agent_shared_5'];

/** What the server says instead of what it knows of an agent, while `body` runs. */
async function withAgentJson(plpgsql, body) {
  await cluster.exec(`ALTER FUNCTION frontdesk.agent_json(text, text[]) RENAME TO agent_json_as_it_was;
    CREATE FUNCTION frontdesk.agent_json(agent_id text, agent_ids text[]) RETURNS json LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
      ${plpgsql}
      RETURN frontdesk.agent_json_as_it_was(agent_id, agent_ids); END $$;
    GRANT EXECUTE ON FUNCTION frontdesk.agent_json(text, text[]) TO public`);
  try {
    await body();
  } finally {
    await cluster.exec('DROP FUNCTION frontdesk.agent_json(text, text[]); ALTER FUNCTION frontdesk.agent_json_as_it_was(text, text[]) RENAME TO agent_json');
  }
}

test('statements that wait share a round trip, and one that fails fails alone', async () => {
  for (const agent_id of [...SHARED, 'agent_bad']) assert.equal((await post(server, ended(endedCall({ agent_id })))).status, 204);
  await cluster.exec(`UPDATE frontdesk.agents SET agent_name = repeat('n', 1500) WHERE agent_id = '${SHARED[5]}'`);
  await withAgentJson("IF agent_id = 'agent_bad' THEN RAISE 'as the test wants it'; END IF;", async () => {
    const own = await startServer(cluster, { DATABASE_URL: proxy.url });
    proxy.together = 0;
    const agents = [...SHARED, 'agent_unknown', ...SHARED, 'agent_bad', ...SHARED, 'agent_unknown', 'agent_bad', ...SHARED];
    const answers = await askTogether(own, agents);
    agents.forEach((agent, i) => {
      assert.equal(answers[i].status, { agent_unknown: 404, agent_bad: 500 }[agent] ?? 200, `${agent}: ${answers[i].text}`);
      if (answers[i].status !== 200) return;
      assert.equal(answers[i].json.data.agent_id, agent);
      if (agent === SHARED[5]) assert.equal(answers[i].json.data.agent_name, 'n'.repeat(1500));
    });
    assert.ok(proxy.together > 1, `${proxy.together} at once`);
    await own.stop();
    assert.equal(own.log().filter((l) => l.statement === 'agent' && /as the test wants it/.test(l.error)).length, 2);
  });
});

test('P6: those that share a round trip with one that fails do not wait for each other', async () => {
  await cluster.exec('CREATE SEQUENCE frontdesk.failures');
  const agents = ['agent_bad', ...SHARED, ...SHARED];
  // Once one has failed, each takes so long that twelve of them one after the other would be too late.
  await withAgentJson(`IF agent_id = 'agent_bad' THEN PERFORM nextval('frontdesk.failures'); RAISE 'as the test wants it'; END IF;
    IF (SELECT is_called FROM frontdesk.failures) THEN PERFORM pg_sleep(0.3); END IF;`, async () => {
    const own = await startServer(cluster);
    assert.deepEqual((await askTogether(own, [SHARED[0], SHARED[0], ...agents])).map((a) => a.status), [200, 200, 500, ...Array(12).fill(200)]);
    await own.stop();
  });
  await cluster.exec('DROP SEQUENCE frontdesk.failures');
});

test('P6: those that share a round trip with one whose time is up go on while they have time', async () => {
  const own = await startServer(cluster);
  assert.equal((await agentInfo(own, SHARED[0])).status, 200);
  await atLeast(own, 8, 'connections');
  const release = await cluster.hold('LOCK TABLE frontdesk.agents');
  const asked = [];
  for (const count of [2, 2, 2]) { // two at a time are under way; the last share the trip of those before, and have more time
    for (let i = 0; i < count; i++) asked.push(agentInfo(own, SHARED[0]));
    await sleep(600);
  }
  assert.deepEqual((await Promise.all(asked.slice(0, 4))).map((a) => a.status), [503, 503, 503, 503]);
  await release();
  assert.deepEqual((await Promise.all(asked.slice(4))).map((a) => a.status), [200, 200]);
  await own.stop();
});

test('callers of whom nobody can be told hold up nobody else', async () => {
  await works();
  const release = await cluster.hold('LOCK TABLE frontdesk.api_keys');
  let refused = 0;
  const strangers = Array.from('048', (c) => call(server, 'GET', '/api/dashboard/agents', { key: `fd_${'0'.repeat(42)}${c}` }).then((answer) => {
    refused++;
    return answer.status;
  }));
  await locked(3);
  assert.equal((await agentInfo(server, SHARED[0])).status, 200);
  assert.equal(refused, 0, 'before them');
  assert.deepEqual(await Promise.all(strangers), [503, 503, 503]);
  await release();
});

test('statements that wait for a connection share the first that comes free', async () => {
  const own = await startServer(cluster, { DATABASE_URL: proxy.url, DB_POOL_SIZE: '1' });
  assert.equal((await agentInfo(own, SHARED[0])).status, 200);
  const release = await cluster.hold('LOCK TABLE frontdesk.calls');
  const page = get(own, `/api/dashboard/call-history/${SHARED[0]}`);
  await locked(1);
  const answers = SHARED.map((agent) => agentInfo(own, agent));
  await atLeast(own, SHARED.length, 'waiting');
  proxy.together = 0;
  await release();
  assert.deepEqual((await Promise.all(answers)).map((a) => a.status), SHARED.map(() => 200));
  assert.equal(proxy.together, SHARED.length - 1, 'the second waits for a connection too');
  await page;
  await own.stop();
});

test('a caller of very many agents shares no round trip: its statements are too long', async () => {
  const own = await startServer(cluster, { DATABASE_URL: proxy.url });
  const password = 'a long password';
  const account = async (path, email) => (await call(own, 'POST', `/api/auth/${path}`, { body: { email, password } })).json;
  await account('register', 'first@example.com');
  const { id } = (await account('register', 'many@example.com')).data;
  await cluster.exec(`INSERT INTO frontdesk.agents (agent_id, agent_name) SELECT 'agent_' || repeat('x', 40) || i, '' FROM generate_series(1, 200) i;
    INSERT INTO frontdesk.user_agents (user_id, agent_id) SELECT '${id}', agent_id FROM frontdesk.agents`);
  const { token } = await account('login', 'many@example.com');
  const ask = () => Promise.all(Array.from({ length: 24 }, () => call(own, 'GET', `/api/dashboard/agent-info/${SHARED[0]}`, { token })));
  await ask();
  proxy.together = 0;
  assert.deepEqual(new Set((await ask()).map((a) => a.status)), new Set([200]));
  assert.equal(proxy.together, 1);
  await own.stop();
});

test('each statement that gets no answer is logged, whatever it waits for', async () => {
  const own = await startServer(cluster, { DB_POOL_SIZE: '1' });
  const release = await cluster.hold('LOCK TABLE frontdesk.agents');
  const answers = await Promise.all(SHARED.map((agent) => agentInfo(own, agent)));
  await release();
  assert.deepEqual(answers.map((a) => a.status), SHARED.map(() => 503));
  await own.stop();
  assert.equal(own.log().filter((l) => l.statement === 'agent').length, SHARED.length);
});

test('P6: a connection cut under statements that share it: 503 each, and the next works', async () => {
  const agents = [...SHARED, ...SHARED, ...SHARED];
  const answers = await askTogether(server, agents, () => proxy.set('queries'));
  for (const { status, headers, text } of answers) {
    assert.ok([200, 503].includes(status), text);
    if (status === 503) assert.match(headers['retry-after'], /^[1-9]\d*$/);
  }
  assert.ok(answers.filter((a) => a.status === 503).length > 1);
  await works();
  assert.deepEqual((await Promise.all(agents.map((agent) => agentInfo(server, agent)))).map((a) => a.json.data.agent_id), agents);
});
