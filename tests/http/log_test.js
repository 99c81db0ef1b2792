// The log as an operator meets it: files, rotation, last words, and what happens when nobody can write.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import zlib from 'node:zlib';
import { BIN, SERVICE_KEY, RETELL_KEY, eventually, frontdesk, get, post, scratch, settings, startAll, startServer, within } from './harness.js';
import { smallDisk } from './faults.js';
import { analyzed, endedCall } from './samples.js';

const NAMES = ['combined.log', 'error.log', 'exceptions.log', 'rejections.log'];

let cluster, server, dir;
before(async () => {
  dir = path.join(scratch(), 'logs');
  ({ cluster, server } = await startAll({ LOG_DIR: dir }));
});
after(() => server.stop());

const read = (name, where = dir) => fs.readFileSync(path.join(where, name), 'utf8');
const lines = (name, where) => read(name, where).split('\n').filter(Boolean).map((line) => JSON.parse(line));

test('combined.log has the lines of standard output, and the other files only what is theirs', async () => {
  const { headers } = await get(server, '/api/dashboard/agents');
  await eventually('the request is logged', () => lines('combined.log').some((l) => l.id === headers['x-request-id']));
  await eventually('on standard output too', () => server.log().some((l) => l.id === headers['x-request-id']));
  assert.deepEqual(fs.readdirSync(dir).sort(), NAMES);
  assert.deepEqual(lines('error.log').filter((l) => l.level !== 'error'), []);
  assert.equal(read('exceptions.log'), '');
});

test('no transcript, phone number, summary or secret is in any log', async () => {
  const call = endedCall({ from_number: '+12125550777', to_number: '+14155550888', transcript: 'User: the word is xylophone' });
  assert.equal((await post(server, analyzed(call))).status, 204);
  assert.equal((await post(server, { event: 'call_ended', call: { from_number: '+12125550777', transcript: 'xylophone' } })).status, 204);
  const seen = await get(server, `/api/dashboard/calls/${call.call_id}`);
  assert.equal(seen.json.data.from_number, '+12125550777');
  await eventually('the last request is logged', () => lines('combined.log').some((l) => l.id === seen.headers['x-request-id']));
  const all = NAMES.map((name) => read(name)).join('\n') + server.output;
  for (const word of ['xylophone', '2125550777', '4155550888', 'A table for two was booked', SERVICE_KEY, RETELL_KEY])
    assert.ok(!all.includes(word), word);
});

test('SIGHUP opens the files anew after they were moved aside, and no line is lost', async () => {
  const before = await get(server, '/api/dashboard/agents');
  await eventually('the request is logged', () => read('combined.log').includes(before.headers['x-request-id']));
  for (const name of NAMES) fs.renameSync(path.join(dir, name), path.join(dir, `${name}.1`));
  process.kill(server.pid, 'SIGHUP');
  await eventually('the files are there again', () => NAMES.every((name) => fs.existsSync(path.join(dir, name))));
  const after = await get(server, '/api/dashboard/agents');
  await eventually('the next request is in the new file', () => read('combined.log').includes(after.headers['x-request-id']));
  assert.ok(read('combined.log.1').includes(before.headers['x-request-id']));
  assert.ok(!read('combined.log').includes(before.headers['x-request-id']));
});

test('logrotate, with the file that docker/ has for it, loses no line and puts none into the wrong file', async () => {
  const where = path.join(scratch(), 'logs');
  const other = await startServer(cluster, { LOG_DIR: where });
  const conf = path.join(scratch(), 'logrotate.conf');
  // Another folder, and no systemd: everything else as an operator has it.
  const text = fs.readFileSync(new URL('../../docker/logrotate.conf', import.meta.url), 'utf8');
  const adapted = text.replace('/var/log/frontdesk', where).replace('systemctl kill --signal=HUP frontdesk.service', `kill -HUP ${other.pid}`);
  assert.equal(adapted.split('\n').filter((line, i) => line !== text.split('\n')[i]).length, 2);
  fs.writeFileSync(conf, adapted, { mode: 0o644 });
  const files = () => fs.readdirSync(where).filter((name) => name.startsWith('combined.log')).sort((a, b) => b.localeCompare(a, 'en', { numeric: true }));
  const contents = (name) => (name.endsWith('.gz') ? zlib.gunzipSync(fs.readFileSync(path.join(where, name))).toString() : read(name, where));

  const asked = [];
  let stopped = false;
  const client = async () => {
    while (!stopped) asked.push((await get(other, '/api/dashboard/agents')).headers['x-request-id']);
  };
  const clients = Promise.all(Array.from({ length: 4 }, client));
  for (let turn = 1; turn <= 3; turn++) {
    const count = asked.length;
    await eventually('requests come in', () => asked.length > count + 200);
    execFileSync('/usr/sbin/logrotate', ['--force', '--state', path.join(path.dirname(conf), 'state'), conf]);
    await eventually('the server writes to a new file', () => fs.statSync(path.join(where, 'combined.log'), { throwIfNoEntry: false })?.size > 0);
    // Nothing goes to the old one any more: compressing it on the next turn is safe.
    const old = fs.readFileSync(path.join(where, 'combined.log.1'));
    const more = asked.length;
    await eventually('more come in', () => asked.length > more + 50);
    assert.deepEqual(fs.readFileSync(path.join(where, 'combined.log.1')), old);
  }
  stopped = true;
  await clients;
  await other.stop();
  assert.deepEqual(files(), ['combined.log.3.gz', 'combined.log.2.gz', 'combined.log.1', 'combined.log']);
  const ids = files().map((name) => contents(name).split('\n').filter(Boolean).map((line) => JSON.parse(line)).filter((l) => l.msg === 'request').map((l) => l.id));
  assert.ok(ids.every((list) => list.length > 50), `${ids.map((list) => list.length)}`);
  assert.deepEqual(ids.flat().sort(), [...asked].sort(), 'each line once');
  const order = files().flatMap((name) => contents(name).split('\n').filter(Boolean).map((line) => JSON.parse(line).time));
  assert.equal(order.filter((time, i) => i && Date.parse(time) < Date.parse(order[i - 1]) - 1000).length, 0, 'in the order of time, across the files');
  for (const name of ['error.log', 'rejections.log', 'exceptions.log']) assert.equal(read(name, where), '', name);
});

