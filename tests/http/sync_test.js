// Polling, between the real server, a real PostgreSQL and a Retell that runs here: what webhooks have
// lost comes back, and nothing that they have brought is lost to a poll.
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';

import { FakeRetell, KEY } from '../sim/retell.mjs';
import { makeAnalysis, makeTraffic, randomOf, settle } from '../sim/traffic.mjs';
import { differences } from '../sim/truth.mjs';
import { envelope } from '../sim/webhooks.mjs';
import { eventually, frontdesk, get, migrate, post, request, SERVICE_KEY, settings, startCluster, startServer } from './harness.js';

const HOUR = 3_600_000;
const AGENTS = ['a', 'b', 'c'].map((n) => ({ agent_id: `agent_${n}`, agent_name: `Agent ${n}` }));
let cluster, fake, server;

before(async () => {
  cluster = await startCluster();
  await migrate(cluster);
});
after(() => cluster.destroy());

// Each group has its own Retell and an empty database; each test may go on from the one before.
async function begin({ calls = 0, seed = 1, interval = 0, spanMs = 20 * HOUR, retell = {}, ...more } = {}) {
  await cluster.exec(`TRUNCATE frontdesk.agents, frontdesk.call_home, frontdesk.calls, frontdesk.journal, frontdesk.sync_cursors,
    frontdesk.sync_fetches, frontdesk.sync_finds; DELETE FROM frontdesk.sync_state; INSERT INTO frontdesk.sync_state DEFAULT VALUES`);
  fake = await new FakeRetell(retell).listen();
  AGENTS.forEach((a) => fake.addAgent(a.agent_id, a.agent_name));
  settle(fake, makeTraffic({ random: randomOf(seed), calls, agents: AGENTS, from: Date.now() - spanMs - HOUR, spanMs }));
  server = await startServer(cluster, polling({ interval, ...more }));
}

const polling = ({ interval = 0, ...more } = {}) => ({
  RETELL_BASE_URL: fake.baseURL, RETELL_API_KEY: KEY, POLL_INTERVAL_SECONDS: String(interval), ...more,
});

async function end() {
  await server?.stop();
  await fake.close();
}

const admin = (target, body = {}, headers = {}) => request(server, 'POST', `/api/dashboard/${target}`, {
  headers: { 'x-api-key': SERVICE_KEY, 'Content-Type': 'application/json', ...headers }, body: JSON.stringify(body),
});
const sync = async (body) => {
  const answer = await admin('sync-calls', body);
  assert.equal(answer.status, 200, answer.text);
  return answer.json;
};
const status = async () => (await get(server, '/api/dashboard/sync-status')).json.data;
const cli = (args, more) => frontdesk(args, settings(cluster, polling(more)));
const same = async (options) => assert.deepEqual(await differences(cluster, fake, options), []);
const row = async (id) => (await cluster.rows(`SELECT * FROM frontdesk.calls WHERE call_id = '${id}'`))[0];
const journal = () => cluster.journal();
const webhook = async (event, call, more) => assert.equal((await post(server, envelope(event, call, more), { key: KEY })).status, 204);

let counter = 0;
const started = (more = {}) => fake.setCall(`made_${++counter}`, {
  agent_id: 'agent_a', agent_name: 'Agent a', agent_version: 1, call_type: 'phone_call', direction: 'inbound',
  from_number: '+14155550100', to_number: '+14155550101', call_status: 'ongoing', start_timestamp: Date.now() - 60_000, ...more,
});
const finished = (call, more = {}) => fake.setCall(call.call_id, {
  call_status: 'ended', end_timestamp: Date.now() - 30_000, duration_ms: 30_000, disconnection_reason: 'user_hangup',
  transcript: 'Agent: Hello.\nUser: Bye.\n', transcript_object: [{ role: 'agent', content: 'Hello.', words: [{ word: 'Hello.', start: 0.1, end: 0.3 }] }],
  call_cost: { combined_cost: 12.3456, total_duration_seconds: 30, product_costs: [] }, ...more,
});
const analysed = (call, text = 'Said hello.') => fake.setCall(call.call_id, { call_analysis: { ...makeAnalysis(randomOf(5), text) } });

