// A poller that is stopped and not ended, which takes as long as a session may idle.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { eventually, migrate, startCluster, startServer } from '../http/harness.js';
import { FakeRetell, KEY } from '../sim/retell.mjs';
import { differences } from '../sim/truth.mjs';

let cluster, fake;
before(async () => {
  cluster = await startCluster();
  await migrate(cluster);
  fake = await new FakeRetell().listen();
  fake.addAgent('agent_poll', 'Agent');
});
after(() => fake?.close());

const poller = () => startServer(cluster, { RETELL_BASE_URL: fake.baseURL, RETELL_API_KEY: KEY, POLL_INTERVAL_SECONDS: '1' });
const same = (deadlineMs) => eventually('the database equals what Retell knows', async () =>
  (await differences(cluster, fake)).length === 0, deadlineMs);

let counter = 0;
const happen = () => fake.setCall(`polled_${++counter}`, {
  agent_id: 'agent_poll', agent_name: 'Agent', agent_version: 1, call_type: 'web_call', call_status: 'ended', disconnection_reason: 'user_hangup',
  start_timestamp: Date.now() - 60_000, end_timestamp: Date.now() - 30_000, duration_ms: 30_000, transcript: 'Agent: Hello.\n',
});

test('P7: a poller that is stopped in the middle holds up the others until its session may idle no longer; nothing is missing then', async (t) => {
  happen();
  const stopped = await poller();
  await same(30_000);
  const asked = fake.requests.length;
  fake.fault({ path: /list-calls/, delayMs: 60_000 });
  await eventually('a run waits for Retell, and has the lock', () => fake.requests.slice(asked).some((r) => /list-calls/.test(r.path)));
  process.kill(stopped.pid, 'SIGSTOP');
  const since = Date.now();
  let other;
  try {
    happen();
    other = await poller();
    await same(330_000);
    t.diagnostic(`the other server polled ${((Date.now() - since) / 1000).toFixed(0)} s later`);
    assert.ok(!other.log().some((l) => l.level === 'error'), 'it waited its turn');
  } finally {
    process.kill(stopped.pid, 'SIGCONT');
    await other?.stop();
  }
  happen();
  await same(30_000); // the first one goes on too
  await stopped.stop();
});
