'use strict';

// The JavaScript client against the cases that the Python suite runs too (tests/sdk/http_cases.json).
const assert = require('node:assert/strict');
const { after, before, test } = require('node:test');
const { createClient } = require('../../../plugin_layers/nodejs/node_modules/streamspace/http');
const errors = require('../../../plugin_layers/nodejs/node_modules/streamspace/errors');
const { FakePlatform } = require('./sdk_fake_platform');
const cases = require('../../sdk/http_cases.json');

let platform;
before(async () => {
  platform = await FakePlatform.start();
});
after(() => platform.stop());

for (const one of cases) {
  test(one.case, async () => {
    const delaysMs = [];
    platform.requests = [];
    platform.script = [...(one.answers ?? [])];
    // A port that fetch allows and nobody listens on: the discard service's neighbour.
    process.env.STREAMSPACE_API_URL = one.refused ? 'http://127.0.0.1:2' : platform.url;
    const { request } = createClient({ sleep: async (ms) => delaysMs.push(ms) });
    const body = ['POST', 'PUT', 'PATCH'].includes(one.method) ? { a: 1 } : undefined;
    const call = () => request('test.call', one.method, 'things', { body, deadline: Date.now() + (one.time_left_s ?? 3600) * 1000 });

    if (one.error) {
      const error = await call().then(() => assert.fail('did not fail'), (thrown) => thrown);
      const facts = {
        name: error.name,
        message: error.message,
        code: error.code,
        details: error.details,
        status: error.status ?? null,
        request_id: error.requestId,
        retry_after: error.retryAfter,
      };
      for (const [name, value] of Object.entries(one.error)) assert.deepEqual(facts[name], value, name);
      assert.ok(error instanceof errors[one.error.name] && error instanceof errors.StreamSpaceError && error instanceof Error);
    } else {
      assert.deepEqual((await call()).data ?? null, one.data);
    }

    assert.equal(delaysMs.length + 1, one.attempts);
    if (!one.refused) assert.equal(platform.requests.length, one.attempts);
    (one.delays_at_least_s ?? []).forEach((least, index) => assert.ok(delaysMs[index] >= least * 1000));
    (one.delays_at_most_s ?? []).forEach((most, index) => assert.ok(delaysMs[index] <= most * 1000));
  });
}

test('the API may lie below a path, as a stage of API Gateway does', async () => {
  platform.requests = [];
  process.env.STREAMSPACE_API_URL = `${platform.url}/restapis/x/`;

  await createClient().request('c', 'GET', 'things');

  assert.equal(platform.requests[0].line, 'GET /restapis/x/api/v1/things');
});

test('every code has a class of its own', () => {
  for (const code of errors.CODES) {
    const [name, ErrorClass] = Object.entries(errors).find(([, value]) => value.code === code);
    const error = new ErrorClass('m');
    assert.equal(error.name, name);
    assert.equal(error.code, code);
    assert.match(error.stack, new RegExp(`^${name}: m`));
  }
});
