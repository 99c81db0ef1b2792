// After a burst has been folded, pages and summaries cost what they cost before it: rows of deltas that
// are gone, but not vacuumed yet, are not visited again and again. In sessions that commit, because only
// rows that are gone for everybody may be passed over.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { migrate, startCluster } from './harness.js';

const BURST = 3000;

let cluster;
before(async () => {
  cluster = await startCluster();
  await migrate(cluster);
  // Every statement on calls makes a delta; the planner is told that an agent has thousands of them.
  await cluster.exec(`ALTER TABLE frontdesk.call_rollup_delta SET (autovacuum_enabled = false);
    INSERT INTO frontdesk.agents (agent_id, agent_name) VALUES ('backlog', 'Backlog');
    DO $$ BEGIN FOR i IN 1 .. ${BURST} LOOP
      INSERT INTO frontdesk.calls (agent_id, call_id, first_sent_ms, start_timestamp, call_status, details, provenance, created_at, updated_at)
      VALUES ('backlog', 'backlog-' || i, 0, 1709078400000 + i, 'ended', '{}', '', now(), now());
    END LOOP; END $$;
    ANALYZE frontdesk.call_rollup_delta`);
  assert.equal(await cluster.value('SELECT sum(frontdesk.fold_rollups())::int FROM generate_series(1, 20)'), BURST);
});

/** Blocks of the table of deltas that a query looks at the first time that it is run, and the second. */
async function visits(query) {
  const visited = "SELECT 'visited', pg_stat_get_xact_blocks_fetched('frontdesk.call_rollup_delta'::regclass);";
  const said = await cluster.exec(`BEGIN; ${query}; ${visited} ${query}; ${visited} COMMIT`);
  const [first, both] = [...said.matchAll(/^visited\|(\d+)$/gm)].map((m) => Number(m[1]));
  return [first, both - first];
}

for (const [what, query] of Object.entries({
  'a page': "SELECT frontdesk.call_history_json('backlog', NULL, 'date', 'desc', 20, 0)",
  'a page deep down': "SELECT frontdesk.call_history_json('backlog', NULL, 'date', 'desc', 20, 2000)",
  'a summary': "SELECT frontdesk.agent_summary_json('backlog', NULL, NULL, NULL, NULL, NULL)",
  'a summary by the hour': "SELECT frontdesk.agent_summary_json('backlog', NULL, 1709078400000, 1709085600000, 'hour', 'UTC')",
})) {
  test(`${what} visits what was folded once at most`, async () => {
    const [, second] = await visits(query);
    assert.ok(second < 5, `${second} blocks, where all that was folded lies in some 30`);
  });
}
