// A Retell that runs here: it keeps the truth of every call, answers the API as Retell documents it,
// and can be told to fail in all the ways that a service fails. Webhooks are sent by webhooks.mjs,
// calls are made up by traffic.mjs. RETELL_API_KEY of the server under test is one of `keys`.
import { createHash } from 'node:crypto';
import http from 'node:http';

import { callFilter } from './filters.mjs';

export const KEY = 'key_of_the_fake_retell_0123456789';

// What list-calls leaves out of a call, and what retention takes out of it for good.
const TRANSCRIPTS = [
  'transcript', 'transcript_object', 'transcript_with_tool_calls',
  'scrubbed_transcript_with_tool_calls',
];
const RECORDINGS = ['recording_url', 'recording_multi_channel_url', 'scrubbed_recording_url'];
const without = (object, keys) => Object.fromEntries(Object.entries(object).filter(([key]) => !keys.includes(key)));

/** The clock of a world: real time, or `speed` times as fast from `base` (ms) on. */
export function makeClock({ base = Date.now(), speed = 1 } = {}) {
  const origin = Date.now();
  return { base, origin, speed, now: () => Math.round(base + (Date.now() - origin) * speed) };
}

class ApiError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/**
 * Options:
 *   keys           API keys that are accepted; the first signs webhooks
 *   clock          of makeClock()
 *   timelessFirst  where calls without start_timestamp stand in an ascending list (Retell does not say)
 *   signedUrls     recordings have a signature that differs in every answer
 *   listsRecordings  whether list-calls has recording_url (Retell does not say)
 */
