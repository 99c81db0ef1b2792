// Ways to break things: a TCP proxy between the server and PostgreSQL, a kill at a chosen system
// call, a small disk that is full. Used by faults_test.js, and at length by tests/faults/.
import { spawn, execFile } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { promisify } from 'node:util';
import { Raw, WEBHOOK, endAtExit, eventually, scratch, sign, sleep, startCluster, startServer } from './harness.js';
import { ended, endedCall } from './samples.js';

const run = promisify(execFile);

/**
 * A TCP port of 127.0.0.1 that leads to the cluster's socket. `mode` decides what becomes of bytes:
 *   pass    they go on
 *   drop    they vanish, both ways; connections stay open, as when a network swallows packets
 *   reset   connections are reset, old and new
 *   query   they go on, but the next statement that is run (its Execute message) is lost with its connection
 *   queries the same, but of the next statements that are sent together
 *   answer  they go on, but the answer to the next statement is lost with its connection
 * After `query`, `queries` and `answer` have struck, `then` is the mode. `together` is the most statements that
 * the server has sent in one piece.
 */
export class Proxy {
  constructor(cluster) {
    const url = new URL(cluster.urls.DATABASE_URL.replace('postgresql:///', 'postgresql://x/'));
    this.socketPath = `${url.searchParams.get('host')}/.s.PGSQL.${url.searchParams.get('port')}`;
    this.database = url.pathname.slice(1);
    this.mode = 'pass';
    this.then = 'pass';
    this.struck = 0;
    this.together = 0;
    this.pairs = new Set();
    this.server = net.createServer((client) => this.connect(client));
    this.server.unref();
  }

