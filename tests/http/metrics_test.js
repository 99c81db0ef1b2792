// The numbers that Prometheus reads on ADMIN_PORT.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { after, before, test } from 'node:test';
import { eventually, get, post, request, startAll, startServer } from './harness.js';
import { metricsOf } from './metrics.js';
import { ended, endedCall } from './samples.js';

let cluster, server;
before(async () => {
  ({ cluster, server } = await startAll());
});
after(() => server.stop());

test('/metrics is on the admin port only, as text for Prometheus', async () => {
  assert.equal((await get(server, '/metrics')).status, 404);
  const page = await request(server, 'GET', '/metrics', { port: server.adminPort });
  assert.equal(page.status, 200);
  assert.equal(page.headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8');
});

test('every family has help and a type, every histogram adds up', async () => {
  await get(server, '/api/dashboard/agents');
  const { families, samples } = await metricsOf(server);
  for (const [name, { help, type }] of families) {
    assert.match(name, /^frontdesk_[a-z0-9_]+$/);
    assert.ok(help.length > 10, name);
    assert.ok(['counter', 'gauge', 'histogram'].includes(type), name);
    assert.equal(name.endsWith('_total'), type === 'counter', `${name} is a ${type}`);
  }
  assert.deepEqual([...families.keys()], [...families.keys()].sort());
  const counts = samples.filter((s) => s.name.endsWith('_count'));
  assert.ok(counts.length >= 3);
  for (const { name, labels, value } of counts) {
    const base = name.slice(0, -'_count'.length);
    const buckets = samples.filter((s) => s.name === `${base}_bucket` && s.labels.route === labels.route);
    assert.equal(buckets.at(-1).labels.le, '+Inf');
    assert.equal(buckets.at(-1).value, value);
    buckets.reduce((low, b) => (assert.ok(b.value >= low, `${name}: buckets are cumulative`), b.value), 0);
  }
});

test('requests are counted by route and class of status', async () => {
  const count = async (route, code) => (await metricsOf(server)).value('frontdesk_http_requests_total', { route, code }) ?? 0;
  const good = ['GET /api/dashboard/agent-info/:agentId', '4xx'];
  const none = ['none', '4xx'];
  const before = [await count(...good), await count(...none)];
  for (let i = 0; i < 3; i++) await get(server, '/api/dashboard/agent-info/nobody');
  await get(server, '/nowhere');
  assert.deepEqual([await count(...good), await count(...none)], [before[0] + 3, before[1] + 1]);
  assert.equal((await metricsOf(server)).value('frontdesk_http_in_flight'), 0);
});

test('webhooks are counted by what became of them', async () => {
  const results = async () => {
    const all = await metricsOf(server);
    return Object.fromEntries(['stored', 'unchanged', 'kept', 'dead', 'bad_signature', 'bad_body', 'not_stored']
      .map((result) => [result, all.value('frontdesk_webhooks_total', { result })]));
  };
  const before = await results();
  const event = JSON.stringify(ended(endedCall()));
  await post(server, event);
  await post(server, event);
  await post(server, { event: 'alert_triggered', alert: {} });
  await post(server, { event: 'call_ended', call: { call_id: 7 } });
  await post(server, event, { key: 'key_of_somebody_else' });
  await post(server, '{"event":7}');
  const after = await results();
  assert.deepEqual(Object.keys(after).filter((k) => after[k] !== before[k] + (k === 'not_stored' ? 0 : 1)), []);
  const all = await metricsOf(server);
  assert.equal(all.value('frontdesk_webhook_ack_seconds_count'), after.stored + after.unchanged + after.kept + after.dead);
  assert.equal(all.value('frontdesk_write_group_events_sum'), all.value('frontdesk_webhook_ack_seconds_count') + after.bad_body);
  assert.equal(all.value('frontdesk_journal_dead'), after.dead + after.bad_body);
});

test('a database that is away shows as such, and leaves no stale values', async () => {
  assert.equal((await metricsOf(server)).value('frontdesk_database_up'), 1);
  await cluster.stop();
  await eventually('the scrape tells', async () => (await metricsOf(server)).value('frontdesk_database_up') === 0);
  assert.equal((await metricsOf(server)).value('frontdesk_journal_dead'), undefined);
  await cluster.start();
  await eventually('it is back', async () => (await metricsOf(server)).value('frontdesk_database_up') === 1);
});

test('alert rules and the Grafana dashboard use metrics that exist, and their labels', async () => {
  const { families, samples } = await metricsOf(server);
  const known = new Set(families.keys());
  for (const [name, { type }] of families)
    if (type === 'histogram') ['_bucket', '_sum', '_count'].forEach((end) => known.add(name + end));
  const labels = new Set([...samples.flatMap((s) => Object.keys(s.labels)), 'job', 'instance', 'le', 'code', 'route']);
  const used = new Set();
  for (const file of ['alerts.yml', 'grafana-dashboard.json']) {
    const text = fs.readFileSync(new URL(`../../docker/prometheus/${file}`, import.meta.url), 'utf8');
    for (const [, name] of text.matchAll(/\b(frontdesk_[a-z0-9_]+)/g)) {
      assert.ok(known.has(name), `${file} uses ${name}`);
      used.add(name);
    }
    for (const [, list] of text.matchAll(/\bby \(([^)]*)\)/g))
      list.split(',').forEach((label) => assert.ok(labels.has(label.trim()), `${file} groups by ${label}`));
  }
  const unused = [...families.keys()].filter((name) => ![...used].some((u) => u.startsWith(name)));
  assert.deepEqual(unused, [], 'every metric is on the dashboard or in a rule');
});

test('every alert says how bad it is, what it means and what to do', () => {
  const text = fs.readFileSync(new URL('../../docker/prometheus/alerts.yml', import.meta.url), 'utf8');
  const rules = text.split(/^ {6}- alert: /m).slice(1);
  assert.ok(rules.length >= 10);
  const runbook = fs.readFileSync(new URL('../../docker/RUNBOOK.md', import.meta.url), 'utf8');
  const names = rules.map((rule) => rule.split('\n')[0]);
  assert.deepEqual([...runbook.matchAll(/^### (Frontdesk\w+)$/gm)].map((m) => m[1]), names, 'the runbook has a section for each');
  for (const rule of rules)
    for (const part of [/^ {8}expr: \S/m, /severity: (critical|warning)/, /^ {10}summary: \S/m, /^ {10}action: \S/m])
      assert.match(rule, part);
});

test('refused logins and requests over the limit are counted', async () => {
  const limited = await startServer(cluster, { RATE_LIMIT_MAX: '4' });
  const login = () => request(limited, 'POST', '/api/auth/login', {
    body: JSON.stringify({ email: 'nobody@example.com', password: 'wrong wrong' }), headers: { 'Content-Type': 'application/json' },
  });
  assert.equal((await login()).status, 401);
  for (let i = 0; i < 6; i++) await get(limited, '/api/dashboard/agents');
  const all = await metricsOf(limited);
  assert.equal(all.value('frontdesk_login_failures_total'), 1);
  assert.equal(all.value('frontdesk_rate_limited_total'), 3);
  await limited.stop();
});
