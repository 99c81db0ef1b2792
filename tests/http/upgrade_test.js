// Upgrades, from each released version (sql/releases) to this one.
//
// Of the extension: a version that is installed directly and the same version that is reached from each
// older one by its steps must make the same objects, with the same definitions, rights and comments. The
// comparison itself is tested too: a step that forgets something is found.
//
// Of everything, full of data: an installation with a release's extension and migrations is upgraded as
// README.md says, under a server of that release, and restored from its backup into a new installation.
// The older program is build/releases/VERSION/frontdesk: this one, with that release's schema and no later.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { BIN, call, eventually, frontdesk, get, migrate, post, request, scratch, settings, startCluster, startServer } from './harness.js';
import { asDocumented } from './readme.js';
import { analyzed, ended, endedCall, started } from './samples.js';

let cluster;
before(async () => {
  cluster = await startCluster();
});
after(() => cluster?.destroy());

/** An address of another database of the cluster. */
const urlOf = (database) => cluster.urls.SUPERUSER_DATABASE_URL.replace('///frontdesk?', `///${database}?`);

/** A new database with the extension at `version`, as sql/cluster prepares one. */
async function install(database, version) {
  await cluster.exec(`CREATE DATABASE ${database} OWNER frontdesk_owner`);
  const run = (sql) => cluster.exec(sql, { url: urlOf(database) });
  await run('CREATE SCHEMA frontdesk AUTHORIZATION frontdesk_owner');
  await run(`CREATE EXTENSION frontdesk VERSION '${version}'`);
  return run;
}

// Everything that the extension made, as text: each member's identity and what the catalogs say of it,
// with names in the place of oids.
const CATALOG = `
  SELECT format('%s %s', i.type, i.identity) AS object, jsonb_build_object(
      'comment', obj_description(d.objid, d.classid::regclass::text::name),
      'function', (
          SELECT jsonb_build_object('definition', CASE p.prokind WHEN 'a' THEN NULL ELSE pg_get_functiondef(p.oid) END,
                     'rights', p.proacl::text, 'owner', p.proowner::regrole, 'labels', concat(p.prokind, p.provolatile, p.proisstrict, p.proparallel, p.prosecdef))
          FROM pg_proc AS p WHERE d.classid = 'pg_proc'::regclass AND p.oid = d.objid),
      'aggregate', (
          SELECT jsonb_build_object('steps', ARRAY[a.aggtransfn, a.aggfinalfn, a.aggcombinefn, a.aggserialfn, a.aggdeserialfn, a.aggmtransfn, a.aggminvtransfn, a.aggmfinalfn]::text[],
                     'states', ARRAY[a.aggtranstype::regtype, a.aggmtranstype::regtype]::text[], 'first', ARRAY[a.agginitval, a.aggminitval],
                     'modes', concat(a.aggkind, a.aggnumdirectargs, a.aggfinalextra, a.aggmfinalextra, a.aggfinalmodify, a.aggmfinalmodify, a.aggtransspace, a.aggmtransspace))
          FROM pg_aggregate AS a WHERE d.classid = 'pg_proc'::regclass AND a.aggfnoid = d.objid),
      'type', (
          SELECT jsonb_build_object('form', concat_ws(' ', t.typlen, t.typbyval, t.typtype, t.typcategory, t.typispreferred, t.typalign, t.typstorage, t.typdefault),
                     'functions', ARRAY[t.typinput, t.typoutput, t.typreceive, t.typsend, t.typmodin, t.typmodout, t.typanalyze, t.typsubscript]::text[], 'rights', t.typacl::text)
          FROM pg_type AS t WHERE d.classid = 'pg_type'::regclass AND t.oid = d.objid),
      'operator', (
          SELECT jsonb_build_object('function', o.oprcode::text, 'others', ARRAY[o.oprcom, o.oprnegate]::regoperator[]::text[], 'result', o.oprresult::regtype,
                     'estimates', ARRAY[o.oprrest, o.oprjoin]::text[], 'hashes', o.oprcanhash, 'merges', o.oprcanmerge)
          FROM pg_operator AS o WHERE d.classid = 'pg_operator'::regclass AND o.oid = d.objid),
      'operator class', (
          SELECT jsonb_build_object('default', c.opcdefault, 'keeps', c.opckeytype::regtype,
                     'operators', (SELECT jsonb_agg(concat_ws(' ', m.amopstrategy, m.amopopr::regoperator) ORDER BY m.amopstrategy) FROM pg_amop AS m WHERE m.amopfamily = c.opcfamily),
                     'support', (SELECT jsonb_agg(concat_ws(' ', s.amprocnum, s.amproc) ORDER BY s.amprocnum) FROM pg_amproc AS s WHERE s.amprocfamily = c.opcfamily))
          FROM pg_opclass AS c WHERE d.classid = 'pg_opclass'::regclass AND c.oid = d.objid)) AS says
  FROM pg_depend AS d JOIN pg_extension AS e ON e.oid = d.refobjid, LATERAL pg_identify_object(d.classid, d.objid, 0) AS i
  WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND e.extname = 'frontdesk'`;

