// The log as an operator meets it: files, rotation, last words, and what happens when nobody can write.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { SERVICE_KEY, RETELL_KEY, eventually, frontdesk, get, post, scratch, settings, startAll, startServer, within } from './harness.js';
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

test('P1: a full disk under LOG_DIR costs lines, never a webhook, and is confessed', async () => {
  const full = path.join(scratch(), 'full');
  fs.mkdirSync(full);
  for (const name of NAMES) fs.symlinkSync('/dev/full', path.join(full, name)); // every write: ENOSPC
  const other = await startServer(cluster, { LOG_DIR: full });
  for (let i = 0; i < 20; i++) assert.equal((await post(other, analyzed(endedCall()))).status, 204);
  await eventually('the loss is told', () => other.log().some((l) => l.level === 'error' && /dropped/.test(l.msg) && l.times > 0));
  assert.equal((await other.stop()).code, 0);
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
