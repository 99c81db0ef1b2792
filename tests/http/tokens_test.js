// P20: tokens cannot be forged or confused. Each attack is answered 401 without a word to the
// database; what jose, another implementation, makes of ours and for us is the proof of the rest.
import assert from 'node:assert/strict';
import { createHmac, generateKeyPairSync, randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { SignJWT, jwtVerify } from 'jose';
import { JWT_SECRET, SERVICE_KEY, call, raw, startAll, startServer } from './harness.js';

const PASSWORD = 'correct horse battery';
const ME = '/api/auth/me';

let cluster, server, user, token;
before(async () => {
  ({ cluster, server } = await startAll());
  const made = (await call(server, 'POST', '/api/auth/register', { body: { email: 'first@example.com', password: PASSWORD } })).json;
  user = made.data;
  token = made.token;
});
after(() => server?.stop());

const b64 = (x) => Buffer.from(typeof x === 'string' ? x : JSON.stringify(x)).toString('base64url');
const hmac = (text, secret = JWT_SECRET, hash = 'sha256') => createHmac(hash, secret).update(text).digest('base64url');
const now = () => Math.floor(Date.now() / 1000);
const claims = (more = {}) => ({ sub: user.id, role: user.role, iss: 'frontdesk', iat: now(), exp: now() + 600, ...more });
const without = (name) => {
  const { [name]: gone, ...rest } = claims();
  return rest;
};
/** A token signed with our secret, whatever its header and payload. */
const mint = (payload = claims(), { header = { alg: 'HS256', typ: 'JWT' }, secret, hash } = {}) => {
  const head = `${b64(header)}.${b64(payload)}`;
  return `${head}.${hmac(head, secret, hash)}`;
};
const status = async (bearer) => (await call(server, 'GET', ME, { token: bearer })).status;

const unsigned = (alg) => `${b64({ alg, typ: 'JWT' })}.${b64(claims())}.`;
const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const pem = publicKey.export({ type: 'spki', format: 'pem' });

function attacks() {
  const [header, payload, mac] = token.split('.');
  const signed = (head) => `${head}.${hmac(head)}`;
  const last = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  const twin = mac.slice(0, -1) + last[last.indexOf(mac.at(-1)) ^ 1];
  return {
    'alg none': unsigned('none'),
    'alg None': unsigned('None'),
    'alg nOnE': unsigned('nOnE'),
    'alg none with a signature': mint(claims(), { header: { alg: 'none' } }),
    'no alg': mint(claims(), { header: { typ: 'JWT' } }),
    'alg in lower case': mint(claims(), { header: { alg: 'hs256', typ: 'JWT' } }),
    'HS512 with the same secret': mint(claims(), { header: { alg: 'HS512', typ: 'JWT' }, hash: 'sha512' }),
    'HS384 with the same secret': mint(claims(), { header: { alg: 'HS384', typ: 'JWT' }, hash: 'sha384' }),
    'RS256 as HS256, a public key as the secret': mint(claims(), { secret: pem }),
    'RS256 in name': mint(claims(), { header: { alg: 'RS256', typ: 'JWT' } }),
    'an empty secret': mint(claims(), { secret: '' }),
    'the service key as the secret': mint(claims(), { secret: SERVICE_KEY }),
    'kid that walks': mint(claims(), { header: { alg: 'HS256', typ: 'JWT', kid: '../../../../dev/null' } }),
    'kid that selects': mint(claims(), { header: { alg: 'HS256', typ: 'JWT', kid: "x' UNION SELECT 'k" } }),
    'jku': mint(claims(), { header: { alg: 'HS256', typ: 'JWT', jku: 'http://127.0.0.1:1/keys' } }),
    'jwk': mint(claims(), { header: { alg: 'HS256', typ: 'JWT', jwk: { kty: 'oct', k: b64('x') } } }),
    'x5c': mint(claims(), { header: { alg: 'HS256', typ: 'JWT', x5c: ['x'] } }),
    'crit': mint(claims(), { header: { alg: 'HS256', typ: 'JWT', crit: ['b64'], b64: false } }),
    'a header with alg twice': mint(claims(), { header: '{"alg":"none","alg":"HS256"}' }),
    'a header with a space': mint(claims(), { header: '{"alg": "HS256"}' }),
    'another type': mint(claims(), { header: { alg: 'HS256', typ: 'at+jwt' } }),
    'nested 2000 deep, signed': mint(`{"x":${'['.repeat(2000)}${']'.repeat(2000)}}`),
    'nested 300 deep, signed and short': mint(`{"x":${'['.repeat(300)}${']'.repeat(300)}}`),
    'nested 300 deep, open': mint('['.repeat(300)),
    'a nested header': `${b64('['.repeat(300))}.${payload}.${mac}`,
    '5 KB, signed': mint(claims({ pad: 'x'.repeat(4000) })),
    'just over the limit, signed': mint(claims({ pad: 'x'.repeat(700) })),
    'expired': mint(claims({ iat: now() - 3600, exp: now() - 31 })),
    'not yet, by nbf': mint(claims({ nbf: now() + 90 })),
    'issued in the future': mint(claims({ iat: now() + 90 })),
    'exp as a string': mint(claims({ exp: String(now() + 600) })),
    'exp as a list': mint(claims({ exp: [now() + 600] })),
    'exp negative': mint(claims({ exp: -1 })),
    'exp beyond 64 bits': mint(`{"sub":"${user.id}","role":"${user.role}","iss":"frontdesk","iat":${now()},"exp":1e300}`),
    'exp null': mint(claims({ exp: null })),
    'exp true': mint(claims({ exp: true })),
    'iat as a string': mint(claims({ iat: String(now()) })),
    'a list as payload': mint([claims()]),
    'a string as payload': mint(JSON.stringify(user.id)),
    'null as payload': mint('null'),
    'no payload': signed(`${header}.`),
    'not JSON': mint('{'),
    'something after the JSON': mint(`${JSON.stringify(claims())}{}`),
    ...Object.fromEntries(['sub', 'role', 'iss', 'iat', 'exp'].map((name) => [`missing ${name}`, mint(without(name))])),
    'an empty sub': mint(claims({ sub: '' })),
    'sub as a number': mint(claims({ sub: 1 })),
    'sub that selects': mint(claims({ sub: `${user.id}' OR '1'='1` })),
    'sub in upper case': mint(claims({ sub: user.id.toUpperCase() })),
    'another issuer': mint(claims({ iss: 'backdesk' })),
    'an unknown role': mint(claims({ role: 'ROOT' })),
    'the role twice': mint(JSON.stringify(claims()).replace('{', '{"role":"USER",')),
    'sub twice': mint(JSON.stringify(claims()).replace('{', `{"sub":"${randomUUID()}",`)),
    'exp twice, once escaped': mint(JSON.stringify(claims()).replace('{', '{"e\\u0078p":1,')),
    'padded': `${token}=`,
    'padded inside': `${header}=.${payload}.${mac}`,
    'white space in the payload': `${header}.${payload.slice(0, 8)} ${payload.slice(8)}.${mac}`,
    'standard base64': signed(`${header}.${Buffer.from('{"sub":"??>>"}').toString('base64')}`),
    'one dot': `${header}.${payload}`,
    'no dot': header,
    'no signature': `${header}.${payload}.`,
    'three dots': `${token}.`,
    'four dots': `${token}..`,
    'a fourth part': `${token}.${mac}`,
    'two dots before': `..${token}`,
    'only dots': '..',
    'a signature cut short': token.slice(0, -1),
    'a signature with another last letter of the same bytes': `${header}.${payload}.${twin}`,
    'the payload of another signature': `${header}.${b64(claims({ role: 'USER' }))}.${mac}`,
    'the header of another form': `${b64({ alg: 'HS256' })}.${payload}.${mac}`,
    'the same token twice': `${token} ${token}`,
    'a token with a comma': `${token},${token}`,
    'letters of no alphabet': `${header}.${'é'.repeat(20)}.${mac}`,
  };
}

test('P20: every attack on tokens is answered 401, the process lives, and the database hears nothing', async () => {
  assert.equal(await status(token), 200);
  const before = await cluster.asked();
  for (const [name, attack] of Object.entries(attacks())) {
    // node's client refuses to send some of these as a header: they go out byte for byte.
    const answer = await raw(server, Buffer.from(`GET ${ME} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer ${attack}\r\n\r\n`, 'utf8'));
    assert.equal(answer.status, 401, name);
    assert.equal(answer.json.code, 'unauthorized', name);
    assert.match(answer.headers['www-authenticate'], /^Bearer\b/);
  }
  assert.equal(await cluster.asked(), before);
  assert.ok(server.alive);
  assert.equal(await status(token), 200);
});

test('P20: a tab in a token does not get as far as the token', async () => {
  const [header, payload, mac] = token.split('.');
  const answer = await raw(server, `GET ${ME} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${header}.\t${payload}.${mac}\r\n\r\n`);
  assert.equal(answer.status, 400, 'the parser of HTTP refuses it');
});

test('P20: a token of a megabyte ends at the head of the request', async () => {
  const big = await raw(server, `GET ${ME} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${mint(claims({ pad: 'x'.repeat(700_000) }))}\r\n\r\n`);
  assert.ok([401, 431].includes(big.status), String(big.status));
  assert.equal(await status(token), 200);
});

test('P20: a token in the place of a key is none, nor are two credentials of one kind', async () => {
  assert.equal((await call(server, 'GET', ME, { key: token })).status, 401);
  const twice = (a, b) => raw(server, `GET ${ME} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: ${a}\r\nAuthorization: ${b}\r\n\r\n`);
  assert.ok([400, 401].includes((await twice(`Bearer ${token}`, 'Bearer x')).status));
  assert.ok([400, 401].includes((await twice('Bearer x', `Bearer ${token}`)).status));
  for (const form of [`bearer ${token}`, `BEARER   ${token}`]) assert.equal((await call(server, 'GET', ME, { headers: { Authorization: form } })).status, 200);
  for (const form of [token, `Token ${token}`, `Bearer${token}`, `Basic ${token}`]) assert.equal((await call(server, 'GET', ME, { headers: { Authorization: form } })).status, 401);
});

test('P20: a token of a user that there is not, or in a role that is not its own, is none', async () => {
  assert.equal(await status(mint(claims({ sub: randomUUID() }))), 401);
  assert.equal(user.role, 'SUPERADMIN');
  for (const role of ['USER', 'ADMIN']) assert.equal(await status(mint(claims({ role }))), 401);
});

test('a clock may be half a minute off, and no more', async () => {
  assert.equal(await status(mint(claims({ iat: now() + 20, nbf: now() + 20 }))), 200);
  assert.equal(await status(mint(claims({ iat: now() - 600, exp: now() - 20 }))), 200);
  assert.equal(await status(mint(claims({ iat: now() - 600, exp: now() - 40 }))), 401);
});

test('tokens of ours verify with jose, and jose\'s with us', async () => {
  const secret = new TextEncoder().encode(JWT_SECRET);
  const { payload, protectedHeader } = await jwtVerify(token, secret, { issuer: 'frontdesk', subject: user.id, algorithms: ['HS256'], requiredClaims: ['iat', 'exp', 'role'] });
  assert.equal(protectedHeader.alg, 'HS256');
  assert.deepEqual(Object.keys(payload).sort(), ['exp', 'iat', 'iss', 'role', 'sub']);
  assert.deepEqual([payload.role, payload.exp - payload.iat], ['SUPERADMIN', 86_400]);
  for (const header of [{ alg: 'HS256' }, { alg: 'HS256', typ: 'JWT' }, { typ: 'JWT', alg: 'HS256' }]) {
    const theirs = await new SignJWT({ role: user.role, also: { this: ['one'] } }).setProtectedHeader(header)
      .setSubject(user.id).setIssuer('frontdesk').setIssuedAt().setNotBefore('0s').setExpirationTime('10m').sign(secret);
    assert.equal(await status(theirs), 200, JSON.stringify(header));
  }
  const wrong = await new SignJWT({ role: user.role }).setProtectedHeader({ alg: 'HS256' }).setSubject(user.id).setIssuer('frontdesk').setIssuedAt()
    .setExpirationTime('10m').sign(new TextEncoder().encode(`${JWT_SECRET}x`));
  assert.equal(await status(wrong), 401);
  const rsa = await new SignJWT({ role: user.role }).setProtectedHeader({ alg: 'RS256' }).setSubject(user.id).setIssuer('frontdesk').setIssuedAt()
    .setExpirationTime('10m').sign(privateKey);
  assert.equal(await status(rsa), 401);
});

test('P13: the secret of tokens rotates without one refused request', async () => {
  const NEW = 'the-next-secret-that-signs-tokens-0123456789';
  const secretOf = async (t, ...secrets) => {
    for (const secret of secrets) if (hmac(t.split('.').slice(0, 2).join('.'), secret) === t.split('.')[2]) return secret;
    return null;
  };
  const login = async (on) => (await call(on, 'POST', '/api/auth/login', { body: { email: 'first@example.com', password: PASSWORD } })).json.token;
  const rotating = await startServer(cluster, { JWT_SECRET: `${NEW},${JWT_SECRET}` });
  try {
    assert.equal((await call(rotating, 'GET', ME, { token })).status, 200, 'an old token still counts');
    const fresh = await login(rotating);
    assert.equal(await secretOf(fresh, NEW, JWT_SECRET), NEW, 'the first secret signs');
    assert.equal((await call(rotating, 'GET', ME, { token: fresh })).status, 200);
    const done = await startServer(cluster, { JWT_SECRET: NEW });
    assert.equal((await call(done, 'GET', ME, { token: fresh })).status, 200);
    assert.equal((await call(done, 'GET', ME, { token })).status, 401, 'and the old one ends with its secret');
    await done.stop();
  } finally {
    await rotating.stop();
  }
});
