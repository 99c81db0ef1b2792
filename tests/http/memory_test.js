// P22 in short: memory after tens of thousands of requests. A million: tests/faults/ingest_test.mjs.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { RETELL_KEY, SERVICE_KEY, startAll } from './harness.js';

const LOAD = path.join(path.dirname(fileURLToPath(import.meta.url)), '../../build/bench/load');
const run = promisify(execFile);

let server;
before(async () => {
  ({ server } = await startAll({ LOG_LEVEL: 'info', RATE_LIMIT_MAX: '0' }));
});
after(() => server?.stop());

const megabytes = () => Number(/VmRSS:\s*(\d+)/.exec(fs.readFileSync(`/proc/${server.pid}/status`, 'utf8'))[1]) / 1024;

async function load(status, ...args) {
  const { stdout } = await run(LOAD, [...args, '--port', server.port].map(String), { timeout: 60_000 });
  assert.deepEqual(Object.keys(JSON.parse(stdout).statuses), [status]);
}

/** Events of 200 calls, then requests of 512 connections that stay open: hits, and errors. */
async function some(seed) {
  await load('204', 'webhooks', '--key', RETELL_KEY, '--calls', 200, '--seed', seed, '--connections', 64);
  await load('200', 'get', '/api/dashboard/agent-info/agent_bench_0', '--key', SERVICE_KEY, '--requests', 3000, '--connections', 512);
  await load('401', 'get', '/api/dashboard/calls', '--key', 'no key', '--requests', 1500, '--connections', 512);
}

test('P22: 50000 requests and events on 512 connections leave the server at 64 MB or less, and flat', async (t) => {
  for (let seed = 1; seed <= 6; seed++) await some(seed); // by now every worker has led and followed others
  const before = megabytes();
  for (let seed = 7; seed <= 9; seed++) await some(seed);
  const now = megabytes();
  t.diagnostic(`RSS ${before.toFixed(1)} MB after two thirds, ${now.toFixed(1)} MB at the end`);
  assert.ok(now <= 64, `${now} MB`);
  assert.ok(now - before < 4, `from ${before} to ${now} MB: 200 bytes of each request would be left`);
});