const catalog = async (run) => {
  const rows = JSON.parse(await run(`SELECT json_object_agg(object, says ORDER BY object) FROM (${CATALOG}) AS c`));
  return Object.entries(rows);
};

/** Objects of which two catalogs say different things. */
const differing = (a, b) => {
  const [one, other] = [new Map(a), new Map(b)];
  return [...new Set([...one.keys(), ...other.keys()])].filter((k) => JSON.stringify(one.get(k)) !== JSON.stringify(other.get(k))).sort();
};

test('a version reached by steps is the version installed directly', async () => {
  const current = (await cluster.value(`SELECT default_version FROM pg_available_extensions WHERE name = 'frontdesk'`));
  const direct = await catalog(await install('direct', current));
  assert.ok(direct.length > 40, 'the catalog is read');
  const older = await cluster.rows(`
    SELECT v.version FROM pg_available_extension_versions AS v JOIN pg_extension_update_paths('frontdesk') AS p ON p.source = v.version AND p.target = '${current}'
    WHERE v.name = 'frontdesk' AND p.path IS NOT NULL AND v.version <> '${current}'`);
  for (const [n, { version }] of older.entries()) {
    const run = await install(`stepped${n}`, version);
    await run('ALTER EXTENSION frontdesk UPDATE');
    assert.deepEqual(differing(await catalog(run), direct), [], `from ${version}`);
  }
  // What is reached by no step at all is the same, too: the comparison sees nothing that differs by chance.
  assert.deepEqual(differing(await catalog(await install('again', current)), direct), []);
});

test('a step that forgets or adds something is found by the comparison', async () => {
  const current = (await cluster.value(`SELECT default_version FROM pg_available_extensions WHERE name = 'frontdesk'`));
  const run = await install('synthetic', current);
  const before = await catalog(run);
  const steps = [
    [`COMMENT ON FUNCTION frontdesk.extension_version() IS 'another'`, ['function frontdesk.extension_version()']],
    ['ALTER FUNCTION frontdesk.total(frontdesk.call_stats) VOLATILE', ['function frontdesk.total(frontdesk.call_stats)']],
    ['GRANT EXECUTE ON FUNCTION frontdesk.stats_json(text[]) TO PUBLIC', ['function frontdesk.stats_json(pg_catalog.text[])']],
    [`CREATE FUNCTION frontdesk.extra() RETURNS int LANGUAGE sql RETURN 1; ALTER EXTENSION frontdesk ADD FUNCTION frontdesk.extra()`, ['function frontdesk.extra()']],
    ['ALTER EXTENSION frontdesk DROP FUNCTION frontdesk.overview_json(text[])', ['function frontdesk.overview_json(pg_catalog.text[])']],
    ['ALTER TYPE frontdesk.call_stats SET (STORAGE = extended)', ['type frontdesk.call_stats']],
    [`COMMENT ON OPERATOR frontdesk.+ (frontdesk.call_stats, frontdesk.call_stats) IS 'plus'`, ['operator frontdesk.+(frontdesk.call_stats,frontdesk.call_stats)']],
  ];
  let last = before;
  for (const [step, objects] of steps) {
    await run(step);
    const now = await catalog(run);
    assert.deepEqual(differing(last, now), objects, step);
    last = now;
  }
});

