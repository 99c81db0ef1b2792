// The upgrade under load, from the very program that was released: its sources are in git, at the
// commit that listed the release. Two servers of it, webhooks and readers at both; the four steps of
// README.md; not one webhook or read fails that a proxy in front would not have sent to the other.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { SERVICE_KEY, WEBHOOK, eventually, freePort, migrate, request, scratch, sign, startCluster, startServer } from '../http/harness.js';
import { analyzed, ended, endedCall, started } from '../http/samples.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const RELEASES = fs.readdirSync(path.join(root, 'sql/releases')).sort();

/** The program as it was released; built anew, in the time that takes. */
function build(release) {
  const git = (...args) => execFileSync('git', ['-C', root, ...args], { encoding: 'buffer', maxBuffer: 256 << 20 });
  const commit = git('log', '-1', '--format=%H', '--', `sql/releases/${release}`).toString().trim();
  assert.match(commit, /^[0-9a-f]{40}$/, `the history of git has the commit that listed ${release}: a clone is needed, not an archive`);
  const sources = scratch();
  execFileSync('tar', ['-x', '-C', sources], { input: git('archive', commit) });
  execFileSync('make', ['-s', '-C', sources, '-j2', 'server'], { stdio: ['ignore', 'ignore', 'inherit'], timeout: 600_000 });
  return path.join(sources, 'build/frontdesk');
}

for (const release of RELEASES) {
  test(`two servers of ${release} under load are upgraded, and no webhook and no read fails`, async (t) => {
    const bin = build(release);
    const cluster = await startCluster();
    await cluster.exec(`DROP SCHEMA frontdesk CASCADE; CREATE SCHEMA frontdesk AUTHORIZATION frontdesk_owner; CREATE EXTENSION frontdesk VERSION '${release}'`);
    await migrate(cluster, bin);
    const ports = [await freePort(), await freePort()];
    const start = (n, program) => startServer(cluster, { PORT: String(ports[n]), LOG_LEVEL: 'info' }, program);
    const first = await Promise.all(ports.map((_, n) => start(n, bin)));
    const servers = [...first];

    // As nginx does: what one server does not take, or cuts off, goes to the other.
    let turn = 0;
    const ask = async (method, target, options) => {
      const [one, other] = turn++ % 2 ? ports : [...ports].reverse();
      const from = (port) => request({ port: 0 }, method, target, { ...options, port });
      return from(one).catch(() => from(other)).catch((error) => ({ status: error.message }));
    };
    const sent = [], failed = [];
    let going = true, reads = 0;
    const caller = async () => {
      while (going) {
        const call = endedCall();
        for (const event of [started(call), ended(call), analyzed(call)]) {
          const body = JSON.stringify(event);
          const answer = await ask('POST', WEBHOOK, { body, headers: { 'Content-Type': 'application/json', 'x-retell-signature': await sign(body) } });
          if (answer.status !== 204) failed.push([event.event, answer.status, answer.text]);
        }
        sent.push(call.call_id);
      }
    };
    const READS = ['/api/dashboard/calls?limit=5', '/api/dashboard/summary?bucket=day', '/api/dashboard/analytics/overview', '/api/dashboard/agents'];
    const reader = async () => {
      while (going) {
        const answer = await ask('GET', READS[reads++ % READS.length], { headers: { 'x-api-key': SERVICE_KEY } });
        if (answer.status !== 200) failed.push(['read', answer.status, answer.text]);
      }
    };
    const busy = [caller(), caller(), caller(), caller(), reader(), reader()];
    const step = async (what, action) => {
      const enough = sent.length + 40;
      await action();
      await eventually(`calls come in after: ${what}`, () => sent.length > enough, 60_000);
    };

    try {
      await step('the start', () => {});
      await step('ALTER EXTENSION', () => cluster.exec('ALTER EXTENSION frontdesk UPDATE'));
      await step('migrate', () => migrate(cluster));
      for (const n of [0, 1])
        await step(`server ${n} is replaced`, async () => {
          assert.deepEqual(await servers[n].stop(), { code: 0, signal: null });
          servers[n] = await start(n);
        });
    } finally {
      going = false;
    }
    await Promise.all(busy);

    const warned = servers.concat(first).flatMap((s) => s.log()).filter((l) => ['warn', 'error'].includes(l.level));
    assert.deepEqual({ failed, warned: failed.length ? warned : [] }, { failed: [], warned: [] });
    const stored = new Set((await cluster.rows('SELECT call_id FROM frontdesk.calls WHERE call_successful')).map((r) => r.call_id));
    assert.deepEqual(sent.filter((id) => !stored.has(id)), []);
    assert.equal(await cluster.journal("state = 'dead'"), 0);
    assert.deepEqual(await cluster.rows('SELECT * FROM frontdesk.verify_rollups()'), []);
    t.diagnostic(`${sent.length} calls in ${3 * sent.length} webhooks, and ${reads} reads, through the upgrade`);
    for (const server of servers) await server.stop();
  });
}
