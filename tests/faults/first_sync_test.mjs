// The first sync of a large account: memory stays flat, and a server that is killed goes on where it
// was, with no more requests than there are pages and transcripts.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';

import { eventually, get, migrate, sleep, startCluster, startServer } from '../http/harness.js';
import { FakeRetell, KEY } from '../sim/retell.mjs';

const CALLS = 100_000, SPOKEN_EVERY = 10, PAGE = 500, LIMIT_MB = 64;
const DAY = 86_400_000;

/** A dialler's account: most calls are not answered. */
function fill(fake) {
  const first = Date.now() - 90 * DAY;
  for (let i = 0; i < CALLS; i++) {
    const start_timestamp = first + i * 70_000;
    const spoken = i % SPOKEN_EVERY === 0;
    const call_id = `call_${String(i).padStart(6, '0')}`;
    fake.calls.set(call_id, {
      call_id, agent_id: `agent_${i % 7}`, agent_version: 1, call_type: 'phone_call', direction: 'outbound', from_number: '+14155550100',
      to_number: `+1415556${String(i % 10_000).padStart(4, '0')}`, start_timestamp, end_timestamp: start_timestamp + (spoken ? 60_000 : 0),
      ...(spoken ? {
        call_status: 'ended', duration_ms: 60_000, disconnection_reason: 'user_hangup', transcript: `Agent: Hello, this is call ${i}.\nUser: Thank you.\n`,
        call_cost: { combined_cost: 7.25, total_duration_seconds: 60, product_costs: [] }, call_analysis: { call_summary: 'A chat.', call_successful: true },
      } : { call_status: 'not_connected', disconnection_reason: 'dial_no_answer' }),
    });
  }
}

const residentMb = (pid) => Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024;

test(`the first sync of ${CALLS} calls: memory is flat, SIGKILL costs nothing, no request too many`, async (t) => {
  const fake = await new FakeRetell().listen();
  fill(fake);
  const cluster = await startCluster();
  await migrate(cluster);
  const start = () => startServer(cluster, { RETELL_BASE_URL: fake.baseURL, RETELL_API_KEY: KEY, POLL_INTERVAL_SECONDS: '2', LOG_LEVEL: 'info' });
  let server = await start();
  const status = async () => (await get(server, '/api/dashboard/sync-status')).json.data;
  const stored = () => cluster.value('SELECT count(*)::int FROM frontdesk.calls');
  const fetched = () => cluster.value('SELECT count(*)::int FROM frontdesk.calls WHERE transcript IS NOT NULL');
  let peak = 0, watching = true;
  const watch = (async () => {
    while (watching) {
      if (server.alive) peak = Math.max(peak, residentMb(server.pid));
      await sleep(100);
    }
  })();
  const kill = async () => {
    await server.stop('SIGKILL');
    server = await start();
  };
  const begun = Date.now();

  await eventually('a third is listed', async () => (await stored()) >= CALLS * 0.3, 600_000);
  await kill();
  await eventually('two thirds are listed', async () => (await stored()) >= CALLS * 0.6, 600_000);
  await kill();
  await eventually('half of the transcripts are there', async () => (await fetched()) >= CALLS / SPOKEN_EVERY / 2, 900_000);
  await kill();
  await eventually('all is there', async () => (await stored()) === CALLS && (await fetched()) === CALLS / SPOKEN_EVERY, 900_000);
  const seconds = Math.round((Date.now() - begun) / 1000);
  await eventually('nothing is left to do', async () => (await status()).pendingHydration === 0);
  watching = false;
  await watch;

  const runs = fake.requests.filter((r) => r.path.startsWith('/v3/') && /"include_total":true/.test(r.body) && /"limit":1,/.test(r.body)).length;
  const pages = fake.requests.filter((r) => r.path.startsWith('/v3/') && /"limit":500/.test(r.body)).length;
  const counts = fake.counts();
  t.diagnostic(`${seconds} s; peak of resident memory ${peak.toFixed(1)} MB; ${JSON.stringify(counts)}; ${pages} pages of ${PAGE}, ${runs} runs to their end`);
  assert.ok(peak <= LIMIT_MB, `resident memory rose to ${peak.toFixed(1)} MB`);
  // A killed run asks for the page it was at once more; a run that finds nothing new asks for the
  // last minutes by start and by end.
  assert.ok(pages <= CALLS / PAGE + 2 * 3 + 2 * (runs + 3), `${pages} pages`);
  assert.ok(counts['/v2/get-call'] <= CALLS / SPOKEN_EVERY + 3 * 16, `${counts['/v2/get-call']} calls fetched`);
  assert.equal(await cluster.value(`SELECT count(*)::int FROM frontdesk.journal WHERE state = 'dead'`), 0);
  assert.equal((await status()).callsFoundByPollOnly, 0, 'history is no loss of webhooks');
  await server.stop();
  await fake.close();
  await cluster.destroy();
});
