// POST /api/webhooks/retell: what Retell meets.
import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import { after, before, test } from 'node:test';
import {
  OLD_RETELL_KEY, Raw, RETELL_KEY, SERVICE_KEY, WEBHOOK, eventually, get, post, raw, request, sign, startAll, within,
} from './harness.js';
import { analysis, analyzed, ended, endedCall, newCallId, started } from './samples.js';

let cluster, server;
before(async () => {
  ({ cluster, server } = await startAll({ RETELL_WEBHOOK_KEYS: `${RETELL_KEY},${OLD_RETELL_KEY}` }));
});
after(() => server?.stop());

const row = async (callId) => (await get(server, `/api/dashboard/calls/${callId}`)).json.data;
const listed = async (agentId, callId) =>
  (await get(server, `/api/dashboard/call-history/${agentId}?limit=100`)).json.data.calls.find((c) => c.call_id === callId);
const digest = (body) => createHash('sha256').update(body).digest('hex');
const journalOf = (body) => cluster.journal(`digest = '\\x${digest(body)}'`);

const iso = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** A call's fields that are its own, after checking those that are Frontdesk's. */
function known({ id, created_at, updated_at, ...rest }) {
  assert.match(id, uuid);
  assert.match(created_at, iso);
  assert.match(updated_at, iso);
  return rest;
}

// ---- what is stored ----

test('call_ended and call_analyzed signed by Retell\'s SDK become the row of the contract, field by field', async () => {
  const call = endedCall({ agent_id: 'agent_fields', agent_name: 'Fields' });
  for (const event of [started(call), ended(call), analyzed(call)]) {
    const answer = await post(server, event);
    assert.equal(answer.status, 204, answer.text);
    assert.equal(answer.text, '');
  }
  assert.deepEqual(known(await listed('agent_fields', call.call_id)), {
    agent_id: 'agent_fields',
    call_id: call.call_id,
    caller_info: '+12125550123',
    start_timestamp: call.start_timestamp,
    end_timestamp: call.end_timestamp,
    duration_ms: 61500,
    duration_seconds: 62,
    transcript: call.transcript,
    call_status: 'ended',
    disconnection_reason: 'user_hangup',
    cost: 17.0035,
    call_summary: analysis.call_summary,
    user_sentiment: 'Positive',
    call_successful: true,
    recording_url: call.recording_url,
    call_type: 'phone_call',
    direction: 'inbound',
    from_number: '+12125550123',
    to_number: '+14155550199',
    agent: { agent_id: 'agent_fields', agent_name: 'Fields' },
  });
});

test('what Retell has not said is null, not false, zero or absent', async () => {
  const { call_cost, transcript, recording_url, end_timestamp, duration_ms, start_timestamp, ...call } =
    endedCall({ agent_id: 'agent_nulls', call_status: 'not_connected', disconnection_reason: 'dial_busy', direction: 'outbound' });
  assert.equal((await post(server, ended(call))).status, 204);
  const stored = await listed('agent_nulls', call.call_id);
  for (const field of ['start_timestamp', 'end_timestamp', 'duration_ms', 'duration_seconds', 'transcript', 'cost',
    'call_summary', 'user_sentiment', 'call_successful', 'recording_url'])
    assert.equal(stored[field], null, field);
  assert.equal(stored.call_status, 'not_connected');
  assert.equal(stored.caller_info, call.to_number, 'the human is at the other end of an outbound call');
});

test('a web call has no caller, and its access token is shown nowhere', async () => {
  const { direction, from_number, to_number, ...call } = endedCall({
    agent_id: 'agent_web', call_type: 'web_call', access_token: 'token-that-nobody-may-see',
  });
  assert.equal((await post(server, analyzed(call))).status, 204);
  const answer = await get(server, `/api/dashboard/calls/${call.call_id}`);
  const { data } = answer.json;
  assert.equal(data.call_type, 'web_call');
  for (const field of ['caller_info', 'direction', 'from_number', 'to_number']) assert.equal(data[field], null, field);
  assert.ok(!answer.text.includes('token-that-nobody-may-see'));
  assert.ok(!(await cluster.exec('SELECT * FROM frontdesk.calls')).includes('token-that-nobody-may-see'));
});

