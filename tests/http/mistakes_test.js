// What others get wrong with webhooks, each as a test. What they get wrong with polling is in
// sync_test.js, under the same name.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { after, before, test } from 'node:test';

import { eventually, get, post, request, RETELL_KEY, SERVICE_KEY, sign, startAll } from './harness.js';
import { analyzed, ended, endedCall, newCallId } from './samples.js';

let cluster, server;
before(async () => ({ cluster, server } = await startAll()));
after(async () => {
  await server.stop();
  cluster.destroy();
});

const stored = async (id) => (await get(server, `/api/dashboard/calls/${id}`)).status === 200;

test('RETELL 5: an event that could not be stored is not acknowledged, and its next delivery is stored', async () => {
  const event = ended(endedCall());
  await cluster.stop();
  assert.equal((await post(server, event)).status, 503);
  await cluster.start();
  await eventually('its next delivery is stored', async () => (await post(server, event)).status === 204);
  assert.ok(await stored(event.call.call_id));
});

test('RETELL 5: an event that is not understood is acknowledged once it is kept, and can be replayed', async () => {
  const id = newCallId();
  assert.equal((await post(server, { event: 'call_ended', call: { call_id: id, agent_id: 'agent_test', duration_ms: 'long' } })).status, 204);
  assert.equal(await cluster.journal(`state = 'dead' AND convert_from(body, 'UTF8') LIKE '%${id}%'`), 1);
});

test('RETELL 5: statistics count a call once, however often and in which order its events come', async () => {
  const agent_id = `agent_${newCallId()}`;
  const call = endedCall({ agent_id, agent_name: agent_id });
  for (const event of [analyzed(call), ended(call), ended(call), analyzed(call), ended(call)]) assert.equal((await post(server, event)).status, 204);
  const { data } = (await get(server, `/api/dashboard/analytics/overview?agentId=${agent_id}`)).json;
  assert.deepEqual([data.totalCalls, data.successfulCalls, data.totalCost, data.successRate], [1, 1, call.call_cost.combined_cost, 100]);
});

test('RETELL 5: a call that is not analysed is neither successful nor unsuccessful', async () => {
  const agent_id = `agent_${newCallId()}`;
  await post(server, ended(endedCall({ agent_id, agent_name: agent_id })));
  const { data } = (await get(server, `/api/dashboard/agent-summary/${agent_id}`)).json;
  assert.deepEqual([data.calls.total, data.calls.successful, data.calls.unsuccessful, data.calls.unanalysed, data.calls.success_rate], [1, 0, 0, 1, null]);
});

test('RETELL 5: the signature is of the raw bytes and their time: neither a plain HMAC nor JSON written anew', async () => {
  const event = ended(endedCall());
  const spaced = JSON.stringify(event, null, 2); // what was sent; whoever parses it signs something else
  const plain = createHmac('sha256', RETELL_KEY).update(spaced).digest('hex');
  for (const signature of [plain, `v=${Date.now()},d=${plain}`, await sign(JSON.stringify(event))])
    assert.equal((await post(server, spaced, { signature })).status, 401);
  assert.equal((await post(server, spaced)).status, 204);
});

test('RETELL 5: who may see one agent sees no call of another', async () => {
  const mine = endedCall({ agent_id: 'agent_mine' }), theirs = endedCall({ agent_id: 'agent_theirs' });
  for (const call of [mine, theirs]) await post(server, ended(call));
  const made = await request(server, 'POST', '/api/auth/keys', {
    headers: { 'x-api-key': SERVICE_KEY, 'Content-Type': 'application/json' }, body: JSON.stringify({ name: 'one', role: 'USER', agents: ['agent_mine'] }),
  });
  const headers = { 'x-api-key': made.json.data.key };
  const { calls } = (await get(server, '/api/dashboard/calls?limit=100', headers)).json.data;
  assert.deepEqual(calls.map((c) => c.call_id), [mine.call_id]);
  assert.equal((await get(server, `/api/dashboard/calls/${theirs.call_id}`, headers)).status, 404);
});

test('RETELL 5: no payload and no transcript is in the log', () => {
  for (const word of ['a table for two', 'A table for two was booked', '+12125550123', 'recordings.example.com'])
    assert.ok(!server.output.includes(word), word);
});
