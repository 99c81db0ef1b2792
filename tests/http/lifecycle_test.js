// Starting, stopping, dying, and a database that comes and goes.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import net from 'node:net';
import { after, before, test } from 'node:test';
import {
  Raw, WEBHOOK, eventually, frontdesk, get, post, request, scratch, settings, sign, sleep, startCluster, startServer, within,
} from './harness.js';
import { metricsOf } from './metrics.js';
import { ended, endedCall } from './samples.js';

// "Within 2 s" of the contract, and what a busy machine may add.
const TWO_SECONDS = 2500;

let cluster;
before(async () => {
  cluster = await startCluster();
});

const inDatabase = (name) => Object.fromEntries(Object.entries(cluster.urls).map(([k, url]) => [k, url.replace('/frontdesk?', `/${name}?`)]));

// ---- refusing to start ----

test('serve refuses a database without migrations and names the command that mends it', async () => {
  const { code, stdout, stderr } = await frontdesk(['serve'], settings(cluster), { deadlineMs: 20_000 });
  assert.equal(code, 1);
  assert.match(stdout + stderr, /frontdesk migrate/);
});

test('migrate --status says what is pending, migrate applies it, and a second migrate changes nothing', async () => {
  const status = async () => (await frontdesk(['migrate', '--status'], settings(cluster))).stdout;
  assert.match(await status(), /pending/i);
  const [one, two] = await Promise.all([frontdesk(['migrate'], settings(cluster)), frontdesk(['migrate'], settings(cluster))]);
  assert.deepEqual([one.code, two.code], [0, 0], `at once: ${one.stderr}${two.stderr}`);
  const applied = await cluster.exec('SELECT version, name, checksum, applied_at FROM frontdesk.schema_migrations ORDER BY 1');
  assert.equal((await frontdesk(['migrate'], settings(cluster))).code, 0);
  assert.equal(await cluster.exec('SELECT version, name, checksum, applied_at FROM frontdesk.schema_migrations ORDER BY 1'), applied);
  assert.doesNotMatch(await status(), /pending/i);
  assert.match(await status(), /0*1\b.*tables/);
});

test('the server\'s role can change no table, the analyst\'s can change nothing and reads no journal', async () => {
  for (const [statement, role] of [['CREATE TABLE frontdesk.x()', 'DATABASE_URL'], ['ALTER TABLE frontdesk.calls ADD x int', 'DATABASE_URL'], ['DROP TABLE frontdesk.calls', 'DATABASE_URL'],
    ['CREATE TABLE public.x()', 'DATABASE_URL'], ["DELETE FROM frontdesk.calls", 'ANALYST_DATABASE_URL'], ['SELECT * FROM frontdesk.journal', 'ANALYST_DATABASE_URL'],
    ["SELECT * FROM frontdesk.ingest('{}', '{}', '{}')", 'ANALYST_DATABASE_URL'], ["SET default_transaction_read_only = off; UPDATE frontdesk.agents SET status = 'INACTIVE'", 'ANALYST_DATABASE_URL']])
    await assert.rejects(cluster.exec(statement, role), /permission denied|must be owner|read-only/, statement);
});

test('serve lists every mistake in the settings at once, and no secret', async () => {
  const env = settings(cluster, { PORT: 'abc', API_AUTH_KEY: 'tooshort', NODE_ENV: 'staging', WEBHOOK_MAX_BYTES: '1', LOG_LEVEL: 'loud' });
  delete env.DATABASE_URL;
  delete env.RETELL_API_KEY;
  const { code, stdout, stderr } = await frontdesk(['serve'], env);
  const said = stdout + stderr;
  assert.equal(code, 1);
  for (const name of ['PORT', 'API_AUTH_KEY', 'NODE_ENV', 'WEBHOOK_MAX_BYTES', 'LOG_LEVEL', 'DATABASE_URL', 'RETELL_API_KEY'])
    assert.ok(said.includes(name), `${name} in: ${said}`);
  assert.ok(!said.includes('tooshort'));
});

