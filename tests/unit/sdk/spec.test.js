'use strict';

// The plugin API reference's own examples, word for word, where the reference lies beside the checkout (or in STREAMSPACE_SHARED).
// Here against a platform that answers anything; tests/e2e/test_document_examples.py shows their effects.
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const vm = require('node:vm');
const { plugin, recorder } = require('./sdk_plugin');
const { FakePlatform } = require('./sdk_fake_platform');
const streamspace = require('../../../plugin_layers/nodejs/node_modules/streamspace');
const call = require('../../../plugin_layers/nodejs/node_modules/streamspace/call');
const registry = require('../../../plugin_layers/nodejs/node_modules/streamspace/registry');

const SHARED = process.env.STREAMSPACE_SHARED || path.resolve(__dirname, '../../../../shared');
const SPEC = path.join(SHARED, 'spec/plugin-api.md');
const skip = fs.existsSync(SPEC) ? false : `no plugin API reference at ${SPEC}`;
const blocks = skip ? [] : [...fs.readFileSync(SPEC, 'utf8').matchAll(/^```javascript\n([\s\S]*?)^```/gm)].map(([, code]) => code);

/** What the examples take for granted: names that their readers are to think of, and an outer `this`. */
const NAMES = ['streamspace', 'sessionId', 'logContent', 'error', 'fetchExternalTemplates', 'createConnection'];
const VALUES = [streamspace, 'user1-firefox', 'log', new Error('sync failed'), async () => [], async () => ({ close() {} })];
const THIS = { config: {}, manifest: { name: 'my-plugin' } };
const AsyncFunction = (async () => {}).constructor;

const isModule = (code) => code.includes('module.exports');
const isHook = (code) => /^async on[A-Z]/.test(code);

/** An example that declares one name again and again is several, each begun by its comment. */
function steps(code) {
  const names = [...code.matchAll(/^const (\w+)/gm)].map(([, name]) => name);
  return new Set(names).size === names.length ? [code] : code.split(/^(?=\/\/ )/m).filter((step) => step.trim());
}

test('the reference has examples', { skip }, () => assert.ok(blocks.length > 30));

blocks.forEach((code, index) => {
  test(`example ${index + 1} parses: ${code.split('\n')[0]}`, () => {
    if (isModule(code)) new vm.Script(code);
    else if (isHook(code)) new vm.Script(`({ ${code} })`);
    else steps(code).forEach((step) => new AsyncFunction(...NAMES, step));
  });
});

blocks.filter((code) => !isModule(code) && !isHook(code)).forEach((code) => {
  test(`runs: ${code.split('\n')[0]}`, async (t) => {
    const platform = await FakePlatform.start();
    t.after(() => platform.stop());
    process.env.STREAMSPACE_API_URL = platform.url;
    process.env.STREAMSPACE_CONFIG = '{"namespace": "streamspace"}';
    platform.routes['*'] = { data: {} };
    platform.routes['GET /api/v1/storage'] = { data: [] };
    platform.routes['POST /api/v1/dialogs'] = { data: { status: 'answered', value: true } };
    t.after(() => registry.reset());
    t.mock.method(console, 'log', () => {});

    await call.run({ person: 'ann', deadline: Infinity }, async () => {
      for (const step of steps(code)) await new AsyncFunction(...NAMES, step).apply(THIS, VALUES);
    });
  });
});

blocks.filter(isModule).forEach((code) => {
  test(`a plugin runs: ${code.split('\n')[1].trim()}`, async (t) => {
    const { container } = await plugin(t, `globalThis.createConnection = async () => ({});\n${code}`);

    assert.deepEqual((await container.load({ apiKey: 'k', enabled: true })).ok, true);
    assert.deepEqual((await container.call({ kind: 'unload' })).ok, true);
  });
});

blocks.filter(isHook).forEach((code) => {
  const [, hook, name] = /^async (on(\w+?))\(/.exec(code);
  test(`a hook runs: ${hook}`, async (t) => {
    const { container, platform } = await plugin(t, `module.exports = { processSession() { throw new Error('x'); }, ${code} };`);
    platform.routes['*'] = { data: {} };
    await container.load({ notifyOnLogin: true });
    const type = name.replace(/([a-z])([A-Z])/, '$1.$2').toLowerCase();
    const data = { id: 'user1-firefox', user: 'john', username: 'john', fullName: 'John Doe', template: 'firefox', email: 'john@example.com' };

    assert.deepEqual(await container.deliver([recorder()(data, { type })]), []);

    assert.ok(platform.requests.length > 0);
    assert.deepEqual(platform.requests.filter(({ line }) => line.includes('/failures')), []);
  });
});
