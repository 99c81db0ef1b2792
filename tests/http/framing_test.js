// P18: bytes that no well-behaved client sends. After each the right answer, and the process lives.
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { Raw, SERVICE_KEY, WEBHOOK, post, raw, request, sign, startAll, within } from './harness.js';
import { ended, endedCall } from './samples.js';

let server, cluster, pid;
before(async () => {
  ({ cluster, server } = await startAll());
  pid = server.pid;
});
after(() => server?.stop());
afterEach(async () => {
  assert.ok(server.alive, server.output.slice(-2000));
  assert.equal(server.pid, pid);
  assert.equal((await request(server, 'GET', '/healthz')).status, 200);
});

const HOST = 'Host: localhost\r\n';
const KEY = `x-api-key: ${SERVICE_KEY}\r\n`;

/** Sends the bytes; the answer must be one of the statuses, in the contract's shape, and the last. */
async function refused(bytes, ...statuses) {
  const connection = new Raw(server);
  try {
    const answer = await connection.write(bytes).next();
    assert.ok(statuses.includes(answer.status), `${answer.status}, not ${statuses}: ${String(bytes).slice(0, 100)}`);
    assert.equal(answer.json.error, true);
    assert.equal(answer.json.status, answer.status);
    assert.match(answer.json.code, /^[a-z_]+$/);
    assert.match(answer.headers['x-request-id'], /^[A-Za-z0-9._-]{1,64}$/);
    assert.equal(answer.headers['x-content-type-options'], 'nosniff');
    await connection.closed();
    assert.equal(connection.bytes.length, 0, 'nothing comes after a refusal');
    return answer;
  } finally {
    connection.destroy();
  }
}

test('two Content-Lengths are refused, the same or not', async () => {
  for (const [a, b] of [['2', '2'], ['2', '3'], ['2', '0']])
    await refused(`POST ${WEBHOOK} HTTP/1.1\r\n${HOST}Content-Length: ${a}\r\nContent-Length: ${b}\r\n\r\n{}`, 400);
});

test('a Content-Length that is not plain digits is refused', async () => {
  for (const length of ['+2', '-2', '2, 2', '2 2', '0x2', '2.0', '', 'two', '9'.repeat(30), '2\t3'])
    await refused(`POST ${WEBHOOK} HTTP/1.1\r\n${HOST}Content-Length: ${length}\r\n\r\n{}`, 400, 413);
});

test('a Transfer-Encoding is refused, alone and beside a Content-Length', async () => {
  for (const more of ['', 'Content-Length: 5\r\n'])
    for (const coding of ['chunked', 'Chunked', 'identity', 'gzip, chunked', 'xchunked', ' chunked'])
      await refused(`POST ${WEBHOOK} HTTP/1.1\r\n${HOST}${more}Transfer-Encoding: ${coding}\r\n\r\n0\r\n\r\n`, 400, 411);
});

test('a smuggled second request is never answered', async () => {
  for (const framing of ['Content-Length: 4\r\nTransfer-Encoding: chunked\r\n', 'Content-Length: 0\r\nContent-Length: 44\r\n', 'Transfer-Encoding : chunked\r\n'])
    await refused(`POST ${WEBHOOK} HTTP/1.1\r\n${HOST}${framing}\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\n${HOST}\r\n`, 400, 411);
});

test('HTTP/1.1 needs exactly one Host', async () => {
  await refused('GET /healthz HTTP/1.1\r\n\r\n', 400);
  await refused('GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n', 400);
  await refused('GET /healthz HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n', 400);
});

test('HTTP/1.0 needs no Host and is closed after its answer', async () => {
  const connection = new Raw(server);
  assert.equal((await connection.write('GET /healthz HTTP/1.0\r\n\r\n').next()).status, 200);
  await connection.closed();
});

