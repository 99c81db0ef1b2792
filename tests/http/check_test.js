// frontdesk check, as an operator runs it: what is wrong is said, with what to do, and no secret.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { RETELL_KEY, SERVICE_KEY, eventually, frontdesk, migrate, scratch, settings, startCluster, startServer } from './harness.js';
import { FakeRetell, makeClock } from '../sim/retell.mjs';

let cluster, fake;
before(async () => {
  cluster = await startCluster();
  fake = await new FakeRetell({ keys: [RETELL_KEY] }).listen();
});
after(() => fake.close());

/** Runs it; {code, lines: {name: [[verdict, text], …]}}. */
async function check(more, on = cluster) {
  const env = { ...settings(on), RETELL_BASE_URL: fake.baseURL, ...more };
  const { code, stdout, stderr } = await frontdesk(['check'], env);
  assert.equal(stderr, '');
  const lines = {};
  for (const line of stdout.trimEnd().split('\n')) {
    const [, verdict, name, text] = /^(ok|warn|FAIL|-) +(\w+) +(.+)$/.exec(line) ?? assert.fail(line);
    (lines[name] ??= []).push([verdict, text]);
  }
  assert.deepEqual(Object.keys(lines), ['settings', 'database', 'extension', 'schema', 'retell', 'clock', 'disk']);
  for (const secret of [SERVICE_KEY, RETELL_KEY]) assert.ok(!stdout.includes(secret));
  return { code, lines };
}

const verdicts = ({ lines }) => Object.fromEntries(Object.entries(lines).map(([name, [[verdict]]]) => [name, verdict]));

test('a database without tables fails with the command that makes them', async () => {
  // The server's role comes with the first migration.
  const { code, lines } = await check({ DATABASE_URL: cluster.urls.MIGRATION_DATABASE_URL });
  assert.equal(code, 1);
  assert.equal(lines.schema[0][0], 'FAIL');
  assert.match(lines.schema[0][1], /frontdesk migrate/);
});

test('when all is well every line says ok and it exits with 0', async () => {
  await migrate(cluster);
  const result = await check();
  assert.deepEqual(verdicts(result), { settings: 'ok', database: 'ok', extension: 'ok', schema: 'ok', retell: 'ok', clock: 'ok', disk: 'ok' });
  assert.match(result.lines.database[0][1], /^PostgreSQL 1\d\.\d/);
  assert.match(result.lines.extension[0][1], /^frontdesk \d+\.\d+$/);
  assert.equal(result.code, 0);
});

test('every mistake in the settings has a line, and what needs them is not looked at', async () => {
  const { code, lines } = await check({ API_AUTH_KEY: '', PORT: 'x', RETELL_BASE_URL: 'http://example.com' });
  assert.equal(code, 1);
  assert.deepEqual(lines.settings.map(([, text]) => text.split(':')[0]), ['API_AUTH_KEY', 'PORT', 'RETELL_BASE_URL']);
  assert.equal(lines.retell[0][0], '-');
  assert.equal(lines.schema[0][0], 'ok');
});

test('a base URL with a password, a query or a fragment is refused and not repeated', async () => {
  for (const url of ['https://me:hush@127.0.0.1:9', 'https://hush@127.0.0.1:9', 'https://127.0.0.1:9/?key=hush', 'https://127.0.0.1:9/#hush']) {
    const { code, lines } = await check({ RETELL_BASE_URL: url });
    assert.equal(code, 1);
    assert.match(lines.settings[0][1], /^RETELL_BASE_URL: holds more than .*RETELL_API_KEY/);
    assert.equal(lines.retell[0][0], '-');
    assert.doesNotMatch(JSON.stringify(lines), /hush/);
  }
});

