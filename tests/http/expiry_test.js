// The journal forgets: the job of the running server, beside webhooks that go on.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { eventually, migrate, post, startCluster, startServer } from './harness.js';
import { ended, endedCall } from './samples.js';

const OLD = 1730; // three whole rounds of the job, and a rest
const ROUND = 500;

let cluster, server;
before(async () => {
  cluster = await startCluster();
  await migrate(cluster);
});
after(() => server?.stop());

/** Rows of the journal of that age, as ingest writes them. */
const insert = (name, count, age, state) => cluster.exec(`
  INSERT INTO frontdesk.journal (agent_id, call_id, event, digest, source, sent_ms, received_at, state, error, body)
  SELECT '${name}', 'call_' || n, 'call_ended', sha256(('${name}' || n)::bytea), 'webhook', 1, now() - interval '${age}', '${state}',
    CASE WHEN '${state}' = 'dead' THEN 'not understood' END, 'x' FROM generate_series(1, ${count}) AS n`);

const left = (name) => cluster.journal(`agent_id = '${name}'`);

test('P9: old events leave the journal in small batches while webhooks go on; the dead are kept, and a row that is locked is left for later', async () => {
  await insert('old', OLD, '8 days', 'done');
  await insert('dead', 3, '400 days', 'dead');
  await insert('young', 40, '6 days', 'done');
  await cluster.exec(`CREATE TABLE public.rounds (n int);
    CREATE FUNCTION public.note_round() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
      'BEGIN INSERT INTO public.rounds SELECT count(*) FROM gone; RETURN NULL; END';
    CREATE TRIGGER note_round AFTER DELETE ON frontdesk.journal REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION public.note_round()`);
  const release = await cluster.hold("SELECT FROM frontdesk.journal WHERE agent_id = 'old' AND call_id = 'call_1' FOR UPDATE");

  server = await startServer(cluster, { JOURNAL_RETENTION_DAYS: '7' });
  let posted = 0;
  await eventually('all old events but one are gone', async () => {
    const since = Date.now();
    assert.equal((await post(server, ended(endedCall({ agent_id: 'meanwhile' })))).status, 204);
    assert.ok(Date.now() - since < 2000, 'nobody waits for the job');
    posted++;
    return (await left('old')) === 1;
  });
  const rounds = (await cluster.rows('SELECT n FROM public.rounds WHERE n > 0')).map((r) => r.n);
  assert.ok(Math.max(...rounds) <= ROUND, `rounds of ${rounds}`);
  assert.equal(rounds.reduce((a, b) => a + b), OLD - 1);
  assert.deepEqual([await left('dead'), await left('young'), await left('meanwhile')], [3, 40, posted]);

  await release();
  await server.stop();
  server = await startServer(cluster, { JOURNAL_RETENTION_DAYS: '7' }); // its first round is at once
  await eventually('the one that was locked is gone too', async () => (await left('old')) === 0);
  assert.equal(await left('dead'), 3);
});
