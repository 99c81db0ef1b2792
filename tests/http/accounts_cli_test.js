// `frontdesk user` and `frontdesk key`: what an operator does at a terminal.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { BIN, call, eventually, frontdesk, post, scratch, startAll, startServer, within } from './harness.js';
import { ended, endedCall } from './samples.js';

const PASSWORD = 'correct horse battery';

let cluster, server, env;
before(async () => {
  ({ cluster, server } = await startAll({ REGISTRATION: 'approval' }));
  env = { PATH: process.env.PATH, DATABASE_URL: cluster.urls.DATABASE_URL };
});
after(() => server?.stop());

const run = (args, input) => frontdesk(args, env, { input });
async function good(args, input) {
  const result = await run(args, input);
  assert.equal(result.code, 0, result.stderr);
  return result.stdout;
}
async function bad(code, args, input, message) {
  const result = await run(args, input);
  assert.equal(result.code, code, `${args}: ${result.stdout}${result.stderr}`);
  assert.equal(result.stdout, '');
  assert.match(result.stderr, message);
}
const login = (email, password = PASSWORD) => call(server, 'POST', '/api/auth/login', { body: { email, password } });

test('users are added, listed, approved, disabled and given passwords', async () => {
  assert.match(await good(['user', 'add', 'Chief@Example.com', '--role', 'SUPERADMIN', '--name', 'Ärztin'], `${PASSWORD}\n`), /^[0-9a-f-]{36}\n$/);
  assert.equal((await login('chief@example.com')).status, 200);
  await good(['user', 'add', '--email', 'reader@example.com', '--all-agents', '--phone', '+1 555'], PASSWORD);
  await call(server, 'POST', '/api/auth/register', { body: { email: 'waits@example.com', password: PASSWORD } });

  const list = (await good(['user', 'list'])).trimEnd().split('\n');
  assert.match(list[0], /^EMAIL +NAME +ROLE +STATUS +AGENTS +CREATED +ID$/);
  assert.match(list[1], /^chief@example\.com +Ärztin +SUPERADMIN +APPROVED +all /);
  assert.match(list[2], /^reader@example\.com +- +USER +APPROVED +all /);
  assert.match(list[3], /^waits@example\.com +- +USER +PENDING +0 /);
  assert.match(await good(['user', 'list', '--status', 'PENDING']), /^[^\n]*\nwaits[^\n]*\n$/);

  assert.equal((await login('waits@example.com')).status, 403);
  await good(['user', 'approve', 'waits@example.com']);
  assert.equal((await login('waits@example.com')).status, 200);
  await good(['user', 'disable', 'waits@example.com']);
  assert.equal((await login('waits@example.com')).status, 403);
  await good(['user', 'password', 'reader@example.com'], 'another password\n');
  assert.equal((await login('reader@example.com')).status, 401);
  assert.equal((await login('reader@example.com', 'another password')).status, 200);
});

test('a name that somebody registers with cannot tell the operator\'s terminal what to do', async () => {
  const name = 'a\u001b]0;owned\u0007\u001b[2J\r\nforged@example.com\u009b31m\u007f é';
  const body = { email: 'sly@example.com', password: PASSWORD, name };
  assert.equal((await call(server, 'POST', '/api/auth/register', { body })).status, 201);
  const list = await good(['user', 'list']);
  assert.doesNotMatch(list, /[^\P{Cc}\n]/u, 'no control character but the ends of the lines');
  assert.match(list, /^sly@example\.com +a\?\]0;owned\?\?\[2J\?\?forged@example\.com\?31m\? é +USER /m);
});

test('what makes no sense is refused in words, with 2; what is not possible, with 1', async () => {
  await bad(1, ['user', 'add', 'chief@example.com'], PASSWORD, /already/);
  await bad(1, ['user', 'add', 'x@example.com'], 'short\n', /8 to 128/);
  for (const blank of [' ', '\u00a0', '\u3000 ']) await bad(1, ['user', 'add', 'x@example.com'], blank.repeat(10), /8 to 128/);
  await bad(1, ['user', 'add', 'x@example.com'], '', /password/);
  await bad(1, ['user', 'approve', 'nobody@example.com'], '', /no user/);
  await bad(1, ['user', 'disable', 'chief@example.com'], '', /last superadmin/);
  for (const args of [['user'], ['user', 'drop'], ['user', 'add'], ['user', 'add', 'nobody'], ['user', 'add', 'a@b.example', 'c'], ['user', 'add', 'a@b.example', '--role', 'ROOT'],
    ['user', 'list', '--status', 'x'], ['user', 'list', '--role', 'USER'], ['user', 'add', 'a@b.example', '--password', 'x'], ['key'], ['key', 'create'], ['key', 'revoke', 'x'],
    ['key', 'create', 'k', '--role', 'SUPERADMIN'], ['key', 'create', 'k', '--expires', '2020-01-01'], ['key', 'create', 'k', '--expires', 'soon'],
    ['key', 'create', 'k', '--role', 'ADMIN', '--agent', 'a'], ['key', 'list', 'x']])
    await bad(2, args, PASSWORD, /usage|--help|option/);
  for (const args of [['user', '--help'], ['user', 'add', '--help'], ['key', '--help'], ['key', 'create', '--help']]) assert.match(await good(args), /^usage: frontdesk (user|key) /);
  const away = await frontdesk(['user', 'list'], { PATH: env.PATH, DATABASE_URL: 'postgresql://127.0.0.1:1/x' });
  assert.equal(away.code, 1);
  assert.match(away.stderr, /cannot be reached/);
  assert.match((await frontdesk(['user', 'list'], { PATH: env.PATH })).stderr, /DATABASE_URL/);
});

