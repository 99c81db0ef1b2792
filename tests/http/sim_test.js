// The fake Retell satisfies Retell's own client, so what is tested against it means something.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import Retell from 'retell-sdk';
import { verify } from 'retell-sdk/lib/webhook_auth';
import http from 'node:http';

import './webcrypto.js';
import { FakeRetell, KEY } from '../sim/retell.mjs';
import { makeTraffic, randomOf, settle } from '../sim/traffic.mjs';
import { WebhookSender } from '../sim/webhooks.mjs';

const HOUR = 3_600_000;
let fake, client, from;

before(async () => {
  fake = await new FakeRetell().listen();
  const agents = ['a', 'b', 'c'].map((n) => ({ agent_id: `agent_${n}`, agent_name: `Agent ${n}` }));
  agents.forEach((agent) => fake.addAgent(agent.agent_id, agent.agent_name));
  from = Date.now() - 6 * HOUR;
  settle(fake, makeTraffic({ random: randomOf(7), calls: 230, agents, from, spanMs: 5 * HOUR }));
  client = new Retell({ apiKey: KEY, baseURL: fake.baseURL, maxRetries: 2 });
});
after(() => fake.close());

async function all(query) {
  const items = [];
  for (let pagination_key; ;) {
    const page = await client.call.list({ ...query, pagination_key });
    items.push(...page.items);
    if (!page.has_more) return items;
    pagination_key = page.pagination_key;
  }
}

test("the SDK's client lists every call once, over pages, in order", async () => {
  for (const sort_order of ['ascending', 'descending']) {
    const items = await all({ limit: 50, sort_order });
    assert.equal(new Set(items.map((c) => c.call_id)).size, fake.calls.size);
    const starts = items.map((c) => c.start_timestamp).filter((t) => t !== undefined);
    assert.deepEqual(starts, [...starts].sort((a, b) => (sort_order === 'ascending' ? a - b : b - a)));
  }
});

test('list-calls leaves transcripts out and keeps analysis and cost; get-call has all', async () => {
  const id = [...fake.calls.values()].find((c) => c.call_analysis && c.call_status === 'ended').call_id;
  const [item] = (await client.call.list({ filter_criteria: { call_id: { type: 'enum', op: 'in', value: [id] } } })).items;
  assert.equal(item.transcript, undefined);
  assert.equal(item.transcript_object, undefined);
  assert.ok(item.call_analysis && item.call_cost);
  const call = await client.call.retrieve(id);
  assert.deepEqual(call, fake.calls.get(id));
  assert.ok(call.transcript && call.transcript_object[0].words);
});

test('filters are typed, connected by and, and a total is counted over all pages', async () => {
  const middle = from + 2 * HOUR;
  const filter_criteria = {
    start_timestamp: { type: 'number', op: 'ge', value: middle },
    call_status: { type: 'enum', op: 'in', value: ['ended'] },
    agent: [{ agent_id: 'agent_a' }, { agent_id: 'agent_b' }],
  };
  const page = await client.call.list({ limit: 10, include_total: true, filter_criteria });
  const wanted = [...fake.calls.values()].filter((c) => c.start_timestamp >= middle && c.call_status === 'ended' && c.agent_id !== 'agent_c');
  assert.equal(page.total, wanted.length);
  assert.deepEqual(new Set((await all({ filter_criteria })).map((c) => c.call_id)), new Set(wanted.map((c) => c.call_id)));
  const range = await all({ filter_criteria: { end_timestamp: { type: 'range', op: 'bt', value: [from, middle] } } });
  assert.ok(range.length && range.every((c) => c.end_timestamp >= from && c.end_timestamp <= middle));
});

test('agents are listed in pages and retrieved', async () => {
  const page = await client.agent.list({ limit: 2, sort_order: 'ascending' });
  assert.deepEqual(page.items.map((a) => a.agent_name), ['Agent a', 'Agent b']);
  assert.equal(page.has_more, true);
  const rest = await client.agent.list({ limit: 2, sort_order: 'ascending', pagination_key: page.pagination_key });
  assert.deepEqual(rest.items.map((a) => a.agent_id), ['agent_c']);
  assert.equal((await client.agent.retrieve('agent_b')).agent_name, 'Agent b');
  assert.ok((await client.concurrency.retrieve()).concurrency_limit);
  assert.equal((await client.identity.retrieve()).org_name, 'Fake Org');
});

test("errors are the SDK's typed errors", async () => {
  const stranger = new Retell({ apiKey: 'key_of_nobody', baseURL: fake.baseURL, maxRetries: 0 });
  await assert.rejects(stranger.call.list(), Retell.AuthenticationError);
  await assert.rejects(client.call.retrieve('call_unknown'), Retell.UnprocessableEntityError);
  await assert.rejects(client.call.list({ skip: 1, pagination_key: 'x' }), Retell.BadRequestError);
  await assert.rejects(client.call.list({ limit: 1001 }), Retell.BadRequestError);
  await assert.rejects(client.call.list({ filter_criteria: { start_timestamp: { type: 'string', op: 'eq', value: 'x' } } }), Retell.BadRequestError);
  await assert.rejects(client.call.list({ filter_criteria: { call_status: { type: 'enum', op: 'in', value: ['registered'] } } }), Retell.BadRequestError);
  const patient = new Retell({ apiKey: KEY, baseURL: fake.baseURL, maxRetries: 0 });
  for (const [status, type] of [[402, Retell.APIError], [429, Retell.RateLimitError], [500, Retell.InternalServerError]]) {
    fake.fault({ status });
    await assert.rejects(patient.call.list(), (error) => error instanceof type && error.status === status);
  }
  fake.fault({ reset: true });
  await assert.rejects(patient.call.list(), Retell.APIConnectionError);
});

test('faults pass: the SDK tries again, and waits as Retry-After says', async () => {
  fake.fault({ status: 429, headers: { 'retry-after': '1' } });
  const begun = Date.now();
  assert.ok((await client.call.list()).items.length);
  assert.ok(Date.now() - begun >= 900, 'it waited');
  fake.fault({ status: 500, headers: { 'retry-after-ms': '1' } });
  assert.ok((await client.call.list()).items.length);
});

test("webhooks are signed as the SDK verifies, and tried again up to three times", async () => {
  const seen = [];
  const receiver = http.createServer(async (req, res) => {
    let body = '';
    for await (const chunk of req) body += chunk;
    seen.push({ body, signature: req.headers['x-retell-signature'] });
    res.writeHead(seen.length < 3 ? 500 : 204).end();
  });
  await new Promise((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  const sender = new WebhookSender({ urls: [`http://127.0.0.1:${receiver.address().port}/`], key: KEY, clock: fake.clock, retryMs: 5 });
  try {
    const call = [...fake.calls.values()].find((c) => c.call_analysis);
    sender.send('call_ended', call);
    await sender.idle();
    assert.equal(seen.length, 3);
    for (const { body, signature } of seen) assert.ok(await verify(body, KEY, signature));
    const event = JSON.parse(seen[0].body);
    assert.equal(event.event, 'call_ended');
    assert.equal(event.call.call_analysis, undefined, 'call_ended has no analysis');
  } finally {
    sender.close();
    receiver.close();
  }
});
