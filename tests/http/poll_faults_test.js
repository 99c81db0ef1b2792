// P6 for polling: whatever becomes of the database while a poll is at work, the poller says so, moves
// no cursor, loses nothing and goes on without help.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { FakeRetell, KEY } from '../sim/retell.mjs';
import { makeAnalysis, randomOf } from '../sim/traffic.mjs';
import { differences } from '../sim/truth.mjs';
import { Proxy, smallCluster } from './faults.js';
import { eventually, get, migrate, startCluster, startServer } from './harness.js';
import { metricsOf } from './metrics.js';

let counter = 0;

/** A Retell with some calls, and a server that polls it every second, through `url` if given. */
async function begin(cluster, url) {
  await migrate(cluster);
  const fake = await new FakeRetell().listen();
  fake.addAgent('agent_poll', 'Agent');
  const world = { cluster, fake };
  happen(world);
  world.server = await startServer(cluster, {
    RETELL_BASE_URL: fake.baseURL, RETELL_API_KEY: KEY, POLL_INTERVAL_SECONDS: '1', ...(url && { DATABASE_URL: url }),
  });
  return world;
}

/** Twenty calls of this minute that no webhook tells of, over and analysed. */
function happen({ fake }) {
  for (let i = 0; i < 20; i++) {
    const call_id = `polled_${++counter}`;
    const text = `Agent: Hello.\nUser: I am number ${counter}.\n`.repeat(20);
    fake.setCall(call_id, {
      agent_id: 'agent_poll', agent_name: 'Agent', agent_version: 1, call_type: 'phone_call', direction: 'inbound',
      from_number: '+14155550100', to_number: '+14155550101', call_status: 'ended', disconnection_reason: 'user_hangup',
      start_timestamp: Date.now() - 60_000, end_timestamp: Date.now() - 30_000, duration_ms: 30_000, transcript: text,
      transcript_object: [{ role: 'agent', content: text, words: [{ word: 'Hello.', start: 0.1, end: 0.3 }] }],
      call_cost: { combined_cost: 12.3456, total_duration_seconds: 30, product_costs: [] },
      call_analysis: makeAnalysis(randomOf(counter), `About ${counter}.`),
    });
  }
}

const same = (world) => eventually('the database equals what Retell knows', async () => {
  try {
    return (await differences(world.cluster, world.fake)).length === 0;
  } catch {
    return false;
  }
}, 60_000);

const cursors = (cluster) => cluster.exec('SELECT * FROM frontdesk.sync_cursors ORDER BY agent_id');
const SAID = ['polling stands still: it goes on where it was, by itself', 'sync failed'];

/**
 * Breaks the database of a poller at work, looks at what it says and does, and mends it. `hidden`:
 * nobody can look into the database meanwhile.
 */
async function outage(world, { strike, mend, hidden = false }) {
  const { cluster, server, fake } = world;
  await same(world);
  await eventually('polls come and go', async () => (await get(server, '/api/dashboard/sync-status')).json.data?.lastSuccessAt);
  const lines = server.log().length;
  const stood = !hidden && (await cursors(cluster));
  const since = new Date().toISOString();
  await strike();
  const asked = fake.requests.length;
  happen(world);
  try {
    await eventually('the log says that polling fails, and why', () =>
      server.log().slice(lines).find((l) => SAID.includes(l.msg) && l.reason), 40_000);
    const { value } = await metricsOf(server);
    if (value('frontdesk_database_up') === 0) assert.equal(value('frontdesk_poll_age_seconds'), undefined, 'nobody knows');
    else assert.ok(value('frontdesk_poll_age_seconds') > 0);
    if (!hidden) {
      assert.equal(await cursors(cluster), stood, 'no cursor has moved');
      assert.notDeepEqual(await differences(cluster, fake), [], 'and nothing was stored');
    }
  } finally {
    await mend();
  }
  await same(world);
  assert.ok(fake.requests.length > asked);
  const status = await eventually('the status is there again', async () => (await get(server, '/api/dashboard/sync-status')).json.data);
  assert.ok(status.lastSuccessAt > since, `the last success is of ${status.lastSuccessAt}`);
  assert.equal(status.pendingHydration, 0);
  assert.ok(server.alive);
  assert.ok(server.log().slice(lines).filter((l) => l.msg === SAID[0]).length <= 2, 'it does not say so every second');
}

let world, proxy;
before(async () => {
  const cluster = await startCluster();
  proxy = await new Proxy(cluster).listen();
  world = await begin(cluster, proxy.url);
});
after(async () => {
  proxy?.set('pass');
  await world?.server?.stop();
  await world?.fake.close();
  proxy?.close();
});

const exec = (sql) => world.cluster.exec(sql);
const endConnections = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'frontdesk_server'";

const faults = {
  'a database that is down': { hidden: true, strike: () => world.cluster.stop(), mend: () => world.cluster.start() },
  'a database that is frozen': { hidden: true, strike: () => world.cluster.freeze(), mend: () => world.cluster.thaw() },
  'a network that swallows everything': {
    strike: () => proxy.set('drop'),
    mend: () => {
      proxy.set('reset');
      proxy.set('pass');
    },
  },
  'connections that are reset': { strike: () => proxy.set('reset'), mend: () => proxy.set('pass') },
  'no connection to be had': {
    strike: () => exec(`ALTER ROLE frontdesk_server CONNECTION LIMIT 0; ${endConnections}`),
    mend: () => exec('ALTER ROLE frontdesk_server CONNECTION LIMIT -1'),
  },
  'a database that may only be read': {
    strike: () => exec(`ALTER ROLE frontdesk_server SET default_transaction_read_only = on; ${endConnections}`),
    mend: () => exec(`ALTER ROLE frontdesk_server RESET default_transaction_read_only; ${endConnections}`),
  },
};

for (const [what, fault] of Object.entries(faults))
  test(`P6: polling meets ${what}: it says so, moves no cursor, and brings all of it later`, () => outage(world, fault));

test('P6: polling meets a table that is locked: it says so, moves no cursor, and brings all of it later', async () => {
  let locked;
  await outage(world, {
    hidden: true, // whoever looks at calls waits too
    strike: async () => {
      locked = exec('BEGIN; LOCK TABLE frontdesk.calls IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(12); COMMIT');
      await eventually('the lock is held', async () =>
        (await exec("SELECT count(*) FROM pg_locks WHERE relation = 'frontdesk.calls'::regclass AND mode = 'AccessExclusiveLock' AND granted")).trim() === '1');
    },
    mend: () => locked,
  });
});

test('P6: polling meets a disk that is full: it says so, and brings all of it when there is room', async () => {
  const disk = await smallCluster(160);
  let other;
  try {
    other = await begin(disk.cluster);
    await outage(other, {
      hidden: true,
      strike: async () => {
        disk.fill();
        const filling = setInterval(() => happen(other), 200); // until no page has room any more
        other.stopFilling = () => clearInterval(filling);
      },
      mend: async () => {
        other.stopFilling();
        disk.free();
        await disk.cluster.start(); // in case it had to stop for good
      },
    });
  } finally {
    other?.stopFilling?.();
    await other?.server?.stop('SIGKILL');
    await other?.fake.close();
    disk.cluster.destroy();
    await disk.unmount();
  }
});
