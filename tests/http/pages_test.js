// Pages of calls over HTTP: every parameter, alone and with others, and every way to get one wrong.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { eventually, get, request, startAll, startServer } from './harness.js';

const DAY = 86_400_000;
const START = Date.UTC(2026, 2, 1);
const AGENTS = ['agent_a', 'agent_b', 'agent_c'];

let cluster, server;
const calls = []; // what the database holds, as the API shows it, with started_at

/** A random number generator that always says the same. */
let seed = 42;
const random = (n) => {
  seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
  return (seed >>> 8) % n;
};
const pick = (list) => list[random(list.length)];

before(async () => {
  ({ cluster, server } = await startAll());
  for (let i = 0; i < 600; i++) {
    const direction = pick(['inbound', 'outbound', null]);
    calls.push({
      agent_id: pick([...AGENTS, 'agent_a']), call_id: `call_${String((i * 331) % 600).padStart(4, '0')}`,
      first: START + random(40) * DAY / 4, start_timestamp: random(8) ? START + random(200) * DAY / 8 : null,
      duration_ms: random(6) ? pick([0, 1000, 61_500, random(900_000)]) : null, cost: random(6) ? pick([0, 12.5, random(4000) / 16]) : null,
      call_status: pick(['ended', 'ended', 'error', 'not_connected', 'on, hold', null]), user_sentiment: pick(['Positive', 'Negative', 'Neutral', null]),
      call_successful: pick([true, false, null]), direction, call_type: direction ? 'phone_call' : 'web_call',
      disconnection_reason: pick(['user_hangup', 'agent_hangup', 'dial_busy', null]),
      from_number: `+1212555${String(random(30)).padStart(4, '0')}`, to_number: `+4930${random(20)}`,
      transcript: `User: ${pick(['a table', 'to cancel', 'nothing'])} ${pick(['please', 'now'])}`, call_summary: pick(['Booked a table', 'Cancelled', null]),
    });
  }
  for (const call of calls) {
    call.started_at = call.start_timestamp ?? call.first;
    call.caller_info = call.direction === 'inbound' ? call.from_number : call.direction === 'outbound' ? call.to_number : null;
  }
  await cluster.exec(`INSERT INTO frontdesk.agents (agent_id, agent_name)
                      VALUES ('agent_a', 'Anna'), ('agent_b', 'Bella'), ('agent_c', 'Clara'), ('agent_empty', 'Nobody')`);
  for (let i = 0; i < calls.length; i += 150) // an argument has a length
    await cluster.exec(`
      INSERT INTO frontdesk.calls (agent_id, call_id, first_sent_ms, start_timestamp, duration_ms, cost, call_status, user_sentiment, call_successful, direction,
                                   call_type, disconnection_reason, from_number, to_number, transcript, call_summary, details, provenance, created_at, updated_at)
      SELECT agent_id, call_id, first, start_timestamp, duration_ms, cost, call_status, user_sentiment, call_successful, direction,
             call_type, disconnection_reason, from_number, to_number, transcript, call_summary, '{}', '', now(), now()
      FROM json_to_recordset('${JSON.stringify(calls.slice(i, i + 150))}') AS c(agent_id text, call_id text, first bigint, start_timestamp bigint, duration_ms bigint, cost numeric,
           call_status text, user_sentiment text, call_successful boolean, direction text, call_type text, disconnection_reason text, from_number text, to_number text,
           transcript text, call_summary text)`);
  await cluster.exec('INSERT INTO frontdesk.call_home SELECT call_id, agent_id FROM frontdesk.calls');
  await indexed();
});
after(() => server?.stop());

/** The server indexes texts by itself, seconds behind. */
const indexed = () => eventually('the text index catches up', async () => (await cluster.value('SELECT pending::int FROM frontdesk.text_lag()')) === 0);

const page = async (query, path = 'calls') => {
  const answer = await get(server, `/api/dashboard/${path}?${query}`);
  assert.equal(answer.status, 200, `${path}?${query}: ${answer.text}`);
  return answer.json.data;
};

