// The document of the API as a judge: is this answer one that server/api/openapi.json promises?
//
// The harness asks it about every answer, so that each test of any endpoint is also a test of the
// document. Objects may have no member that the document does not name: a client may meet fields to
// come, but we may not send one without writing it down.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import Ajv2020 from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';

export const file = new URL('../../server/api/openapi.json', import.meta.url);
export const document = JSON.parse(fs.readFileSync(file, 'utf8'));
export const METHODS = ['get', 'post', 'put', 'delete'];

// What every answer carries, and headers_test.js looks at; the rest must be in the document.
const EVERYWHERE = new Set([
  'access-control-allow-credentials', 'access-control-allow-origin', 'access-control-expose-headers', 'cache-control', 'connection', 'content-length',
  'content-security-policy', 'content-type', 'cross-origin-opener-policy', 'cross-origin-resource-policy', 'origin-agent-cluster', 'referrer-policy',
  'strict-transport-security', 'vary', 'x-content-type-options', 'x-dns-prefetch-control', 'x-download-options', 'x-frame-options',
  'x-permitted-cross-domain-policies', 'x-xss-protection',
]);
// What can befall a request before it reaches its endpoint: the answers that `default` stands for.
const BEFORE = [400, 408, 411, 414, 431, 500, 503, 505];

const ajv = new Ajv2020({ strict: false, allErrors: true });
addFormats(ajv);
const closed = JSON.parse(JSON.stringify(document), (key, value) =>
  (value?.type === 'object' && value.properties && value.additionalProperties === undefined ? { ...value, additionalProperties: false } : value));
ajv.addSchema(closed, 'closed');
// With `fields` a row has what was asked for.
const trimmed = structuredClone(closed);
delete trimmed.components.schemas.Call.required;
ajv.addSchema(trimmed, 'trimmed');

const pointer = (...parts) => parts.map((part) => `/${encodeURIComponent(String(part).replaceAll('~', '~0').replaceAll('/', '~1'))}`).join('');
const resolve = (thing) => (thing.$ref ? thing.$ref.slice(2).split('/').reduce((at, part) => at[part.replaceAll('~1', '/').replaceAll('~0', '~')], document) : thing);

/** Throws unless `value` is what the schema at this place of the document asks for. */
function conforms(value, place, what, base = 'closed') {
  const validate = ajv.getSchema(`${base}#${place}`) ?? assert.fail(`no schema at ${place}`);
  assert.ok(validate(value), `${what} is not as server/api/openapi.json says: ${ajv.errorsText(validate.errors, { dataVar: 'it' })}\n${JSON.stringify(value)?.slice(0, 2000)}`);
}

const paths = Object.keys(document.paths).map((path) => ({
  path, operations: document.paths[path], pattern: new RegExp(`^${path.replace(/[.*+?^$()|[\]\\]/g, '\\$&').replace(/\{[^}]*\}/g, '[^/]+')}$`),
})).sort((a, b) => a.path.split('{').length - b.path.split('{').length);

/** The path of the document that `target` is at, or undefined. */
export const pathOf = (target) => paths.find(({ pattern }) => pattern.test(target.split('?')[0]));

/** Where in the document the response to `status` stands: [place, response]. */
function findResponse(operation, place, status, what) {
  const key = operation.responses[status] ? String(status) : 'default';
  if (key === 'default') assert.ok(BEFORE.includes(status), `${what}: the document names no ${status}`);
  const response = operation.responses[key];
  return response.$ref ? [response.$ref.slice(1), resolve(response)] : [`${place}${pointer('responses', key)}`, response];
}

function checkHeaders(headers, response, what) {
  const documented = Object.fromEntries(Object.entries(response.headers ?? {}).map(([name, header]) => [name.toLowerCase(), resolve(header)]));
  for (const [name, header] of Object.entries(documented)) {
    const value = headers[name];
    if (value === undefined) {
      assert.ok(!header.required, `${what}: header ${name} is missing`);
      continue;
    }
    const told = header.schema.type === 'integer' ? Number(value) : value;
    assert.ok(ajv.validate(header.schema, told), `${what}: header ${name}: ${value}: ${ajv.errorsText()}`);
  }
  for (const name of Object.keys(headers))
    assert.ok(EVERYWHERE.has(name) || documented[name], `${what}: header ${name} is not in the document`);
}

function checkBody({ headers, text }, response, place, what, base) {
  if (!response.content) {
    assert.equal(text, '', `${what}: the document says that there is no body`);
    return;
  }
  assert.match(headers['content-type'] ?? '', /^application\/json\b/, what);
  conforms(JSON.parse(text), `${place}${pointer('content', 'application/json', 'schema')}`, what, base);
}

const REFUSAL = '/components/responses/Refused';

/** What is at no address, or not for this method. */
function checkRefusal(answer, method, known, what) {
  if (method === 'OPTIONS') {
    assert.equal(answer.status, known ? 204 : 404, what);
  } else {
    assert.ok([known ? 405 : 404, 429, ...BEFORE].includes(answer.status), `${what}: ${known ? `only ${Object.keys(known.operations)} are` : 'it is not'} in the document`);
  }
  if (answer.status === 405 || answer.status === 204) {
    const methods = METHODS.filter((m) => known.operations[m]).flatMap((m) => (m === 'get' ? ['GET', 'HEAD'] : [m.toUpperCase()]));
    assert.deepEqual(answer.headers.allow?.split(', ').sort(), [...methods, 'OPTIONS'].sort(), `${what}: Allow`);
  }
  if (answer.status !== 204 && method !== 'HEAD') checkBody(answer, resolve({ $ref: `#${REFUSAL}` }), REFUSAL, what);
}

/** A request that succeeded used nothing that the document does not tell of. */
function checkRequest(operation, place, target, body, what) {
  const query = new URLSearchParams(target.split('?')[1] ?? '');
  const known = (operation.parameters ?? []).map(resolve).filter((p) => p.in === 'query');
  for (const name of query.keys()) assert.ok(known.some((p) => p.name === name), `${what}: the document has no parameter ${name}`);
  for (const p of known) if (p.required) assert.ok(query.get(p.name), `${what}: ${p.name} is required, says the document`);
  if (body === undefined || body.length === 0) assert.ok(!operation.requestBody?.required, `${what}: a body is required, says the document`);
  else if (operation.requestBody) conforms(JSON.parse(body), `${place}${pointer('requestBody', 'content', 'application/json', 'schema')}`, `the body of ${what}`);
}

/** Throws unless the answer, and what was sent when it succeeded, are as the document says. */
export function check({ method, target, body }, answer) {
  const what = `${method} ${target.slice(0, 200)} → ${answer.status}`;
  const known = pathOf(target);
  const name = method === 'HEAD' ? 'get' : method.toLowerCase();
  const operation = known?.operations[name];
  if (!operation || !METHODS.includes(name)) {
    checkRefusal(answer, method, known, what);
    return;
  }
  const place = pointer('paths', known.path, name);
  const [at, response] = findResponse(operation, place, answer.status, what);
  checkHeaders(answer.headers, response, what);
  if (method !== 'HEAD') checkBody(answer, response, at, what, /[?&]fields=[^&]/.test(target) ? 'trimmed' : 'closed');
  if (answer.status < 300 && known.path !== '/api/webhooks/retell') checkRequest(operation, place, target, body, what);
}
