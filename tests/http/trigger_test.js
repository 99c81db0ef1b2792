// `frontdesk trigger`: the newcomer's phone, against the real server and against one that is made to fail.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import { after, before, test } from 'node:test';
import Retell from 'retell-sdk';
import { OLD_RETELL_KEY, RETELL_KEY, WEBHOOK, eventually, frontdesk, get, scratch, settings, startAll } from './harness.js';

let cluster, server;
before(async () => {
  ({ cluster, server } = await startAll());
});
after(() => server?.stop());

const trigger = (args, { env, ...options } = {}) => frontdesk(['trigger', ...args], settings(null, { PORT: String(server.port), ...env }), options);

const callIds = async () => (await cluster.rows('SELECT call_id FROM frontdesk.calls ORDER BY call_id')).map((r) => r.call_id);

// ---- against Frontdesk ----

test('trigger call_analyzed --calls 50 makes 50 calls, and the same seed makes the same ones', async () => {
  const first = await trigger(['call_analyzed', '--calls', '50', '--seed', '7']);
  assert.equal(first.code, 0, first.stderr);
  const [, events] = /^50 calls, (\d+) events accepted, 0 failed\n$/.exec(first.stdout);
  const ids = await callIds();
  assert.equal(ids.length, 50);
  assert.equal(await cluster.journal(), Number(events));
  const rows = await cluster.exec('SELECT * FROM frontdesk.calls ORDER BY call_id');

  const second = await trigger(['call_analyzed', '--calls', '50', '--seed', '7']);
  assert.equal(second.stdout, first.stdout);
  assert.deepEqual(await callIds(), ids);
  assert.equal(await cluster.journal(), Number(events), 'the very same bytes');
  assert.equal(await cluster.exec('SELECT * FROM frontdesk.calls ORDER BY call_id'), rows);
});

test('the API gives these 50 calls, and the analyst\'s call_history the same rows', async () => {
  const { data } = (await get(server, '/api/dashboard/call-history?limit=100')).json;
  assert.equal(data.pagination.total, 50);
  assert.deepEqual(data.calls.map((c) => c.call_id).sort(), await callIds());
  const agents = (await get(server, '/api/dashboard/agents')).json.data.agents;
  assert.ok(agents.length > 1, 'several agents');
  const keys = ['call_id', 'agent_id', 'call_status', 'call_type', 'direction', 'start_timestamp', 'end_timestamp', 'duration_ms', 'cost', 'transcript', 'call_summary', 'user_sentiment', 'call_successful', 'disconnection_reason', 'recording_url'];
  const pick = (row) => keys.map((key) => row[key]);
  for (const { agent_id } of agents) {
    const shown = (await get(server, `/api/dashboard/call-history/${agent_id}?limit=100`)).json.data.calls;
    const rows = await cluster.rows(`SELECT * FROM frontdesk.call_history('${agent_id}', max_rows => 100)`, 'ANALYST_DATABASE_URL');
    assert.ok(shown.length > 0);
    assert.deepEqual(rows.map(pick), shown.map(pick));
  }
});

test('among them is what makes life hard: unconnected, web, unanalysed, fractional', async () => {
  const [seen] = await cluster.rows(`
    SELECT count(*) FILTER (WHERE call_status = 'not_connected') AS not_connected, count(*) FILTER (WHERE call_type = 'web_call') AS web,
      count(*) FILTER (WHERE call_successful IS NULL) AS unanalysed, count(*) FILTER (WHERE cost <> trunc(cost)) AS fractional,
      count(*) FILTER (WHERE cost IS NULL) AS free, count(*) FILTER (WHERE start_timestamp IS NULL) AS unstarted FROM frontdesk.calls`);
  for (const [what, count] of Object.entries(seen)) assert.ok(count > 0, what);
  assert.equal(await cluster.value("SELECT count(*)::int FROM frontdesk.calls WHERE details::text LIKE '%access_token%' OR details::text LIKE '%sample_token%'"), 0);
});

test('the steps of a life may be sent one run after the other', async () => {
  const run = (event) => trigger([event, '--calls', '10', '--seed', '8', '--agent', 'agent_steps']);
  assert.equal((await run('call_started')).code, 0);
  const ongoing = await cluster.rows("SELECT call_status FROM frontdesk.calls WHERE agent_id = 'agent_steps'");
  assert.ok(ongoing.length > 0 && ongoing.every((c) => c.call_status === 'ongoing'));
  assert.equal((await run('transcript_updated')).code, 0);
  assert.equal((await run('call_analyzed')).code, 0);
  const over = await cluster.rows("SELECT call_status FROM frontdesk.calls WHERE agent_id = 'agent_steps'");
  assert.equal(over.length, 10);
  assert.ok(over.every((c) => ['ended', 'error', 'not_connected'].includes(c.call_status)));
});

test('every event that it knows is accepted', async () => {
  for (const event of ['transfer_started', 'transfer_bridged', 'transfer_cancelled', 'transfer_ended', 'transcript_updated', 'call_ended']) {
    const { code, stdout, stderr } = await trigger([event, '--calls', '5', '--agent', 'agent_events']);
    assert.equal(code, 0, `${event}: ${stderr}`);
    assert.match(stdout, /^\d calls?, \d+ events? accepted, 0 failed\n$/);
  }
});