test('folded headers and names that are no tokens are refused', async () => {
  for (const line of ['X-A: 1\r\n 2', 'X-A: 1\r\n\t2', 'X A: 1', 'X-A : 1', ': 1', 'X@: 1', 'X(y): 1', 'no colon at all', '\x01: 1', 'X-Ä: 1'])
    await refused(Buffer.from(`GET /healthz HTTP/1.1\r\n${HOST}${line}\r\n\r\n`, 'latin1'), 400);
});

test('no header is dropped behind a line that is none: its body would become the next request', async () => {
  const hidden = 'GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n';
  for (const line of ['X-A: 1\r\n 2', ': 1', ' X-A: 1', '\tX-A: 1', 'X-A', 'X-A\0: 1'])
    await refused(`POST ${WEBHOOK} HTTP/1.1\r\n${HOST}${line}\r\nContent-Length: ${hidden.length}\r\n\r\n${hidden}`, 400);
});

test('the target may be in absolute form, and no form of it goes unanswered', async () => {
  assert.ok([200, 400, 404].includes((await raw(server, `GET http://localhost/healthz HTTP/1.1\r\n${HOST}\r\n`)).status));
  for (const target of ['*', 'localhost:80', 'http://', 'http://localhost', 'https://localhost/healthz', 'ftp://localhost/x', 'javascript:1'])
    assert.ok((await raw(server, `GET ${target} HTTP/1.1\r\n${HOST}\r\n`)).status >= 400, target);
});

test('control characters in a header\'s value are refused', async () => {
  for (const c of ['\0', '\x01', '\x0b', '\x1b', '\x7f'])
    await refused(Buffer.from(`GET /healthz HTTP/1.1\r\n${HOST}X-A: a${c}b\r\n\r\n`, 'latin1'), 400);
});

test('600 headers get 431', async () => {
  const many = Array.from({ length: 600 }, (_, i) => `X-${i}: ${i}\r\n`).join('');
  assert.equal((await refused(`GET /healthz HTTP/1.1\r\n${HOST}${many}\r\n`, 431)).json.code, 'headers_too_large');
});

test('64 headers get 431, 60 pass: none is silently dropped', async () => {
  const some = (n) => Array.from({ length: n }, (_, i) => `X-${i}: ${i}\r\n`).join('');
  assert.equal((await raw(server, `GET /healthz HTTP/1.1\r\n${HOST}${some(60)}\r\n`)).status, 200);
  await refused(`GET /healthz HTTP/1.1\r\n${HOST}${some(64)}\r\n`, 431);
});

test('headers of 100 KB get 431, in one header or many', async () => {
  assert.equal((await refused(`GET /healthz HTTP/1.1\r\n${HOST}X-A: ${'a'.repeat(100_000)}\r\n\r\n`, 431)).json.code, 'headers_too_large');
  await refused(`GET /healthz HTTP/1.1\r\n${HOST}${`X-A: ${'a'.repeat(4000)}\r\n`.repeat(25)}\r\n`, 431);
});

test('a URI that is too long gets 414', async () => {
  const answer = await refused(`GET /healthz?${'a'.repeat(9000)} HTTP/1.1\r\n${HOST}\r\n`, 414);
  assert.equal(answer.json.code, 'uri_too_long');
  await refused(`GET /${'a'.repeat(100_000)} HTTP/1.1\r\n${HOST}\r\n`, 414, 431);
});

test('NUL, control characters and broken escapes in the target are refused', async () => {
  for (const target of ['/healthz%00', '/%00', '/api/dashboard/calls/a%00b', '/healthz?a=%00', '/healthz%0d%0aX: y', '/healthz%1f', '/healthz%7f', '/%', '/%4', '/%zz',
    '/health\x01z', '/h\x80', '/healthz?a\tb'])
    await refused(Buffer.from(`GET ${target} HTTP/1.1\r\n${HOST}${KEY}\r\n`, 'latin1'), 400);
});

