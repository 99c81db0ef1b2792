// What takes minutes to break: hundreds of kills, a day of a busy office at once, a million requests.
//   node --test tests/faults/ingest_test.mjs
// KILLS, CALLS and REQUESTS make it shorter or longer.
import assert from 'node:assert/strict';
import { spawn, execFile } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import readline from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { before, test } from 'node:test';
import { BIN, RETELL_KEY, SERVICE_KEY, endAtExit, eventually, migrate, scratch, settings, sleep, startCluster, startServer } from '../http/harness.js';
import { killOnce, load, missing } from '../http/faults.js';

const here = path.dirname(fileURLToPath(import.meta.url));
const LOAD = path.resolve(here, '../../build/bench/load');
const KILLS = Number(process.env.KILLS ?? 500);
const CALLS = Number(process.env.CALLS ?? 50_000);
const REQUESTS = Number(process.env.REQUESTS ?? 1_000_000);
const run = promisify(execFile);

let cluster;
before(async () => {
  cluster = await startCluster();
  await migrate(cluster);
});

/** A server whose log goes to a file: a million lines are nothing to keep in memory. */
async function quietServer(more) {
  const log = path.join(scratch(), 'log');
  const out = fs.openSync(log, 'w');
  const child = endAtExit(spawn(BIN, ['serve'], { cwd: path.dirname(log), env: settings(cluster, { LOG_LEVEL: 'info', ...more }), stdio: ['ignore', out, out] }));
  child.unref();
  const line = await eventually('the server listens', () => fs.readFileSync(log, 'utf8').split('\n').find((l) => l.includes('"listening"')));
  return { child, pid: child.pid, port: JSON.parse(line).port };
}

