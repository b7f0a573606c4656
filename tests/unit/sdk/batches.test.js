'use strict';

// Whatever fails in a batch: order is kept per group, and what SQS is asked to deliver again is just what must be.
const assert = require('node:assert/strict');
const { test } = require('node:test');
const { plugin, recorder } = require('./sdk_plugin');

const OUTCOMES = ['succeeds', 'succeeds', 'retry', 'dead-letter', 'report fails'];

/** Numbers from a seed (mulberry32), so that a failing batch comes again. */
function randomFrom(seed) {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

/** What runs and what is given back, by the rule: a group stops at its first failure that is not a dead letter. */
function expected(batch) {
  const stopped = new Set();
  const ran = [];
  const givenBack = [];
  for (const { group, outcome, message } of batch) {
    if (!stopped.has(group)) ran.push(message);
    if (outcome === 'retry' || outcome === 'report fails') stopped.add(group);
    if (stopped.has(group)) givenBack.push(message);
  }
  return { ran, givenBack };
}

test('random batches', async (t) => {
  const { container, platform } = await plugin(t, `module.exports = {
    ran: [],
    onLoad() {
      streamspace.commands.register({ name: 'ran', description: 'd', handler: () => this.ran.splice(0) });
    },
    async onSessionCreated({ message, outcome }) {
      this.ran.push(message);
      await null;
      if (outcome !== 'succeeds') throw new Error(outcome);
    },
  };`);
  platform.routes['*'] = ({ body }) => (body.error.message === 'report fails' ? { status: 500 } : { data: { verdict: body.error.message } });
  await container.load();
  const record = recorder();
  let number = 0;

  for (let seed = 1; seed <= 150; seed += 1) {
    const random = randomFrom(seed);
    const batch = Array.from({ length: 1 + random(10) }, () => ({ group: 'abc'[random(3)], outcome: OUTCOMES[random(5)], message: `m${(number += 1)}` }));
    const records = batch.map(({ group, outcome, message }) => record({ outcome, message }, { group }));
    const { ran, givenBack } = expected(batch);

    assert.deepEqual(await container.deliver(records), givenBack, `seed ${seed}`);
    assert.deepEqual((await container.command('ran')).result, ran, `seed ${seed}`);
  }
});
