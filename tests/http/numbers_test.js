// Numbers over HTTP: every figure of a small set of calls, what each endpoint takes, and what it refuses.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { SERVICE_KEY, get, post, request, startAll } from './harness.js';
import { analyzed, ended, endedCall } from './samples.js';

const API = '/api/dashboard';
const A = 'agent_numbers_a';
const B = 'agent_numbers_b';

let cluster, server;
before(async () => {
  ({ cluster, server } = await startAll());
  // Two of A on the Sunday when New York's clocks go forward (the night between them), one the day after; B: one that failed.
  const calls = [
    ['n1', A, '2026-03-08T06:59:59.999Z', 61_500, 17.0035, { user_sentiment: 'Positive', call_successful: true }],
    ['n2', A, '2026-03-08T07:00:00Z', 500, 0, { user_sentiment: 'Negative', call_successful: false, in_voicemail: true }],
    ['n3', A, '2026-03-09T04:00:00Z', 1_499, 10.0001, { user_sentiment: 'Positive', call_successful: true }],
    ['n4', A, '2026-03-11T12:00:00Z', undefined, undefined, undefined],
    ['n5', B, '2026-03-09T03:59:59Z', 2_000, 3, { call_successful: false }],
  ];
  for (const [call_id, agent_id, start, duration_ms, cost, analysis] of calls) {
    const call = endedCall({ call_id, agent_id, agent_name: agent_id.slice(-1).toUpperCase(), start_timestamp: Date.parse(start), duration_ms });
    call.end_timestamp = call.start_timestamp + (duration_ms ?? 0);
    if (cost === undefined) delete call.call_cost;
    else call.call_cost = { combined_cost: cost };
    if (duration_ms === undefined) Object.assign(call, { call_status: 'error', disconnection_reason: 'error_unknown' });
    const event = analysis ? { event: 'call_analyzed', call: { ...call, call_analysis: { call_summary: 's', ...analysis } } } : ended(call);
    assert.equal((await post(server, event)).status, 204);
  }
});
after(() => server?.stop());

/** The data of a successful answer. */
async function data(path, headers) {
  const answer = await get(server, `${API}/${path}`, headers);
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.json.success, true);
  return answer.json.data;
}

const none = { count: 0, sum: 0, avg: null, min: null, p50: null, p90: null, p95: null, p99: null, max: null };

test('P17: agent-summary says everything of an agent, exactly', async () => {
  assert.deepEqual(await data(`agent-summary/${A}`), {
    agent_id: A, from: null, to: null,
    calls: {
      total: 4, by_status: { ended: 3, error: 1 }, by_sentiment: { Negative: 1, Positive: 2 }, by_reason: { user_hangup: 3, error_unknown: 1 },
      successful: 2, unsuccessful: 1, unanalysed: 1, success_rate: 0.6667, in_voicemail: 1,
    },
    duration_ms: { count: 3, sum: 63_499, avg: 21_166, min: 500, p50: 1495, p90: 61_500, p95: 61_500, p99: 61_500, max: 61_500 },
    cost: { count: 3, sum: 27.0036, avg: 9.0012, min: 0, p50: 9.9839, p90: 17.0035, p95: 17.0035, p99: 17.0035, max: 17.0035 },
    first_call_at: '2026-03-08T06:59:59.999Z', last_call_at: '2026-03-11T12:00:00.000Z',
  });
});

test('a range is from its begin up to its end, however they are spelt', async () => {
  for (const [from, to] of [['2026-03-08T07:00:00Z', '2026-03-09T04:00:00Z'], ['2026-03-08T08:00:00%2B01:00', '2026-03-09T04:00:00.000Z'],
    [Date.parse('2026-03-08T07:00:00Z'), Date.parse('2026-03-09T04:00:00Z')]]) {
    const summary = await data(`agent-summary/${A}?from=${from}&to=${to}`);
    assert.equal(summary.from, '2026-03-08T07:00:00.000Z');
    assert.equal(summary.to, '2026-03-09T04:00:00.000Z');
    assert.equal(summary.calls.total, 1);
    assert.equal(summary.first_call_at, '2026-03-08T07:00:00.000Z');
  }
  assert.equal((await data(`agent-summary/${A}?from=2026-03-09`)).calls.total, 2, 'a date is its midnight in UTC');
  assert.deepEqual((await data(`agent-summary/${A}?from=2027-01-01`)).duration_ms, none, 'nothing at all');
});

