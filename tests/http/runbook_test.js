// The runbook, practised: what it says to type is typed, in its order and as it stands there, where
// the server runs. A few lines of shell play systemd, tests/sim plays Retell.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { BIN, RETELL_KEY, WEBHOOK, eventually, freePort, frontdesk, get, migrate, post, request, scratch, settings, startCluster } from './harness.js';
import { metricsOf } from './metrics.js';
import { Shell, blocksOf } from './readme.js';
import { FakeRetell } from '../sim/retell.mjs';
import { makeTraffic, randomOf, settle } from '../sim/traffic.mjs';

const RUNBOOK = fs.readFileSync(new URL('../../docker/RUNBOOK.md', import.meta.url), 'utf8');
const CALLS = 12;

let cluster, retell, dir, ports, backups, shell;
const server = () => ({ port: Number(ports.main), adminPort: Number(ports.admin) });

before(async () => {
  cluster = await startCluster();
  await migrate(cluster);
  retell = await new FakeRetell({ keys: [RETELL_KEY] }).listen();
  retell.addAgent('agent_a');
  [dir, backups] = [scratch(), scratch()];
  ports = { main: await freePort(), admin: await freePort(), drill: await freePort(), drillAdmin: await freePort() };
  const env = settings(cluster, { PORT: String(ports.main), ADMIN_PORT: String(ports.admin), RETELL_BASE_URL: retell.baseURL, POLL_INTERVAL_SECONDS: '1', LOG_DIR: 'logs' });
  const own = Object.entries(env).filter(([name]) => !['PATH', 'HOME', 'LANG'].includes(name));
  fs.writeFileSync(path.join(dir, '.env'), own.map(([name, value]) => `${name}=${value}\n`).join(''));
  const bin = scratch();
  fs.symlinkSync(BIN, path.join(bin, 'frontdesk'));
  fs.writeFileSync(path.join(bin, 'systemctl'), SYSTEMCTL, { mode: 0o755 });
  shell = new Shell({ cwd: dir, superuser: cluster, ports: { 3000: ports.main, 9090: ports.admin, 3001: ports.drill, 9091: ports.drillAdmin }, env: { PATH: `${bin}:${process.env.PATH}` } });
  assert.equal((await shell.run('systemctl start frontdesk')).failed, '');
});
after(async () => {
  await shell?.run('systemctl stop frontdesk');
  shell?.end();
  retell?.close();
});

/** systemctl start|stop frontdesk, which return when it is done. */
const SYSTEMCTL = `#!/bin/bash
until_it() { for ((i = 0; i < 300; i++)); do "$@" >/dev/null && exit 0; sleep 0.1; done; exit 1; }
gone() { ! curl -s localhost:9090/healthz; }
case "$1 $2" in
'start frontdesk') frontdesk serve >/dev/null 2>serve.err & echo $! >server.pid; until_it curl -sf localhost:9090/readyz ;;
'stop frontdesk') kill "$(cat server.pid)"; until_it gone ;;
*) exit 1 ;;
esac
`;

// What is elsewhere here: the program, the backups, the ports of the drill, and the folder of the log.
const HERE = [
  ['/usr/local/bin/frontdesk', () => BIN], ['/var/backups/frontdesk', () => backups], ['PORT=3001 ADMIN_PORT=9091', () => `PORT=${ports.drill} ADMIN_PORT=${ports.drillAdmin}`],
  [/^(grep|sed) .*\b(combined|exceptions)\.log.*$/gm, (line) => `(cd logs && ${line})`],
];

/** The blocks of a section; each can be typed, and must not fail. */
function blocks(section) {
  const found = blocksOf('docker/RUNBOOK.md').filter((block) => block.section === section);
  assert.ok(found.length > 0, section);
  return found.map(({ line, lines }) => async () => {
    const text = HERE.reduce((all, [from, to]) => all.replace(from, to), lines.map((l) => l.trim()).join('\n'));
    if (text.startsWith('SELECT ')) return { out: await cluster.exec(text) };
    const result = await shell.run(text);
    assert.equal(result.failed, '', `docker/RUNBOOK.md:${line} failed: ${result.failed}${result.out}${result.err}`);
    return result;
  });
}
const practised = new Set();
const drill = (section, title, run) => test(title, async () => {
  practised.add(section);
  await run(...blocks(section));
});

drill('Runbook', 'the first look: check, readyz and sync-status say that all is well', async (look) => {
  const { out } = await look();
  assert.match(out, /^ok +database/m);
  assert.doesNotMatch(out, /^FAIL/m);
  assert.match(out, /"callsFoundByPollOnly" : 0\b/);
});

drill('FrontdeskDeadEvents', 'dead events are shown with the reason', async (show) => {
  assert.equal((await post(server(), { event: 'call_ended', call: { call_id: 7 } })).status, 204);
  assert.match((await show()).out, /call_ended\|\S+/);
});

drill('FrontdeskLoginGuessing', 'the audit lines say from where passwords are guessed', async (look) => {
  const guess = () => request(server(), 'POST', '/api/auth/login', { body: JSON.stringify({ email: 'nobody@example.com', password: 'not this one' }), headers: { 'Content-Type': 'application/json' } });
  assert.equal((await guess()).status, 401);
  await eventually('the line is written', () => fs.readFileSync(path.join(dir, 'logs/combined.log'), 'utf8').includes('unknown user'));
  assert.match((await look()).out, /"outcome":"unknown user".*"remote":"127\.0\.0\.1"/);
});

