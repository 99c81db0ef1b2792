// What every test here stands on: a private PostgreSQL cluster, the real binary, and ways to talk to
// both as their users do. Nothing is installed and nothing is mocked. Whatever was started is ended
// by its pid and removed when the test's process exits, however it exits.
//
//   FRONTDESK_BIN      the binary (build/frontdesk of this checkout)
//   FRONTDESK_CLUSTER  the script that makes clusters (sql/cluster of this checkout)
import { spawn, spawnSync, execFile } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import * as openapi from './openapi.js';
import { symmetric as signatures } from 'retell-sdk/lib/webhook_auth';

import './webcrypto.js';

const here = path.dirname(fileURLToPath(import.meta.url));
export const BIN = path.resolve(process.env.FRONTDESK_BIN ?? path.join(here, '../../build/frontdesk'));
const CLUSTER = path.resolve(process.env.FRONTDESK_CLUSTER ?? path.join(here, '../../sql/cluster'));

export const SERVICE_KEY = 'service-key-of-the-tests-0123456789';
export const JWT_SECRET = 'secret-that-signs-tokens-of-the-tests-0123456789';
export const RETELL_KEY = 'key_tests_current_0123456789';
export const OLD_RETELL_KEY = 'key_tests_previous_0123456789';
export const WEBHOOK = '/api/webhooks/retell';

// ---- waiting ----

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Resolves to the first truthy value of `look`; fails with `what` when the deadline passes. */
export async function eventually(what, look, deadlineMs = 15_000) {
  const end = Date.now() + deadlineMs;
  for (;;) {
    const value = await look();
    if (value) return value;
    if (Date.now() > end) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await sleep(20);
  }
}