  async listen() {
    await new Promise((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    this.url = `postgresql://frontdesk_server@127.0.0.1:${this.server.address().port}/${this.database}`;
    return this;
  }

  connect(client) {
    const backend = net.connect(this.socketPath);
    const pair = { client, backend, armed: false };
    for (const socket of [client, backend]) {
      socket.unref();
      socket.on('error', () => this.cut(pair));
      socket.on('close', () => this.cut(pair));
    }
    this.pairs.add(pair);
    if (this.mode === 'reset') {
      this.cut(pair);
      return;
    }
    client.on('data', (bytes) => this.fromClient(pair, bytes));
    backend.on('data', (bytes) => this.fromBackend(pair, bytes));
  }

  cut(pair) {
    if (!this.pairs.delete(pair)) return;
    if (!pair.client.destroyed) pair.client.resetAndDestroy();
    pair.backend.destroy();
  }

  strike(pair) {
    this.struck++;
    this.mode = this.then;
    this.cut(pair);
    if (this.mode === 'reset') this.set('reset');
  }

  // libpq sends Bind, Describe and Execute of each statement, and Sync, in one piece, the Sync last.
  fromClient(pair, bytes) {
    if (this.mode === 'drop') return;
    const statements = bytes.subarray(-5).equals(Buffer.from('S\0\0\0\x04')) ? bytes.toString('latin1').split('E\0\0\0\x09\0').length - 1 : 0;
    this.together = Math.max(this.together, statements);
    if ((statements > 0 && this.mode === 'query') || (statements > 1 && this.mode === 'queries')) {
      this.strike(pair);
      return;
    }
    if (statements > 0 && this.mode === 'answer') pair.armed = true;
    pair.backend.write(bytes);
  }

  fromBackend(pair, bytes) {
    if (this.mode === 'drop') return;
    if (pair.armed) this.strike(pair); // it has answered, so it has committed
    else pair.client.write(bytes);
  }

  set(mode, then = 'pass') {
    this.mode = mode;
    this.then = then;
    if (mode === 'reset') for (const pair of this.pairs) this.cut(pair);
  }

  close() {
    for (const pair of this.pairs) this.cut(pair);
    this.server.close();
  }
}

/** Sends the server SIGKILL when one of its threads makes its `nth` send or write from now on. */
export async function killAtSyscall(server, nth) {
  const calls = 'sendto,sendmsg,write';
  const tracer = spawn('strace', ['-f', '-o', '/dev/null', '-e', `trace=${calls}`, '-e', `inject=${calls}:signal=KILL:when=${nth}`, '-p', String(server.pid)],
    { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  tracer.stderr.setEncoding('utf8').on('data', (text) => (said += text));
  tracer.unref();
  tracer.stderr.unref();
  endAtExit(tracer);
  await eventually('strace is attached', () => {
    if (tracer.exitCode !== null) throw new Error(`strace: ${said}`);
    return / attached/.test(said);
  });
  return tracer;
}

/** A disk of so many MB: {dir, fill(), free(), unmount()}. Needs root. */
export async function smallDisk(megabytes) {
  const dir = scratch();
  await run('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m,mode=1777`, 'tmpfs', dir]);
  const filler = path.join(dir, 'filler');
  return {
    dir,
    unmount: () => run('umount', ['-l', dir]).catch(() => {}),
    /** Takes what is left. */
    fill() {
      const fd = fs.openSync(filler, 'w');
      const block = Buffer.alloc(64 * 1024);
      try {
        for (;;) fs.writeSync(fd, block);
      } catch (error) {
        if (error.code !== 'ENOSPC') throw error;
      } finally {
        fs.closeSync(fd);
      }
    },
    free: () => fs.rmSync(filler, { force: true }),
  };
}

/** The same with a cluster on it. */
export async function smallCluster(megabytes) {
  const disk = await smallDisk(megabytes);
  const before = process.env.TMPDIR;
  process.env.TMPDIR = disk.dir;
  try {
    return { ...disk, cluster: await startCluster() };
  } catch (error) {
    await disk.unmount();
    throw error;
  } finally {
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
  }
}

/**
 * Clients that each send one event after the other on one connection, until it closes. Keeps what was
 * acknowledged; `done` resolves when all have ended.
 */
export function load(server, clients, agentId, { limit = Infinity } = {}) {
  const result = { acknowledged: [], sent: 0 };
  const client = async () => {
    const connection = new Raw(server);
    try {
      while (result.sent < limit) {
        const call = endedCall({ agent_id: agentId });
        const body = JSON.stringify(ended(call));
        result.sent++;
        connection.write(`POST ${WEBHOOK} HTTP/1.1\r\nHost: x\r\nx-retell-signature: ${await sign(body)}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
        const answer = await connection.next({ deadlineMs: 60_000 }).catch(() => null);
        if (answer?.status === 204) result.acknowledged.push(call.call_id);
        if (!answer) return;
      }
    } finally {
      connection.destroy();
    }
  };
  result.done = Promise.all(Array.from({ length: clients }, client));
  return result;
}

export const storedCalls = async (cluster, agentId) =>
  new Set((await cluster.exec(`SELECT call_id FROM frontdesk.calls WHERE agent_id = '${agentId}'`)).trim().split('\n'));

/** Acknowledged events that are not stored. */
export async function missing(cluster, agentId, acknowledged) {
  const stored = await storedCalls(cluster, agentId);
  return acknowledged.filter((id) => !stored.has(id));
}

/** P2 at one moment: the nth send or write of a thread; {acknowledged, missing}. */
export async function killOnce(cluster, nth) {
  const agentId = `agent_kill_${nth}`;
  const server = await startServer(cluster);
  const tracer = await killAtSyscall(server, nth);
  const clients = load(server, 1, agentId, { limit: 40 });
  await clients.done;
  const killed = await Promise.race([server.exited.then(() => true), sleep(3000).then(() => false)]);
  if (!killed) await server.stop('SIGKILL');
  tracer.kill('SIGKILL');
  return { acknowledged: clients.acknowledged.length, killed, missing: await missing(cluster, agentId, clients.acknowledged) };
}