describe('the first sync of a history', () => {
  before(() => begin({ calls: 1200, spanMs: 60 * HOUR }));
  after(end);

  test('P16: it brings everything, transcripts and analysis too, and counts truly', async () => {
    const answer = await sync();
    assert.deepEqual(answer, { success: true, message: 'Call sync completed', callsSynced: 1200, callsUpdated: 0, errors: 0 });
    await same();
  });

  test('it asks Retell for no more than the pages and the missing transcripts', () => {
    const counts = fake.counts();
    const spoken = [...fake.calls.values()].filter((c) => ['ended', 'error'].includes(c.call_status)).length;
    assert.equal(counts['/v2/get-call'], spoken);
    assert.ok(counts['/v3/list-calls'] <= Math.ceil(1200 / 500) + 5, `${counts['/v3/list-calls']} pages`);
    assert.ok(fake.maxConcurrent <= 4, 'and few at a time');
  });

  test('a second sync changes nothing and stores nothing: the journal does not grow with every poll', async () => {
    const events = await journal();
    assert.deepEqual(await sync(), { success: true, message: 'Call sync completed', callsSynced: 0, callsUpdated: 0, errors: 0 });
    assert.equal(await journal(), events);
  });

  test('nothing of the past counts as a webhook that was lost', async () => {
    const now = await status();
    assert.equal(now.callsFoundByPollOnly, 0);
    assert.equal(now.pendingHydration, 0);
    assert.equal(now.running, false);
    assert.ok(Date.parse(now.calls.lastSynced) && Date.parse(now.agents.lastSynced) && Date.parse(now.lastSuccessAt));
  });

  test('P16: what is new, what has changed and what fails is counted apart', async () => {
    const [one, two, three] = [finished(started()), finished(started()), finished(started())];
    fake.fault({ path: /get-call/, status: 422 });
    const answer = await sync();
    assert.deepEqual([answer.callsSynced, answer.callsUpdated, answer.errors], [3, 0, 1]);
    assert.match(answer.firstError, /does not know this call \(422\)/);
    [one, two, three].forEach((call) => analysed(call));
    const again = await sync();
    assert.deepEqual([again.callsSynced, again.callsUpdated, again.errors], [0, 3, 0]);
  });

  test('an agent may be synced alone, and unknown ones bring nothing', async () => {
    finished(started({ agent_id: 'agent_b' }));
    const of_a = finished(started({ agent_id: 'agent_a' }));
    assert.equal((await sync({ agentId: 'agent_a' })).callsSynced, 1);
    assert.ok(await row(of_a.call_id));
    assert.equal((await sync({ agentId: 'agent_nobody' })).callsSynced, 0);
    assert.equal((await admin('sync-calls', { agent: 'x' })).status, 400);
  });

  test('RETELL 5: syncing one agent does not lose the calls of the others', async () => {
    assert.equal((await sync()).callsSynced, 1, "agent_b's call of before");
    await same({ ignore: ['transcript', 'transcript_object', 'details.transcript_with_tool_calls'] });
  });
});