export class FakeRetell {
  constructor({ keys = [KEY], clock = makeClock(), timelessFirst = false, signedUrls = false, listsRecordings = true } = {}) {
    Object.assign(this, { keys, clock, timelessFirst, signedUrls, listsRecordings });
    this.calls = new Map(); // the truth, by call_id
    this.agents = new Map();
    this.requests = []; // {method, path, body, status, at}, as they came
    this.faults = [];
    this.sockets = new Set();
    this.isDown = false;
    this.answers = 0;
    this.concurrent = 0;
    this.maxConcurrent = 0;
    this.server = http.createServer((req, res) => this.#serve(req, res));
    this.server.keepAliveTimeout = 30_000;
    this.server.on('connection', (socket) => {
      this.sockets.add(socket.unref()); // a test that has failed must be able to end
      socket.on('close', () => this.sockets.delete(socket));
      if (this.isDown) socket.destroy();
    });
  }

  async listen() {
    await new Promise((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    this.server.unref();
    this.port = this.server.address().port;
    this.baseURL = `http://127.0.0.1:${this.port}`;
    return this;
  }

  async close() {
    this.sockets.forEach((socket) => socket.destroy());
    await new Promise((resolve) => this.server.close(resolve));
  }

  // ---- the truth ----

  addAgent(agent_id, agent_name = agent_id, more = {}) {
    this.agents.set(agent_id, { agent_id, agent_name, channel: 'voice', tags: {}, user_modified_timestamp: this.clock.now(), ...more });
    return agent_id;
  }

  /** Sets some of a call's members; undefined takes one away. */
  setCall(call_id, members) {
    const call = { ...this.calls.get(call_id), call_id, ...members };
    this.calls.set(call_id, JSON.parse(JSON.stringify(call)));
    this.listed = undefined;
    return this.calls.get(call_id);
  }

  /** Retention: what was said is no longer stored; webhooks have said it before. */
  stripTranscripts(call_ids = [...this.calls.keys()]) {
    for (const id of call_ids) this.calls.set(id, without(this.calls.get(id), [...TRANSCRIPTS, ...RECORDINGS]));
    this.listed = undefined;
  }

  // ---- faults ----

  /** Nobody answers any more: connections are refused as they come, and those open are cut. */
  down() {
    this.isDown = true;
    this.sockets.forEach((socket) => socket.destroy());
  }

  up() {
    this.isDown = false;
  }

  /**
   * The next `times` requests whose path matches go wrong. One of:
   *   {status, headers?, message?}  an error, or any status
   *   {reset: true}                 the connection is cut before an answer
   *   {cut: true}                   the connection is cut in the middle of the answer
   *   {truncate: true}              half of the JSON, in an answer that is whole as HTTP
   *   {delayMs}                     the answer comes late
   *   {edit: (answer) => answer}    the answer as it would be, changed
   *   {raw: text}                   another body
   */
  fault({ path = /./, times = 1, ...what }) {
    this.faults.push({ path, times, ...what });
  }

  #takeFault(path) {
    const fault = this.faults.find((f) => f.times > 0 && f.path.test(path));
    if (fault) fault.times--;
    return fault ?? {};
  }

  /** How many requests there were, by path without identifiers. */
  counts() {
    const counts = {};
    for (const { path } of this.requests) {
      const name = path.split('?')[0].replace(/(get-call|get-agent)\/.*/, '$1');
      counts[name] = (counts[name] ?? 0) + 1;
    }
    return counts;
  }

  // ---- the API ----

  async #serve(req, res) {
    const chunks = [];
    req.on('error', () => {});
    res.on('error', () => {});
    this.concurrent++;
    this.maxConcurrent = Math.max(this.maxConcurrent, this.concurrent);
    res.on('close', () => this.concurrent--);
    for await (const chunk of req) chunks.push(chunk);
    const url = new URL(req.url, this.baseURL);
    const fault = this.#takeFault(url.pathname);
    const entry = { method: req.method, path: req.url, body: Buffer.concat(chunks).toString(), at: Date.now() };
    this.requests.push(entry);
    if (fault.delayMs) await new Promise((resolve) => setTimeout(resolve, fault.delayMs));
    if (fault.reset || this.isDown) return req.socket.destroy();
    let status = 200, answer;
    try {
      if (fault.status) throw new ApiError(fault.status, fault.message ?? 'fault');
      answer = this.#route(req, url, entry.body);
    } catch (error) {
      status = error.status ?? 500;
      answer = { status: 'error', message: error.message };
    }
    entry.status = status;
    this.#send(req, res, status, fault.edit ? fault.edit(answer) : answer, fault);
  }

  #send(req, res, status, answer, fault) {
    let text = fault.raw ?? JSON.stringify(answer);
    if (fault.truncate) text = text.slice(0, text.length >> 1);
    res.writeHead(status, {
      'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text),
      Date: new Date(this.clock.now()).toUTCString(), ...fault.headers,
    });
    if (!fault.cut) return res.end(text);
    res.write(text.slice(0, text.length >> 1));
    setTimeout(() => req.socket.destroy(), 20);
  }