test('a database that is away, lacks the extension, or lets in a superuser is told apart', async () => {
  const away = await check({ DATABASE_URL: `postgresql:///frontdesk?host=${scratch()}` });
  assert.equal(away.code, 1);
  assert.deepEqual([verdicts(away).database, verdicts(away).extension, verdicts(away).schema], ['FAIL', '-', '-']);
  assert.equal(verdicts(away).retell, 'ok');

  await cluster.exec('CREATE DATABASE bare OWNER frontdesk_owner');
  const bare = await check({ DATABASE_URL: cluster.urls.MIGRATION_DATABASE_URL.replace('/frontdesk?', '/bare?') });
  assert.equal(bare.code, 1);
  assert.match(bare.lines.extension[0][1], /CREATE EXTENSION frontdesk/);

  const superuser = await check({ DATABASE_URL: cluster.urls.SUPERUSER_DATABASE_URL });
  assert.equal(superuser.code, 0);
  assert.match(superuser.lines.database[0].join(' '), /^warn .*superuser.*frontdesk_server/);
});

test('an extension that is older than what is installed fails with the statement that updates it', async () => {
  await cluster.exec("UPDATE pg_extension SET extversion = '0.9' WHERE extname = 'frontdesk'");
  const { code, lines } = await check();
  await cluster.exec("UPDATE pg_extension e SET extversion = default_version FROM pg_available_extensions a WHERE a.name = e.extname AND e.extname = 'frontdesk'");
  assert.equal(code, 1);
  assert.match(lines.extension[0][1], /ALTER EXTENSION frontdesk UPDATE/);
});

test('an extension that is newer than its files works, with a warning that says where to install them', async () => {
  await cluster.exec("UPDATE pg_extension SET extversion = '99.0' WHERE extname = 'frontdesk'");
  const { code, lines } = await check();
  await cluster.exec("UPDATE pg_extension e SET extversion = default_version FROM pg_available_extensions a WHERE a.name = e.extname AND e.extname = 'frontdesk'");
  assert.equal(code, 0);
  assert.match(lines.extension[0].join(' '), /^warn frontdesk 99\.0, .*`make install` of 99\.0/);
});

test('a key that Retell refuses, and a Retell that is not there, say so', async () => {
  const refused = await check({ RETELL_API_KEY: 'key_of_somebody_else' });
  assert.equal(refused.code, 1);
  assert.match(refused.lines.retell[0].join(' '), /^FAIL .*RETELL_API_KEY/);
  const gone = await check({ RETELL_BASE_URL: 'http://127.0.0.1:9' });
  assert.equal(gone.code, 1);
  assert.match(gone.lines.retell[0].join(' '), /^FAIL .*(reach|answer)/);
  assert.equal(gone.lines.clock[0][0], 'ok', 'compared with the database');
});

test('a clock that is off is told with by how much, before webhooks are refused for it', async () => {
  for (const [ms, verdict] of [[30_000, 'warn'], [-200_000, 'FAIL']]) {
    const other = await new FakeRetell({ keys: [RETELL_KEY], clock: makeClock({ base: Date.now() + ms }) }).listen();
    try {
      const { code, lines } = await check({ RETELL_BASE_URL: other.baseURL });
      assert.equal(code, verdict === 'FAIL' ? 1 : 0);
      assert.equal(lines.clock[0][0], verdict);
      assert.match(lines.clock[0][1], ms > 0 ? /behind Retell's.*NTP/ : /ahead of Retell's.*NTP/);
    } finally {
      other.close();
    }
  }
});

test('--running says whether the server here is ready', async () => {
  const server = await startServer(cluster);
  const ask = () => frontdesk(['check', '--running'], settings(cluster, { ADMIN_PORT: String(server.adminPort) }));
  await eventually('it is ready', async () => (await ask()).code === 0);
  await cluster.stop();
  const unready = await ask();
  assert.equal(unready.code, 1);
  assert.match(unready.stderr, /not ready \(503\)/);
  await server.stop();
  const gone = await ask();
  assert.equal(gone.code, 1);
  assert.match(gone.stderr, new RegExp(`no answer on ADMIN_PORT ${server.adminPort}`));
  assert.equal((await frontdesk(['check', '--nonsense'], settings(cluster))).code, 2);
});