test('a series has the zone\'s days, the 23-hour one and the empty one too', async () => {
  const { series } = await data(`agent-summary/${A}?from=2026-03-08T05:00:00Z&to=2026-03-12T04:00:00Z&bucket=day&tz=America/New_York`);
  assert.deepEqual(series, [
    { bucket: '2026-03-08T05:00:00.000Z', total: 2, successful: 1, unsuccessful: 1, unanalysed: 0,
      duration_ms: { sum: 62_000, avg: 31_000, p50: 501, p95: 61_695 }, cost: { sum: 17.0035, avg: 8.5018 } },
    { bucket: '2026-03-09T04:00:00.000Z', total: 1, successful: 1, unsuccessful: 0, unanalysed: 0,
      duration_ms: { sum: 1499, avg: 1499, p50: 1499, p95: 1499 }, cost: { sum: 10.0001, avg: 10.0001 } },
    { bucket: '2026-03-10T04:00:00.000Z', total: 0, successful: 0, unsuccessful: 0, unanalysed: 0,
      duration_ms: { sum: 0, avg: null, p50: null, p95: null }, cost: { sum: 0, avg: null } },
    { bucket: '2026-03-11T04:00:00.000Z', total: 1, successful: 0, unsuccessful: 0, unanalysed: 1,
      duration_ms: { sum: 0, avg: null, p50: null, p95: null }, cost: { sum: 0, avg: null } },
  ]);
  const buckets = async (bucket, tz) => (await data(`agent-summary/${A}?bucket=${bucket}&tz=${tz}`)).series.map((b) => b.bucket);
  assert.deepEqual(await buckets('week', 'UTC'), ['2026-03-02T00:00:00.000Z', '2026-03-09T00:00:00.000Z']);
  assert.deepEqual(await buckets('month', 'Asia/Kolkata'), ['2026-02-28T18:30:00.000Z']);
  assert.equal((await buckets('hour', 'Australia/Lord_Howe'))[0], '2026-03-08T06:00:00.000Z');
  assert.ok(!('series' in await data(`agent-summary/${A}?tz=UTC`)), 'without a bucket there is no series');
});

test('summary is the same over all agents, with each of them', async () => {
  const summary = await data('summary?bucket=month');
  assert.equal(summary.calls.total, 5);
  assert.equal(summary.calls.success_rate, 0.5);
  assert.deepEqual({ count: summary.cost.count, sum: summary.cost.sum, min: summary.cost.min, max: summary.cost.max }, { count: 4, sum: 30.0036, min: 0, max: 17.0035 });
  assert.deepEqual(summary.series.map((b) => [b.bucket, b.total]), [['2026-03-01T00:00:00.000Z', 5]]);
  assert.deepEqual(summary.agents.map((a) => [a.agent_id, a.agent_name, a.total, a.success_rate, a.duration_ms.sum, a.cost.sum]),
    [[A, 'A', 4, 0.6667, 63_499, 27.0036], [B, 'B', 1, 0, 2000, 3]]);
});

const totalsOfA = { totalCalls: 4, totalCost: 27.0036, avgCost: 9.0012, successfulCalls: 2, successRate: 66.67, totalDurationSeconds: 63, avgDurationSeconds: 21 };
const totalsOfB = { totalCalls: 1, totalCost: 3, avgCost: 3, successfulCalls: 0, successRate: 0, totalDurationSeconds: 2, avgDurationSeconds: 2 };

test('analytics: totals, agents, days and sentiments in cents, whole seconds and percent', async () => {
  assert.deepEqual(await data('analytics/overview'), {
    totalCalls: 5, totalCost: 30.0036, avgCost: 7.5009, successfulCalls: 2, successRate: 50, totalAgents: 2, totalDurationSeconds: 65, avgDurationSeconds: 16,
    callsByStatus: { ended: 4, error: 1 },
  });
  assert.deepEqual(await data(`analytics/overview?agentId=${A}`), { ...totalsOfA, totalAgents: 1, callsByStatus: { ended: 3, error: 1 } });
  assert.deepEqual(await data('analytics/agents'), [{ agent_id: A, agent_name: 'A', ...totalsOfA }, { agent_id: B, agent_name: 'B', ...totalsOfB }]);
  const { summary, dailyStats } = await data(`analytics/calls?agentId=${A}&tz=America/New_York`);
  assert.deepEqual(summary, totalsOfA);
  assert.deepEqual(dailyStats, [
    { date: '2026-03-08', totalCalls: 2, successfulCalls: 1, totalCost: 17.0035, totalDuration: 62 },
    { date: '2026-03-09', totalCalls: 1, successfulCalls: 1, totalCost: 10.0001, totalDuration: 1 },
    { date: '2026-03-10', totalCalls: 0, successfulCalls: 0, totalCost: 0, totalDuration: 0 },
    { date: '2026-03-11', totalCalls: 1, successfulCalls: 0, totalCost: 0, totalDuration: 0 },
  ]);
  assert.deepEqual(await data('analytics/sentiment'), {
    totalCallsWithSentiment: 3, sentimentDistribution: { Negative: { count: 1, percentage: 33 }, Positive: { count: 2, percentage: 67 } },
  });
  assert.deepEqual(await data('analytics/sentiment?from=2027-01-01'), { totalCallsWithSentiment: 0, sentimentDistribution: {} });
});

