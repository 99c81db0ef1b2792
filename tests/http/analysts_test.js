// The analysts' page: each recipe as it stands there, by the analysts' role, compared with plain SQL
// over the calls where a number can be had that way too.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { before, test } from 'node:test';
import { frontdesk, migrate, settings, startCluster, startServer } from './harness.js';
import { blocksOf } from './readme.js';

const PAGE = 'sql/analytics/README.md';
const page = fs.readFileSync(new URL(`../../${PAGE}`, import.meta.url), 'utf8');
const AGENT = "agent_id = 'agent_sample_front_desk'";
let cluster;

before(async () => {
  cluster = await startCluster();
  await migrate(cluster);
  const server = await startServer(cluster);
  const url = `http://127.0.0.1:${server.port}/api/webhooks/retell`;
  const { code, stderr } = await frontdesk(['trigger', 'call_analyzed', '--calls', '400', '--days', '70', '--parallel', '16', '--url', url], settings(cluster));
  assert.equal(code, 0, stderr);
  await server.stop();
  await cluster.exec('DO $$ BEGIN WHILE frontdesk.index_text() > 0 LOOP END LOOP; END $$');
});

const recipes = blocksOf(PAGE).map(({ line, lines }) => ({ line, text: lines.join('\n').replace(/;$/, '') })).filter(({ text }) => text.startsWith('SELECT '));
const recipe = (words) => cluster.rows(recipes.find(({ text }) => text.includes(words)).text, 'ANALYST_DATABASE_URL');
/** The exact percentile that one within 0.8 % stands for. */
const near = (found, exact) => assert.ok(Math.abs(found - exact) <= exact * 0.008, `${found} for ${exact}`);

test('every recipe runs as the analyst and has something to say', async () => {
  assert.ok(recipes.length >= 10);
  for (const { line, text } of recipes) {
    const rows = await cluster.rows(text, 'ANALYST_DATABASE_URL').catch((error) => assert.fail(`${PAGE}:${line}: ${error.message}`));
    assert.ok(rows.length > 0, `${PAGE}:${line} has no rows`);
  }
});

test('one agent, several together, and all but one are what counting the calls says', async () => {
  const plain = async (where) => (await cluster.rows(`SELECT count(*)::int AS calls, coalesce(sum(cost), 0) AS cents, percentile_disc(0.95) WITHIN GROUP (ORDER BY duration_ms) AS p95 FROM frontdesk.calls WHERE ${where}`))[0];
  const [one] = await recipe("agent_summary('agent_sample_front_desk', now() - interval '30 days')");
  const mine = await plain(`${AGENT} AND started_at >= extract(epoch FROM now() - interval '30 days') * 1000`);
  assert.deepEqual([one.total, Math.round(one.dollars * 1e6)], [mine.calls, Math.round(mine.cents * 1e4)]);
  near(one.duration_p95, mine.p95);
  const [together] = await recipe('AS together');
  const all = await plain("agent_id IN ('agent_sample_front_desk', 'agent_sample_after_hours')");
  assert.deepEqual([together.calls, together.cents], [all.calls, all.cents]);
  near(together.p95_ms, all.p95);
  const [others] = await recipe('AS others');
  const rest = await plain(`NOT ${AGENT}`);
  assert.deepEqual([others.calls, others.cents], [rest.calls, rest.cents]);
});

test('a moving window is what each week of calls says by itself', async () => {
  const days = await recipe('ROWS 6 PRECEDING');
  assert.ok(days.length >= 60);
  for (const { day, calls, p95_ms } of days.slice(7).filter((_, i) => i % 9 === 0)) { // the first day begins at this hour
    const [week] = await cluster.rows(`SELECT count(*)::int AS calls, percentile_disc(0.95) WITHIN GROUP (ORDER BY duration_ms) AS p95 FROM frontdesk.calls
      WHERE ${AGENT} AND to_timestamp(started_at / 1000.0) >= (date '${day}' - 6)::timestamp AT TIME ZONE 'UTC' AND to_timestamp(started_at / 1000.0) < (date '${day}' + 1)::timestamp AT TIME ZONE 'UTC'`);
    assert.equal(calls, week.calls, day);
    if (week.p95) near(p95_ms, week.p95);
  }
});

test('reasons, directions and words are those of the calls', async () => {
  const reasons = await recipe('frontdesk.by_reason(o.stats)');
  const counted = await cluster.rows(`SELECT a.agent_name, coalesce(c.disconnection_reason, 'none') AS reason, count(*)::int AS calls FROM frontdesk.calls AS c JOIN frontdesk.agents AS a USING (agent_id) GROUP BY 1, 2`);
  const of = (rows, key) => rows.map((r) => `${r.agent_name} ${r[key] ?? 'none'} ${r.calls}`).sort();
  assert.deepEqual(of(reasons, 'disconnection_reason'), of(counted, 'reason'));
  const directions = await recipe('GROUP BY direction');
  assert.deepEqual(directions.map((r) => r.calls), (await cluster.rows('SELECT count(*)::int AS n FROM frontdesk.calls GROUP BY direction ORDER BY 1 DESC')).map((r) => r.n));
  for (const { call_id } of await recipe("q => '"))
    assert.match(await cluster.value(`SELECT coalesce(transcript, '') || ' ' || coalesce(call_summary, '') FROM frontdesk.calls WHERE call_id = '${call_id}'`), /appointment|booking|table/i);
});

test('the page lists every column of calls and agents, with what its comment says', async () => {
  for (const table of ['calls', 'agents']) {
    const section = page.split(`### frontdesk.${table}\n`)[1].split('\n#')[0];
    const columns = await cluster.rows(`SELECT attname AS name, col_description(attrelid, attnum) AS what FROM pg_attribute WHERE attrelid = 'frontdesk.${table}'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum`);
    assert.deepEqual([...section.matchAll(/^\| `(\w+)` \| (.*) \|$/gm)].map(([, name, what]) => ({ name, what })), columns);
  }
});

test('every function that the page names is there for the analyst', async () => {
  const names = new Set([...page.matchAll(/\b(?:frontdesk\.)(\w+)\(|`(\w+)\((?:stats|agent_id|since|call_id)?\b/g)].map(([, a, b]) => a ?? b));
  assert.ok(names.size > 15);
  for (const name of names) {
    if (['to_timestamp', 'percentile_disc'].includes(name)) continue;
    const allowed = await cluster.value(`SELECT bool_or(has_function_privilege('frontdesk_analyst', oid, 'EXECUTE')) FROM pg_proc WHERE pronamespace = 'frontdesk'::regnamespace AND proname = '${name}'`);
    assert.equal(allowed, true, name);
  }
});
