// The loss run, short. The long one: make test-faults.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { lossRun } from '../sim/loss.mjs';

test('P7: webhooks lost, doubled and out of order, Retell, the database and the servers down: every call is there, whole', async () => {
  const run = await lossRun({ calls: 200, spanMs: 40 * 60_000, speed: 300 });
  assert.ok(run.sender.lost > 50, 'many webhooks were lost');
  assert.equal(run.dead, 0);
  assert.equal(run.status.callsFoundByPollOnly, run.unheard, 'each call that only polling found is counted once');
  assert.ok(run.unheard > 0);
});