test('stats and overview', async () => {
  const stats = { agents: { total: 2, active: 2, inactive: 0 }, calls: { total: 5 }, cost: { total: 30.0036 } };
  assert.deepEqual(await data('stats'), stats);
  assert.deepEqual(await data('overview'), { stats, analytics: await data('analytics/overview') });
});

test('numbers in the API are those of the analysts, to the last digit', async () => {
  const [row] = await cluster.rows(`SELECT * FROM frontdesk.agent_summary('${A}')`, 'ANALYST_DATABASE_URL');
  const { calls, duration_ms, cost } = await data(`agent-summary/${A}`);
  assert.deepEqual([row.total, row.success_rate, row.by_reason], [calls.total, calls.success_rate, calls.by_reason]);
  for (const name of ['count', 'sum', 'avg', 'min', 'p50', 'p90', 'p95', 'p99', 'max']) {
    assert.equal(row[`duration_${name}`], duration_ms[name], name);
    assert.equal(row[`cost_${name}`], cost[name], name);
  }
});

test('P19: a key for one agent sees the numbers of that agent alone', async () => {
  const { json } = await request(server, 'POST', '/api/auth/keys', {
    headers: { 'x-api-key': SERVICE_KEY, 'Content-Type': 'application/json' }, body: JSON.stringify({ name: 'b only', role: 'USER', agents: [B] }),
  });
  const own = { 'x-api-key': json.data.key };
  assert.equal((await data('stats', own)).calls.total, 1);
  assert.deepEqual((await data('summary', own)).agents.map((a) => a.agent_id), [B]);
  assert.deepEqual((await data('analytics/agents', own)).map((a) => a.agent_id), [B]);
  assert.equal((await data('analytics/overview', own)).totalAgents, 1);
  assert.equal((await data('analytics/calls', own)).summary.totalCalls, 1);
  assert.equal((await data('analytics/sentiment', own)).totalCallsWithSentiment, 0);
  for (const path of ['agent-summary/%', 'analytics/overview?agentId=%', 'analytics/calls?agentId=%', 'analytics/sentiment?agentId=%']) {
    const foreign = await get(server, `${API}/${path.replace('%', A)}`, own);
    const unknown = await get(server, `${API}/${path.replace('%', 'agent_nobody_at_all')}`, own);
    assert.equal(foreign.status, 404);
    assert.equal(foreign.json.code, 'not_found');
    const same = ({ json: { requestId, stack, ...rest } }) => rest;
    assert.deepEqual(same(foreign), same(unknown));
  }
});

test('every mistake of a query is named', async () => {
  const cases = {
    [`agent-summary/${A}`]: {
      'from=yesterday': ['from'], 'from=2026-02-30': ['from'], 'to=2026-01-01T00:00': ['to'], 'from=2026-02-01&to=2026-01-01': ['to'], 'bucket=year': ['bucket'],
      'bucket=day&tz=Mars/Phobos': ['tz'], 'tz=Mars/Phobos': ['tz'], 'agentId=x': ['agentId'], 'bucket=hour&from=2020-01-01&to=2026-01-01': ['from'],
      'from=x&to=y&bucket=z': ['from', 'to', 'bucket'], 'bucket=day&bucket=day': ['bucket'],
    },
    summary: { 'bucket=Day': ['bucket'], 'agentId=x': ['agentId'], 'bucket=day&tz=..': ['tz'] },
    'analytics/overview': { 'tz=UTC': ['tz'], 'from=1e9': ['from'], 'from=2&to=1': ['to'] },
    'analytics/agents': { [`agentId=${A}`]: ['agentId'], 'to=never': ['to'] },
    'analytics/calls': { 'bucket=day': ['bucket'], 'tz=Nowhere': ['tz'], 'from=2000-01-01&to=2026-01-01': ['from'] },
    'analytics/sentiment': { 'tz=UTC': ['tz'] },
    stats: { 'from=1': ['from'] },
    overview: { 'x=1': ['x'] },
  };
  for (const [path, queries] of Object.entries(cases))
    for (const [query, fields] of Object.entries(queries)) {
      const { status, json } = await get(server, `${API}/${path}?${query}`);
      assert.equal(status, 400, `${path}?${query}`);
      assert.equal(json.code, 'validation_failed');
      assert.deepEqual(json.errors.map((e) => e.field).sort(), [...fields].sort(), `${path}?${query}`);
      for (const { message } of json.errors) assert.match(message, /\S/);
    }
  assert.ok(!server.log().some((l) => l.level === 'error'), 'and no mistake of a caller is an error of ours');
});