/** The 400 that names exactly these fields. */
async function refused(target, fields) {
  const answer = await get(server, `/api/dashboard/${target}`);
  assert.equal(answer.status, 400, `${target}: ${answer.text}`);
  assert.equal(answer.json.code, 'validation_failed');
  assert.deepEqual(answer.json.errors.map((e) => e.field).sort(), [].concat(fields).sort(), target);
  for (const { message } of answer.json.errors) assert.match(message, /\S/);
}

// ---- the truth, in a few lines ----

const among = (field, map = (v) => v) => (call, list) => list.split(',').includes(map(call[field]));
const filters = {
  status: among('call_status'), callStatus: among('call_status'), sentiment: among('user_sentiment'),
  successful: among('call_successful', (v) => (v === null ? 'unknown' : String(v))), direction: among('direction'), type: among('call_type'), reason: among('disconnection_reason'),
  from: (call, t) => call.started_at >= moment(t), to: (call, t) => call.started_at < moment(t),
  minDuration: (call, ms) => call.duration_ms !== null && call.duration_ms >= ms, maxDuration: (call, ms) => call.duration_ms !== null && call.duration_ms <= ms,
  minCost: (call, cents) => call.cost !== null && call.cost >= cents, maxCost: (call, cents) => call.cost !== null && call.cost <= cents,
  caller: (call, list) => call.caller_info !== null && (list.endsWith('*') ? call.caller_info.startsWith(list.slice(0, -1)) : list.split(',').includes(call.caller_info)),
  q: (call, words) => words.toLowerCase().split(' ').every((w) => `${call.transcript} ${call.call_summary ?? ''}`.toLowerCase().match(/\w+/g).includes(w)),
  agentId: (call, id) => call.agent_id === id,
};
const moment = (text) => (/^\d+$/.test(text) ? Number(text) : Date.parse(text));
const keys = { date: (c) => c.started_at, duration: (c) => c.duration_ms ?? -1, cost: (c) => c.cost ?? -1 };

/** The ids of the calls that a query asks for, in its order. */
function truth(query, { agents = AGENTS } = {}) {
  const { sortBy = 'date', order = 'desc', limit, offset, cursor, fields, includeCount, ...rest } = query;
  const wanted = calls.filter((c) => agents.includes(c.agent_id) && Object.entries(rest).every(([name, value]) => filters[name](c, value)));
  const key = keys[sortBy];
  wanted.sort((a, b) => key(a) - key(b) || a.started_at - b.started_at || (a.call_id < b.call_id ? -1 : 1));
  if (order === 'desc') wanted.reverse();
  return wanted.map((c) => c.call_id);
}
const encode = (query) => new URLSearchParams(query).toString();
const ids = (data) => data.calls.map((c) => c.call_id);

async function agrees(query, path = 'calls') {
  const agents = path.startsWith('call-history/') ? [path.slice(13)] : AGENTS;
  const data = await page(encode(query), path);
  const all = truth(query, { agents });
  const limit = Number(query.limit ?? 20);
  const offset = Number(query.offset ?? 0);
  const where = `${path}?${encode(query)}`;
  assert.deepEqual(ids(data), all.slice(offset, offset + limit), where);
  const { nextCursor, ...rest } = data.pagination;
  assert.deepEqual(rest, { total: all.length, limit, offset, hasMore: offset + limit < all.length }, where);
  assert.equal(typeof nextCursor === 'string', rest.hasMore, where);
  return all.length;
}

// ---- filters ----

const values = {
  status: ['ended', 'error,not_connected', 'nothing_yet'], callStatus: ['ended'], sentiment: ['Positive', 'Negative,Neutral', 'positive'],
  successful: ['true', 'false', 'unknown', 'true,false', 'false,unknown', 'true,false,unknown'], direction: ['inbound', 'outbound', 'inbound,outbound'],
  type: ['phone_call', 'web_call', 'phone_call,web_call'], reason: ['user_hangup', 'agent_hangup,dial_busy'],
  from: ['2026-03-05', '2026-03-05T06:00:00Z', '2026-03-05T08:00:00+02:00', String(START + 4 * DAY + 1)], to: ['2026-03-20', '2026-03-05T06:00:00.001Z', String(START)],
  minDuration: ['0', '1000', '61501'], maxDuration: ['0', '61500', '999999999999'], minCost: ['0', '13', '100'], maxCost: ['0', '12', '13'],
  caller: ['+12125550001', '+12125550001,+12125550002,+49305', '+1212555001*', '+49*', '*', '+9*'], q: ['table', 'table please', 'cancelled', 'absent'], agentId: ['agent_a', 'agent_b'],
};