describe('polling by itself', () => {
  before(() => begin({ calls: 40, interval: 1 }));
  after(end);

  test('P7: a call of which no webhook comes is there within an interval, with its transcript', async () => {
    await eventually('the first run is over', async () => (await status()).lastSuccessAt);
    const call = analysed(finished(started({ start_timestamp: Date.now() }), { end_timestamp: Date.now() + 1 }));
    await eventually('the call is whole', async () => (await row(call.call_id))?.transcript === call.transcript, 5_000);
    await same();
    assert.equal((await status()).callsFoundByPollOnly, 1);
  });

  test('RETELL 5: a call that was stored while it went on is completed', async () => {
    const call = started();
    await eventually('it is stored as ongoing', async () => (await row(call.call_id))?.call_status === 'ongoing', 5_000);
    finished(call);
    await eventually('it has ended', async () => (await row(call.call_id)).call_status === 'ended', 5_000);
    await eventually('with its transcript', async () => (await row(call.call_id)).transcript, 5_000);
  });

  test('RETELL 5: a call that started hours ago and ends now is completed', async () => {
    const call = started({ start_timestamp: Date.now() - 3 * HOUR });
    await webhook('call_started', call);
    finished(call, { end_timestamp: Date.now(), duration_ms: 3 * HOUR });
    await eventually('it has ended', async () => (await row(call.call_id)).transcript, 5_000);
    await same();
  });

  test('RETELL 5: an analysis that comes late is stored', async () => {
    const call = finished(started({ start_timestamp: Date.now() - 50 * 60_000 }), { end_timestamp: Date.now() - 40 * 60_000 });
    await webhook('call_ended', call);
    assert.equal((await row(call.call_id)).call_successful, null);
    analysed(call);
    await eventually('it is analysed', async () => (await row(call.call_id)).call_summary === 'Said hello.', 5_000);
  });

  test('calls that never connected are found, with times and without', async () => {
    const timed = started({ call_status: 'not_connected', disconnection_reason: 'dial_busy', end_timestamp: Date.now() - 60_000 });
    const timeless = started({ call_status: 'not_connected', disconnection_reason: 'dial_no_answer', start_timestamp: undefined });
    for (const { call_id } of [timed, timeless])
      await eventually('it is there', async () => (await row(call_id))?.call_status === 'not_connected', 5_000);
    await same();
  });

  test('P8: a webhook and a poll of the same call agree, whichever is first', async () => {
    for (const order of [[0, 1], [1, 0]]) {
      const call = analysed(finished(started()));
      const ways = [() => webhook('call_analyzed', call), () => eventually('polled', () => row(call.call_id), 5_000)];
      for (const way of order) await ways[way]();
    }
    await eventually('all transcripts are there', async () => (await status()).pendingHydration === 0, 5_000);
    await same();
  });

  test('its state is in the metrics', async () => {
    const { text } = await request(server, 'GET', '/metrics', { port: server.adminPort });
    assert.match(text, /^frontdesk_calls_found_by_poll_only \d+$/m);
    assert.match(text, /^frontdesk_poll_age_seconds [\d.]+$/m);
    assert.match(text, /^frontdesk_poll_pending_hydration 0$/m);
  });

  test('P7: after an outage of Retell everything is there within an interval', async () => {
    fake.down();
    await eventually('polling fails', async () => (await status()).lastError, 20_000);
    assert.match((await status()).lastError, /cannot be reached .*check RETELL_BASE_URL, the network/);
    const calls = Array.from({ length: 30 }, () => finished(started()));
    calls.slice(10).forEach((call) => analysed(call));
    fake.up();
    await eventually('all are there', async () => (await cluster.value(`SELECT count(*)::int FROM frontdesk.calls WHERE transcript IS NOT NULL AND call_id IN (${calls.map((c) => `'${c.call_id}'`)})`)) === 30, 20_000);
    await same();
    assert.equal((await status()).lastError, null);
  });
});

describe('an absence of days', () => {
  before(() => begin({ calls: 20 }));
  after(end);

  test('P7: the first run brings back everything, late analysis of calls from before the absence too', async () => {
    const gone = 5 * 24 * HOUR, then = Date.now() - gone;
    const before = finished(started({ start_timestamp: then - 3 * HOUR }), { end_timestamp: then - 2 * HOUR });
    const live = started({ start_timestamp: then - HOUR });
    const during = analysed(finished(started({ start_timestamp: then + HOUR }), { end_timestamp: then + 2 * HOUR }));
    await webhook('call_ended', before);
    await webhook('call_started', live);
    // All servers were away since then.
    await cluster.exec(`UPDATE frontdesk.sync_state SET watched_since = ${then - gone}, looked_at = ${then}, agents_synced_at = now() - interval '5 days';
      INSERT INTO frontdesk.sync_cursors VALUES ('', ${then}, ${then}, now() - interval '5 days', now() - interval '5 days', 0)`);
    analysed(before);
    finished(live, { end_timestamp: then + 60_000 });
    await server.stop();
    server = await startServer(cluster, polling({ interval: 1 }));
    await eventually('the first run is over', async () => (await status()).lastSuccessAt, 20_000);
    await eventually('the transcripts are there', async () => (await status()).pendingHydration === 0, 20_000);
    assert.equal((await row(before.call_id)).call_summary, 'Said hello.');
    assert.equal((await row(live.call_id)).call_status, 'ended');
    assert.ok((await row(during.call_id)).transcript);
    await same();
  });
});

