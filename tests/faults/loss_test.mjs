// The loss run at full length: 2000 calls over four hours. The short one: tests/http/loss_test.js.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { lossRun } from '../sim/loss.mjs';

test('P7: 2000 calls over four hours, with everything failing: the database equals what Retell knows', async (t) => {
  const run = await lossRun({ calls: 2000, spanMs: 4 * 3_600_000, speed: 200, seed: 11 });
  const { sender, status } = run;
  t.diagnostic(`${sender.sent} webhooks sent, ${sender.accepted} accepted, ${sender.lost} lost; ${run.reanalysed} calls analysed again`);
  t.diagnostic(`${run.stored} calls stored, ${run.unheard} of them by polling only; caught up ${run.caughtUpMs} ms after the last event`);
  t.diagnostic(`requests to Retell: ${JSON.stringify(run.fake.counts())}, at most ${run.fake.maxConcurrent} at a time`);
  assert.ok(run.stored >= 2000 - 5, 'all but those that had only registered');
  assert.equal(run.dead, 0);
  assert.equal(status.callsFoundByPollOnly, run.unheard);
  assert.equal(status.pendingHydration, 0);
});