test('every filter alone says what plain code says, in every order', async () => {
  for (const [name, list] of Object.entries(values))
    for (const value of list)
      for (const sortBy of Object.keys(keys))
        for (const order of ['asc', 'desc']) await agrees({ [name]: value, sortBy, order, limit: '7', offset: '3' });
});

test('filters combine with each other, with any order and any offset, for one agent and for all', async () => {
  const names = Object.keys(values).filter((n) => n !== 'callStatus');
  let nonempty = 0;
  for (let i = 0; i < 250; i++) {
    const query = { sortBy: pick(Object.keys(keys)), order: pick(['asc', 'desc']), limit: String(1 + random(100)), offset: String(pick([0, 1, random(30), random(600)])) };
    const path = pick(['calls', 'call-history', 'call-history/agent_a', 'call-history/agent_c']);
    for (let n = random(4); n > 0; n--) {
      const name = pick(names);
      if (name !== 'agentId' || !path.includes('/')) query[name] = pick(values[name]);
    }
    nonempty += (await agrees(query, path)) > 0;
  }
  assert.ok(nonempty > 100);
});

test('a plus in a caller may come as it is, or encoded', async () => {
  const encoded = await page('caller=%2B12125550001,%2B12125550002&limit=100');
  assert.ok(encoded.calls.length > 0);
  assert.deepEqual(await page('caller=+12125550001,+12125550002&limit=100'), encoded);
});

test('an empty value is as if absent', async () => {
  const names = ['status', 'sentiment', 'successful', 'direction', 'type', 'reason', 'from', 'to', 'minDuration', 'maxDuration', 'minCost', 'maxCost', 'caller', 'q', 'cursor', 'fields', 'agentId', 'offset'];
  assert.deepEqual(await page(names.map((n) => `${n}=`).join('&')), await page(''));
});

test('includeCount is accepted, and the total comes all the same', async () => {
  for (const value of ['true', 'false']) assert.equal((await page(`includeCount=${value}&status=ended`)).pagination.total, truth({ status: 'ended' }).length);
});

test('an agent without calls has an empty page, one that is unknown is 404', async () => {
  assert.deepEqual(await page('status=ended', 'call-history/agent_empty'), { calls: [], pagination: { total: 0, limit: 20, offset: 0, hasMore: false, nextCursor: null } });
  for (const target of ['call-history/nobody?status=ended', 'calls?agentId=nobody', 'call-history?agentId=nobody', 'search/calls?query=a&agentId=nobody'])
    assert.equal((await get(server, `/api/dashboard/${target}`)).status, 404, target);
});

// ---- fields ----

test('fields trims the rows to what was named, in the usual order', async () => {
  const whole = (await page('limit=3')).calls;
  const trimmed = (await page('limit=3&fields=duration_ms,call_id')).calls;
  assert.deepEqual(trimmed.map((c) => Object.keys(c)), Array(3).fill(['call_id', 'duration_ms']));
  assert.deepEqual(trimmed, whole.map(({ call_id, duration_ms }) => ({ call_id, duration_ms })));
  assert.deepEqual(Object.keys((await page('limit=1&fields=agent')).calls[0]), ['agent']);
  assert.deepEqual((await page(`limit=3&fields=${Object.keys(whole[0]).join(',')}`)).calls, whole, 'every member can be named');
});

// ---- cursors ----

test('cursors lead through all of a list, each call once, in every order', async () => {
  for (const [path, filter] of [['calls', {}], ['call-history/agent_a', {}], ['calls', { status: 'ended', caller: '+1*' }], ['call-history/agent_b', { q: 'table' }], ['calls', { agentId: 'agent_c', minCost: '0' }]])
    for (const sortBy of Object.keys(keys))
      for (const order of ['asc', 'desc']) {
        const query = { ...filter, sortBy, order, limit: '23' };
        const all = truth(query, path.includes('/') ? { agents: [path.slice(13)] } : {});
        const seen = [];
        let cursor;
        for (let pages = 0; pages < 100; pages++) {
          const data = await page(encode(cursor ? { ...query, cursor } : query), path);
          seen.push(...ids(data));
          const { total, limit, offset, hasMore, nextCursor } = data.pagination;
          assert.deepEqual({ total, limit, offset }, { total: all.length, limit: 23, offset: cursor ? null : 0 });
          assert.equal(hasMore, nextCursor !== null);
          if (!hasMore) break;
          assert.match(nextCursor, /^[A-Za-z0-9_-]+$/);
          cursor = nextCursor;
        }
        assert.deepEqual(seen, all, `${path} ${encode(query)}`);
      }
});