test('a password with characters that an URL does not take is told of, and not told', async () => {
  const urls = ['postgresql://u:word%zzsecret@127.0.0.1:1/db', 'postgresql://u:word@secret@127.0.0.1:1/db', 'postgresql://u:secret/word@127.0.0.1:1/db',
    'postgresql://u:secret@[::1/db', 'postgres//u:secret@127.0.0.1/db', 'host=127.0.0.1 password=secret port'];
  const tries = urls.flatMap((url) => [['serve'], ['check'], ['migrate'], ['user', 'list'], ['sync']].map((args) => [url, args]));
  await Promise.all(tries.map(async ([DATABASE_URL, args]) => {
    const result = await frontdesk(args, settings(null, { DATABASE_URL }));
    const said = result.stdout + result.stderr;
    assert.equal(result.code, 1, `${args}: ${said}`);
    assert.match(said, /the database's URL is not of the form .* written %25, %40/, String(args));
    assert.doesNotMatch(said, /secret/, `${args} ${DATABASE_URL}`);
  }));
});

test('serve says so when its port is taken', async () => {
  const other = net.createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => other.once('listening', resolve));
  const { port } = other.address();
  try {
    for (const name of ['PORT', 'ADMIN_PORT']) {
      const { code, stdout, stderr } = await frontdesk(['serve'], settings(cluster, { [name]: String(port) }));
      assert.equal(code, 1);
      assert.ok((stdout + stderr).includes(String(port)), stdout + stderr);
    }
  } finally {
    other.close();
  }
});

test('serve refuses a database without migrations though its role is known from another one', async () => {
  await cluster.exec('CREATE DATABASE unmigrated OWNER frontdesk_owner');
  await cluster.exec('CREATE SCHEMA frontdesk AUTHORIZATION frontdesk_owner; CREATE EXTENSION frontdesk', { url: inDatabase('unmigrated').SUPERUSER_DATABASE_URL });
  const { code, stdout, stderr } = await frontdesk(['serve'], settings(cluster, inDatabase('unmigrated')), { deadlineMs: 20_000 });
  assert.equal(code, 1);
  assert.match(stdout + stderr, /frontdesk migrate/);
});

test('serve refuses a database without the extension and says how to get it', async () => {
  await cluster.exec('CREATE DATABASE bare OWNER frontdesk_owner');
  const { code, stdout, stderr } = await frontdesk(['serve'], settings(cluster, inDatabase('bare')), { deadlineMs: 20_000 });
  assert.equal(code, 1);
  assert.match(stdout + stderr, /CREATE EXTENSION/);
});

test('a migration that was edited afterwards is refused by migrate and serve', async () => {
  const [{ checksum }] = await cluster.rows('SELECT checksum FROM frontdesk.schema_migrations WHERE version = 1');
  await cluster.exec("UPDATE frontdesk.schema_migrations SET checksum = 'edited' WHERE version = 1");
  try {
    const { code, stdout, stderr } = await frontdesk(['migrate'], settings(cluster));
    assert.equal(code, 1);
    assert.match(stdout + stderr, /checksum|changed/i);
    assert.match(stdout + stderr, /0*1\b/);
  } finally {
    await cluster.exec(`UPDATE frontdesk.schema_migrations SET checksum = '${checksum}' WHERE version = 1`);
  }
});

test('a schema newer than the binary is refused by migrate and serve', async () => {
  await cluster.exec("INSERT INTO frontdesk.schema_migrations (version, name, checksum) VALUES (9999, 'future', 'x')");
  try {
    for (const command of ['migrate', 'serve']) {
      const { code, stdout, stderr } = await frontdesk([command], settings(cluster));
      assert.equal(code, 1, command);
      assert.match(stdout + stderr, /newer/i);
      assert.match(stdout + stderr, /9999/);
    }
  } finally {
    await cluster.exec('DELETE FROM frontdesk.schema_migrations WHERE version = 9999');
  }
});