describe('what a poll must not do', () => {
  before(() => begin());
  after(end);

  test('RETELL 5, P8: a list without transcripts, or a call stripped by retention, blanks nothing', async () => {
    const call = analysed(finished(started()), 'first');
    await webhook('call_analyzed', call);
    fake.stripTranscripts([call.call_id]);
    analysed(call, 'second');
    assert.deepEqual([(await sync()).callsUpdated, fake.counts()['/v2/get-call']], [1, undefined], 'it is not even fetched');
    const stored = await row(call.call_id);
    assert.equal(stored.transcript, call.transcript);
    assert.equal(stored.call_summary, 'second');
    assert.deepEqual(stored.transcript_object, call.transcript_object);
  });

  test('a call fetched with an empty transcript keeps what was heard', async () => {
    const call = started();
    await webhook('transcript_updated', { ...call, transcript: 'Agent: Hel' });
    finished(call, { transcript: '', transcript_object: [] });
    await sync();
    assert.equal((await row(call.call_id)).transcript, 'Agent: Hel');
    fake.requests.length = 0;
    await sync();
    assert.equal(fake.counts()['/v2/get-call'], undefined, 'and is not fetched again');
  });

  test('RETELL 5: an analysis found by polling wins over an older one, also when it goes back', async () => {
    const call = finished(started());
    for (const successful of [true, false, true]) {
      fake.setCall(call.call_id, { call_analysis: { call_summary: 's', call_successful: successful } });
      await sync();
      assert.equal((await row(call.call_id)).call_successful, successful);
    }
    await webhook('call_ended', call);
    assert.equal((await row(call.call_id)).call_successful, true, 'call_ended after it nulls nothing');
  });

  test('RETELL 5: not analysed is not unsuccessful, and cents keep their fractions', async () => {
    const call = finished(started(), { call_cost: { combined_cost: 0.0001 } });
    await sync();
    const stored = (await get(server, `/api/dashboard/calls/${call.call_id}`)).json.data;
    assert.equal(stored.call_successful, null);
    assert.equal(stored.cost, 0.0001);
    assert.equal(stored.start_timestamp, call.start_timestamp);
  });

  test('links that are signed anew in every answer are no news', async () => {
    fake.signedUrls = true;
    const call = analysed(finished(started(), { recording_url: 'https://recordings.example.com/x.wav' }));
    await sync();
    const before = await row(call.call_id);
    assert.match(before.recording_url, /X-Signature/);
    const events = await journal();
    const answer = await sync();
    assert.deepEqual([answer.callsUpdated, await journal()], [0, events]);
    assert.equal((await row(call.call_id)).updated_at, before.updated_at);
    fake.signedUrls = false;
  });

  test('RETELL 5: one broken record among good ones fails alone, is kept once, and is told', async () => {
    const good = finished(started()), broken = finished(started(), { duration_ms: 'long' });
    await cluster.exec(`DELETE FROM frontdesk.journal WHERE state = 'dead'`);
    for (let run = 0; run < 2; run++) {
      const answer = await sync();
      assert.equal(answer.errors, 1);
      assert.match(answer.firstError, /call\.duration_ms must be a number/);
    }
    assert.ok((await row(good.call_id)).transcript);
    assert.equal(await row(broken.call_id), undefined);
    assert.equal(await cluster.journal(`state = 'dead'`), 1);
    fake.calls.delete(broken.call_id);
    fake.listed = undefined;
  });

  test('RETELL 5: no secret, number or word of a caller is in the log', () => {
    for (const secret of [KEY, SERVICE_KEY, '+1415', 'Said hello', 'Agent: Hello', 'token_of_'])
      assert.ok(!server.output.includes(secret), secret);
  });
});