test('a call that comes in between neither repeats nor hides another', async () => {
  const query = { sortBy: 'date', order: 'desc', limit: '10' };
  const first = await page(encode(query), 'call-history/agent_a');
  await cluster.exec(`INSERT INTO frontdesk.calls (agent_id, call_id, first_sent_ms, details, provenance, created_at, updated_at)
                      VALUES ('agent_a', 'call_late', ${START + 900 * DAY}, '{}', '', now(), now())`);
  const second = await page(encode({ ...query, cursor: first.pagination.nextCursor }), 'call-history/agent_a');
  assert.deepEqual([...ids(first), ...ids(second)], truth(query, { agents: ['agent_a'] }).slice(0, 20));
  await cluster.exec(`DELETE FROM frontdesk.calls WHERE call_id = 'call_late'`);
  await indexed();
});

test('a cursor that is forged, cut, or of other calls is refused by name', async () => {
  const { nextCursor } = (await page('status=ended&sortBy=cost')).pagination;
  const bad = (query, path = 'calls') => refused(`${path}?${query}`, 'cursor');
  assert.equal((await get(server, `/api/dashboard/calls?status=ended&sortBy=cost&cursor=${nextCursor}`)).status, 200);
  for (const query of ['status=ended', 'status=ended&sortBy=duration', 'status=ended&sortBy=cost&order=asc', 'status=error&sortBy=cost', 'sortBy=cost', 'status=ended&sortBy=cost&direction=inbound',
    'status=ended&sortBy=cost&agentId=agent_a'])
    await bad(`${query}&cursor=${nextCursor}`);
  await bad(`status=ended&sortBy=cost&cursor=${nextCursor}`, 'call-history/agent_a');
  for (let length = 1; length < nextCursor.length; length += 3) await bad(`status=ended&sortBy=cost&cursor=${nextCursor.slice(0, length)}`);
  for (let i = 0; i < nextCursor.length; i += 5) {
    const other = nextCursor[i] === 'A' ? 'B' : 'A';
    await bad(`status=ended&sortBy=cost&cursor=${nextCursor.slice(0, i)}${other}${nextCursor.slice(i + 1)}`);
  }
  for (const text of [`${nextCursor}A`, `${nextCursor}AAAA`, `${nextCursor}=`, `${nextCursor}%00`, '%FF', 'x'.repeat(2001), 'null', '0', '%20', 'AQ', '-1', '{}'])
    await get(server, `/api/dashboard/calls?status=ended&sortBy=cost&cursor=${text}`).then((answer) => assert.equal(answer.status, 400, text));
});

test('a cursor and an offset exclude each other', async () => {
  const { nextCursor } = (await page('')).pagination;
  await refused(`calls?cursor=${nextCursor}&offset=0`, 'cursor');
  await refused(`calls?cursor=${nextCursor}&offset=-1&limit=0`, ['cursor', 'limit', 'offset']);
});

// ---- searches ----

test('search/calls finds words, parts of a call id and parts of the caller\'s number', async () => {
  const search = async (what, more = '') => ids(await page(`query=${encodeURIComponent(what)}&limit=100${more}`, 'search/calls'));
  assert.deepEqual(await search('cancelled'), truth({ q: 'cancelled' }).slice(0, 100));
  assert.deepEqual(await search('CALL_0123'), ['call_0123']);
  assert.deepEqual(await search('_012'), truth({}).filter((id) => id.includes('_012')));
  assert.deepEqual(await search('5550007'), truth({ caller: '+12125550007' }));
  assert.deepEqual(await search('5550007', '&agentId=agent_b&sortBy=cost&order=asc'), truth({ caller: '+12125550007', agentId: 'agent_b', sortBy: 'cost', order: 'asc' }));
  assert.deepEqual(await search('absent from all of them'), []);
  const { pagination } = await page('query=table&limit=5&offset=2', 'search/calls');
  assert.deepEqual({ ...pagination, nextCursor: 0 }, { total: truth({ q: 'table' }).length, limit: 5, offset: 2, hasMore: true, nextCursor: 0 });
});