// ---- everything, with data ----

const RELEASES = fs.readdirSync(new URL('../../sql/releases', import.meta.url)).sort();

const programOf = (release) => {
  const bin = path.join(path.dirname(BIN), 'releases', release, 'frontdesk');
  assert.ok(fs.existsSync(bin), `the program of ${release} is built: make build/releases/${release}/frontdesk`);
  return bin;
};

/** A cluster as sql/cluster made it when `release` was the latest, without tables. */
async function clusterOf(release) {
  const old = await startCluster();
  await old.exec(`DROP SCHEMA frontdesk CASCADE; CREATE SCHEMA frontdesk AUTHORIZATION frontdesk_owner; CREATE EXTENSION frontdesk VERSION '${release}'`);
  return old;
}

const OWNER = { email: 'owner@example.com', password: 'a password that outlives the release' };
const READER = { email: 'reader@example.com', password: 'another that does so too' };

/** Calls, people and settings by all the ways that there are; resolves to what goes on after the upgrade. */
async function fill(old, server, bin) {
  await frontdesk(['trigger', 'call_analyzed', '--calls', '80', '--seed', '7', '--url', `http://127.0.0.1:${server.port}/api/webhooks/retell`], settings(old), { bin });
  const { token } = (await call(server, 'POST', '/api/auth/register', { body: OWNER })).json;
  await frontdesk(['user', 'add', READER.email, '--role', 'USER'], settings(old), { bin, input: `${READER.password}\n` });
  const reader = (await call(server, 'GET', '/api/dashboard/users?search=reader', { token })).json.data.users[0].id;
  for (const [method, target, body] of [
    ['POST', '/api/dashboard/agents', { agent_id: 'agent_quiet', agent_name: 'Née "Quiet" 🦉', status: 'INACTIVE' }],
    ['PUT', '/api/dashboard/agents/agent_sample_front_desk', { agent_name: 'By hand' }],
    ['POST', '/api/dashboard/assignments', { userId: reader, agentId: 'agent_sample_front_desk' }],
  ]) assert.ok((await call(server, method, target, { token, body })).status < 300, target);
  const { key } = (await call(server, 'POST', '/api/auth/keys', { token, body: { name: 'wall', role: 'USER', agents: ['agent_sample_front_desk'] } })).json.data;

  // A busy agent by COPY, in hours and days and a year that is quiet.
  const file = path.join(old.dir, 'pgdata', 'calls.copy');
  await old.exec(`
    COPY (SELECT 'agent_busy', 'copied_' || n, 0, 1700000000000 + n * CASE WHEN n <= 900 THEN 300000 ELSE 40000000::bigint END, (ARRAY['ended','error','not_connected'])[1 + n % 3],
                 n * 37 % 700000, round(n * 1.0003 % 5000, 4), CASE n % 4 WHEN 0 THEN 't' WHEN 1 THEN 'f' END, (ARRAY['Positive','Negative',NULL])[1 + n % 3], 'user_hangup', '{}', '\\x', now(), now()
          FROM generate_series(1, 1200) AS n) TO '${file}';
    COPY frontdesk.calls (agent_id, call_id, first_sent_ms, start_timestamp, call_status, duration_ms, cost, call_successful, user_sentiment, disconnection_reason, details, provenance, created_at, updated_at) FROM '${file}';
    INSERT INTO frontdesk.agents (agent_id, agent_name) VALUES ('agent_busy', 'Busy');
    INSERT INTO frontdesk.call_home (call_id, agent_id) SELECT call_id, agent_id FROM frontdesk.calls WHERE agent_id = 'agent_busy';
    SELECT frontdesk.fold_rollups(); SELECT frontdesk.index_text(100)`);
  fs.rmSync(file);

  // What is odd: a poison event, an unknown one, one before its call has an agent, values at their limits.
  const open = endedCall();
  const odd = [
    '{"event":"call_ended","call":{"call_id":"odd_dead","agent_id":"agent_odd","duration_ms":-1}}',
    { event: 'call_dreamt', call: { call_id: 'odd_event', agent_id: 'agent_odd', dream: ['later'] } },
    { event: 'call_ended', call: { call_id: 'odd_homeless' } },
    started(open), ended(open),
    ended(endedCall({ call_id: 'odd_greatest', agent_id: 'agent_odd', start_timestamp: 253402300799999, duration_ms: 2147483647, call_cost: { combined_cost: 99999999.9999 } })),
    ended(endedCall({ call_id: 'odd_least', agent_id: 'agent_odd', start_timestamp: undefined, end_timestamp: undefined, duration_ms: 0, call_cost: { combined_cost: 0 }, transcript: '' })),
    analyzed(endedCall({ call_id: 'odd_text', agent_id: 'agent_odd', transcript: 'Agent: \u0007\u2028 "quoted" \\ 😀\n', metadata: { nested: { deep: [1, 2.50, null] } } })),
  ];
  for (const event of odd) assert.equal((await post(server, event)).status, 204);
  return { open, token, key };
}

