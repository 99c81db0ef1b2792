// What README.md and other documents tell people to type is typed here, as it stands there: each indented
// block, in its order, in one shell, in a folder like a checkout's, against a real server and cluster.
// A new block is run too, without anybody's doing; what cannot be run is in a table here, with why.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { BIN, RETELL_KEY, freePort, frontdesk, get, migrate, scratch, settings, startCluster, startServer } from './harness.js';
import { Shell, blocksOf } from './readme.js';
import { FakeRetell } from '../sim/retell.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));

// Lines that are not run, and why.
const NOT_RUN = [
  [/^make run\b/, 'installs packages and serves until it is stopped: what follows is run against the same parts'],
  [/^make test\b/, 'runs this'],
  [/^make bench\b/, 'takes half an hour'],
  [/^BENCH_DATA=/, 'takes minutes and gigabytes'],
  [/^(server|pg_extension|sql|tests|docker)\/ {2,}/, 'names a folder'],
];

// What a reader puts in the place of words in capitals.
const PLACEHOLDERS = [[/\bkey revoke ID\b/, `key revoke "$(build/frontdesk key list | awk '{ id = $1 } END { print id }')"`]];

// What people answer when they are asked.
const ANSWERS = [[/^build\/frontdesk user add /, 'the one you gave\n']];

// What the text around a block has the reader do before it, by a line of the block.
const BEFORE = [
  [/^key=/, () => frontdesk(['trigger', 'call_analyzed', '--calls', '50'], env, { cwd: dir })],
  [/-f sql\/import\/prisma\.sql/, () => cluster.exec(`CREATE SCHEMA old_schema AUTHORIZATION frontdesk_owner; SET ROLE frontdesk_owner;
    CREATE TABLE old_schema.users (id text, email text, password_hash text, name text, phone text, role text, status text, created_at timestamp, updated_at timestamp);
    CREATE TABLE old_schema.agents (id text, agent_id text, agent_name text, status text, created_at timestamp, updated_at timestamp);
    CREATE TABLE old_schema.user_agents (id text, user_id text, agent_id text, created_at timestamp);
    CREATE TABLE old_schema.calls (id text, agent_id text, call_id text, caller_info text, start_timestamp bigint, end_timestamp bigint, duration_ms int, duration_seconds int, transcript text,
      call_status text, disconnection_reason text, cost double precision, call_summary text, user_sentiment text, call_successful boolean, recording_url text, created_at timestamp, updated_at timestamp)`)],
  [/^psql frontdesk -c "ALTER ROLE/, async () => assert.equal((await frontdesk(['migrate'], settings(bare))).code, 0)],
  [/^pg_restore /, async () => {
    overview = (await get(server, '/api/dashboard/overview')).text;
    await server.stop();
  }],
];
const AFTER = [
  [/^pg_restore /, async () => {
    server = await startServer(cluster, env);
    assert.equal((await get(server, '/api/dashboard/overview')).text, overview);
  }],
];

// What must be in the output of a block with such a line.
const SAYS = [
  [/ sync --agent agent_1/, /agent_1|calls/],
  [/dashboard\/agents'/, /"agent_id":"agent_sample_after_hours"/],
  [/q=appointment/, /"call_summary":"/],
  [/user list/, /you@example\.com .* SUPERADMIN/],
  [/api\/auth\/me/, /"email" *: *"you@example\.com"/],
  [/key list/, /the dashboard on the wall/],
  [/call_history\('agent_sample_after_hours'/, /\([1-5] rows?\)/],
  [/agents_overview/, /\([1-9] rows?\)/],
  [/verify_rollups\(\)/, /\(0 rows\)/],
  [/rebuild_rollups\(\)/, /\(1 row\)/],
  [/prisma\.sql/, /calls/],
];

let cluster, bare, retell, server, dir, env, shell, overview;

before(async () => {
  [cluster, bare] = await Promise.all([startCluster(), startCluster()]);
  await migrate(cluster);
  for (const sql of ['DROP DATABASE frontdesk', 'DROP ROLE frontdesk_owner'])
    await bare.exec(sql, { url: bare.urls.SUPERUSER_DATABASE_URL.replace('///frontdesk?', '///postgres?') });
  retell = await new FakeRetell({ keys: [RETELL_KEY] }).listen();
  retell.addAgent('agent_1');

  dir = scratch();
  for (const part of ['sql', 'docker', 'pg_extension/sql']) fs.cpSync(path.join(root, part), path.join(dir, part), { recursive: true });
  fs.mkdirSync(path.join(dir, 'build'));
  fs.symlinkSync(BIN, path.join(dir, 'build/frontdesk'));
  env = settings(cluster, { PORT: String(await freePort()), ADMIN_PORT: String(await freePort()), RETELL_BASE_URL: retell.baseURL });
  const own = Object.entries(env).filter(([name]) => !['PATH', 'HOME', 'LANG'].includes(name));
  fs.writeFileSync(path.join(dir, '.env'), own.map(([name, value]) => `${name}=${value}\n`).join(''));
  server = await startServer(cluster, env);
  shell = new Shell({
    cwd: dir, superuser: bare, ports: { 3000: env.PORT, 9090: env.ADMIN_PORT },
    env: { ...(process.env.PG_CONFIG ? { PG_CONFIG: process.env.PG_CONFIG } : {}), FRONTDESK_DATA: cluster.dir, MIGRATION_DATABASE_URL: cluster.urls.MIGRATION_DATABASE_URL },
  });
});
after(async () => {
  shell?.end();
  await server?.stop();
  retell?.close();
});

const used = new Set();
const rowsFor = (table, lines) => table.filter(([pattern]) => lines.some((line) => pattern.test(line)) && used.add(pattern));

const documents = ['.', 'docker', 'sql/analytics'].flatMap((folder) => fs.readdirSync(path.join(root, folder)).sort().filter((name) => name.endsWith('.md')).map((name) => path.join(folder, name)))
  .filter((name) => name !== 'docker/RUNBOOK.md'); // runbook_test.js practises it

for (const document of documents) {
  const blocks = blocksOf(document);
  if (blocks.length === 0) continue;
  test(`what ${document} says to type works as it stands there`, async () => {
    for (const { line, lines } of blocks) {
      const where = `${document}:${line}`;
      const rest = lines.filter((l) => rowsFor(NOT_RUN, [l]).length === 0);
      if (rest.length === 0) continue;
      for (const [, step] of rowsFor(BEFORE, rest)) await step();
      let text = rest.join('\n');
      for (const [pattern, value] of rowsFor(PLACEHOLDERS, rest)) text = text.replace(pattern, () => value);
      const input = rowsFor(ANSWERS, rest).map(([, answer]) => answer).join('');
      if (/^(SELECT|ALTER|CREATE|INSERT|UPDATE|DELETE) /.test(rest[0])) {
        await cluster.exec(text);
        continue;
      }
      const { out, err, failed } = await shell.run(text, input);
      assert.equal(failed, '', `${where} failed: ${failed}${out}${err}`);
      assert.doesNotMatch(out + err, /"error":true|^ERROR|FATAL/m, where);
      for (const [, pattern] of rowsFor(SAYS, rest)) assert.match(out, pattern, where);
      for (const [, step] of rowsFor(AFTER, rest)) await step();
    }
  });
}

test('every row of the tables here is of a line that is still there', () => {
  for (const [pattern] of [...NOT_RUN, ...PLACEHOLDERS, ...ANSWERS, ...BEFORE, ...AFTER, ...SAYS]) assert.ok(used.has(pattern), String(pattern));
});