test('a single call tells all of the contract, and what Retell said besides under its own names', async () => {
  const call = endedCall({
    agent_id: 'agent_single', metadata: { order: 17, big: 9007199254740993 }, transfer_destination: '+13035550101',
    transcript_object: [{ role: 'agent', content: 'Hello.', words: [{ word: 'Hello.', start: 0.4, end: 0.9 }] }],
    latency: { e2e: { p50: 900, num: 1, values: [900] } }, some_future_field: { deep: [1, 'two', null] },
  });
  assert.equal((await post(server, analyzed(call))).status, 204);
  const data = await row(call.call_id);
  assert.equal(data.agent_version, 3);
  assert.equal(data.in_voicemail, false);
  assert.equal(data.transfer_destination, '+13035550101');
  assert.deepEqual(data.custom_analysis, { party: 2 });
  assert.equal(data.metadata.order, 17);
  assert.deepEqual(data.transcript_object, call.transcript_object);
  assert.deepEqual(data.latency, call.latency);
  assert.deepEqual(data.details.some_future_field, { deep: [1, 'two', null] });
  assert.deepEqual({ ...data.agent }, { agent_id: 'agent_single', agent_name: 'Test Agent', status: 'ACTIVE' });
});

test('cents are exact to four decimals and never pass through a float', async () => {
  for (const [said, shown] of [['0.0001', '0.0001'], ['17.0035', '17.0035'], ['1234567.8901', '1234567.8901'], ['30', '30'],
    ['18.166666666666668', '18.1667'], ['1e1', '10'], ['0', '0']]) {
    const callId = newCallId();
    const body = `{"event":"call_ended","call":{"call_id":"${callId}","agent_id":"agent_cents","call_status":"ended","call_cost":{"combined_cost":${said}}}}`;
    assert.equal((await post(server, body)).status, 204);
    const { text } = await get(server, `/api/dashboard/calls/${callId}`);
    const cost = /"cost":\s*([^,}]*)/.exec(text)[1];
    assert.equal(Number(cost), Number(shown), said);
    assert.match(cost, /^\d+(\.\d{1,4})?$/, said);
  }
});

test('seconds are milliseconds rounded half up', async () => {
  for (const [ms, seconds] of [[0, 0], [499, 0], [500, 1], [1499, 1], [1500, 2], [2500, 3]]) {
    const call = endedCall({ agent_id: 'agent_seconds', duration_ms: ms });
    assert.equal((await post(server, ended(call))).status, 204);
    const { duration_ms, duration_seconds } = await row(call.call_id);
    assert.deepEqual([duration_ms, duration_seconds], [ms, seconds]);
  }
});

test('P1: after the 204 the event is there, for everybody', async () => {
  for (let i = 0; i < 20; i++) {
    const call = endedCall({ agent_id: 'agent_p1' });
    assert.equal((await post(server, ended(call))).status, 204);
    assert.equal(await cluster.value(`SELECT count(*)::int FROM frontdesk.calls WHERE call_id = '${call.call_id}'`, 'ANALYST_DATABASE_URL'), 1);
  }
});

test('P3: started, ended and analyzed give the same row in all six orders, delivered twice each', async () => {
  const orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
  const rows = [];
  for (const order of orders) {
    const call = endedCall({ agent_id: 'agent_p3' });
    const now = Date.now();
    const events = [started(call), ended(call), analyzed(call)];
    for (const i of [...order, ...order]) assert.equal((await post(server, events[i], { ms: now + i * 1000 })).status, 204);
    const { call_id, recording_url, ...same } = known(await row(call.call_id));
    rows.push(same);
    assert.equal(await cluster.journal(`call_id = '${call_id}'`), 3);
  }
  for (const other of rows) assert.deepEqual(other, rows[0]);
});