const TARGETS = ['/api/dashboard/agents', '/api/dashboard/calls?limit=100', '/api/dashboard/calls?sortBy=cost&order=asc&limit=7&offset=3', '/api/dashboard/calls?q=appointment',
  '/api/dashboard/call-history/agent_sample_front_desk?sortBy=duration', '/api/dashboard/call-history/agent_busy?limit=20&offset=870', '/api/dashboard/call-history/agent_odd?sortBy=cost&order=asc',
  '/api/dashboard/calls/odd_text', '/api/dashboard/calls/odd_greatest', '/api/dashboard/search/calls?query=copied_77',
  '/api/dashboard/agent-summary/agent_busy?bucket=month&tz=America/St_Johns', '/api/dashboard/agent-summary/agent_busy?from=2023-11-14&to=2023-11-18&bucket=hour&tz=Asia/Kolkata',
  '/api/dashboard/summary', '/api/dashboard/analytics/overview', '/api/dashboard/analytics/agents', '/api/dashboard/analytics/calls?agentId=agent_busy', '/api/dashboard/analytics/sentiment',
  '/api/dashboard/overview', '/api/dashboard/stats', '/api/dashboard/users', '/api/auth/keys'];

const answers = async (server, token) => {
  const said = {};
  for (const target of TARGETS) {
    const answer = await call(server, 'GET', target, { token });
    assert.equal(answer.status, 200, `${target}: ${answer.text}`);
    said[target] = answer.text;
  }
  return said;
};

/** The columns of every table, by table; what a later release adds is in its list and not in this. */
const tablesOf = (on) => on.rows(`
  SELECT c.relname AS name, json_agg(a.attname ORDER BY a.attnum) AS columns FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  WHERE c.relnamespace = 'frontdesk'::regnamespace AND c.relkind IN ('r', 'p') AND c.relname <> 'schema_migrations' GROUP BY 1 ORDER BY 1`);

/** How many rows each table has, and what they say, as one digest over these columns. */
async function contents(on, tables) {
  const said = {};
  for (const { name, columns } of tables)
    said[name] = (await on.exec(`SELECT count(*), md5(string_agg(row::text, E'\\n' ORDER BY row::text)) FROM (SELECT ${columns.map((c) => `"${c}"`).join(', ')} FROM frontdesk."${name}") AS row`)).trim();
  return said;
}

/** What servers and analysts may rely on: functions with their results and columns with their types, and who may use them. */
const offered = async (on) => (await on.exec(`
  SELECT format('%s returns %s, %s', p.oid::regprocedure, pg_get_function_result(p.oid), r.name) FROM pg_proc AS p, (VALUES ('frontdesk_server'), ('frontdesk_analyst')) AS r (name)
  WHERE p.pronamespace = 'frontdesk'::regnamespace AND has_function_privilege(r.name, p.oid, 'EXECUTE')
  UNION ALL SELECT format('%s.%s is %s, %s %s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod), r.name, right_to)
  FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped, (VALUES ('frontdesk_server'), ('frontdesk_analyst')) AS r (name), unnest('{SELECT,INSERT,UPDATE}'::text[]) AS right_to
  WHERE c.relnamespace = 'frontdesk'::regnamespace AND c.relkind IN ('r', 'p', 'v') AND has_column_privilege(r.name, c.oid, a.attnum, right_to)`)).trim().split('\n');