test('usage mistakes exit with 2, --help with 0', async () => {
  for (const args of [[], ['nonsense'], ['serve', '--nonsense'], ['migrate', 'x'], ['--nonsense']]) {
    const { code, stderr } = await frontdesk(args, settings(cluster));
    assert.equal(code, 2, args.join(' '));
    assert.match(stderr, /usage|frontdesk/i);
  }
  for (const args of [['--help'], ['serve', '--help'], ['migrate', '--help'], ['version', '--help']]) {
    const { code, stdout } = await frontdesk(args, settings(cluster));
    assert.equal(code, 0, args.join(' '));
    assert.match(stdout, /usage/i);
  }
});

test('a secret may come from a file', async () => {
  const file = `${scratch()}/key`;
  fs.writeFileSync(file, 'key-from-a-file-0123456789\n');
  const server = await startServer(cluster, { API_AUTH_KEY: undefined, API_AUTH_KEY_FILE: file });
  assert.equal((await request(server, 'GET', '/api/dashboard/agents', { headers: { 'x-api-key': 'key-from-a-file-0123456789' } })).status, 200);
  await server.stop();
});

// ---- stopping and dying ----

const webhookBytes = async (event) => {
  const body = JSON.stringify(event);
  return `POST ${WEBHOOK} HTTP/1.1\r\nHost: x\r\nx-retell-signature: ${await sign(body)}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
};

/**
 * Clients that each send one event after the other on one connection, until it is closed or they
 * are told to close it. Keeps the ids of what was acknowledged and counts what was never answered.
 */
function load(server, clients, agentId) {
  const result = { acknowledged: new Set(), refused: 0, unanswered: 0 };
  const client = async () => {
    const connection = new Raw(server);
    try {
      for (;;) {
        const call = endedCall({ agent_id: agentId });
        connection.write(await webhookBytes(ended(call)));
        const answer = await connection.next().catch(() => null);
        if (answer?.status === 204) result.acknowledged.add(call.call_id);
        else if (answer) result.refused++;
        else result.unanswered++;
        if (!answer || answer.headers.connection === 'close') return;
      }
    } finally {
      connection.destroy();
    }
  };
  result.done = Promise.all(Array.from({ length: clients }, client));
  return result;
}

const stored = async (agentId) =>
  new Set((await cluster.rows(`SELECT call_id FROM frontdesk.calls WHERE agent_id = '${agentId}'`)).map((r) => r.call_id));

test('P12: SIGTERM under load answers everything that was accepted, takes nothing new, and ends', async () => {
  const server = await startServer(cluster);
  const clients = load(server, 24, 'agent_term');
  await eventually('events flow', () => clients.acknowledged.size > 300, 30_000);
  const ending = server.stop('SIGTERM');
  await within(30_000, 'the clients are told', clients.done);
  assert.deepEqual(await ending, { code: 0, signal: null });
  assert.equal(clients.unanswered, 0);
  assert.equal(clients.refused, 0);
  assert.deepEqual(await stored('agent_term'), clients.acknowledged);
});

test('P12: a request whose body is still on its way at SIGTERM is answered, a new connection is not taken', async () => {
  const server = await startServer(cluster);
  const bytes = await webhookBytes(ended(endedCall({ agent_id: 'agent_halfway' })));
  const half = new Raw(server).write(bytes.slice(0, -40));
  await eventually('the half request is being read', async () => (await request(server, 'GET', '/healthz')).status === 200);
  const ending = server.stop('SIGTERM');
  await eventually('no new connection is taken', () => new Promise((resolve) => {
    const probe = net.connect({ host: '127.0.0.1', port: server.port, timeout: 500 });
    probe.on('connect', () => { probe.destroy(); resolve(false); });
    probe.on('timeout', () => { probe.destroy(); resolve(true); }); // nobody there
    probe.on('error', () => resolve(true)); // refused
  }));
  assert.equal((await half.write(bytes.slice(-40)).next()).status, 204);
  assert.equal((await ending).code, 0);
});

test('it may open as many sockets as it takes clients, whatever limit it was started with', async () => {
  const server = await startServer(cluster);
  const [, soft, hard] = /Max open files +(\d+) +(\d+)/.exec(fs.readFileSync(`/proc/${server.pid}/limits`, 'utf8'));
  assert.equal(Number(soft), Math.min(4096, Number(hard)));
  await server.stop();
});

test('SIGINT ends it as SIGTERM does', async () => {
  const server = await startServer(cluster);
  assert.deepEqual(await server.stop('SIGINT'), { code: 0, signal: null });
});

test('P2 (one moment of many): kill -9 under load loses nothing that was acknowledged, and a restart works', async () => {
  const server = await startServer(cluster);
  const clients = load(server, 24, 'agent_kill');
  await eventually('events flow', () => clients.acknowledged.size > 300, 30_000);
  await server.stop('SIGKILL');
  await within(30_000, 'the clients notice', clients.done);
  const rows = await stored('agent_kill');
  for (const id of clients.acknowledged) assert.ok(rows.has(id), id);
  const again = await startServer(cluster);
  assert.equal((await post(again, ended(endedCall({ agent_id: 'agent_kill' })))).status, 204);
  await again.stop();
});

test('two servers share one database', async () => {
  const [one, two] = await Promise.all([startServer(cluster), startServer(cluster)]);
  const call = endedCall({ agent_id: 'agent_two' });
  const [a, b] = await Promise.all([post(one, ended(call)), post(two, ended(call))]);
  assert.deepEqual([a.status, b.status], [204, 204]);
  for (const server of [one, two]) assert.equal((await get(server, `/api/dashboard/calls/${call.call_id}`)).status, 200);
  assert.equal(await cluster.journal(`call_id = '${call.call_id}'`), 1);
  await Promise.all([one.stop(), two.stop()]);
});

// ---- a database that goes away ----

/** Sends one of each kind; all must be 503 with Retry-After, in time, and tell nothing of the inside. */
async function unavailable(server) {
  const since = Date.now();
  const answers = await Promise.all([
    post(server, ended(endedCall({ agent_id: 'agent_outage' }))),
    get(server, '/api/dashboard/agents'),
    get(server, '/api/dashboard/call-history'),
    ...Array.from({ length: 32 }, () => post(server, ended(endedCall({ agent_id: 'agent_outage' })))),
  ]);
  const took = Date.now() - since;
  for (const answer of answers) {
    assert.equal(answer.status, 503, answer.text);
    assert.match(answer.headers['retry-after'], /^[1-9]\d*$/);
    assert.equal(answer.json.code, 'service_unavailable');
    assert.doesNotMatch(answer.json.message, /socket|PGSQL|postgres/i);
  }
  assert.ok(took < TWO_SECONDS, `took ${took} ms`);
}

const recovered = (server) => eventually('it recovers alone', async () => {
  const answer = await post(server, ended(endedCall({ agent_id: 'agent_recovered' })));
  if (![204, 503].includes(answer.status)) throw new Error(`status ${answer.status}`);
  return answer.status === 204 && (await get(server, '/api/dashboard/agents')).status === 200 && (await request(server, 'GET', '/readyz')).status === 200;
}, 30_000);

test('P1: what was acknowledged survives a crash of the database right after the answer', async () => {
  const server = await startServer(cluster);
  const call = endedCall({ agent_id: 'agent_crash' });
  const answer = await post(server, ended(call));
  process.kill(cluster.pid(), 'SIGQUIT'); // immediate shutdown: no checkpoint
  assert.equal(answer.status, 204);
  await eventually('the database is gone', () => cluster.exec('SELECT 1').then(() => false, () => true));
  await cluster.start();
  assert.ok((await stored('agent_crash')).has(call.call_id));
  await recovered(server);
  await server.stop();
});

test('P6: database stopped: 503 with Retry-After within 2 s, not ready but alive, and recovery without help', async () => {
  const server = await startServer(cluster);
  assert.equal((await post(server, ended(endedCall()))).status, 204);
  await cluster.stop();
  try {
    for (let round = 0; round < 3; round++) await unavailable(server);
    for (const port of [server.port, server.adminPort]) {
      const ready = await request(server, 'GET', '/readyz', { port });
      assert.equal(ready.status, 503);
      assert.match(ready.text, /database/i);
      assert.equal((await request(server, 'GET', '/healthz', { port })).status, 200);
      assert.equal((await request(server, 'GET', '/health', { port })).status, 200);
    }
    // P5, without a doubt: what would need the database is refused as if nothing had happened.
    assert.equal((await post(server, ended(endedCall()), { key: 'key_of_somebody_else' })).status, 401);
    assert.equal((await post(server, '[]')).status, 400);
    assert.equal((await request(server, 'GET', '/api/dashboard/agents')).status, 401);
  } finally {
    await cluster.start();
  }
  await recovered(server);
  await server.stop();
});

test('P6: database frozen: 503 with Retry-After within 2 s, and recovery when it thaws', async () => {
  const server = await startServer(cluster);
  assert.equal((await post(server, ended(endedCall()))).status, 204);
  cluster.freeze();
  try {
    for (let round = 0; round < 3; round++) await unavailable(server);
    assert.equal((await within(5000, 'readyz answers', request(server, 'GET', '/readyz'))).status, 503);
    assert.equal((await request(server, 'GET', '/healthz')).status, 200);
  } finally {
    cluster.thaw();
  }
  await recovered(server);
  await server.stop();
});

test('P12: SIGTERM ends it within the grace though the database hangs in the middle of its periodic work', async () => {
  const server = await startServer(cluster);
  const folding = () => cluster.value("SELECT count(*)::int FROM pg_stat_activity WHERE application_name = 'frontdesk-jobs' AND state = 'active' AND query LIKE '%fold_rollups%'");
  const lock = cluster.exec('BEGIN; LOCK TABLE frontdesk.call_rollup_delta; SELECT pg_sleep(1.5); COMMIT');
  await eventually('a fold is under way', folding);
  cluster.freeze();
  try {
    assert.deepEqual(await server.stop(), { code: 0, signal: null });
  } finally {
    cluster.thaw();
  }
  await lock;
});

test('P6: tables locked: 503 within 2 s, and recovery when the lock goes', async () => {
  const server = await startServer(cluster);
  const lock = cluster.exec('BEGIN; LOCK TABLE frontdesk.journal, frontdesk.calls, frontdesk.call_home, frontdesk.agents; SELECT pg_sleep(6); COMMIT');
  await eventually('the tables are locked', async () => (await cluster.value("SELECT count(*)::int FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted AND relation = 'frontdesk.calls'::regclass")) > 0);
  await unavailable(server);
  await lock;
  await recovered(server);
  await server.stop();
});

test('periodic work that waits, on every connection it has, takes no server out of service', async () => {
  const server = await startServer(cluster);
  assert.equal((await post(server, ended(endedCall()))).status, 204);
  const lock = cluster.exec('BEGIN; LOCK TABLE frontdesk.call_rollup, frontdesk.call_text; SELECT pg_sleep(4); COMMIT');
  const waiting = () => cluster.value("SELECT count(*)::int FROM pg_stat_activity WHERE application_name = 'frontdesk-jobs' AND wait_event_type = 'Lock'");
  let both = 0; // times that both connections of periodic work were seen waiting
  for (const end = Date.now() + 4000; Date.now() < end;) {
    both += (await waiting()) === 2;
    assert.equal((await post(server, ended(endedCall()))).status, 204);
    assert.equal((await request(server, 'GET', '/readyz', { port: server.adminPort })).status, 200);
    assert.equal((await metricsOf(server)).value('frontdesk_database_up'), 1);
  }
  assert.ok(both > 0);
  await lock;
  await server.stop();
});

test('P6: statements that take too long are not left behind to take the database\'s connections', async () => {
  const server = await startServer(cluster, { DB_POOL_SIZE: '4' });
  await cluster.exec(`INSERT INTO frontdesk.users (email, password_hash, role, status, all_agents) VALUES ('slow@example.com', '-', 'USER', 'APPROVED', false);
    ALTER FUNCTION frontdesk.user_json(frontdesk.users) RENAME TO user_json_as_it_was;
    CREATE FUNCTION frontdesk.user_json(u frontdesk.users) RETURNS json LANGUAGE sql AS $$ SELECT json_build_object('slept', pg_sleep(60)) $$;
    GRANT EXECUTE ON FUNCTION frontdesk.user_json(frontdesk.users) TO public`);
  let oldest = 0;
  const end = Date.now() + 6500;
  const ask = async () => {
    while (Date.now() < end) assert.equal((await get(server, '/api/dashboard/users')).status, 503);
  };
  const watch = async () => {
    for (; Date.now() < end; await sleep(50))
      oldest = Math.max(oldest, await cluster.value(`SELECT coalesce(max(extract(epoch FROM clock_timestamp() - query_start)), 0)::float
        FROM pg_stat_activity WHERE application_name = 'frontdesk-api' AND state = 'active'`));
  };
  try {
    await Promise.all([watch(), ...Array.from({ length: 8 }, ask)]);
  } finally {
    await cluster.exec(`DROP FUNCTION frontdesk.user_json(frontdesk.users); DELETE FROM frontdesk.users WHERE email = 'slow@example.com';
      ALTER FUNCTION frontdesk.user_json_as_it_was(frontdesk.users) RENAME TO user_json`);
  }
  assert.ok(oldest > 1 && oldest < 3.5, `a statement of ${oldest} s, for which nobody waits after 1.8`);
  await server.stop();
});

test('P6: every backend of the server terminated: no request fails for good', async () => {
  const server = await startServer(cluster);
  for (let round = 0; round < 3; round++) {
    await cluster.exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'frontdesk_server'");
    const answer = await post(server, ended(endedCall({ agent_id: 'agent_terminated' })));
    assert.ok([204, 503].includes(answer.status), String(answer.status));
    await recovered(server);
  }
  await server.stop();
});

test('P6: a read-only database is answered 503, and recovers', async () => {
  const server = await startServer(cluster);
  await cluster.exec("ALTER ROLE frontdesk_server SET default_transaction_read_only = on; SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'frontdesk_server'");
  try {
    await eventually('it notices', async () => (await get(server, '/api/dashboard/agents')).status === 200);
    const answer = await post(server, ended(endedCall()));
    assert.equal(answer.status, 503, answer.text);
  } finally {
    await cluster.exec("ALTER ROLE frontdesk_server RESET default_transaction_read_only; SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'frontdesk_server'");
  }
  await recovered(server);
  await server.stop();
});

test('the database being down is no reason not to start', async () => {
  await cluster.stop();
  let server;
  try {
    server = await startServer(cluster);
    assert.equal((await request(server, 'GET', '/healthz')).status, 200);
    assert.equal((await request(server, 'GET', '/readyz')).status, 503);
    await unavailable(server);
  } finally {
    await cluster.start();
  }
  await recovered(server);
  await server.stop();
});

test('a server that started while the database was down is not ready when the schema turns out unknown', async () => {
  await cluster.exec("INSERT INTO frontdesk.schema_migrations (version, name, checksum) VALUES (9999, 'future', 'x')");
  await cluster.stop();
  let server;
  try {
    server = await startServer(cluster);
    await cluster.start();
    const ready = await eventually('it sees the schema', async () => {
      const answer = await request(server, 'GET', '/readyz');
      return /9999|newer|schema/i.test(answer.text) && answer;
    }, 30_000);
    assert.equal(ready.status, 503);
  } finally {
    await cluster.start();
    await cluster.exec('DELETE FROM frontdesk.schema_migrations WHERE version = 9999');
    await server?.stop();
  }
});