test('P4: 64 identical deliveries at once give one journal row and one call', async () => {
  const call = endedCall({ agent_id: 'agent_p4' });
  const body = JSON.stringify(ended(call));
  const signature = await sign(body);
  const connections = Array.from({ length: 64 }, () => new Raw(server));
  const bytes = `POST ${WEBHOOK} HTTP/1.1\r\nHost: x\r\nx-retell-signature: ${signature}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  for (const connection of connections) connection.write(bytes);
  const answers = await Promise.all(connections.map((c) => c.next()));
  for (const c of connections) c.destroy();
  assert.deepEqual([...new Set(answers.map((a) => a.status))], [204]);
  assert.equal(await journalOf(body), 1);
  assert.equal(await cluster.value(`SELECT count(*)::int FROM frontdesk.calls WHERE call_id = '${call.call_id}'`), 1);
  assert.equal((await get(server, '/api/dashboard/call-history/agent_p4')).json.data.pagination.total, 1);
});

test('P10: events and fields that nobody knows yet are answered 204 and kept, byte for byte', async () => {
  const bodies = [
    `{"event":"call_teleported","call":{"call_id":"${newCallId()}","agent_id":"agent_future","hue":"mauve"}}`,
    '{"event":"alert_triggered","alert":{"alert_id":"a1","metric":"call_count"}}',
    '{"event":"call_inbound","call_inbound":{"agent_id":"agent_future","from_number":"+12125550100"}}',
    '{"event":"chat_inbound","chat_inbound":{}}',
    '{"event":"chat_started","chat":{"chat_id":"chat_1","agent_id":"agent_future"}}',
    '{"event":"chat_analyzed","chat":{"chat_id":"chat_1","agent_id":"agent_future"}}',
    '{"event":"something_without_anything"}',
    ' {"event" : "spaced", "event2" : 1 }\n',
  ];
  for (const body of bodies) {
    const answer = await post(server, body);
    assert.equal(answer.status, 204, `${body}: ${answer.text}`);
    assert.equal(await cluster.value(`SELECT encode(body, 'hex') FROM frontdesk.journal WHERE digest = '\\x${digest(body)}'`),
      Buffer.from(body).toString('hex'));
  }
});

test('a transfer\'s event with nothing but a call_id neither fails nor harms the call', async () => {
  const call = endedCall({ agent_id: 'agent_transfer' });
  const event = { event: 'transfer_started', call: { call_id: call.call_id }, transfer_destination: { type: 'predefined', number: '+13035550101' }, transfer_option: {} };
  assert.equal((await post(server, event)).status, 204);
  assert.equal((await post(server, ended(call))).status, 204);
  assert.equal((await post(server, { ...event, event: 'transfer_ended' })).status, 204);
  const stored = await row(call.call_id);
  assert.equal(stored.agent_id, 'agent_transfer');
  assert.equal(stored.call_status, 'ended');
  assert.equal(stored.transcript, call.transcript);
});

// ---- who may ----

test('P13: every key of the list is accepted, the old one as well as the new', async () => {
  for (const key of [RETELL_KEY, OLD_RETELL_KEY])
    assert.equal((await post(server, ended(endedCall()), { key })).status, 204);
});

test('P5: a bad signature is answered 401 and never reaches the database', async () => {
  const body = JSON.stringify(ended(endedCall({ agent_id: 'agent_attacker' })));
  const now = Date.now();
  const good = await sign(body, RETELL_KEY, now);
  const [, hex] = good.split(',d=');
  const flipped = (hex[0] === '0' ? '1' : '0') + hex.slice(1);
  const attacks = {
    'none': null,
    'empty': '',
    'not of the form': 'hello',
    'digest alone': hex,
    'a plain HMAC of the body': createHmac('sha256', RETELL_KEY).update(body).digest('hex'),
    'without a time': `d=${hex}`,
    'an empty time': `v=,d=${hex}`,
    'an empty digest': `v=${now},d=`,
    'a short digest': `v=${now},d=${hex.slice(2)}`,
    'a long digest': `v=${now},d=${hex}00`,
    'one digit off': `v=${now},d=${flipped}`,
    'not hex': `v=${now},d=${'g'.repeat(64)}`,
    'another time': `v=${now + 1},d=${hex}`,
    'a negative time': `v=-${now},d=${hex}`,
    'a time in exponents': `v=17e11,d=${hex}`,
    'a time beyond 64 bits': `v=${'9'.repeat(40)},d=${hex}`,
    'leading space inside': `v= ${now},d=${hex}`,
    'something behind': `${good};x`,
    'something before': `x,${good}`,
    'a foreign key': await sign(body, 'key_of_somebody_else', now),
    'an empty key': `v=${now},d=${createHmac('sha256', '').update(body + now).digest('hex')}`,
    'the whole list as key': await sign(body, `${RETELL_KEY},${OLD_RETELL_KEY}`, now),
    'another body': await sign(`${body} `, RETELL_KEY, now),
    'stale by a second': await sign(body, RETELL_KEY, now - 301_000),
    'ahead of time by a minute': await sign(body, RETELL_KEY, now + 360_000),
  };
  const journal = await cluster.journal();
  const before = await cluster.asked();
  for (const [name, signature] of Object.entries(attacks)) {
    const answer = await post(server, body, { signature });
    assert.equal(answer.status, 401, name);
    assert.equal(answer.json.error, true, name);
    assert.equal(answer.json.code, 'unauthorized', name);
  }
  assert.equal(await cluster.asked(), before);
  assert.equal(await cluster.journal(), journal);
});

test('two signature headers, one of them good, are not a signature', async () => {
  const body = JSON.stringify(ended(endedCall({ agent_id: 'agent_attacker' })));
  const good = await sign(body);
  const bad = good.replace(/.$/, (c) => (c === '0' ? '1' : '0'));
  for (const [first, second] of [[bad, good], [good, bad]]) {
    const answer = await raw(server, `POST ${WEBHOOK} HTTP/1.1\r\nHost: x\r\nx-retell-signature: ${first}\r\nx-retell-signature: ${second}\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    assert.ok([400, 401].includes(answer.status), String(answer.status));
  }
});