/** Tables, indexes, triggers, functions and rights as pg_dump tells them. */
async function schemaOf(url) {
  const { stdout } = await promisify(execFile)('pg_dump', ['--schema-only', '-d', url], { env: { PATH: process.env.PATH, LANG: 'C.UTF-8' }, maxBuffer: 16 << 20, timeout: 60_000 });
  return stdout.replaceAll(/^\\(un)?restrict .*$/gm, '');
}

/** A new installation of this version, in a database of its own beside the one of the tests. */
async function freshSchema(on) {
  const url = (name) => on.urls[name].replace('///frontdesk?', '///fresh?');
  await on.exec('CREATE DATABASE fresh OWNER frontdesk_owner');
  const run = (sql) => on.exec(sql, { url: url('SUPERUSER_DATABASE_URL') });
  await run('CREATE SCHEMA frontdesk AUTHORIZATION frontdesk_owner; CREATE EXTENSION frontdesk');
  assert.equal((await frontdesk(['migrate'], settings(on, { MIGRATION_DATABASE_URL: url('MIGRATION_DATABASE_URL') }))).code, 0);
  return { schema: await schemaOf(url('SUPERUSER_DATABASE_URL')), catalog: await catalog(run) };
}

/** Somebody's long query keeps the migrations waiting: nobody else waits for that, and in the end they are applied. */
async function migrateWhileItIsRead(on, send) {
  const reading = on.exec(`BEGIN; LOCK TABLE frontdesk.call_rollup_delta, frontdesk.calls IN ACCESS SHARE MODE; SELECT pg_sleep(4); COMMIT`);
  await eventually('it is read', () => on.value(`SELECT EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE 'BEGIN; LOCK%' AND wait_event = 'PgSleep')`));
  let waits = true;
  const migrating = migrate(on).finally(() => (waits = false));
  for (let sent = 0; waits; sent++) assert.equal((await send()).status, 204, `webhook ${sent} while a migration waits`);
  await Promise.all([reading, migrating]);
}

/** It is refused, and says why. */
async function refused(command, on, pattern, options) {
  const { code, stdout, stderr } = await frontdesk([command], settings(on), options);
  assert.equal(code, 1, `${command}: ${stdout}${stderr}`);
  assert.match(stdout + stderr, pattern);
}