test('request lines that are no HTTP are answered 400 or closed', async () => {
  const lines = ['', 'GET', 'GET /healthz', 'GET /healthz HTTP/9.9', 'GET /healthz HTTP/1.1 x', 'GET /healthz http/1.1', 
    'G@T /healthz HTTP/1.1', 'GET healthz HTTP/1.1', 'PRI * HTTP/2.0', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', '\0\0\0\0', 'x'.repeat(40_000), 'SSH-2.0-x'];
  for (const line of lines) {
    const connection = new Raw(server);
    connection.write(Buffer.from(`${line}\r\n${HOST}\r\n`, 'latin1'));
    const answer = await connection.next().catch((error) => ({ status: error.message }));
    assert.ok([400, 404, 405, 414, 431, 501, 505, 'closed without an answer'].includes(answer.status), `${JSON.stringify(line.slice(0, 50))}: ${answer.status}`);
    connection.destroy();
  }
});

test('unknown methods are refused without harm', async () => {
  for (const method of ['BREW', 'TRACE', 'CONNECT', 'PROPFIND', 'get', 'X'.repeat(200)]) {
    const connection = new Raw(server);
    const answer = await connection.write(`${method} /healthz HTTP/1.1\r\n${HOST}\r\n`).next();
    assert.ok([400, 405, 501].includes(answer.status), `${method}: ${answer.status}`);
    connection.destroy();
  }
});

test('an upgrade to WebSocket is refused', async () => {
  await refused(`GET /healthz HTTP/1.1\r\n${HOST}Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n`, 400);
});

test('a client that offers HTTP/2, as Java\'s does with each first request, is answered as usual', async () => {
  const offer = 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAAAAAMAAAAAAAQBAAAAAAUAAEAAAAYABgAA\r\n';
  assert.equal((await raw(server, `GET /healthz HTTP/1.1\r\n${HOST}${offer}\r\n`)).status, 200);
});

test('what an answer says of the connection is what becomes of it', async () => {
  for (const [line, kept] of [['', true], ['Connection: keep-alive\r\n', true], ['Connection: TE, Keep-Alive\r\n', true], ['Connection: close\r\n', false],
    ['connection: Close\r\n', false], ['Connection: keep-alive, close\r\n', false], ['Connection: TE\r\n', false], ['Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n', false],
    ['Connection: keep-alive\r\nConnection: close\r\n', false]]) {
    const connection = new Raw(server);
    try {
      const answer = await connection.write(`GET /healthz HTTP/1.1\r\n${HOST}${line}\r\n`).next();
      assert.equal(answer.headers.connection, kept ? 'keep-alive' : 'close', line);
      if (kept) assert.equal((await connection.write(`GET /healthz HTTP/1.1\r\n${HOST}\r\n`).next()).status, 200, line);
      else await connection.closed();
    } finally {
      connection.destroy();
    }
  }
});

test('random bytes are survived', async () => {
  let state = 12345; // the same bytes each time
  const random = () => (state = (Math.imul(state, 1103515245) + 12345) >>> 0) >>> 16;
  for (let round = 0; round < 50; round++) {
    const connection = new Raw(server);
    connection.write(Buffer.from(Array.from({ length: 1 + (random() % 3000) }, () => random() & 255)));
    connection.write('\r\n\r\n');
    await connection.next().catch(() => {});
    connection.destroy();
  }
});

// ---- tokens and nesting ----

test('a token of 100 KB is refused', async () => {
  for (const header of ['Authorization: Bearer ', 'x-api-key: ', 'x-retell-signature: '])
    for (const size of [5_500, 15_000, 100_000]) {
      const answer = await raw(server, `GET /api/dashboard/agents HTTP/1.1\r\n${HOST}${header}${'a'.repeat(size)}\r\n\r\n`);
      assert.ok([401, 431].includes(answer.status), `${header} ${size}: ${answer.status}`);
    }
});

test('a token of nested JSON is refused', async () => {
  for (const depth of [1000, 3500]) {
    const segment = Buffer.from('['.repeat(depth)).toString('base64url');
    for (const token of [`${segment}.${segment}.x`, `e30.${segment}.x`, segment]) {
      const answer = await raw(server, `GET /api/dashboard/agents HTTP/1.1\r\n${HOST}Authorization: Bearer ${token}\r\n\r\n`);
      assert.equal(answer.status, 401);
    }
  }
});

test('100 000 opening brackets: 401 without a signature, 400 with one', async () => {
  const body = '['.repeat(100_000);
  const head = `POST ${WEBHOOK} HTTP/1.1\r\n${HOST}Content-Type: application/json\r\nContent-Length: ${body.length}\r\n`;
  assert.equal((await raw(server, `${head}\r\n${body}`)).status, 401);
  assert.equal((await raw(server, `${head}x-retell-signature: ${await sign(body)}\r\n\r\n${body}`)).status, 400);
  for (const nested of ['{"event":"x","a":' + '['.repeat(100_000), '{"a":'.repeat(20_000), '[{"a":'.repeat(20_000)]) {
    const signed = `POST ${WEBHOOK} HTTP/1.1\r\n${HOST}Content-Length: ${nested.length}\r\nx-retell-signature: ${await sign(nested)}\r\n\r\n${nested}`;
    assert.equal((await raw(server, signed)).status, 400);
  }
});

// ---- bodies ----

test('a body that ends too soon is not handed on', async () => {
  const body = JSON.stringify(ended(endedCall({ agent_id: 'agent_short' })));
  const journal = await cluster.journal();
  for (const cut of [0, 1, body.length - 1]) {
    const part = body.slice(0, cut);
    const connection = new Raw(server);
    connection.write(`POST ${WEBHOOK} HTTP/1.1\r\n${HOST}x-retell-signature: ${await sign(part)}\r\nContent-Length: ${body.length}\r\n\r\n${part}`);
    connection.socket.end();
    const answer = await connection.next().catch((error) => ({ status: error.message }));
    assert.ok([400, 408, 'closed without an answer'].includes(answer.status), String(answer.status));
    connection.destroy();
  }
  assert.equal(await cluster.journal(), journal);
});

test('Expect: 100-continue is answered at once, and then the request', async () => {
  const body = JSON.stringify(ended(endedCall({ agent_id: 'agent_expect' })));
  const connection = new Raw(server);
  connection.write(`POST ${WEBHOOK} HTTP/1.1\r\n${HOST}Expect: 100-continue\r\nx-retell-signature: ${await sign(body)}\r\nContent-Length: ${body.length}\r\n\r\n`);
  assert.equal((await connection.next()).status, 100);
  assert.equal((await connection.write(body).next()).status, 204);
  connection.destroy();
});

test('Expect: 100-continue is not answered with 100 when the body would be refused', async () => {
  const connection = new Raw(server);
  connection.write(`POST ${WEBHOOK} HTTP/1.1\r\n${HOST}Expect: 100-continue\r\nx-retell-signature: ${await sign('x')}\r\nContent-Length: ${20 << 20}\r\n\r\n`);
  assert.equal((await connection.next()).status, 413);
  connection.destroy();
});

test('a body with GET neither confuses the connection nor is taken for the next request', async () => {
  const connection = new Raw(server);
  connection.write(`GET /healthz HTTP/1.1\r\n${HOST}Content-Length: 7\r\n\r\nGARBAGE`);
  const first = await connection.next();
  assert.ok(first.status < 500, String(first.status));
  if (!connection.isClosed && first.headers.connection !== 'close') {
    assert.equal((await connection.write(`GET /healthz HTTP/1.1\r\n${HOST}\r\n`).next()).status, 200);
  }
  connection.destroy();
});

test('several requests on one connection, sent at once, are answered in order', async () => {
  const connection = new Raw(server);
  connection.write(`GET /healthz HTTP/1.1\r\n${HOST}X-Request-Id: one\r\n\r\nGET /nowhere HTTP/1.1\r\n${HOST}X-Request-Id: two\r\n\r\nGET /healthz HTTP/1.1\r\n${HOST}X-Request-Id: three\r\n\r\n`);
  const answers = [await connection.next(), await connection.next(), await connection.next()];
  assert.deepEqual(answers.map((a) => [a.status, a.headers['x-request-id']]), [[200, 'one'], [404, 'two'], [200, 'three']]);
  connection.destroy();
});

test('a request in single bytes is understood', async () => {
  const connection = new Raw(server);
  for (const byte of `GET /healthz HTTP/1.1\r\n${HOST}\r\n`) {
    connection.write(byte);
    await new Promise(setImmediate);
  }
  assert.equal((await connection.next()).status, 200);
  connection.destroy();
});

test('a body that drips for ever is cut off with 408, however steadily it drips and whatever came first', async () => {
  const signature = await sign('x');
  const connections = ['', 'x'.repeat(100_000)].map((first) =>
    new Raw(server).write(`POST ${WEBHOOK} HTTP/1.1\r\n${HOST}x-retell-signature: ${signature}\r\nContent-Length: 1000000\r\n\r\n${first}`));
  const drip = setInterval(() => connections.forEach((c) => c.write(' ')), 200);
  try {
    for (const connection of connections) {
      const answer = await connection.next({ deadlineMs: 40_000 });
      assert.equal(answer.status, 408);
      assert.equal(answer.json.code, 'request_timeout');
      await connection.closed();
    }
  } finally {
    clearInterval(drip);
    connections.forEach((c) => c.destroy());
  }
});

test('headers that never end are cut off', async () => {
  const connection = new Raw(server);
  connection.write(`GET /healthz HTTP/1.1\r\n${HOST}X-A: `);
  await connection.closed(60_000);
});

test('P18: clients that keep their connections to the admin port keep no probe waiting', async () => {
  const held = Array.from({ length: 12 }, () => new Raw(server, server.adminPort));
  try {
    for (const c of held) assert.equal((await c.write(`GET /healthz HTTP/1.1\r\n${HOST}\r\n`).next()).headers.connection, 'close');
    const silent = Array.from({ length: 12 }, () => new Raw(server, server.adminPort));
    held.push(...silent);
    await within(5000, 'the silent clients connect', Promise.all(silent.map((c) => new Promise((r) => (c.socket.connecting ? c.socket.once('connect', r) : r())))));
    await within(5000, 'a probe is answered', request(server, 'GET', '/readyz', { port: server.adminPort }));
  } finally {
    held.forEach((c) => c.destroy());
  }
});

test('P18: 512 clients that trickle heads and bodies keep neither probes nor a real webhook waiting', async () => {
  const idle = Array.from({ length: 512 }, () => new Raw(server));
  await within(20_000, 'the clients connect', Promise.all(idle.map((c) => new Promise((r) => (c.socket.connecting ? c.socket.once('connect', r) : r())))));
  const signed = `x-retell-signature: ${await sign('{}')}\r\n`;
  idle.forEach((c, i) => c.write(i % 2 ? 'POST ' : `POST ${WEBHOOK} HTTP/1.1\r\n${HOST}${signed}Content-Length: 1000\r\n\r\n{`));
  try {
    // Theirs time out after 10 s: whoever had to wait for one of them would be too late here.
    await within(5000, 'probe, page and webhook are answered', (async () => {
      assert.equal((await request(server, 'GET', '/readyz', { port: server.adminPort })).status, 200);
      assert.equal((await raw(server, `GET /healthz HTTP/1.1\r\n${HOST}\r\n`)).status, 200);
      assert.equal((await post(server, ended(endedCall()))).status, 204);
    })());
    assert.ok(idle.filter((c) => !c.isClosed).length > 500, 'they are still there');
  } finally {
    for (const c of idle) c.destroy();
  }
});
