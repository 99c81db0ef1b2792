// What the server does on its own: changes of calls are folded into the rollups, once for all servers.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { eventually, post, startAll, startServer } from './harness.js';
import { metricsOf } from './metrics.js';
import { ended, endedCall } from './samples.js';

let cluster, server, second;
before(async () => {
  ({ cluster, server } = await startAll());
  second = await startServer(cluster);
});
after(() => Promise.all([server.stop(), second.stop()]));

const folded = () => cluster.value("SELECT coalesce(sum(n), 0)::int FROM frontdesk.call_rollup WHERE grain = 'm'");
const waiting = () => cluster.value('SELECT count(*)::int FROM frontdesk.call_rollup_delta');

test('P17: what webhooks changed is folded within seconds, with two servers running, and nothing is wrong', async () => {
  for (let i = 0; i < 30; i++)
    assert.equal((await post(i % 2 ? server : second, ended(endedCall({ call_id: `fold-${i}`, agent_id: `fold-agent-${i % 3}` })))).status, 204);
  assert.equal(await cluster.value("SELECT sum(frontdesk.total(frontdesk.agent_stats('fold-agent-' || n)))::int FROM generate_series(0, 2) AS n"), 30);
  await eventually('all is folded', async () => (await waiting()) === 0, 20_000);
  assert.equal(await folded(), 30);
  assert.deepEqual(await cluster.rows('SELECT * FROM frontdesk.verify_rollups()'), []);
});

test('/metrics says how many changes wait and for how long', async () => {
  await eventually('all is folded', async () => (await waiting()) === 0, 20_000);
  const page = await metricsOf(server);
  assert.equal(page.value('frontdesk_rollup_deltas'), 0);
  assert.equal(page.value('frontdesk_rollup_delta_age_seconds'), 0);
});

test('a server folds on after its database went and came back', async () => {
  await cluster.stop();
  await cluster.start();
  await eventually('a call is stored', async () => (await post(server, ended(endedCall({ call_id: 'fold-later', agent_id: 'fold-agent-0' })))).status === 204, 20_000);
  await eventually('it is folded', async () => (await waiting()) === 0 && (await folded()) === 31, 90_000);
});
