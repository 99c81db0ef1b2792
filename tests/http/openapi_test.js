// The document of the API: that it is well-formed, that it tells of exactly the endpoints there are,
// and that it is served. Whether it tells the truth is asked of every answer: see openapi.js.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createConfig, lint } from '@redocly/openapi-core';
import { BIN, SERVICE_KEY, frontdesk, request, startAll } from './harness.js';
import { METHODS, check, document, file } from './openapi.js';

let server, routes;
before(async () => {
  ({ server } = await startAll());
  routes = JSON.parse((await frontdesk(['routes'], { PATH: process.env.PATH })).stdout);
});
after(() => server?.stop());

const operations = Object.entries(document.paths).flatMap(([path, item]) =>
  METHODS.filter((method) => item[method]).map((method) => ({ name: `${method.toUpperCase()} ${path}`, path, method, operation: item[method] })));
const nameOf = (route) => `${route.method} ${route.pattern.replace(/:(\w+)/g, '{$1}')}`;

test('the document has nothing that Redocly\'s strictest rules find fault with', async () => {
  const config = await createConfig({ extends: ['recommended-strict'] });
  const problems = await lint({ ref: fileURLToPath(file), config });
  assert.deepEqual(problems.map((p) => `${p.ruleId}: ${p.message} at ${p.location[0]?.pointer}`), []);
});

test('the document and the route table name the same operations', () => {
  assert.deepEqual(operations.map((o) => o.name).sort(), routes.map(nameOf).sort());
});

test('the document says of each operation who may, and whether it is limited, as the route table does', () => {
  const security = {
    public: [], signed: [{ retell: [] }], person: [{ token: [] }],
    reader: document.security, admin: document.security, superadmin: document.security,
  };
  for (const route of routes) {
    const { operation } = operations.find((o) => o.name === nameOf(route));
    const name = nameOf(route);
    assert.deepEqual(operation.security ?? document.security, security[route.access], name);
    assert.equal('429' in operation.responses, route.limit !== 'none', `429 of ${name}`);
    assert.equal('401' in operation.responses, route.access !== 'public' || name === 'POST /api/auth/login', `401 of ${name}`);
    if (['person', 'admin', 'superadmin'].includes(route.access)) assert.ok('403' in operation.responses, `403 of ${name}`);
    if (operation.requestBody && route.access !== 'signed') for (const status of ['400', '413', '415']) assert.ok(status in operation.responses, `${status} of ${name}`);
  }
});

test('the document is served as it is in the tree, to anybody, and is of this version', async () => {
  const answer = await request(server, 'GET', '/openapi.json');
  assert.equal(answer.status, 200);
  assert.deepEqual(answer.json, document);
  assert.equal((await frontdesk(['version'], { PATH: process.env.PATH })).stdout.trim(), `frontdesk ${document.info.version}`);
  assert.deepEqual(JSON.parse(fs.readFileSync(file, 'utf8')), document);
});

test('the reference for people is what the document and the route table make it', () => {
  const generator = fileURLToPath(new URL('../../server/api/reference', import.meta.url));
  const reference = fs.readFileSync(new URL('../../docker/API.md', import.meta.url), 'utf8');
  assert.equal(reference, execFileSync(generator, [BIN], { encoding: 'utf8' }), 'make it anew: server/api/reference build/frontdesk > docker/API.md');
  for (const { name } of operations) assert.ok(reference.includes(`\n### ${name}\n`), name);
  const headings = new Set([...reference.matchAll(/^#+ (.*)$/gm)].map(([, title]) => title.toLowerCase()));
  for (const [, anchor] of reference.matchAll(/\]\(#([^)]+)\)/g)) assert.ok(headings.has(anchor), anchor);
  assert.doesNotMatch(reference, /undefined|\[object/);
});

test('every endpoint refuses a query key that the document does not name, but for probes and Retell', async () => {
  for (const { name, path, method, operation } of operations) {
    if (operation.security?.length === 0 && path !== '/openapi.json' || path === '/api/webhooks/retell' || operation.security?.[0]?.token) continue;
    const target = path.replace(/\{(\w+)\}/g, '0f0f0f0f-0000-4000-8000-000000000000');
    const headers = { 'x-api-key': SERVICE_KEY, ...(operation.requestBody ? { 'Content-Type': 'application/json' } : {}) };
    const answer = await request(server, method.toUpperCase(), `${target}?no_such_key=1`, { headers, body: operation.requestBody ? '{}' : undefined });
    if (answer.status === 403 && operation.responses['403']) continue; // what takes a superadministrator says so first
    assert.equal(answer.status, 400, name);
    assert.ok(answer.json.errors.some((e) => e.field === 'no_such_key'), name);
  }
});

test('the judge is strict: it finds what is missing, what is too much, and what is not documented', () => {
  const good = {
    status: 200,
    headers: { 'content-type': 'application/json; charset=utf-8', 'x-request-id': 'a' },
    text: JSON.stringify({ status: 'healthy', timestamp: '2026-03-01T09:30:00.000Z', uptime: 1, version: '1' }),
  };
  const ask = { method: 'GET', target: '/health' };
  check(ask, good);
  const bad = [
    [ask, { ...good, status: 201 }], [ask, { ...good, status: 404 }], [ask, { ...good, text: '{}' }], [ask, { ...good, text: good.text.replace('"status"', '"more":1,"status"') }],
    [ask, { ...good, text: good.text.replace('.000Z', 'Z') }], [ask, { ...good, headers: { ...good.headers, 'x-new': '1' } }],
    [ask, { ...good, headers: { 'content-type': 'application/json' } }], [ask, { ...good, headers: { ...good.headers, 'content-type': 'text/html' } }],
    [{ method: 'GET', target: '/health?x=1' }, good], [{ method: 'GET', target: '/nowhere' }, good], [{ method: 'PUT', target: '/health' }, good],
    [{ method: 'PUT', target: '/health' }, { ...good, status: 405, text: '{"error":true,"message":"m","code":"c","status":405,"requestId":"a"}' }],
  ];
  for (const [asked, answer] of bad) assert.throws(() => check(asked, answer), JSON.stringify([asked, answer]));
});
