// A dashboard on another origin, in a real browser: Chromium decides here what a page may send and
// read, as it does for users. The page is browser/dashboard.html.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import { after, before, test } from 'node:test';
import { chromium } from 'playwright-core';
import { call, eventually, migrate, post, scratch, startCluster, startServer, within } from './harness.js';
import { ended, endedCall } from './samples.js';

const EMAIL = 'boss@example.com';
const PASSWORD = 'correct horse battery';
const PAGE = fs.readFileSync(new URL('browser/dashboard.html', import.meta.url));
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

let cluster, open, production, browser, dashboards;
before(async () => {
  cluster = await startCluster();
  await migrate(cluster);
  dashboards = await Promise.all([serve(), serve()]);
  const boss = { DB_POOL_SIZE: '4', SUPERADMIN_EMAIL: EMAIL, SUPERADMIN_PASSWORD: PASSWORD };
  open = await startServer(cluster, boss);
  production = await startServer(cluster, { ...boss, NODE_ENV: 'production', ALLOWED_ORIGINS: `https://elsewhere.example,${dashboards[0].origin}` });
  for (const name of ['Older', 'Newer'])
    assert.equal((await post(open, ended(endedCall({ agent_id: `agent_${name.toLowerCase()}`, agent_name: name })))).status, 204);
  browser = await within(60_000, 'Chromium starts', chromium.launchPersistentContext(scratch(), { executablePath: '/usr/bin/chromium', headless: true, args: FLAGS }));
});
after(async () => {
  await browser?.close();
  await Promise.all([open?.stop(), production?.stop(), ...(dashboards ?? []).map((d) => d.close())]);
});

/** An origin that serves the page: {origin, close}. */
async function serve() {
  const server = http.createServer((req, res) => res.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8' }).end(PAGE));
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  server.unref();
  return {
    origin: `http://127.0.0.1:${server.address().port}`,
    close: () => new Promise((resolve) => { server.close(resolve); server.closeAllConnections(); }),
  };
}

/** The page of one dashboard, pointed at one server. */
async function visit(dashboard, server) {
  const page = await browser.newPage();
  page.setDefaultTimeout(15_000);
  await page.goto(`${dashboard.origin}/?api=http://127.0.0.1:${server.port}`);
  return page;
}

const state = (page) => page.textContent('#state');
const says = (page, what) => eventually(`the page says ${what}`, async () => what.test(await state(page))).catch(async (error) => {
  throw new Error(`${error.message}; it says: ${await state(page)}`);
});
const lists = (page, names) => eventually(`the page lists ${names}`, async () => String(await page.locator('#agents li').allTextContents()) === names);
async function logIn(page, password = PASSWORD) {
  await page.fill('#email', EMAIL);
  await page.fill('#password', password);
  await page.click('#login button');
}
const asked = (server, method, path) => server.log().filter((l) => l.msg === 'request' && l.method === method && (!path || l.path === path)).length;

for (const [name, server] of [['outside production', () => open], ['in production, from an origin that is listed', () => production]])
  test(`a dashboard ${name}: login, preflights, GET, PUT, DELETE with a body, the token kept, 401 handled`, async () => {
    const api = server();
    const page = await visit(dashboards[0], api);
    await says(page, /^$/);
    await logIn(page, 'wrong horse');
    await says(page, /^POST 401 The e-mail address or the password is wrong\. \| id \| limits$/);
    assert.equal(await page.isVisible('#login'), true);

    await logIn(page);
    await lists(page, 'Newer,Older');
    await says(page, /^GET 200 ok \| id \| limits$/);
    assert.equal(await page.isVisible('#login'), false);

    const renamed = `Renamed ${name}`;
    await page.fill('#name', renamed);
    await page.click('#rename');
    await says(page, /^PUT 200 /);
    await page.click('#assign');
    await says(page, /^POST 201 /);
    await page.click('#assign');
    await says(page, /^POST 409 /);
    await page.click('#unassign');
    await says(page, /^DELETE 200 Assignment removed successfully/);
    await page.click('#unassign');
    await says(page, /^DELETE 404 /);
    for (const path of ['/api/auth/login', '/api/dashboard/agents', '/api/dashboard/agents/agent_newer', '/api/dashboard/assignments'])
      await eventually(`the browser asked first for ${path}`, () => asked(api, 'OPTIONS', path));

    await page.reload();
    await lists(page, `${renamed},Older`); // the token was kept

    const token = await page.evaluate(() => localStorage.getItem('token'));
    assert.equal((await call(api, 'POST', '/api/auth/logout-all', { token })).status, 200);
    await page.click('#list');
    await says(page, /^GET 401 /);
    assert.equal(await page.isVisible('#login'), true);
    assert.equal(await page.evaluate(() => localStorage.getItem('token')), null);

    await logIn(page);
    await lists(page, `${renamed},Older`);
    await page.fill('#name', 'Newer'); // as it was, for the next test
    await page.click('#rename');
    await says(page, /^PUT 200 /);
    await page.evaluate(() => localStorage.clear());
    await page.close();
  });

test('in production a page of an origin that is not listed gets nothing through', async () => {
  const logins = asked(production, 'POST', '/api/auth/login');
  const asks = asked(production, 'OPTIONS', '/api/auth/login');
  const page = await visit(dashboards[1], production);
  await logIn(page);
  await says(page, /^blocked: TypeError$/);
  await eventually('its preflight is logged', () => asked(production, 'OPTIONS', '/api/auth/login') > asks);
  assert.equal(asked(production, 'POST', '/api/auth/login'), logins, 'the login was never sent');

  // Not even with somebody's good token in hand.
  const { json } = await call(production, 'POST', '/api/auth/login', { body: { email: EMAIL, password: PASSWORD } });
  await page.evaluate((token) => localStorage.setItem('token', token), json.token);
  await page.reload();
  await says(page, /^blocked: TypeError$/);
  assert.deepEqual(await page.locator('#agents li').allTextContents(), []);
  await page.close();
});