test('what changed while no server ran is found once one does, and the lag is measured', async () => {
  const lag = async (metrics) => Number((await request(metrics, 'GET', '/metrics', { port: metrics.adminPort })).text.match(/^frontdesk_text_index_lag (\d+)$/m)?.[1]);
  const before = calls.find((c) => c.call_id === 'call_0007').call_summary;
  await server.stop('SIGKILL');
  await cluster.exec(`UPDATE frontdesk.calls SET call_summary = 'Spoke of llamas' WHERE call_id = 'call_0007'`);
  assert.equal(await cluster.value('SELECT pending::int FROM frontdesk.text_lag()'), 1);
  server = await startServer(cluster);
  await indexed();
  assert.deepEqual(ids(await page('q=llamas')), ['call_0007']);
  assert.equal(await lag(server), 0);
  await cluster.exec(`UPDATE frontdesk.calls SET call_summary = ${before === null ? 'NULL' : `'${before}'`} WHERE call_id = 'call_0007'`);
  await indexed();
});

test('search/agents finds agents by part of name or id', async () => {
  const search = async (query) => (await page(query, 'search/agents')).agents.map((a) => a.agent_id).sort();
  assert.deepEqual(await search('query=LLA'), ['agent_b']);
  assert.equal((await search('query=agent_')).length, 4);
  assert.equal((await search('query=agent_&limit=2')).length, 2);
  assert.deepEqual(await search('query=%25'), []);
});

test('a search needs 1 to 500 characters', async () => {
  for (const route of ['search/calls', 'search/agents']) {
    await refused(route, 'query');
    await refused(`${route}?query=`, 'query');
    await refused(`${route}?query=${'%C3%A9'.repeat(501)}`, 'query');
    assert.equal((await get(server, `/api/dashboard/${route}?query=${'%C3%A9'.repeat(500)}`)).status, 200);
  }
  await refused('calls?query=a', 'query');
});

// ---- what is refused ----

test('every parameter says what it does not take', async () => {
  const long = 'x'.repeat(501);
  const bad = {
    sortBy: ['price'], order: ['up'], limit: ['0', '101', 'ten'], offset: ['-1', '1.5'], includeCount: ['yes'], fields: ['nope', 'call_id,', 'call_id,,cost', 'details'],
    status: [',', 'ended,', ',ended', 'ended,,error', 'x'.repeat(101), Array(51).fill('a').join(','), '%FF'], sentiment: [','], successful: ['yes', 'true,maybe', 'TRUE', 'null'],
    direction: ['sideways', 'inbound,'], type: [','], reason: [',', 'a,'], from: ['yesterday', '2026-13-01', '2026-02-30', '2026-03-01T00:00:00', '1e12', '-1'], to: ['soon', '2026-03-01T25:00:00Z'],
    minDuration: ['-1', '1.5', '1s', '1e3', '%2B1'], maxDuration: ['x', '99999999999999999999'], minCost: ['-1', '1e2', '0x1'], maxCost: ['free', '%20'], caller: [',', 'x'.repeat(101)],
    q: [long, '%C0%80'], agentId: [long], cursor: ['x'.repeat(2001)],
  };
  for (const [name, list] of Object.entries(bad))
    for (const value of list) {
      await refused(`calls?${name}=${value}`, name);
      if (name !== 'agentId') await refused(`call-history/agent_a?${name}=${value}`, name);
    }
  await refused('calls?status=ended&callStatus=error', 'callStatus');
  await refused('calls?caller=%2B1*,%2B2', 'caller');
  await refused('call-history/agent_a?agentId=agent_a', 'agentId');
  await refused('calls?order=up&status=,&from=x&minCost=-1&fields=nope&direction=x&what=1', ['order', 'status', 'from', 'minCost', 'fields', 'direction', 'what']);
});
