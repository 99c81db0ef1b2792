// What ingest and the first pages cost over HTTP, beside the same work asked of PostgreSQL directly:
//
//   node tests/bench/ingest/ingest.js [--rounds N] [--events N] [--only PART]
//
// Each round measures every line once, one after the other, on one cluster with durable settings;
// the table has the medians of the rounds, and ratios of medians. Load, server and PostgreSQL share
// the machine's cores, so the ratios mean something and the rates only there. Every line starts when
// the jobs have done what the line before left them (folding, words to search), and runs beside its
// own.
//
//   FRONTDESK_BIN, FRONTDESK_SINGLE_BIN   the server, and one that commits each event alone
//   BENCH_LOAD                            the client (build/bench/load)
import { execFile, spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { BIN, RETELL_KEY, SERVICE_KEY, endAtExit, eventually, migrate, scratch, settings, startCluster } from '../../http/harness.js';

const here = path.dirname(fileURLToPath(import.meta.url));
const build = path.join(here, '../../../build');
const LOAD = process.env.BENCH_LOAD ?? path.join(build, 'bench/load');
const SINGLE = process.env.FRONTDESK_SINGLE_BIN ?? path.join(build, 'bench/frontdesk-single');
const run = promisify(execFile);

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    events: { type: 'string', default: '9000' },
    only: { type: 'string', default: '' },
  },
});
const ROUNDS = Number(options.rounds);
const EVENTS = Number(options.events);

// ---- running things ----

let seed = 1;
const newSeed = () => String(process.pid * 1000 + seed++);

async function load(...args) {
  const { stdout } = await run(LOAD, args.map(String), { maxBuffer: 1 << 20 });
  return JSON.parse(stdout);
}

/** A server as in production, but for the rate limit: its log goes to a file. */
async function serve(cluster, bin) {
  const log = path.join(scratch(), 'log');
  const out = fs.openSync(log, 'w');
  const env = settings(cluster, { LOG_LEVEL: 'info', NODE_ENV: 'production', RATE_LIMIT_MAX: '1000000000' });
  const child = endAtExit(spawn(bin, ['serve'], { cwd: path.dirname(log), env, stdio: ['ignore', out, out] }));
  child.unref();
  const line = await eventually('the server listens', () => {
    const lines = fs.readFileSync(log, 'utf8').split('\n').filter((l) => l.includes('"listening"'));
    return lines.length && JSON.parse(lines[0]);
  });
  return { pid: child.pid, port: line.port, child };
}

const psql = (cluster, ...args) =>
  run('psql', ['-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', cluster.urls.SUPERUSER_DATABASE_URL, ...args], { maxBuffer: 1 << 20 });

/** pgbench with a script of one line; transactions a second, the best of the numbers of clients. */
async function pgbench(cluster, script, { clients, seconds, transactions }) {
  const file = path.join(scratch(), 'script.sql');
  fs.writeFileSync(file, script);
  const url = new URL(cluster.urls.DATABASE_URL.replace('postgresql:///', 'postgresql://x/'));
  const env = { ...process.env, PGHOST: url.searchParams.get('host'), PGPORT: url.searchParams.get('port'), PGUSER: url.searchParams.get('user') };
  const args = ['-n', '-M', 'prepared', '-f', file, '-c', clients, '-j', Math.min(clients, 2), '-D', 'i=-1', '-D', `clients=${clients}`,
    ...(seconds ? ['-T', seconds] : ['-t', transactions]), 'frontdesk'];
  const { stdout } = await run('pgbench', args.map(String), { env, maxBuffer: 1 << 20 });
  return Number(/tps = ([\d.]+)/.exec(stdout)[1]);
}

/** Waits until no job has anything to do. */
const settle = (cluster) =>
  eventually('the jobs are done', async () => {
    const { stdout } = await psql(cluster, '-c',
      'SELECT pending = 0 AND NOT EXISTS (SELECT FROM frontdesk.call_rollup_delta) FROM frontdesk.text_lag()');
    return stdout.trim() === 't';
  }, 60_000);

// ---- what is measured ----

const BATCH = 64;

/** The limit: batches of 64 events of the same kind, given to frontdesk.ingest by pgbench. */
async function ingestBatches(cluster, size, calls, clients, batch = BATCH) {
  const file = path.join(scratch(), 'batches.csv');
  await run('sh', ['-c', `"${LOAD}" batches --size ${size} --calls ${calls} --seed ${newSeed()} --batch ${batch} > "${file}"`]);
  await psql(cluster, '-c', 'SET client_min_messages = warning', '-c', 'DROP SCHEMA IF EXISTS bench CASCADE', '-c', 'CREATE SCHEMA bench',
    '-c', 'CREATE TABLE bench.batches (n int PRIMARY KEY, bodies bytea[], sources text[], sent_ms bigint[])',
    '-c', 'ALTER TABLE bench.batches ALTER COLUMN bodies SET STORAGE external',
    '-c', 'GRANT USAGE ON SCHEMA bench TO frontdesk_server', '-c', 'GRANT SELECT ON bench.batches TO frontdesk_server',
    '-c', `\\copy bench.batches FROM '${file}' WITH (FORMAT csv)`, '-c', 'VACUUM ANALYZE bench.batches', '-c', 'CHECKPOINT');
  fs.rmSync(file);
  const transactions = Math.floor((calls * 3) / batch / clients);
  const tps = await pgbench(cluster,
    `\\set i :i + 1
\\set n :i * :clients + :client_id
SELECT count(*) FROM bench.batches AS b, frontdesk.ingest(b.bodies, b.sources, b.sent_ms) AS i WHERE b.n = :n;
`, { clients, transactions });
  return { per_second: tps * batch };
}