const rss = (pid) => Number(/VmRSS:\s*(\d+)/.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024;

test('P2: killed at the nth send or write of a thread, for n = 1 to 40, no acknowledged event is lost', async (t) => {
  let acknowledged = 0, kills = 0;
  for (let nth = 1; nth <= 40; nth++) {
    const result = await killOnce(cluster, nth);
    assert.deepEqual(result.missing, [], `killed at ${nth}`);
    acknowledged += result.acknowledged;
    kills += result.killed;
  }
  t.diagnostic(`${kills} kills, ${acknowledged} acknowledged events, 0 missing`);
  assert.equal(kills, 40);
});

test(`P2: killed at ${KILLS} random moments under load, no acknowledged event is lost`, async (t) => {
  let acknowledged = [];
  for (let kill = 0; kill < KILLS; kill++) {
    const server = await startServer(cluster, { LOG_LEVEL: 'info' });
    const clients = load(server, 16, 'agent_random_kill');
    await sleep(20 + Math.random() * 280);
    await server.stop('SIGKILL');
    await clients.done;
    acknowledged = acknowledged.concat(clients.acknowledged);
    if (kill % 50 === 49) assert.deepEqual(await missing(cluster, 'agent_random_kill', acknowledged), []);
  }
  assert.deepEqual(await missing(cluster, 'agent_random_kill', acknowledged), []);
  t.diagnostic(`${KILLS} kills, ${acknowledged.length} acknowledged events, 0 missing`);
});

/** A call as `trigger` tells it, the later of its events over the earlier. */
function addToTruth(truth, line) {
  const { event, call } = JSON.parse(line);
  const row = truth.get(call.call_id) ?? {};
  if (event !== 'call_started' || !row.ended)
    Object.assign(row, {
      call_id: call.call_id, agent_id: call.agent_id, ended: row.ended || event !== 'call_started',
      status: event === 'call_started' ? 'ongoing' : call.call_status,
      duration: call.duration_ms ?? row.duration ?? null, cost: call.call_cost?.combined_cost ?? row.cost ?? null,
      successful: call.call_analysis?.call_successful ?? row.successful ?? null,
      sentiment: call.call_analysis?.user_sentiment ?? row.sentiment ?? null,
      transcript: call.transcript ?? row.transcript ?? null,
    });
  truth.set(call.call_id, row);
}

test(`a day of a busy office, ${CALLS} calls at once: the database equals the truth, rollups verify, memory is flat`, async (t) => {
  await cluster.exec('TRUNCATE frontdesk.calls, frontdesk.call_home, frontdesk.journal, frontdesk.agents');
  const server = await startServer(cluster, { LOG_LEVEL: 'info' });
  const what = ['call_analyzed', '--calls', String(CALLS), '--seed', '20260101'];
  const env = { ...settings(cluster), RETELL_WEBHOOK_KEYS: RETELL_KEY };
  const since = Date.now();
  const memory = [];
  const posting = run(BIN, ['trigger', ...what, '--parallel', '32', '--url', `http://127.0.0.1:${server.port}/api/webhooks/retell`],
    { cwd: scratch(), env, maxBuffer: 64 << 20 });
  const sampler = setInterval(() => memory.push(rss(server.pid)), 1000);
  const { stdout } = await posting.finally(() => clearInterval(sampler));
  const seconds = (Date.now() - since) / 1000;
  const [, accepted, failed] = /, (\d+) events? accepted, (\d+) failed/.exec(stdout).map(Number);
  assert.equal(failed, 0);

  const truth = new Map();
  const told = spawn(BIN, ['trigger', ...what, '--print'], { cwd: scratch(), env, stdio: ['ignore', 'pipe', 'inherit'] });
  for await (const line of readline.createInterface({ input: told.stdout })) addToTruth(truth, line);
  const file = path.join(scratch(), 'truth.jsonl');
  const out = fs.createWriteStream(file);
  for (const { ended, ...row } of truth.values()) out.write(`${JSON.stringify(row).replaceAll('\\', '\\\\')}\n`);
  await new Promise((resolve) => out.end(resolve));
  fs.chmodSync(path.dirname(file), 0o755);
  const { stdout: differing } = await run('psql', ['-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', cluster.urls.SUPERUSER_DATABASE_URL,
    '-c', 'CREATE TEMPORARY TABLE lines (j jsonb)', '-c', `\\copy lines FROM '${file}'`,
    '-c', `WITH told AS (SELECT j ->> 'call_id', j ->> 'agent_id', j ->> 'status', (j ->> 'duration')::bigint, round((j ->> 'cost')::numeric, 4),
             (j ->> 'successful')::boolean, j ->> 'sentiment', md5(j ->> 'transcript') FROM lines),
           stored AS (SELECT call_id COLLATE "default", agent_id COLLATE "default", call_status, duration_ms, cost, call_successful, user_sentiment, md5(transcript) FROM frontdesk.calls)
           SELECT (SELECT count(*) FROM (SELECT * FROM told EXCEPT ALL SELECT * FROM stored) a) || ' ' || (SELECT count(*) FROM (SELECT * FROM stored EXCEPT ALL SELECT * FROM told) b)`]);
  assert.equal(differing.trim(), '0 0', 'calls that only the truth has, or only the database');
  assert.equal(await cluster.value('SELECT count(*)::int FROM frontdesk.journal'), accepted, 'every event is in the journal once');
  assert.equal(await cluster.value('SELECT count(*)::int FROM frontdesk.verify_rollups()'), 0, 'rollups verify');
  const half = memory.slice(Math.floor(memory.length / 2));
  t.diagnostic(`${truth.size} calls, ${accepted} events in ${seconds.toFixed(0)} s (${(accepted / seconds).toFixed(0)}/s), server RSS ${half[0].toFixed(1)} MB halfway, ${half.at(-1).toFixed(1)} MB at the end`);
  assert.ok(half.at(-1) - half[0] < 4, 'memory is flat');
  await server.stop();
});

test(`P22: with 512 connections open, ${REQUESTS} requests leave the server at 64 MB or less, and flat`, async (t) => {
  const server = await quietServer({ RATE_LIMIT_MAX: '0' });
  const seen = [];
  for (let part = 0; part < 10; part++) {
    const { stdout } = await run(LOAD, ['get', '/api/dashboard/agent-info/agent_sample_scheduling', '--port', server.port, '--key', SERVICE_KEY,
      '--requests', String(REQUESTS / 10), '--connections', '512'].map(String));
    assert.deepEqual(Object.keys(JSON.parse(stdout).statuses), ['200']);
    seen.push(rss(server.pid));
  }
  t.diagnostic(`RSS in MB after each tenth: ${seen.map((mb) => mb.toFixed(1)).join(' ')}`);
  assert.ok(seen.at(-1) <= 64, `${seen.at(-1)} MB`);
  assert.ok(seen.at(-1) - seen[1] < 1, 'flat after the first fifth');
  server.child.kill();
});