test('hex digits of the signature may be capitals, and five minutes less a little is fresh', async () => {
  const body = JSON.stringify(ended(endedCall()));
  const signature = await sign(body, RETELL_KEY, Date.now() - 290_000);
  const [v, d] = signature.split(',d=');
  assert.equal((await post(server, body, { signature: `${v},d=${d.toUpperCase()}` })).status, 204);
});

// ---- what is no event ----

test('signed, but not a JSON object with a string event: 400 each time it comes, and kept once to look at', async () => {
  const bodies = ['', ' ', 'hello', '{', '{"event":"x"', '{"event":"x"} trailing', '{"event":"x"}{"event":"y"}', '[]', '[{"event":"x"}]',
    '"event"', '1', 'null', 'true', '{}', '{"event":null}', '{"event":1}', '{"event":["x"]}', '{"event":{"a":1}}', '{"Event":"x"}', "{'event':'x'}",
    '{"event":"x",}', '{"event":"x","a":01}', '{"event":"x","a":NaN}', '{"event":"x","a":+1}', '{"event":"x","a":"\t"}', '{"event":"x" "a":1}',
    '\ufeff{"event":"x"}', '{"event":"x","a":"\\x"}', '{"event":"x","a":"\\u12"}', '{"event":"x"}\0'];
  for (const body of [...bodies, ...bodies]) {
    const answer = await post(server, body);
    assert.equal(answer.status, 400, JSON.stringify(body));
    assert.equal(answer.json.error, true);
    assert.equal(answer.json.status, 400);
    assert.match(answer.json.message, /JSON/);
  }
  for (const body of bodies) assert.equal(await journalOf(body), 1, JSON.stringify(body));
  assert.equal(await cluster.value("SELECT count(*)::int FROM frontdesk.journal WHERE event = '' AND state <> 'dead'"), 0);
});

test('a string event that is long or empty is one, whatever else is wrong', async () => {
  for (const body of ['{"event":""}', '{"event":"","call":1}', `{"event":"${'x'.repeat(5000)}"}`])
    assert.equal((await post(server, body)).status, 204, body.slice(0, 40));
});

test('P9: characters that PostgreSQL refuses are accepted: raw bytes kept, columns scrubbed', async () => {
  const poison = {
    'an escaped NUL': [Buffer.from('a\\u0000b'), 'a\ufffdb'],
    'a lone high surrogate': [Buffer.from('a\\ud800b'), 'a\ufffdb'],
    'a lone low surrogate': [Buffer.from('a\\udc00b'), 'a\ufffdb'],
    'surrogates the wrong way round': [Buffer.from('\\udc00\\ud800'), '\ufffd\ufffd'],
    'a good pair': [Buffer.from('\\ud83d\\ude00'), '😀'],
    'an escaped backslash before u0000': [Buffer.from('\\\\u0000'), '\\u0000'],
    'a byte that is no UTF-8': [Buffer.from([0x61, 0xff, 0x62]), 'a\ufffdb'],
  };
  for (const [name, [inside, shown]] of Object.entries(poison)) {
    const callId = newCallId();
    const body = Buffer.concat([
      Buffer.from(`{"event":"call_ended","call":{"call_id":"${callId}","agent_id":"agent_p9","call_status":"ended","metadata":{"note":"`),
      inside, Buffer.from('"},"transcript":"'), inside, Buffer.from('"}}'),
    ]);
    const answer = await post(server, body);
    assert.equal(answer.status, 204, `${name}: ${answer.text}`);
    assert.equal(await cluster.value(`SELECT encode(body, 'hex') FROM frontdesk.journal WHERE call_id = '${callId}'`), body.toString('hex'), name);
    const stored = await row(callId);
    assert.equal(stored.transcript, shown, name);
    assert.equal(stored.metadata.note, shown, name);
  }
});

