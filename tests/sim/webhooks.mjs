// Retell's webhooks: signed, tried again on anything but 2xx, and subject to all that happens to
// messages on the way.
import { createHmac } from 'node:crypto';
import http from 'node:http';

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** What each event says of the call, given all that is known of it. */
export function envelope(event, call, more = {}) {
  const said = structuredClone(call);
  if (event !== 'call_analyzed') delete said.call_analysis;
  return { event, call: said, ...more };
}

/**
 * Options:
 *   urls         where to post; one of them each time, as a load balancer would choose
 *   key, clock   sign
 *   random       () => [0, 1), decides the fates
 *   drop         share of events that are lost for good
 *   duplicate    share of deliveries that come twice, at once or late
 *   delayMs      each delivery waits up to so long: this is what disorders them
 *   retryMs      pause before a retry; there are up to 3
 *   timeoutMs    without an answer for so long it is tried again
 */
export class WebhookSender {
  constructor({ urls, key, clock, random = Math.random, drop = 0, duplicate = 0, delayMs = 0, retryMs = 200, timeoutMs = 10_000 }) {
    Object.assign(this, { urls, key, clock, random, drop, duplicate, delayMs, retryMs, timeoutMs });
    this.agent = new http.Agent({ keepAlive: true, maxSockets: 64 });
    this.pending = new Set();
    this.isDown = false; // an outage of Retell: what should be sent meanwhile is lost
    this.sent = this.accepted = this.lost = 0;
  }

  /** Sends an event in its own time; `idle()` waits for all that were sent. */
  send(event, call, more) {
    if (this.isDown || this.random() < this.drop) {
      this.lost++;
      return;
    }
    const body = JSON.stringify(envelope(event, call, more));
    this.#spawn(body);
    if (this.random() < this.duplicate) this.#spawn(body);
  }

  async idle() {
    while (this.pending.size) await Promise.all(this.pending);
  }

  close() {
    this.agent.destroy();
  }

  #spawn(body) {
    const delivery = this.#deliver(body, this.random() * this.delayMs).finally(() => this.pending.delete(delivery));
    this.pending.add(delivery);
  }

  async #deliver(body, delay) {
    await sleep(delay);
    for (let attempt = 0; attempt <= 3; attempt++) {
      if (attempt) await sleep(this.retryMs);
      this.sent++;
      const status = await this.#post(body);
      if (status >= 200 && status < 300) {
        this.accepted++;
        return;
      }
    }
    this.lost++;
  }

  /** The status, 0 when there was no answer. */
  #post(body) {
    const ms = this.clock.now();
    const digest = createHmac('sha256', this.key).update(body).update(String(ms)).digest('hex');
    const url = this.urls[Math.floor(this.random() * this.urls.length)];
    return new Promise((resolve) => {
      const req = http.request(url, {
        method: 'POST', agent: this.agent, timeout: this.timeoutMs,
        headers: { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body), 'x-retell-signature': `v=${ms},d=${digest}` },
      });
      req.on('timeout', () => req.destroy());
      req.on('error', () => resolve(0));
      req.on('response', (res) => {
        res.resume();
        res.on('error', () => resolve(0));
        res.on('end', () => resolve(res.statusCode));
      });
      req.end(body);
    });
  }
}
