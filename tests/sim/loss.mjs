// The loss run: traffic of hours, in seconds, while all that can fail does. Webhooks are lost, doubled
// and out of order; Retell goes away twice, the database once; servers are killed twice; two of them
// poll. Afterwards the database must say of every call what Retell knows.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { eventually, frontdesk, get, migrate, scratch, settings, sleep, startCluster, startServer } from '../http/harness.js';
import { FakeRetell, KEY, makeClock } from './retell.mjs';
import { makeTraffic, play, randomOf } from './traffic.mjs';
import { differences } from './truth.mjs';
import { WebhookSender } from './webhooks.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const ANALYSIS = ['call_summary', 'user_sentiment', 'call_successful', 'in_voicemail', 'custom_analysis'];

function buildClock() {
  const file = path.join(scratch(), 'clock.so');
  execFileSync('gcc', ['-O2', '-shared', '-fPIC', '-o', file, path.join(here, 'clock.c')]);
  return file;
}

/** Runs the whole of it; resolves to what happened, for the test to look at. */
export async function lossRun({ calls, spanMs, speed, seed = 1 }) {
  const clock = makeClock({ base: Date.UTC(2026, 2, 2, 8), speed });
  const env = { LD_PRELOAD: buildClock(), CLOCK_BASE: String(clock.base), CLOCK_ORIGIN: String(clock.origin), CLOCK_SPEED: String(speed) };
  const random = randomOf(seed);
  const fake = await new FakeRetell({ clock, timelessFirst: random() < 0.5 }).listen();
  const agents = ['a', 'b', 'c', 'd'].map((n) => ({ agent_id: `agent_${n}`, agent_name: `Agent ${n}` }));
  agents.forEach((a) => fake.addAgent(a.agent_id, a.agent_name));
  const cluster = await startCluster();
  await migrate(cluster);
  const options = { ...env, RETELL_BASE_URL: fake.baseURL, RETELL_API_KEY: KEY, POLL_INTERVAL_SECONDS: '1', LOG_LEVEL: 'warn' };
  const servers = await Promise.all([0, 1].map(() => startServer(cluster, { ...options, LOG_LEVEL: 'info' })));
  const sender = new WebhookSender({
    urls: [], key: KEY, clock, random: randomOf(seed + 1), drop: 0.3, duplicate: 0.2, delayMs: 300, retryMs: 150, timeoutMs: 2500,
  });
  const aim = () => (sender.urls = servers.map((s) => `http://127.0.0.1:${s.port}/api/webhooks/retell`));
  aim();
  await eventually('the first run is over', async () => (await get(servers[0], '/api/dashboard/sync-status')).json.data.lastSuccessAt);

  // What goes wrong, at which part of the traffic's time.
  const from = clock.now();
  const at = (part) => from + spanMs * part;
  const retell = (down) => () => {
    sender.isDown = down;
    if (down) fake.down();
    else fake.up();
  };
  const restart = (i) => async () => {
    await servers[i].stop('SIGKILL');
    servers[i] = await startServer(cluster, { ...options, LOG_LEVEL: 'info' });
    aim();
  };
  const trouble = [
    [0.15, retell(true)], [0.25, retell(false)], [0.35, restart(0)],
    [0.45, async () => { await cluster.stop(); await sleep(500); await cluster.start(); }],
    [0.65, retell(true)], [0.7, restart(1)], [0.75, retell(false)],
  ];
  const steps = makeTraffic({ random, calls, agents, from, spanMs });
  const playing = play(fake, steps, sender);
  for (const [part, happen] of trouble) {
    while (clock.now() < at(part)) await sleep(20);
    await happen();
  }
  await playing;
  await sender.idle();

  // Within an interval or two, all is there; only what was analysed again is for the hourly scan.
  // A call that both agents were told of may live with either.
  const both = new Set(steps.filter((step) => step.also).map((step) => step.call_id));
  const again = new Set();
  const analysed = new Set();
  for (const { call_id, event } of steps) if (event === 'call_analyzed') (analysed.has(call_id) ? again : analysed).add(call_id);
  const begun = Date.now();
  let left;
  await eventually('the database says what Retell knows', async () => {
    left = await differences(cluster, fake, { except: (id, name) => (again.has(id) && ANALYSIS.includes(name)) || (both.has(id) && name === 'agent_id') });
    return left.length === 0;
  }, 30_000).catch(() => assert.deepEqual(left, []));
  const caughtUpMs = Date.now() - begun;
  await eventually('the scan runs', async () => {
    const scan = await frontdesk(['sync'], settings(cluster, options));
    if (scan.code && !/another sync is running/.test(scan.stderr)) throw new Error(scan.stderr);
    return scan.code === 0;
  });
  assert.deepEqual(await differences(cluster, fake, { except: (id, name) => both.has(id) && name === 'agent_id' }), []);

  const answer = await get(servers[0], '/api/dashboard/sync-status');
  assert.equal(answer.status, 200, answer.text);
  const status = answer.json.data;
  const unheard = await cluster.value(`SELECT count(*)::int FROM frontdesk.calls AS c
    WHERE NOT EXISTS (SELECT FROM frontdesk.journal AS j WHERE j.agent_id = c.agent_id AND j.call_id = c.call_id AND j.source = 'webhook')`);
  const stored = await cluster.value('SELECT count(*)::int FROM frontdesk.calls');
  const dead = await cluster.journal(`state = 'dead'`);
  await Promise.all(servers.map((s) => s.stop()));
  sender.close();
  await fake.close();
  await cluster.destroy();
  return { fake, sender, status, unheard, stored, dead, caughtUpMs, reanalysed: again.size };
}