drill('FrontdeskDown', 'a server that died says where: functions and lines', async (name) => {
  process.kill(Number(fs.readFileSync(path.join(dir, 'server.pid'), 'utf8')), 'SIGSEGV');
  await eventually('it has died', () => fs.readFileSync(path.join(dir, 'logs/exceptions.log'), 'utf8').includes('frontdesk(+'));
  const { out } = await name();
  for (const place of [/^handle at .*server\/base\/crash\.c:\d+/m, /^serve_run at .*server\/api\/serve\.c:\d+/m]) assert.match(out, place);
  assert.equal((await shell.run('systemctl start frontdesk')).failed, '');
});

drill('Lost webhooks', 'the drill of lost webhooks: all calls come by polling, transcripts too, and are counted as such', async (stop, start, look, now) => {
  const found = (out) => Number(/"callsFoundByPollOnly" : (\d+)/.exec(out)[1]);
  const before = found((await stop()).out);
  await assert.rejects(post(server(), { event: 'call_ended', call: {} }), 'nobody takes webhooks');
  await cluster.exec("UPDATE frontdesk.sync_state SET watched_since = 0"); // it has run here for years, and calls are made in minutes
  settle(retell, makeTraffic({ random: randomOf(7), calls: CALLS, agents: [{ agent_id: 'agent_a' }], from: Date.now() - 2_400_000, spanMs: 600_000, timeless: false }));
  await start();
  const stored = () => cluster.value(`SELECT count(*)::int FROM frontdesk.calls WHERE call_id LIKE 'call\\_0%'`);
  await eventually('the calls are there', async () => (await stored()) === CALLS);
  const said = [...retell.calls.values()].filter((call) => call.transcript).length;
  assert.ok(said > 0);
  await eventually('transcripts too', async () => (await cluster.value('SELECT count(transcript)::int FROM frontdesk.calls')) === said);
  let out;
  await eventually('they are counted', async () => found(({ out } = await look()).out) === before + CALLS);
  assert.match(out, /"call_id" ?: ?"call_0/);
  // The server's own poll may be under way.
  await eventually('sync by hand', () => now().then(() => true, (error) => (/under way|running/.test(error.message) ? false : Promise.reject(error))));
});

drill('Restore', 'the drill of a restore: the nightly backup answers as the real one does, beside it', async (restore, serve, away) => {
  const unit = fs.readFileSync(new URL('../../docker/frontdesk-backup.service', import.meta.url), 'utf8');
  const [, backup] = /^ExecStart=(.*)$/m.exec(unit);
  assert.equal((await shell.run(`PGDATABASE=frontdesk ${backup.replaceAll('$$', '$').replaceAll('%%', '%').replaceAll('/var/backups/frontdesk', backups)}`)).failed, '');
  assert.match(fs.readdirSync(backups).join(), /^[1-7]\.dump$/);
  const restored = await restore();
  assert.match(restored.out, /^ +\d\d \| \d{4}-/m);
  assert.match(restored.out, /\(0 rows\)/);
  const [, ready, one, other] = /(\{.*?\})(\{"success":true.*\})(\{"success":true.*\})/s.exec((await serve()).out) ?? [];
  assert.match(ready, /ready/);
  assert.equal(one, other);
  await away();
  await assert.rejects(get({ port: ports.drill }, '/health'));
});

test('every block of the runbook was practised', () => {
  assert.deepEqual([...new Set(blocksOf('docker/RUNBOOK.md').map((block) => block.section))].sort(), [...practised].sort());
});

test('what the runbook names in a line is there: statements run, commands take their options, metrics exist', async () => {
  const codes = [...RUNBOOK.matchAll(/`([^`\n]+)`/g)].map(([, code]) => code);
  const statements = codes.filter((code) => code.startsWith('SELECT '));
  assert.ok(statements.length >= 4);
  for (const statement of statements) await cluster.exec(statement);
  const commands = codes.filter((code) => code.startsWith('frontdesk '));
  assert.ok(commands.length >= 4);
  for (const command of commands) {
    const words = command.split(' ').slice(1);
    const { code, stdout } = await frontdesk([...words.filter((word) => /^[a-z]+$/.test(word)).slice(0, 2), '--help'], { PATH: process.env.PATH });
    assert.equal(code, 0, command);
    for (const option of words.filter((word) => word.startsWith('--'))) assert.match(stdout, new RegExp(`^ +${option}\\b`, 'm'), command);
  }
  const { families } = await metricsOf(server());
  for (const metric of codes.filter((code) => /^frontdesk_[a-z_]+$/.test(code) && code !== 'frontdesk_drill')) assert.ok(families.has(metric), metric);
  for (const [, setting] of RUNBOOK.matchAll(/`([A-Z]+(?:_[A-Z]+)+)(?:=[^`]*)?`/g)) assert.ok(fs.readFileSync(new URL('../../env.example', import.meta.url), 'utf8').includes(setting), setting);
  assert.ok(RUNBOOK.includes(WEBHOOK));
});