/** Runs a command in a terminal of its own; `answers` are typed as their prompts appear. */
async function atTerminal(command, answers) {
  const child = spawn('script', ['-qec', `${BIN} ${command}`, '/dev/null'], { env, cwd: scratch(), stdio: ['pipe', 'pipe', 'pipe'] });
  let screen = '';
  child.stdout.setEncoding('utf8').on('data', (text) => (screen += text));
  const code = new Promise((resolve) => child.on('close', resolve));
  try {
    let seen = 0;
    for (const [prompt, answer] of answers) {
      await eventually(`${prompt} is asked`, () => screen.indexOf(prompt, seen) >= 0);
      seen = screen.indexOf(prompt, seen) + prompt.length;
      child.stdin.write(answer);
    }
    return { code: await within(30_000, command, code), screen };
  } finally {
    child.kill('SIGKILL');
  }
}

test('at a terminal the password is asked for twice and not shown', async () => {
  const typed = await atTerminal('user add typed@example.com', [['Password: ', `${PASSWORD}\n`], ['again: ', `${PASSWORD}\n`]]);
  assert.equal(typed.code, 0, typed.screen);
  assert.ok(!typed.screen.includes(PASSWORD), typed.screen);
  assert.equal((await login('typed@example.com')).status, 200);
  const differs = await atTerminal('user password typed@example.com', [['Password: ', 'one password\n'], ['again: ', 'other password\n']]);
  assert.equal(differs.code, 1);
  assert.match(differs.screen, /two different/);
  const broken = await atTerminal('user password typed@example.com', [['Password: ', '\x03']]);
  assert.notEqual(broken.code, 0);
  assert.equal((await login('typed@example.com')).status, 200, 'nothing has changed');
});

test('a key is printed once, alone on stdout; it is listed without itself, and revoked', async () => {
  assert.equal((await post(server, ended(endedCall({ agent_id: 'agent_key' })))).status, 204);
  const key = (await good(['key', 'create', 'a dashboard', '--agent', 'agent_key', '--expires', '2100-01-01'])).trimEnd();
  assert.match(key, /^fd_[A-Za-z0-9_-]{43}$/);
  const agents = () => call(server, 'GET', '/api/dashboard/agents', { key });
  assert.deepEqual((await agents()).json.data.agents.map((a) => a.agent_id), ['agent_key']);
  const list = await good(['key', 'list']);
  assert.ok(!list.includes(key) && list.includes(key.slice(0, 11)));
  const [id] = list.split('\n').find((line) => line.includes('a dashboard')).split(' ');
  await bad(1, ['key', 'create', 'k', '--agent', 'nobody'], '', /no agents: nobody/);
  await good(['key', 'revoke', id]);
  await bad(1, ['key', 'revoke', id], '', /no such key/);
  await eventually('it stops working', async () => (await agents()).status === 401, 30_000);
});

test('what is done at the command line is in the audit log: who, what, to whom, how it went, and no secret', async () => {
  const lines = (text) => text.split('\n').filter((line) => line.includes('"msg":"audit"')).map((line) => JSON.parse(line));
  const logs = scratch();
  const own = await startServer(cluster, { LOG_DIR: logs });
  const combined = () => fs.readFileSync(path.join(logs, 'combined.log'), 'utf8');
  const audited = async (args, input, outcome = {}) => {
    const result = await frontdesk(args, { ...env, LOG_DIR: logs }, { input });
    const [line, ...more] = lines(result.stderr);
    assert.deepEqual(more, []);
    assert.deepEqual({ ...lines(combined()).at(-1), time: line.time }, line, 'it is among the server\'s lines, too');
    assert.deepEqual({ ...line, time: 0 }, { time: 0, level: 'info', msg: 'audit', by: `command line: ${os.userInfo().username}`, outcome: 'ok', ...outcome, action: outcome.action ?? args.slice(0, 2).join('.'), target: line.target });
    return { ...result, line };
  };
  const { stdout, line } = await audited(['user', 'add', 'audited@example.com'], PASSWORD);
  assert.equal(line.target, stdout.trim());
  for (const verb of ['disable', 'approve']) assert.equal((await audited(['user', verb, 'audited@example.com'])).line.target, stdout.trim());
  await audited(['user', 'password', 'audited@example.com'], 'quite another one');
  assert.equal((await audited(['user', 'add', 'audited@example.com'], PASSWORD, { outcome: 'taken' })).line.target, null);
  assert.equal((await audited(['user', 'disable', 'nobody@example.com'], '', { outcome: 'missing' })).line.target, null);
  const created = await audited(['key', 'create', 'audited']);
  assert.equal(created.line.target, created.stdout.slice(0, 11));
  const [id] = (await good(['key', 'list'])).split('\n').find((row) => row.includes(created.line.target)).split(' ');
  assert.equal((await audited(['key', 'revoke', id])).line.target, id);
  await audited(['key', 'revoke', id], '', { outcome: 'missing' });
  const all = combined();
  for (const secret of [PASSWORD, 'quite another one', created.stdout.trim()]) assert.ok(!all.includes(secret));

  // Where no server keeps a log, none is made; a refused command line changes nothing and says so to nobody else.
  const elsewhere = scratch();
  const result = await frontdesk(['user', 'approve', 'audited@example.com'], { ...env, LOG_DIR: path.join(elsewhere, 'logs'), LOG_FORMAT: 'text' });
  assert.match(result.stderr, /^\S+Z info {2}audit action="user\.approve" by="command line: \S+" target="\S+" outcome="ok"\n$/);
  assert.deepEqual(fs.readdirSync(elsewhere), []);
  await bad(2, ['user', 'approve'], '', /^(?!.*audit)/s);
  await own.stop();
});