for (const release of RELEASES) {
  const UPDATE = new RegExp(`extension frontdesk is ${release.replaceAll('.', '\\.')} in this database, and this program needs [0-9.]+: as its superuser run .ALTER EXTENSION frontdesk UPDATE`);

  test(`P21: an installation of ${release} is upgraded under its servers, and restored from its backup, with everything in it`, async () => {
    const bin = programOf(release);
    const old = await clusterOf(release);
    await migrate(old, bin);
    let server = await startServer(old, {}, bin);
    const { open, token, key } = await fill(old, server, bin);

    // Nothing but the server's periodic work changes anything from here on, and what it does is done.
    await eventually('the calls are indexed', async () => (await old.value('SELECT pending::int FROM frontdesk.text_lag()')) === 0, 60_000);
    await eventually('the rollups are folded', async () => (await old.value('SELECT count(*)::int FROM frontdesk.call_rollup_delta')) === 0, 60_000);
    const before = await answers(server, token);
    const tables = await tablesOf(old);
    const rows = await contents(old, tables);
    const relied = await offered(old);
    assert.ok(relied.length > 300);
    const dir = scratch();
    await asDocumented('pg_dump -Fc -f frontdesk.dump "$SUPERUSER_DATABASE_URL"', old.urls, dir);

    // This program on a database of that release: each command says what to do, and does nothing.
    await refused('serve', old, UPDATE);
    await refused('migrate', old, UPDATE);
    await refused('check', old, UPDATE);
    assert.equal(await old.value('SELECT max(version)::int FROM frontdesk.schema_migrations'), fs.readFileSync(new URL(`../../sql/releases/${release}`, import.meta.url), 'utf8').match(/sql\/migrations\//g).length);
    old.freeze();
    const early = await startServer(old).finally(() => old.thaw());
    const unready = await eventually('it sees the schema', async () => {
      const answer = await request(early, 'GET', '/readyz');
      return !/does not answer/.test(answer.text) && answer;
    }, 30_000);
    assert.equal(unready.status, 503);
    assert.match(unready.json.message, /ALTER EXTENSION frontdesk UPDATE/);
    await early.stop();

    // The upgrade, while the old server goes on.
    await old.exec('ALTER EXTENSION frontdesk UPDATE');
    await refused('serve', old, /run .frontdesk migrate/);
    assert.deepEqual(await answers(server, token), before, 'the old server on the new extension');
    assert.equal((await post(server, ended(open))).status, 204);
    await migrateWhileItIsRead(old, () => post(server, ended(open)));
    await migrate(old);
    assert.deepEqual(await answers(server, token), before, 'and on the new schema');
    const now = new Set(await offered(old));
    assert.deepEqual(relied.filter((thing) => !now.has(thing)), [], 'nothing that it may rely on is gone');
    assert.equal((await post(server, ended(open))).status, 204);
    assert.equal((await request(server, 'GET', '/readyz')).status, 200, 'it is ready until it is replaced');
    await refused('serve', old, /newer/, { bin });
    await refused('migrate', old, /newer/, { bin });
    await server.stop();

    const after = await contents(old, tables);
    assert.deepEqual(after, rows, 'every row of every table');
    assert.deepEqual(await old.rows('SELECT * FROM frontdesk.verify_rollups()'), []);
    const fresh = await freshSchema(old);
    assert.equal(await schemaOf(old.urls.SUPERUSER_DATABASE_URL), fresh.schema);
    assert.deepEqual(differing(await catalog((sql) => old.exec(sql)), fresh.catalog), []);
    server = await startServer(old);
    assert.deepEqual(await answers(server, token), before, 'the new server');
    assert.equal((await frontdesk(['check'], settings(old))).stdout.match(/^\w+ +(extension|schema) .*/gm).every((line) => line.startsWith('ok')), true);
    await goesOn(old, server, open, key);

    // The backup of that release, into an installation of this one.
    const restored = await startCluster();
    await migrate(restored);
    await asDocumented(`psql "$SUPERUSER_DATABASE_URL" -c 'DROP SCHEMA frontdesk CASCADE'`, restored.urls, dir);
    await asDocumented('pg_restore --clean --if-exists --single-transaction -d "$SUPERUSER_DATABASE_URL" frontdesk.dump', restored.urls, dir);
    await migrate(restored);
    assert.deepEqual(await contents(restored, tables), rows, 'every row comes back');
    assert.deepEqual(await restored.rows('SELECT * FROM frontdesk.verify_rollups()'), []);
    assert.equal(await schemaOf(restored.urls.SUPERUSER_DATABASE_URL), fresh.schema);
    server = await startServer(restored);
    assert.deepEqual(await answers(server, token), before);
    await goesOn(restored, server, open, key);
  });
}

/** People log in, keys count, and the next event of a call finds it. Ends the server. */
async function goesOn(on, server, open, key) {
  for (const person of [OWNER, READER]) assert.equal((await call(server, 'POST', '/api/auth/login', { body: person })).status, 200);
  assert.deepEqual((await get(server, '/api/dashboard/agents', { 'x-api-key': key })).json.data.agents.map((a) => a.agent_name), ['By hand']);
  assert.equal((await post(server, analyzed(open))).status, 204);
  assert.equal((await get(server, `/api/dashboard/calls/${open.call_id}`)).json.data.call_successful, true);
  assert.equal((await get(server, '/api/dashboard/calls/odd_least')).json.data.duration_ms, 0);
  assert.deepEqual(await on.rows('SELECT * FROM frontdesk.verify_rollups()'), []);
  await server.stop();
}