describe('a Retell that fails', () => {
  before(() => begin({ calls: 60 }));
  after(end);
  beforeEach(() => {
    fake.faults = [];
    fake.requests.length = 0;
  });

  test('errors that pass are tried again: 500, 408, 409, 429 with Retry-After, a cut answer, half of the JSON', async () => {
    const faults = [{ status: 500 }, { status: 408 }, { status: 409 }, { status: 429, headers: { 'retry-after-ms': '20' } },
      { reset: true }, { cut: true }, { truncate: true }];
    for (const fault of faults) {
      fake.fault({ path: /list-calls/, headers: { 'retry-after-ms': '10' }, ...fault });
      await sync();
    }
    await same();
  });

  test('Retry-After in seconds is waited for, by all requests under way', async () => {
    finished(started());
    fake.fault({ path: /get-call/, status: 429, headers: { 'retry-after': '1' } });
    const begun = Date.now();
    await sync();
    assert.ok(Date.now() - begun >= 1000);
    await same();
  });

  let turn = false;
  for (const [what, fault, says] of [
    ['a wrong key', { status: 401, message: 'Invalid API Key' }, /Retell refuses the key \(401: Invalid API Key\).*set RETELL_API_KEY/],
    ['no credit', { status: 402, message: 'Payment required' }, /out of credit \(402: Payment required\).*add credit/],
    ['a wait that is too long', { status: 429, headers: { 'retry-after': '3600' } }, /too many requests \(429/],
    ['another server', { raw: '<html>Welcome</html>', status: 200 }, /not Retell's.*check RETELL_BASE_URL/],
    ['an address that is not there', { status: 404 }, /knows nothing at this address \(404/],
    ['a list without items', { edit: (a) => ({ has_more: a.has_more }) }, /not as documented: it has no `items`/],
    ['a list that does not say whether it ends', { edit: ({ items }) => ({ items }) }, /not as documented: it does not say `has_more`/],
    ['a list that goes on nowhere', { edit: ({ items }) => ({ items, has_more: true }) }, /has_more` and gives no `pagination_key/],
    ['a list that goes in a circle', { edit: ({ items }) => ({ items, has_more: true, pagination_key: Buffer.from('call_000000').toString('base64url') }) }, /same `pagination_key` twice/],
    ['a list that goes in a circle of two', { edit: ({ items }) => ({ items, has_more: true, pagination_key: Buffer.from((turn = !turn) ? 'call_000000' : 'call_000001').toString('base64url') }) }, /same `pagination_key` twice/],
    ['a redirect', { status: 302, headers: { Location: 'http://127.0.0.1:9/' } }, /not Retell's \(302/],
  ]) {
    test(`${what}: the run fails loudly, and says what to do`, async () => {
      const { raw, status: code = 200, ...rest } = fault;
      fake.fault({ path: /list-calls/, times: 9, ...rest, ...(raw ? { raw } : code === 200 ? {} : { status: code, headers: { 'retry-after-ms': '1', ...rest.headers } }) });
      const answer = await admin('sync-calls');
      assert.equal(answer.status, 502, answer.text);
      assert.equal(answer.json.code, 'retell_failed');
      assert.match(answer.json.message, says);
      assert.match((await status()).lastError, says);
      fake.faults = [];
      const command = await cli(['sync']);
      assert.equal(command.code, 0, command.stderr);
      assert.equal((await status()).lastError, null, 'what was mended is over');
    });
  }

  test('frontdesk sync says what is wrong too, and exits with 1', async () => {
    const wrong = await cli(['sync'], { RETELL_API_KEY: 'key_of_nobody_0123456789' });
    assert.deepEqual([wrong.code, wrong.stdout], [1, '0 calls listed, 0 fetched: 0 new, 0 changed, 0 failed\n']);
    assert.match(wrong.stderr, /Retell refuses the key \(401: Invalid API Key\)/);
    assert.ok(!wrong.stderr.includes('key_of_nobody'));
    const away = await cli(['sync'], { RETELL_BASE_URL: 'http://127.0.0.1:1' });
    assert.match(away.stderr, /Retell cannot be reached/);
    const plain = await cli(['sync'], { RETELL_BASE_URL: 'http://retell.example.com' });
    assert.match(plain.stderr, /RETELL_BASE_URL: needs https: plain http is for this machine only/);
    assert.deepEqual([away.code, plain.code], [1, 1]);
    const nobody = await frontdesk(['serve'], settings(cluster, polling({ RETELL_BASE_URL: 'ftp://x' })));
    assert.match(nobody.stderr, /RETELL_BASE_URL: needs http or https/);
  });

  test('a call that Retell does not know any more is given up, and said so', async () => {
    const call = finished(started());
    fake.fault({ path: /get-call/, status: 404 });
    assert.equal((await sync()).errors, 1);
    assert.equal((await status()).goneAtRetell, 1);
    fake.requests.length = 0;
    await sync();
    assert.equal(fake.counts()['/v2/get-call'], undefined);
    fake.calls.delete(call.call_id);
    fake.listed = undefined;
  });

  test('a call that cannot be understood when it is fetched is not asked for again at once', async () => {
    const call = finished(started());
    fake.fault({ path: new RegExp(`get-call/${call.call_id}`), times: 1e9, edit: (answer) => ({ ...answer, duration_ms: 'long' }) });
    const answer = await sync();
    assert.ok(answer.errors >= 1);
    assert.match(answer.firstError, /duration_ms must be a number/);
    assert.equal(fake.counts()['/v2/get-call'], 1);
    assert.equal((await status()).pendingHydration, 1, 'it waits');
    fake.faults = [];
    await cluster.exec(`UPDATE frontdesk.sync_fetches SET due_at = now() WHERE state = 'due'`);
    await sync();
    assert.ok((await row(call.call_id)).transcript);
  });

  test('a call that the database refuses fails alone, and the cursor goes on', async () => {
    await cluster.exec(`ALTER TABLE frontdesk.calls ADD CONSTRAINT refused CHECK (duration_ms <> 4242)`);
    const calls = [finished(started()), finished(started(), { duration_ms: 4242 }), finished(started())];
    const answer = await sync();
    assert.equal(answer.callsSynced, 2);
    assert.ok(answer.errors >= 1);
    assert.match(answer.firstError, /the database refuses a call: 23514/);
    await cluster.exec('ALTER TABLE frontdesk.calls DROP CONSTRAINT refused');
    assert.equal((await sync()).callsSynced, 1);
    for (const { call_id } of calls) assert.ok((await row(call_id)).transcript);
  });

  test('a clock that is wrong does not move the cursor beyond what is there', async () => {
    fake.clock = { ...fake.clock, now: () => Date.now() - 2 * HOUR };
    await sync();
    const ahead = (await status()).clockAheadMs;
    assert.ok(ahead > 2 * HOUR - 5_000 && ahead < 2 * HOUR + 5_000, `${ahead}`);
    fake.clock = { ...fake.clock, now: () => Date.now() };
    const call = finished(started());
    await sync();
    assert.ok((await row(call.call_id)).transcript);
  });
});

describe('one run at a time', () => {
  before(() => begin({ calls: 300 }));
  after(end);

  test('a second sync gets 409 with the progress of the first', async () => {
    fake.fault({ path: /list-calls/, delayMs: 1500 });
    const first = admin('sync-calls');
    await eventually('it runs', async () => { const now = await status(); return now.running && now.run; });
    const second = await admin('sync-calls');
    assert.equal(second.status, 409);
    assert.equal(second.json.code, 'sync_running');
    assert.equal(second.json.sync.running, true);
    assert.ok('listed' in second.json.sync.run);
    const command = await cli(['sync']);
    assert.equal(command.code, 1);
    assert.match(command.stderr, /another sync is running/);
    assert.equal((await first).json.callsSynced, 300);
  });

  test('Prefer: respond-async is answered 202 with the status, and the run goes on', async () => {
    fake.fault({ path: /list-calls/, delayMs: 700 });
    const call = finished(started());
    const answer = await admin('sync-calls', {}, { Prefer: 'respond-async' });
    assert.equal(answer.status, 202);
    assert.equal(answer.json.data.running, true);
    assert.equal(answer.headers['preference-applied'], 'respond-async');
    await eventually('it is done', async () => !(await status()).running);
    assert.ok(await row(call.call_id));
  });

  test('a server that stops cancels its run, and the next goes on', async () => {
    fake.fault({ path: /list-calls/, delayMs: 20_000 });
    const waiting = admin('sync-calls');
    await eventually('it runs', async () => (await status()).running);
    const begun = Date.now();
    await server.stop();
    assert.ok(Date.now() - begun < 10_000, 'it did not wait for Retell');
    assert.equal((await waiting).status, 503);
    server = await startServer(cluster, polling());
    await sync();
    await same();
  });

  test('nobody but administrators may sync', async () => {
    const refused = await request(server, 'POST', '/api/dashboard/sync-calls', { body: '{}', headers: { 'Content-Type': 'application/json' } });
    assert.equal(refused.status, 401);
  });
});

describe('agents', () => {
  before(() => begin({ calls: 30 }));
  after(end);
  const agent = async (id) => (await cluster.rows(`SELECT agent_name, status FROM frontdesk.agents WHERE agent_id = '${id}'`))[0];

  test('are added, renamed, and INACTIVE when they have vanished', async () => {
    assert.deepEqual((await admin('sync-agents')).json, { success: true, message: 'Agent sync completed', agentsSynced: 3, agentsUpdated: 0, errors: 0 });
    await sync();
    fake.agents.delete('agent_c');
    fake.addAgent('agent_a', 'Alice');
    fake.addAgent('agent_d', 'Dora');
    fake.addAgent('agent_chat', 'Chatty', { channel: 'chat' });
    await cluster.exec(`UPDATE frontdesk.agents SET created_at = created_at - interval '1 hour'`);
    const answer = (await admin('sync-agents')).json;
    assert.deepEqual([answer.agentsSynced, answer.agentsUpdated], [1, 2]);
    assert.deepEqual(await agent('agent_a'), { agent_name: 'Alice', status: 'ACTIVE' });
    assert.equal((await agent('agent_c')).status, 'INACTIVE');
    assert.equal(await agent('agent_chat'), undefined, 'it takes no calls');
    fake.addAgent('agent_c', 'Agent c');
    await admin('sync-agents');
    assert.equal((await agent('agent_c')).status, 'ACTIVE', 'it is back');
  });

  test('a name that a person gave stays', async () => {
    const renamed = await request(server, 'PUT', '/api/dashboard/agents/agent_b', {
      headers: { 'x-api-key': SERVICE_KEY, 'Content-Type': 'application/json' }, body: JSON.stringify({ agent_name: 'Mine' }),
    });
    assert.equal(renamed.status, 200, renamed.text);
    fake.addAgent('agent_b', 'Theirs');
    await admin('sync-agents');
    assert.equal((await agent('agent_b')).agent_name, 'Mine');
  });
});

describe('frontdesk sync', () => {
  before(() => begin({ calls: 100, retell: { timelessFirst: true, listsRecordings: false } }));
  after(end);

  test('does what the server does, and says how many', async () => {
    const { code, stdout, stderr } = await cli(['sync']);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^\d+ calls listed, \d+ fetched: 100 new, 0 changed, 0 failed\n$/);
    await same();
  });

  test('--since and --agent narrow it, and neither moves the cursor over a gap', async () => {
    const old = finished(started({ start_timestamp: Date.now() - 8 * HOUR }), { end_timestamp: Date.now() - 8 * HOUR + 60_000 });
    const recent = finished(started());
    const cursor = () => cluster.value(`SELECT started_to FROM frontdesk.sync_cursors WHERE agent_id = ''`);
    const before = await cursor();
    assert.match((await cli(['sync', '--since', new Date(Date.now() - HOUR).toISOString()])).stdout, /1 new/);
    assert.equal(await cursor(), before);
    assert.equal(await row(old.call_id), undefined);
    assert.match((await cli(['sync', '--agent', 'agent_c'])).stdout, /0 new/);
    assert.match((await cli(['sync'])).stdout, /1 new/);
    assert.ok((await row(recent.call_id)).transcript && (await row(old.call_id)).transcript);
  });

  test('Ctrl-C ends it soon; what it has stored stays, and the next one goes on', async () => {
    finished(started());
    fake.fault({ path: /get-call/, delayMs: 20_000 });
    const begun = Date.now();
    const { code, stderr, stdout } = await frontdesk(['sync'], settings(cluster, polling()), {
      onStart: async (child) => {
        await eventually('it fetches', () => fake.requests.some((r) => /get-call/.test(r.path) && r.status === undefined));
        child.kill('SIGINT');
      },
    });
    assert.ok(Date.now() - begun < 15_000);
    assert.equal(code, 1);
    assert.match(stdout, /1 new/);
    assert.match(stderr, /not finished; run it again to go on from here/);
    fake.faults = [];
    assert.equal((await cli(['sync'])).code, 0);
    await same();
  });

  test('refuses what makes no sense, and helps', async () => {
    for (const args of [['--since', 'yesterday'], ['--agent', ''], ['--fast'], ['now']]) {
      const { code, stderr } = await cli(['sync', ...args]);
      assert.equal(code, 2);
      assert.match(stderr, /usage: frontdesk sync/);
    }
    const help = await cli(['sync', '--help']);
    assert.equal(help.code, 0);
    assert.match(help.stdout, /--since T/);
  });
});

describe('frontdesk replay', () => {
  before(() => begin({ calls: 120 }));
  after(end);
  const snapshot = () => cluster.rows('SELECT * FROM frontdesk.calls ORDER BY call_id');

  test('P11: replaying everything, twice, changes nothing', async () => {
    await sync();
    for (const call of fake.calls.values()) if (call.call_analysis) await webhook('call_analyzed', call);
    await post(server, { event: 'call_ended', call: { agent_id: 'agent_a' } }, { key: KEY });
    const before = await snapshot(), events = await journal();
    for (let run = 0; run < 2; run++) {
      const { code, stdout, stderr } = await cli(['replay']);
      assert.equal(code, 1, 'one event is dead');
      assert.match(stdout, /^\d{3} events of 120 calls merged again: 0 calls changed; 1 dead events tried again: 0 are understood now, 1 are still dead\n$/);
      assert.match(stderr, /journal\.error says why/);
    }
    assert.deepEqual(await snapshot(), before);
    assert.equal(await journal(), events);
  });

  test('P11: rows that were damaged are as the journal has them again', async () => {
    const before = await snapshot();
    await cluster.exec('DELETE FROM frontdesk.calls WHERE call_id < $$call_000060$$');
    const { stdout } = await cli(['replay']);
    assert.match(stdout, /merged again: 60 calls changed/);
    const after = await snapshot();
    const plain = ({ id, created_at, updated_at, ...rest }) => rest;
    assert.deepEqual(after.map(plain), before.map(plain));
  });

  test('--from, --to and --dead narrow it', async () => {
    const later = await cli(['replay', '--from', new Date(Date.now() + HOUR).toISOString(), '--to', new Date(Date.now() + 2 * HOUR).toISOString()]);
    assert.deepEqual([later.code, later.stdout], [0, '0 events of 0 calls merged again: 0 calls changed; 0 dead events tried again: 0 are understood now, 0 are still dead\n']);
    const dead = await cli(['replay', '--dead']);
    assert.match(dead.stdout, /^0 events of 0 calls .* 1 dead events tried again/);
    // What a later version understands: here, the body is one that was only marked as dead.
    await cluster.exec(`UPDATE frontdesk.journal SET body = convert_to('{"event":"call_ended","call":{"agent_id":"agent_a","call_id":"revived"}}', 'UTF8'),
      digest = sha256(convert_to('{"event":"call_ended","call":{"agent_id":"agent_a","call_id":"revived"}}', 'UTF8')) WHERE state = 'dead'`);
    const revived = await cli(['replay', '--dead']);
    assert.deepEqual([revived.code, /1 are understood now, 0 are still dead/.test(revived.stdout)], [0, true]);
    assert.equal((await row('revived')).call_status, 'ended');
    assert.equal((await cli(['replay', '--from', 'never'])).code, 2);
    const backwards = await cli(['replay', '--from', '2026-03-02', '--to', '2026-03-01']);
    assert.equal(backwards.code, 2);
    assert.match(backwards.stderr, /--from must be before --to/);
  });
});