test('without a seed the calls are others each time', async () => {
  const before = (await callIds()).length;
  for (let i = 0; i < 2; i++) assert.equal((await trigger(['call_ended', '--calls', '3'])).code, 0);
  assert.equal((await callIds()).length, before + 6);
});

test('a wrong key is said once, not fifty times', async () => {
  const journal = await cluster.journal();
  const { code, stdout, stderr } = await trigger(['call_ended', '--calls', '50', '--parallel', '1'], { env: { RETELL_API_KEY: 'wrong' } });
  assert.equal(code, 1);
  assert.match(stdout, /^1 call, 0 events accepted, 1 failed\n$/);
  assert.match(stderr, /401/);
  assert.match(stderr, /key/);
  assert.equal(await cluster.journal(), journal);
});

// ---- the command line ----

test('--print shows the webhooks and posts nothing, byte for byte the same for a seed', async () => {
  const journal = await cluster.journal();
  const run = () => trigger(['call_analyzed', '--calls', '20', '--seed', '9', '--print'], { env: { RETELL_API_KEY: undefined } });
  const { code, stdout } = await run();
  assert.equal(code, 0);
  const events = stdout.trim().split('\n').map((line) => JSON.parse(line));
  assert.equal(new Set(events.map((e) => e.call.call_id)).size, 20);
  assert.equal((await run()).stdout, stdout);
  assert.equal(await cluster.journal(), journal);
});

test('a command line that makes no sense exits with 2 and says how it goes', async () => {
  for (const args of [[], ['nonsense'], ['call_ended', 'call_started'], ['call_ended', '--calls', '0'], ['call_ended', '--calls', '1e3'], ['call_ended', '--calls', '-1'], ['call_ended', '--calls'],
    ['call_ended', '--seed', 'x'], ['call_ended', '--seed', '99999999999999999999999'], ['call_ended', '--agent', ''], ['call_ended', '--nonsense'], ['call_ended', '--parallel', '65']]) {
    const { code, stdout, stderr } = await trigger(args);
    assert.equal(code, 2, args.join(' '));
    assert.equal(stdout, '');
    assert.match(stderr, /usage: frontdesk trigger/);
  }
  const help = await trigger(['--help']);
  assert.equal(help.code, 0);
  assert.match(help.stdout, /^usage: frontdesk trigger/);
});

test('plain http goes to this machine only, and only http and https go at all', async () => {
  for (const url of ['http://example.com/api/webhooks/retell', 'http://127.0.0.1.example.com/', 'http://localhost.example.com/', 'http://user@example.com/', 'ftp://127.0.0.1/', 'file:///etc/passwd', 'nonsense:', '']) {
    const { code, stderr } = await trigger(['call_ended', '--url', url]);
    assert.equal(code, 2, url);
    assert.match(stderr, /URL/);
  }
});

// ---- against servers of our own ----

/** A receiver that answers as `decide(number of the request, event)` says: a status, 'drop' or 'hang'. */
async function receiver(decide) {
  const seen = { requests: 0, forged: 0, accepted: [], types: new Set() };
  const listener = http.createServer((req, res) => {
    const chunks = [];
    req.on('data', (chunk) => chunks.push(chunk)).on('end', async () => {
      const number = ++seen.requests;
      const body = Buffer.concat(chunks).toString('utf8');
      if (!(await Retell.verify(body, RETELL_KEY, req.headers['x-retell-signature'] ?? ''))) seen.forged++;
      seen.types.add(req.headers['content-type']);
      const event = JSON.parse(body);
      const verdict = decide(number, event);
      if (verdict === 'hang') return;
      if (verdict === 'drop') return void req.socket.destroy();
      if (verdict < 300) seen.accepted.push(event);
      res.writeHead(verdict, verdict === 301 ? { Location: '/elsewhere' } : {}).end('{"error":true,"message":"told so"}');
    });
  });
  listener.listen(0, '127.0.0.1').unref();
  await once(listener, 'listening');
  seen.url = `http://127.0.0.1:${listener.address().port}${WEBHOOK}`;
  seen.close = () => { listener.close(); listener.closeAllConnections(); };
  return seen;
}

test('Retell\'s SDK finds every webhook genuine, the events of one call come in order', async () => {
  const seen = await receiver(() => 200);
  const { code, stdout } = await trigger(['call_analyzed', '--calls', '40', '--seed', '3', '--parallel', '8', '--url', seen.url], { env: { RETELL_WEBHOOK_KEYS: ` ${RETELL_KEY} ,${OLD_RETELL_KEY}`, RETELL_API_KEY: 'other' } });
  seen.close();
  assert.equal(code, 0);
  assert.equal(seen.forged, 0);
  assert.deepEqual([...seen.types], ['application/json']);
  assert.equal(stdout, `40 calls, ${seen.accepted.length} events accepted, 0 failed\n`);
  const order = ['call_started', 'call_ended', 'call_analyzed'];
  const lives = new Map();
  for (const event of seen.accepted) lives.set(event.call.call_id, [...(lives.get(event.call.call_id) ?? []), event]);
  assert.equal(lives.size, 40);
  for (const life of lives.values()) {
    const steps = life.map((e) => order.indexOf(e.event));
    assert.deepEqual(steps, [...steps].sort());
  }
});