test('P1: a full disk under LOG_DIR costs lines, never a webhook; it is confessed, and with room lines come again', async () => {
  const disk = await smallDisk(1);
  const other = await startServer(cluster, { LOG_DIR: path.join(disk.dir, 'logs') });
  const deliver = async (times) => {
    for (let i = 0; i < times; i++) assert.equal((await post(other, analyzed(endedCall()))).status, 204);
  };
  const logged = () => fs.readFileSync(path.join(disk.dir, 'logs/combined.log'), 'utf8');
  try {
    await deliver(5);
    disk.fill();
    const before = logged().length;
    await deliver(60);
    await eventually('the loss is told on standard output', () => other.log().some((l) => l.level === 'error' && /dropped/.test(l.msg) && l.times > 0));
    assert.equal((await get(other, '/readyz')).status, 200);
    assert.ok(logged().length < before + 4096, 'there was no room but what the last page had left');
    disk.free();
    const { headers } = await get(other, '/api/dashboard/agents');
    await eventually('lines come again', () => logged().includes(headers['x-request-id']));
    assert.equal((await other.stop()).code, 0);
  } finally {
    await disk.unmount();
  }
});

test('nobody reading standard output blocks no request and no shutdown', async () => {
  const where = path.join(scratch(), 'logs');
  const other = await startServer(cluster, { LOG_DIR: where });
  other.child.stdout.pause();
  const target = `/api/dashboard/agents?search=${'x'.repeat(400)}`;
  for (let i = 0; i < 40; i++) {
    const answers = await Promise.all(Array.from({ length: 25 }, () => get(other, target)));
    assert.ok(answers.every((a) => a.status === 200));
  }
  other.child.kill('SIGTERM');
  await eventually('the process ends', () => !other.alive || other.child.exitCode !== null, 30_000);
  assert.ok(lines('combined.log', where).some((l) => l.msg === 'stopping'));
});

test('a fatal signal leaves its number and a backtrace in exceptions.log, and still kills', async () => {
  const where = path.join(scratch(), 'logs');
  const other = await startServer(cluster, { LOG_DIR: where });
  process.kill(other.pid, 'SIGSEGV');
  assert.deepEqual(await within(15_000, 'the process dies', other.exited), { code: null, signal: 'SIGSEGV' });
  const [first, ...frames] = read('exceptions.log', where).trim().split('\n');
  const said = JSON.parse(first);
  assert.equal(said.signal, 11);
  assert.equal(said.pid, other.pid);
  assert.ok(Math.abs(said.time_s - Date.now() / 1000) < 60);
  assert.ok(frames.length > 2 && frames.every((frame) => /\[0x[0-9a-f]+\]$/.test(frame)), frames.join('\n'));

  // The command of the runbook makes names and lines of them, whoever's functions they are.
  const runbook = fs.readFileSync(new URL('../../docker/RUNBOOK.md', import.meta.url), 'utf8');
  const [, command] = /^ {4}(sed .*exceptions\.log .*addr2line.*)$/m.exec(runbook);
  const named = execFileSync('bash', ['-c', command.replace('/usr/local/bin/frontdesk', BIN)], { cwd: where, encoding: 'utf8' }).trim().split('\n');
  assert.ok(named.length >= 4 && named.every((line) => /^\w+ at /.test(line)), named.join('\n'));
  for (const name of [/^handle at .*server\/base\/crash\.c:\d+/m, /^serve_run at .*server\/api\/serve\.c:\d+/m, /^command_main at .*server\/base\/command\.c:\d+/m]) assert.match(named.join('\n'), name);
});

test('LOG_FORMAT=text is for people; LOG_DIR=- makes no files', async () => {
  const other = await startServer(cluster, { LOG_DIR: '-' });
  await other.stop();
  assert.ok(!fs.existsSync(path.join(other.cwd, 'logs')));
  const cwd = scratch();
  const { stdout } = await frontdesk(['serve'], settings(cluster, { LOG_FORMAT: 'text' }), {
    cwd,
    onStart: (child, out) => void eventually('it listens', () => out.stdout.includes('listening')).then(() => child.kill('SIGTERM')),
  });
  assert.match(stdout, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z info {2}listening port=\d+ admin_port=\d+ version="/m);
  assert.equal(fs.readFileSync(path.join(cwd, 'logs/combined.log'), 'utf8'), stdout);
});

test('a LOG_DIR that cannot be written to is refused at start with what to do', async () => {
  const { code, stderr } = await frontdesk(['serve'], settings(cluster, { LOG_DIR: '/proc/no/such' }));
  assert.equal(code, 1);
  assert.match(stderr, /LOG_DIR: cannot write to \/proc\/no\/such: .*name another folder/);
});
