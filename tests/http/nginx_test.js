// The real nginx with docker/nginx.conf in front of two servers that are restarted one after the other.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import https from 'node:https';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { SERVICE_KEY, WEBHOOK, endAtExit, eventually, freePort, migrate, scratch, sign, startCluster, startServer, within } from './harness.js';
import { analyzed, ended, endedCall, started } from './samples.js';

const source = new URL('../../docker/nginx.conf', import.meta.url);

let cluster, nginx, port, plainPort, dir;
const servers = [];

// The file as it is, but for addresses and paths, which every installation changes.
function configure() {
  const replaced = (text, from, to) => {
    assert.ok(text.includes(from), `docker/nginx.conf has: ${from}`);
    return text.replace(from, to);
  };
  let text = fs.readFileSync(source, 'utf8');
  text = replaced(text, 'server server:3000 max_fails=0;',
    servers.map((s) => `server 127.0.0.1:${s.port} max_fails=0;`).join(' '));
  text = replaced(text, 'listen 80 default_server', `listen 127.0.0.1:${plainPort} default_server`);
  text = replaced(text, 'listen 443 ssl', `listen 127.0.0.1:${port} ssl`);
  text = replaced(text, '/run/nginx.pid', `${dir}/nginx.pid`);
  text = replaced(text, '/etc/frontdesk/tls/fullchain.pem', `${dir}/cert.pem`);
  text = replaced(text, '/etc/frontdesk/tls/privkey.pem', `${dir}/key.pem`);
  text = replaced(text, 'access_log /dev/stdout plain', `access_log ${dir}/access.log plain`);
  for (const kind of ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'])
    text = replaced(text, 'http {', `http {\n    ${kind}_temp_path ${dir}/${kind};`);
  fs.writeFileSync(path.join(dir, 'nginx.conf'), text);
}

before(async () => {
  cluster = await startCluster();
  await migrate(cluster);
  for (let i = 0; i < 2; i++) servers.push(await startServer(cluster, { TRUSTED_PROXIES: '127.0.0.1/32' }));
  dir = scratch();
  fs.chmodSync(dir, 0o711); // nginx's workers pass through to their temporary files
  [port, plainPort] = [await freePort(), await freePort()];
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '1', '-subj', '/CN=localhost',
    '-keyout', path.join(dir, 'key.pem'), '-out', path.join(dir, 'cert.pem')], { stdio: 'ignore' });
  configure();
  execFileSync('nginx', ['-t', '-q', '-p', dir, '-c', path.join(dir, 'nginx.conf')], { stdio: 'inherit' });
  nginx = spawn('nginx', ['-p', dir, '-c', path.join(dir, 'nginx.conf'), '-g', 'daemon off;'], { stdio: 'ignore' });
  nginx.unref();
  endAtExit(nginx, () => nginx.kill('SIGTERM')); // its workers end with it
  await eventually('nginx answers', async () => (await ask('GET', '/health').catch(() => null))?.status === 200);
});
after(async () => {
  nginx.kill('SIGTERM');
  await Promise.all(servers.map((s) => s.stop()));
});

const agent = new https.Agent({ keepAlive: true, maxSockets: 16, rejectUnauthorized: false });
const ask = (method, target, { headers = {}, body } = {}) => within(20_000, `${method} ${target}`, new Promise((resolve, reject) => {
  const length = body === undefined ? {} : { 'Content-Length': Buffer.byteLength(body) };
  const req = https.request({ host: '127.0.0.1', port, method, path: target, agent, headers: { ...length, ...headers } }, (res) => {
    const chunks = [];
    res.on('data', (c) => chunks.push(c)).on('end', () => resolve({ status: res.statusCode, headers: res.headers, text: Buffer.concat(chunks).toString() }));
  });
  req.on('error', reject);
  req.end(body);
}));
const send = async (event) => {
  const body = JSON.stringify(event);
  return ask('POST', WEBHOOK, { body, headers: { 'Content-Type': 'application/json', 'x-retell-signature': await sign(body) } });
};

test('a rolling restart of two servers fails no webhook and no request', async () => {
  const refused = [];
  const sent = [];
  let going = true;
  const caller = async () => {
    while (going) {
      const call = endedCall();
      for (const event of [started(call), ended(call), analyzed(call)]) {
        const answer = await send(event).catch((error) => ({ status: error.message }));
        if (answer.status !== 204) refused.push([event.event, answer.status]);
      }
      sent.push(call.call_id);
    }
  };
  const reader = async () => {
    while (going) {
      const answer = await ask('GET', '/api/dashboard/calls?limit=1', { headers: { 'x-api-key': SERVICE_KEY } }).catch((error) => ({ status: error.message }));
      if (answer.status !== 200) refused.push(['history', answer.status]);
    }
  };
  const busy = [...Array.from({ length: 6 }, caller), reader(), reader()];
  for (let i = 0; i < servers.length; i++) {
    const enough = sent.length + 40;
    await eventually('calls come in', () => sent.length > enough, 30_000);
    const { port: same } = servers[i];
    assert.deepEqual(await servers[i].stop(), { code: 0, signal: null });
    const without = sent.length + 20;
    await eventually('calls come in while one server is away', () => sent.length > without, 30_000);
    servers[i] = await startServer(cluster, { PORT: String(same), TRUSTED_PROXIES: '127.0.0.1/32' });
  }
  const end = sent.length + 40;
  await eventually('calls come in at the end', () => sent.length > end, 30_000);
  going = false;
  await Promise.all(busy);
  assert.deepEqual(refused, []);
  const stored = new Set((await cluster.rows('SELECT call_id FROM frontdesk.calls WHERE call_successful')).map((r) => r.call_id));
  assert.deepEqual(sent.filter((id) => !stored.has(id)), []);
  assert.ok(servers.every((s) => s.log().some((l) => l.path === WEBHOOK)), 'both served');
});

test('P14: over plain http the webhook URL answers an error and no redirect; other addresses redirect', async () => {
  const plain = (target) => fetch(`http://127.0.0.1:${plainPort}${target}`, { method: 'POST', redirect: 'manual', body: '{}' });
  assert.equal((await plain(WEBHOOK)).status, 403);
  assert.equal((await plain(`${WEBHOOK}?a=1`)).status, 403);
  assert.equal((await plain('/api/auth/login')).status, 308);
});

test('a 9 MB webhook passes, other bodies over 1 MB and metrics do not', async () => {
  const call = endedCall({ transcript: 'x'.repeat(9 << 20) });
  assert.equal((await send(ended(call))).status, 204);
  assert.equal((await ask('POST', '/api/auth/login', { body: 'x'.repeat(2 << 20) })).status, 413);
  assert.equal((await ask('GET', '/metrics')).status, 404);
});

test('no query string reaches nginx\'s log', async () => {
  await ask('GET', '/api/dashboard/calls?caller=%2B12125550666', { headers: { 'x-api-key': SERVICE_KEY } });
  await eventually('the request is logged', () => fs.readFileSync(path.join(dir, 'access.log'), 'utf8').includes('/api/dashboard/calls'));
  assert.ok(!fs.readFileSync(path.join(dir, 'access.log'), 'utf8').includes('12125550666'));
});