test('what may pass is tried again, signed anew: 503 and dropped connections', async () => {
  const seen = await receiver((number) => (number % 5 === 0 ? 503 : number % 7 === 0 ? 'drop' : 204));
  const { code, stdout } = await trigger(['call_ended', '--calls', '10', '--seed', '4', '--url', seen.url], { deadlineMs: 60_000 });
  seen.close();
  assert.equal(code, 0, stdout);
  assert.equal(seen.forged, 0);
  assert.ok(seen.requests > seen.accepted.length);
  assert.match(stdout, /^10 calls, \d+ events accepted, 0 failed\n$/);
});

test('an event is given up after three retries, a refusal and a redirect at once', async () => {
  for (const [status, requests] of [[503, 4], [400, 1], [401, 1], [404, 1], [301, 1]]) {
    const seen = await receiver(() => status);
    const { code, stdout, stderr } = await trigger(['call_ended', '--seed', '7', '--parallel', '1', '--url', seen.url]);
    seen.close();
    assert.equal(code, 1);
    assert.equal(seen.requests, requests, `status ${status}`);
    assert.equal(stdout, '1 call, 0 events accepted, 1 failed\n');
    assert.match(stderr, new RegExp(String(status)));
  }
});

test('one event that is refused does not keep back the others', async () => {
  const seen = await receiver((_, event) => (event.event === 'call_ended' ? 400 : 204));
  const { code, stdout } = await trigger(['call_analyzed', '--calls', '5', '--seed', '7', '--parallel', '1', '--url', seen.url]);
  seen.close();
  assert.equal(code, 1);
  assert.match(stdout, /^5 calls, \d+ events accepted, 5 failed\n$/);
});

test('nobody there: said once, with what to do', async () => {
  const seen = await receiver(() => 204);
  seen.close();
  const { code, stderr } = await trigger(['call_ended', '--calls', '50', '--url', seen.url]);
  assert.equal(code, 1);
  assert.match(stderr, /connect/i);
  assert.match(stderr, /serve/);
});

test('Ctrl-C ends it soon, and it says how far it came', async () => {
  let started;
  const seen = await receiver((number) => (number > 3 ? 'hang' : 204));
  const run = trigger(['call_analyzed', '--calls', '1000', '--seed', '7', '--url', seen.url], { onStart: (child) => (started = child), deadlineMs: 30_000 });
  await eventually('it waits for an answer', () => seen.requests > 3);
  started.kill('SIGINT');
  const { code, stdout } = await run;
  seen.close();
  assert.equal(code, 1);
  assert.match(stdout, /^\d+ calls?, 3 events accepted, \d+ failed\n$/);
});

test('keys and port may come from .env, and a missing key is named', async () => {
  const cwd = scratch();
  const env = { PORT: undefined, RETELL_API_KEY: undefined };
  const missing = await trigger(['call_ended'], { cwd, env });
  assert.equal(missing.code, 1);
  assert.match(missing.stderr, /RETELL_WEBHOOK_KEYS/);
  fs.writeFileSync(`${cwd}/.env`, `PORT=${server.port}\nRETELL_API_KEY="${RETELL_KEY}"\n`);
  assert.equal((await trigger(['call_ended'], { cwd, env })).code, 0);
});

test('--days spreads the calls as an office\'s days go, none of them in the future', async () => {
  const print = (...args) => trigger(['call_ended', '--calls', '1000', '--print', ...args]);
  const { code, stdout } = await print('--days', '90');
  assert.equal(code, 0);
  const times = stdout.trim().split('\n').map((line) => JSON.parse(line)).filter((e) => e.event === 'call_ended' && e.call.end_timestamp)
    .map((e) => e.call.end_timestamp);
  assert.ok(times.length > 800);
  assert.ok(Math.max(...times) <= Date.now());
  assert.ok(Date.now() - Math.max(...times) < 2 * 86_400_000);
  assert.ok(Date.now() - Math.min(...times) > 85 * 86_400_000 && Date.now() - Math.min(...times) < 97 * 86_400_000);
  const hours = times.map((t) => new Date(t).getUTCHours());
  assert.ok(hours.filter((h) => h >= 8 && h < 18).length > 0.7 * hours.length, 'most in office hours');
  const days = times.map((t) => new Date(t).getUTCDay());
  assert.ok(days.filter((d) => d === 0).length * 2 < days.filter((d) => d === 3).length, 'few on Sundays');
  assert.equal((await print('--days', '90', '--seed', '5')).stdout, (await print('--days', '90', '--seed', '5')).stdout);
  for (const bad of ['0', '-1', '1.5', '9999999']) assert.equal((await print('--days', bad)).code, 2, bad);
});