test('P9: bytes that are no UTF-8 in several broken ways are kept and scrubbed to valid text', async () => {
  for (const bad of [[0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xe2, 0x82], [0x80], [0xf8, 0x88, 0x80, 0x80, 0x80], [0xfe]]) {
    const callId = newCallId();
    const body = Buffer.concat([
      Buffer.from(`{"event":"call_ended","call":{"call_id":"${callId}","agent_id":"agent_p9","call_status":"ended","transcript":"a`),
      Buffer.from(bad), Buffer.from('b"}}'),
    ]);
    assert.equal((await post(server, body)).status, 204, bad.join());
    assert.match((await row(callId)).transcript, /^a\ufffd+b$/, bad.join());
    assert.equal(await journalOf(body), 1);
  }
});

test('P9: a poison event is visible and does not block the others', async () => {
  const poison = [
    `{"event":"call_ended","call":{"call_id":"${newCallId()}","agent_id":"agent_poison","call_cost":{"combined_cost":1e400}}}`,
    `{"event":"call_ended","call":{"call_id":"${newCallId()}","agent_id":"agent_poison","duration_ms":1e400,"start_timestamp":"yesterday"}}`,
    `{"event":"call_ended","call":{"call_id":"${newCallId()}","agent_id":"agent_poison","duration_ms":-5,"call_cost":{"combined_cost":-1}}}`,
    '{"event":"call_ended","call":{"agent_id":"agent_poison"}}',
    '{"event":"call_ended","call":{"call_id":"","agent_id":"agent_poison"}}',
    '{"event":"call_ended","call":{"call_id":7,"agent_id":[]}}',
    '{"event":"call_ended","call":[]}',
    '{"event":"call_ended"}',
    `{"event":"call_ended","call":{"call_id":"${'x'.repeat(5000)}","agent_id":"agent_poison"}}`,
    '{"event":"call_ended","call":{"call_id":"a\\u0000b","agent_id":"a\\u0000b"}}',
  ];
  const good = Array.from({ length: poison.length }, () => endedCall({ agent_id: 'agent_good' }));
  const answers = await Promise.all([...poison, ...good.map(ended)].map((event) => post(server, event)));
  assert.deepEqual(answers.map((a) => a.status), answers.map(() => 204));
  for (const body of poison) assert.equal(await journalOf(body), 1, body.slice(0, 120));
  assert.equal((await get(server, '/api/dashboard/call-history/agent_good')).json.data.pagination.total, good.length);
  assert.equal((await get(server, '/api/dashboard/call-history?limit=100')).status, 200);
});

test('P9: a transcript of five megabytes is stored whole', async () => {
  const call = endedCall({ agent_id: 'agent_long', transcript: 'Agent: Hello, you there? '.repeat(200_000) });
  assert.equal((await post(server, ended(call))).status, 204);
  assert.equal((await row(call.call_id)).transcript, call.transcript);
});

test('deeply nested JSON inside a signed event is answered, and the process lives', async () => {
  for (const depth of [63, 100, 1000, 100_000]) {
    const body = `{"event":"call_ended","call":{"call_id":"${newCallId()}","agent_id":"agent_deep","metadata":${'['.repeat(depth)}${']'.repeat(depth)}}}`;
    const answer = await post(server, body);
    assert.ok([204, 400].includes(answer.status), `${depth}: ${answer.status}`);
    assert.equal((await request(server, 'GET', '/healthz')).status, 200);
  }
});

// ---- size and shape of the request ----

test('20 MB are refused with 413 before they are sent', async () => {
  const connection = new Raw(server);
  connection.write(`POST ${WEBHOOK} HTTP/1.1\r\nHost: x\r\nx-retell-signature: ${await sign('x')}\r\nContent-Type: application/json\r\nContent-Length: ${20 << 20}\r\n\r\n`);
  const answer = await connection.next();
  assert.equal(answer.status, 413);
  assert.equal(answer.json.code, 'payload_too_large');
  await connection.closed();
});