/** Fails when `promise` takes longer; a hang guard, not a measurement. */
export async function within(ms, what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${ms} ms: ${what}`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** A port of loopback that nobody listens on now. */
export const freePort = () => new Promise((resolve) => {
  const server = net.createServer().listen(0, '127.0.0.1', () => {
    const { port } = server.address();
    server.close(() => resolve(port));
  });
});

// ---- cleaning up ----

const leftovers = new Set(); // functions, each ending one thing, synchronously
process.on('exit', () => [...leftovers].reverse().forEach((end) => end()));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1));
// The last thing at exit, after what the test runner has to do there. Without it Node tears down its
// handles one by one, and where a socket died in the middle of a write it waits for it for ever.
process.once('beforeExit', () => process.on('exit', () => process.exit()));

/** Ends a process of ours at exit, if it is still there then; the process itself. */
export function endAtExit(child, end = () => child.kill('SIGKILL')) {
  leftovers.add(end);
  child.once('close', () => leftovers.delete(end));
  return child;
}

/** A fresh folder, removed at exit. */
export function scratch() {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'frontdesk-test-'));
  leftovers.add(() => fs.rmSync(dir, { recursive: true, force: true }));
  return dir;
}

// Only what a program needs to run: no setting of the caller's reaches the tests.
const bareEnv = () => ({ PATH: process.env.PATH, HOME: os.homedir(), LANG: 'C.UTF-8' });

// ---- the database ----

const run = promisify(execFile);

class Cluster {
  constructor() {
    this.dir = fs.mkdtempSync(path.join(os.tmpdir(), 'frontdesk-cluster-'));
    leftovers.add(() => this.destroy());
  }

  async start() {
    const { stdout } = await run(CLUSTER, ['start', this.dir], { timeout: 120_000 });
    this.urls = Object.fromEntries(
      stdout.trim().split('\n').map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
    );
    return this;
  }

  async stop() {
    await run(CLUSTER, ['stop', this.dir], { timeout: 120_000 });
  }

  destroy() {
    if (!fs.existsSync(this.dir)) return;
    for (const pid of this.stoppedPids ?? []) tryKill(pid, 'SIGCONT');
    spawnSync(CLUSTER, ['destroy', this.dir], { stdio: 'ignore', timeout: 120_000 });
    fs.rmSync(this.dir, { recursive: true, force: true });
  }

  /** The postmaster's pid. */
  pid() {
    return Number(fs.readFileSync(path.join(this.dir, 'pgdata/postmaster.pid'), 'utf8').split('\n')[0]);
  }

  /** Freezes the postmaster and all that it has started, as a machine that hangs would. */
  freeze() {
    const postmaster = this.pid();
    const children = fs.readFileSync(`/proc/${postmaster}/task/${postmaster}/children`, 'utf8');
    this.stoppedPids = [postmaster, ...children.trim().split(/\s+/).map(Number)];
    this.stoppedPids.forEach((pid) => tryKill(pid, 'SIGSTOP'));
  }

  thaw() {
    this.stoppedPids.forEach((pid) => tryKill(pid, 'SIGCONT'));
    this.stoppedPids = [];
  }

  /** Runs statements; `as` names one of the cluster's URLs, or is {url}. */
  async exec(text, as = 'SUPERUSER_DATABASE_URL') {
    const { stdout } = await run('psql', ['-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', as.url ?? this.urls[as], '-c', text], {
      env: bareEnv(), maxBuffer: 256 << 20, timeout: 60_000,
    });
    return stdout;
  }

  /** Holds what `sql` locks until the function that this resolves to is called. */
  async hold(sql) {
    const session = endAtExit(letGo(spawn('psql', ['-XAtq', '-d', this.urls.SUPERUSER_DATABASE_URL], { stdio: ['pipe', 'pipe', 'inherit'] })));
    const held = within(15_000, `locked: ${sql}`, once(session.stdout, 'data'));
    session.stdin.write(`BEGIN; ${sql}; SELECT 'held';\n`);
    await held;
    return () => {
      session.stdin.end('ROLLBACK;\n');
      return within(15_000, 'psql ends', once(session, 'close'));
    };
  }

  /** The rows of one query, as objects. */
  async rows(query, as) {
    return JSON.parse(await this.exec(`SELECT coalesce(json_agg(q), '[]') FROM (${query}) q`, as));
  }

  /** The one value of a query's one row. */
  async value(query, as) {
    const [row] = await this.rows(query, as);
    return Object.values(row)[0];
  }

  /**
   * Changes with every statement that the server makes for a request: each moves the query_start of
   * its connection. Those of its periodic jobs, on connections of their own, do not count.
   */
  asked() {
    return this.exec("SELECT pid, query_start FROM pg_stat_activity WHERE application_name IN ('frontdesk-api', 'frontdesk-ingest') ORDER BY pid");
  }

  journal(where = 'true') {
    return this.value(`SELECT count(*)::int FROM frontdesk.journal WHERE ${where}`);
  }
}

/** A running cluster with an empty database that has not been migrated. */
export const startCluster = () => new Cluster().start();

// ---- the binary ----

// A failed test leaves its server running. Nothing of it may keep the test's process from ending,
// which is what ends the server; whoever waits for one of these holds a deadline's timer.
function letGo(child) {
  child.unref();
  for (const stream of [child.stdin, child.stdout, child.stderr]) stream?.unref();
  return child;
}

function tryKill(pid, signal) {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}

export const settings = (cluster, more = {}) => ({
  ...bareEnv(),
  ...cluster?.urls,
  HOST: '127.0.0.1', RATE_LIMIT_MAX: '1000000', PORT: '0', ADMIN_PORT: '0', NODE_ENV: 'test', LOG_LEVEL: 'debug',
  API_AUTH_KEY: SERVICE_KEY, JWT_SECRET, RETELL_API_KEY: RETELL_KEY,
  POLL_INTERVAL_SECONDS: '0', RETELL_BASE_URL: 'http://127.0.0.1:9', // the real one is never asked
  ...more,
});

/** Runs the binary to its end: {code, stdout, stderr}. */
export function frontdesk(args, env, { cwd = scratch(), input, deadlineMs = 60_000, onStart, bin = BIN } = {}) {
  const child = endAtExit(letGo(spawn(bin, args, { cwd, env, stdio: ['pipe', 'pipe', 'pipe'] })));
  const out = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr']) child[name].setEncoding('utf8').on('data', (text) => (out[name] += text));
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  onStart?.(child, out);
  const done = new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, ...out }));
  });
  return within(deadlineMs, `frontdesk ${args.join(' ')}`, done).finally(() => child.kill('SIGKILL'));
}

export async function migrate(cluster, bin = BIN) {
  const result = await frontdesk(['migrate'], settings(cluster), { bin });
  if (result.code !== 0) throw new Error(`migrate failed: ${result.stdout}${result.stderr}`);
}

class Server {
  constructor(env, bin) {
    this.output = '';
    this.cwd = scratch();
    this.child = endAtExit(letGo(spawn(bin, ['serve'], { cwd: this.cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })));
    for (const stream of [this.child.stdout, this.child.stderr])
      stream.setEncoding('utf8').on('data', (text) => (this.output += text));
    this.exited = new Promise((resolve) => this.child.on('close', (code, signal) => resolve({ code, signal })));
  }

  get pid() {
    return this.child.pid;
  }

  get alive() {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  log() {
    return this.output.split('\n').flatMap((line) => {
      try {
        return [JSON.parse(line)];
      } catch {
        return [];
      }
    });
  }

  async listening() {
    const line = await eventually('the server listens', () => {
      if (!this.alive) throw new Error(`serve ended: ${this.output}`);
      return this.log().find((l) => l.msg === 'listening');
    });
    this.port = line.port;
    this.adminPort = line.admin_port;
    return this;
  }

  /** Asks it to end and waits; resolves to {code, signal}. */
  async stop(signal = 'SIGTERM') {
    this.child.kill(signal);
    return within(30_000, `the server ends after ${signal}`, this.exited);
  }
}

/** A server that listens. Its database need not be up. */
export const startServer = (cluster, more, bin = BIN) => new Server(settings(cluster, more), bin).listening();

/** Cluster, migrations and server in one: what most tests want. */
export async function startAll(more) {
  const cluster = await startCluster();
  await migrate(cluster);
  return { cluster, server: await startServer(cluster, more) };
}

// ---- HTTP ----

const agent = new http.Agent({ keepAlive: true, maxSockets: 128 });

/**
 * One request: {status, headers, body (Buffer), text, json}. The target goes out as it is. The answer
 * must be one that the API's document promises, unless that is not what the port answers by.
 */
export async function request(server, method, target, { headers = {}, body, port = server.port } = {}) {
  const answer = await send(port, method, target, headers, body);
  if (port === server.port) openapi.check({ method, target, body }, answer);
  return answer;
}

function send(port, method, target, headers, body) {
  return within(30_000, `${method} ${target}`, new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { 'Content-Length': Buffer.byteLength(body) };
    const req = http.request({ host: '127.0.0.1', port, method, path: target, agent, headers: { ...length, ...headers } });
    req.on('error', reject);
    req.on('response', (res) => {
      const chunks = [];
      res.on('error', reject);
      res.on('data', (chunk) => chunks.push(chunk));
      res.on('end', () => resolve(answer(res.statusCode, res.headers, Buffer.concat(chunks))));
    });
    req.end(body);
  }));
}

function answer(status, headers, body) {
  return {
    status, headers, body,
    get text() { return body.toString('utf8'); },
    get json() { return JSON.parse(body.toString('utf8')); },
  };
}

/** GET with the service key. */
export const get = (server, target, headers = {}) =>
  request(server, 'GET', target, { headers: { 'x-api-key': SERVICE_KEY, ...headers } });

/** A JSON request as a user (`token`), a program (`key`) or nobody. */
export const call = (server, method, target, { body, token, key, headers = {} } = {}) =>
  request(server, method, target, {
    body: body === undefined ? undefined : JSON.stringify(body),
    headers: {
      ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
      ...(key === undefined ? {} : { 'x-api-key': key }),
      ...headers,
    },
  });

/** The signature as Retell's own SDK makes it; of bytes that are not text, by its documentation. */
export async function sign(body, key = RETELL_KEY, ms = Date.now()) {
  if (typeof body === 'string') return signatures.sign(body, key, ms);
  return `v=${ms},d=${createHmac('sha256', key).update(body).update(String(ms)).digest('hex')}`;
}

/** Posts a webhook: an event as an object, or a body as it is; signed unless `signature` is given. */
export async function post(server, event, { key, ms, signature, target = WEBHOOK, headers = {} } = {}) {
  const body = typeof event === 'string' || Buffer.isBuffer(event) ? event : JSON.stringify(event);
  const signed = signature === undefined ? await sign(body, key, ms) : signature;
  return request(server, 'POST', target, {
    body,
    headers: { 'Content-Type': 'application/json', ...(signed === null ? {} : { 'x-retell-signature': signed }), ...headers },
  });
}

// ---- raw HTTP ----

function parseAnswer(bytes, toHead) {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) return null;
  const [first, ...lines] = bytes.subarray(0, end).toString('latin1').split('\r\n');
  const status = Number(first.split(' ')[1]);
  const headers = Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
  );
  const length = toHead || status < 200 || status === 204 ? 0 : Number(headers['content-length'] ?? 0);
  if (bytes.length < end + 4 + length) return null;
  return Object.assign(answer(status, headers, bytes.subarray(end + 4, end + 4 + length)), { size: end + 4 + length });
}

/**
 * A connection of its own for bytes that no HTTP client would send. `next()` resolves to the next
 * answer, `closed()` when the server has closed; both have a deadline.
 */
export class Raw {
  constructor(server, port = server.port) {
    this.bytes = Buffer.alloc(0);
    this.isClosed = false;
    this.socket = net.connect({ host: '127.0.0.1', port, allowHalfOpen: false });
    this.socket.setNoDelay(true);
    this.socket.unref(); // as with children: a test that fails does not close it
    this.socket.on('data', (chunk) => (this.bytes = Buffer.concat([this.bytes, chunk])));
    this.socket.on('close', () => (this.isClosed = true));
    this.socket.on('error', () => (this.isClosed = true)); // a reset is a way of closing
  }

  write(data) {
    this.socket.write(data);
    return this;
  }

  next({ deadlineMs = 15_000, toHead = false } = {}) {
    return eventually('an answer comes', () => {
      const found = parseAnswer(this.bytes, toHead);
      if (found) this.bytes = this.bytes.subarray(found.size);
      else if (this.isClosed) throw new Error('closed without an answer');
      return found;
    }, deadlineMs);
  }

  closed(deadlineMs = 15_000) {
    return eventually('the server closes the connection', () => this.isClosed, deadlineMs);
  }

  destroy() {
    this.socket.destroy();
  }
}

/** Sends bytes on a connection of their own; resolves to the first answer. */
export async function raw(server, data, options) {
  const connection = new Raw(server);
  try {
    return await connection.write(data).next(options);
  } finally {
    connection.destroy();
  }
}