  #route(req, url, body) {
    const key = /^Bearer (.+)$/.exec(req.headers.authorization ?? '')?.[1];
    if (!this.keys.includes(key)) throw new ApiError(401, 'Invalid API Key');
    const [, name, id] = /^\/((?:v\d\/)?[a-z-]+)(?:\/([^/]+))?$/.exec(url.pathname) ?? [];
    switch (`${req.method} ${name}`) {
      case 'POST v3/list-calls': return this.#listCalls(readJson(body));
      case 'GET v2/get-call': return this.#getCall(decodeURIComponent(id ?? ''));
      case 'POST v2/list-agents': return this.#listAgents(url.searchParams, readJson(body));
      case 'GET get-agent': return this.#getAgent(decodeURIComponent(id ?? ''));
      case 'GET get-api-key-info': return { api_key_name: 'tests', org_name: 'Fake Org' };
      case 'GET get-concurrency': return {
        current_concurrency: [...this.calls.values()].filter((c) => c.call_status === 'ongoing').length,
        concurrency_limit: 20, base_concurrency: 20, purchased_concurrency: 0, concurrency_burst_enabled: false,
      };
      default: throw new ApiError(404, `Cannot ${req.method} ${url.pathname}`);
    }
  }

  /** A call as an answer has it: links are signed anew each time where the account signs them. */
  #shown(call) {
    if (!this.signedUrls) return call;
    const shown = { ...call };
    for (const name of RECORDINGS)
      if (shown[name]) shown[name] += `?X-Signature=${createHash('sha256').update(String(this.answers++)).digest('hex')}`;
    return shown;
  }

  /** All calls, ascending by start; those without one stand together at one end. */
  #inOrder() {
    const timeless = this.timelessFirst ? -1 : Infinity;
    const at = (call) => call.start_timestamp ?? timeless;
    this.listed ??= [...this.calls.values()].sort((a, b) =>
      (at(a) === at(b) ? 0 : at(a) - at(b)) || (a.call_id < b.call_id ? -1 : 1));
    return this.listed;
  }

  #listCalls(query) {
    const { filter_criteria, include_total = false, limit = 50, pagination_key, skip, sort_order = 'descending', ...unknown } = query;
    if (Object.keys(unknown).length) throw new ApiError(400, `unknown parameter ${Object.keys(unknown)}`);
    if (pagination_key !== undefined && skip !== undefined) throw new ApiError(400, 'skip and pagination_key exclude each other');
    if (!['ascending', 'descending'].includes(sort_order)) throw new ApiError(400, 'sort_order is not valid');
    const matches = checked(() => callFilter(filter_criteria));
    let found = this.#inOrder().filter(matches);
    if (sort_order === 'descending') found = found.reverse();
    const page = cut(found, { limit, skip, pagination_key, max: 1000, id: (call) => call.call_id });
    page.items = page.items.map((call) => without(this.#shown(call), this.listsRecordings ? TRANSCRIPTS : [...TRANSCRIPTS, ...RECORDINGS]));
    return include_total ? { ...page, total: found.length } : page;
  }

  #getCall(call_id) {
    const call = this.calls.get(call_id);
    if (!call) throw new ApiError(422, `Call ${call_id} not found`);
    return this.#shown(call);
  }

  #listAgents(params, { filter_criteria = {} }) {
    const channel = filter_criteria.channel?.value;
    const agents = [...this.agents.values()].filter((agent) => !channel || agent.channel === channel);
    agents.sort((a, b) => (a.agent_id < b.agent_id ? -1 : 1));
    if ((params.get('sort_order') ?? 'descending') === 'descending') agents.reverse();
    return cut(agents, {
      limit: Number(params.get('limit') ?? 50), pagination_key: params.get('pagination_key') ?? undefined,
      max: 1000, id: (agent) => agent.agent_id,
    });
  }

  #getAgent(agent_id) {
    const agent = this.agents.get(agent_id);
    if (!agent) throw new ApiError(422, `Agent ${agent_id} not found`);
    return { ...without(agent, ['tags']), version: 0, is_published: true, voice_id: '11labs-Adrian', last_modification_timestamp: agent.user_modified_timestamp };
  }
}

function readJson(body) {
  return checked(() => {
    const value = body ? JSON.parse(body) : {};
    if (value === null || typeof value !== 'object' || Array.isArray(value)) throw new Error('the body must be an object');
    return value;
  });
}

function checked(make) {
  try {
    return make();
  } catch (error) {
    throw new ApiError(400, error.message);
  }
}

/** One page of a list. The key names the last item, so that a list that grows is not cut wrong. */
function cut(found, { limit, skip = 0, pagination_key, max, id }) {
  if (!Number.isInteger(limit) || limit < 1 || limit > max) throw new ApiError(400, `limit must be from 1 to ${max}`);
  let from = skip;
  if (pagination_key !== undefined) {
    const last = Buffer.from(pagination_key, 'base64url').toString();
    from = found.findIndex((item) => id(item) === last) + 1;
    if (from === 0) throw new ApiError(400, 'pagination_key is not valid');
  }
  const items = found.slice(from, from + limit);
  const has_more = from + limit < found.length;
  return { items, has_more, ...(has_more && { pagination_key: Buffer.from(id(items.at(-1))).toString('base64url') }) };
}