test('a client that sends 20 MB regardless gets its 413', async () => {
  const body = Buffer.alloc(20 << 20, 0x20);
  const connection = new Raw(server);
  connection.write(`POST ${WEBHOOK} HTTP/1.1\r\nHost: x\r\nx-retell-signature: ${await sign('x')}\r\nContent-Length: ${body.length}\r\n\r\n`);
  connection.write(body);
  assert.equal((await connection.next()).status, 413);
  connection.destroy();
});

test('the query string and the content type do not matter', async () => {
  for (const target of [`${WEBHOOK}?`, `${WEBHOOK}?a=1&a=2&unknown`, `${WEBHOOK}?limit=0&sortBy=foo`]) {
    assert.equal((await post(server, ended(endedCall()), { target })).status, 204, target);
  }
  assert.equal((await post(server, ended(endedCall()), { headers: { 'Content-Type': 'text/plain' } })).status, 204);
});

test('only POST: other methods get 405 with Allow, OPTIONS says the same', async () => {
  for (const method of ['GET', 'PUT', 'DELETE', 'PATCH']) {
    const answer = await request(server, method, WEBHOOK);
    assert.equal(answer.status, 405, method);
    assert.match(answer.headers.allow, /\bPOST\b/);
    assert.equal(answer.json.code, 'method_not_allowed');
  }
  const options = await request(server, 'OPTIONS', WEBHOOK);
  assert.equal(options.status, 204);
  assert.match(options.headers.allow, /\bPOST\b/);
});

test('P14: no spelling of the webhook\'s path is answered with a redirect', async () => {
  const spellings = [WEBHOOK, `${WEBHOOK}/`, `${WEBHOOK}//`, `/${WEBHOOK}`, '/api//webhooks/retell', '/API/WEBHOOKS/RETELL', '/api/webhooks/Retell',
    '/api/webhooks/./retell', '/api/webhooks/../webhooks/retell', '/api/webhooks/x/../retell', '/./api/webhooks/retell', `${WEBHOOK}%2f`, `${WEBHOOK}%20`,
    '/api/webhooks/%72etell', '/api%2fwebhooks%2fretell', `${WEBHOOK}?x`, `${WEBHOOK}/?x`, `${WEBHOOK};x`, `${WEBHOOK}#x`, '/api/webhooks', '/api/webhooks/',
    '/api', '/api/', '/', '//', `http://localhost${WEBHOOK}`, '*', `\\api\\webhooks\\retell`];
  const body = JSON.stringify(ended(endedCall({ agent_id: 'agent_p14' })));
  const signature = await sign(body);
  for (const method of ['POST', 'GET', 'HEAD', 'OPTIONS', 'PUT'])
    for (const target of spellings) {
      const answer = await raw(server, `${method} ${target} HTTP/1.1\r\nHost: x\r\nx-retell-signature: ${signature}\r\nContent-Length: ${body.length}\r\n\r\n${body}`, { toHead: method === 'HEAD' });
      assert.ok(answer.status < 300 || answer.status >= 400, `${method} ${target}: ${answer.status}`);
      assert.equal(answer.headers.location, undefined);
    }
});

test('P15: a thousand genuine events at once from one address are all accepted', async () => {
  const calls = Array.from({ length: 1000 }, () => endedCall({ agent_id: 'agent_p15' }));
  const answers = await within(60_000, 'a thousand events', Promise.all(calls.map((call) => post(server, ended(call)))));
  assert.equal(answers.filter((a) => a.status === 204).length, 1000);
  assert.equal((await get(server, '/api/dashboard/call-history/agent_p15')).json.data.pagination.total, 1000);
});

// ---- the log ----

test('the log has one line a request, and no words, numbers, keys or tokens of anybody', async () => {
  const requestId = `log-${process.pid}`;
  const call = endedCall({ agent_id: 'agent_log', transcript: 'Agent: this is a secret conversation', from_number: '+18085550142' });
  assert.equal((await post(server, analyzed(call), { headers: { 'X-Request-Id': requestId } })).status, 204);
  await eventually('the request is logged', () => server.output.includes(requestId));
  for (const line of server.output.trim().split('\n')) assert.doesNotThrow(() => JSON.parse(line), line);
  for (const secret of [SERVICE_KEY, RETELL_KEY, OLD_RETELL_KEY, 'secret conversation', '+18085550142', 'token-that-nobody-may-see', 'table for two'])
    assert.ok(!server.output.includes(secret), secret);
});