async function webhooks(cluster, server, size, calls, connections = 32) {
  await psql(cluster, '-c', 'CHECKPOINT');
  const result = await load('webhooks', '--port', server.port, '--key', RETELL_KEY, '--size', size, '--calls', calls,
    '--seed', newSeed(), '--connections', connections, '--pid', server.pid);
  if (Object.keys(result.statuses).join() !== '204') throw new Error(`statuses ${JSON.stringify(result.statuses)}`);
  return result;
}

async function get(server, target, connections, requests) {
  const result = await load('get', target, '--port', server.port, '--key', SERVICE_KEY, '--connections', connections,
    '--requests', requests, '--pid', server.pid);
  if (Object.keys(result.statuses).join() !== '200') throw new Error(`statuses ${JSON.stringify(result.statuses)}`);
  return result;
}

const perSecond = (tps) => ({ per_second: tps });

const lines = (cluster, server, single) => ({
  'batches 6k': () => ingestBatches(cluster, 6000, EVENTS / 3, 2),
  'webhooks 6k': () => webhooks(cluster, server, 6000, EVENTS / 3),
  'single 6k': () => webhooks(cluster, single, 6000, EVENTS / 3),
  'batches 60k': () => ingestBatches(cluster, 60000, Math.floor(EVENTS / 30), 2),
  'webhooks 60k': () => webhooks(cluster, server, 60000, Math.floor(EVENTS / 30)),
  'history direct': async () => perSecond(await pgbench(cluster,
    "SELECT frontdesk.call_history_json('agent_bench_0', NULL, 'date', 'desc', 20, 0);\n", { clients: 16, seconds: 3 })),
  'history http': () => get(server, '/api/dashboard/call-history/agent_bench_0', 16, 6000),
  'agent direct': async () => perSecond(await pgbench(cluster,
    "SELECT frontdesk.agent_json('agent_bench_0', NULL);\n", { clients: 16, seconds: 3 })),
  'agent http': () => get(server, '/api/dashboard/agent-info/agent_bench_0', 16, 40000),
});

// ---- the tables ----

const median = (numbers) => numbers.sort((a, b) => a - b)[Math.floor(numbers.length / 2)];

function medians(results) {
  const of = {};
  for (const key of Object.keys(results[0])) {
    const values = results.map((r) => r[key]).filter((v) => typeof v === 'number');
    if (values.length) of[key] = median(values);
  }
  return of;
}

function print(table) {
  const columns = ['per_second', 'p50_us', 'p90_us', 'p99_us', 'server_cpu_us', 'load_cpu_us'];
  console.log(`| ${['', ...columns].join(' | ')} |\n|---|${columns.map(() => '---:|').join('')}`);
  for (const [name, row] of Object.entries(table))
    console.log(`| ${[name, ...columns.map((c) => (row[c] === undefined ? '' : Math.round(row[c] * 10) / 10))].join(' | ')} |`);
}

function printRatios(table) {
  const rate = (name) => table[name]?.per_second;
  const ratios = [
    ['webhooks 6k / batches of 64 by pgbench', rate('webhooks 6k') / rate('batches 6k'), '≥ 0.6'],
    ['webhooks 60k / batches of 64 by pgbench', rate('webhooks 60k') / rate('batches 60k'), ''],
    ['webhooks 6k / one commit a request', rate('webhooks 6k') / rate('single 6k'), '≥ 1.7'],
    ['webhooks 6k: p99 / p50', table['webhooks 6k']?.p99_us / table['webhooks 6k']?.p50_us, '≤ 4'],
    ['history page 1: HTTP / pgbench', rate('history http') / rate('history direct'), '≥ 0.7'],
    ['agent-info: HTTP / pgbench', rate('agent http') / rate('agent direct'), '≥ 0.5'],
  ];
  console.log('\n| ratio | measured | bar |\n|---|---:|---:|');
  for (const [name, value, bar] of ratios) if (!Number.isNaN(value)) console.log(`| ${name} | ${value.toFixed(2)} | ${bar} |`);
}

const cluster = await startCluster();
await migrate(cluster);
const server = await serve(cluster, BIN);
const single = fs.existsSync(SINGLE) && (await serve(cluster, SINGLE));
const measured = Object.entries(lines(cluster, server, single)).filter(([name]) =>
  (single || !name.startsWith('single')) && new RegExp(options.only).test(name));
await webhooks(cluster, server, 6000, 500); // warms plans, caches and the log
const results = Object.fromEntries(measured.map(([name]) => [name, []]));
for (let round = 0; round < ROUNDS; round++)
  for (const [name, measure] of measured) {
    await settle(cluster);
    results[name].push(await measure());
  }
const table = Object.fromEntries(measured.map(([name]) => [name, medians(results[name])]));
print(table);
printRatios(table);
server.child.kill();
if (single) single.child.kill();
process.exit(0);
