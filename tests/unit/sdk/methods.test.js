'use strict';

// Every API method of the JavaScript SDK against the table that the Python suite runs too (tests/sdk/methods.json).
const assert = require('node:assert/strict');
const { after, before, beforeEach, test } = require('node:test');
const streamspace = require('../../../plugin_layers/nodejs/node_modules/streamspace');
const registry = require('../../../plugin_layers/nodejs/node_modules/streamspace/registry');
const { FakePlatform } = require('./sdk_fake_platform');
const table = require('../../sdk/methods.json');

let platform;
before(async () => {
  platform = await FakePlatform.start();
  Object.assign(process.env, {
    STREAMSPACE_API_URL: platform.url,
    STREAMSPACE_TOKEN: 'ss_plugin',
    STREAMSPACE_PLUGIN: 'my-plugin',
    STREAMSPACE_VERSION: '1.0.0',
    STREAMSPACE_CONFIG: JSON.stringify({ namespace: 'streamspace', ingressDomain: 'streamspace.local', hibernationEnabled: true }),
  });
});
after(() => platform.stop());
beforeEach(() => {
  platform.requests = [];
  platform.script = [];
  registry.reset();
});

function evaluate(call) {
  return new Function('streamspace', `return ${call}`)(streamspace);
}

/** A function's id is made anew for each. */
function withoutIds(body) {
  return JSON.parse(JSON.stringify(body).replace(/"fn:[^"]*"/g, '"fn:*"'));
}

for (const row of table.requests) {
  test(`${row.js} makes the documented request and returns its data`, async () => {
    platform.script.push({ status: row.status ?? 200, data: row.answer, raw: row.raw });

    const returned = await evaluate(row.js);

    assert.equal(platform.requests.length, 1);
    const [request] = platform.requests;
    assert.equal(request.line, row.request);
    assert.deepEqual(withoutIds(request.body), row.body ?? null);
    assert.equal(request.headers.authorization, 'Bearer ss_plugin');
    assert.deepEqual(returned, row.returns);
  });
}

for (const row of table.registrations) {
  test(`${row.js} is what load answers`, () => {
    assert.equal(evaluate(row.js), undefined);

    const registered = Object.fromEntries(Object.entries(registry.describe()).filter(([, entries]) => entries.length > 0));
    assert.deepEqual(registered, row.registers);
  });
}

for (const row of table.refusals) {
  test(`${row.js} is refused before anything is sent`, async () => {
    const refused = await (async () => evaluate(row.js))().then(() => assert.fail('was not refused'), (error) => error);

    assert.ok(refused instanceof TypeError, refused.stack);
    for (const words of row.mentions) assert.ok(refused.message.includes(words), refused.message);
    assert.deepEqual(platform.requests, []);
  });
}

test('the table has every method of the API', () => {
  const calls = [...table.requests, ...table.registrations].map((row) => /^streamspace\.([\w.]+)\(/.exec(row.js)[1]);
  const offered = ['api', 'email', 'storage', 'ui', 'commands'].flatMap((part) => Object.keys(streamspace[part]).map((name) => `${part}.${name}`));
  const wanted = [...offered, 'notify', 'notifyAll', 'notifyAdmins', 'schedule', 'setInterval', 'setTimeout', 'clearInterval', 'clearTimeout'];
  assert.deepEqual(wanted.filter((name) => !calls.includes(name)), []);
});

test('all pages of keys are read', async () => {
  platform.script.push({ data: ['a'], meta: { next_cursor: 'x y' } }, { data: ['b'] });

  assert.deepEqual(await streamspace.storage.keys('p'), ['a', 'b']);

  assert.deepEqual(platform.requests.map(({ line }) => line), ['GET /api/v1/storage?prefix=p', 'GET /api/v1/storage?prefix=p&cursor=x%20y']);
});

test('a large value is sent to an address of its own, and read from the one that the answer names', async () => {
  const value = ['é"\\', 'x'.repeat(500_000)];
  platform.script.push(
    { status: 201, data: { upload_id: 'obj_1', url: `${platform.url}/place?signed`, method: 'PUT', headers: {} } },
    {},
    { data: null },
    { status: 303, data: null, links: { value: `${platform.url}/place?read` } },
    { raw: JSON.stringify(value) },
  );

  await streamspace.storage.set('k', value);
  assert.deepEqual(await streamspace.storage.get('k'), value);

  const [begun, sent, set, , read] = platform.requests;
  const size = { size_bytes: Buffer.byteLength(JSON.stringify(value)) };
  assert.deepEqual([begun.line, begun.body, sent.line, sent.body], ['POST /api/v1/uploads', size, 'PUT /place?signed', size]);
  assert.deepEqual([set.line, set.body], ['PUT /api/v1/storage/k', { upload_id: 'obj_1' }]);
  assert.deepEqual([read.line, read.headers.authorization], ['GET /place?read', undefined]);
});

test('a large value that cannot be read is tried again, and an error that says so', async () => {
  const elsewhere = { status: 303, data: null, links: { value: `${platform.url}/place` } };
  platform.script.push(elsewhere, { status: 503 }, { raw: '7' }, elsewhere, { status: 403 });

  assert.equal(await streamspace.storage.get('k'), 7);
  await assert.rejects(streamspace.storage.get('k'), { name: 'PlatformUnreachableError', message: /storage.get: .*403/ });
});

test('clearing goes on until the platform is done', async () => {
  platform.script.push({ data: { removed: 9, is_complete: false } }, { data: { removed: 1, is_complete: true } });

  await streamspace.storage.clear();

  assert.deepEqual(platform.requests.map(({ line }) => line), ['DELETE /api/v1/storage', 'DELETE /api/v1/storage']);
});

test("version and config are the platform's", () => {
  assert.equal(streamspace.version, '1.0.0');
  assert.deepEqual(streamspace.config, { namespace: 'streamspace', ingressDomain: 'streamspace.local', hibernationEnabled: true });
});
