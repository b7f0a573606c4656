'use strict';

// The in-memory platform of the JavaScript SDK does what the table says, which the real routes and the Python one do too.
const assert = require('node:assert/strict');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { after, test } = require('node:test');
const streamspace = require('../../../plugin_layers/nodejs/node_modules/streamspace');
const { createPlatform } = require('../../../plugin_layers/nodejs/node_modules/streamspace/testing');
const { CONTRACT } = require('../../../plugin_layers/nodejs/node_modules/streamspace/testing/contract');
const { HANDLERS } = require('../../../plugin_layers/nodejs/node_modules/streamspace/testing/server');
const isRepeated = (value) => Object.keys(value ?? {}).join() === 'repeat,times';
const text = fs.readFileSync(path.join(__dirname, '../../sdk/semantics.json'), 'utf8');
const table = JSON.parse(text, (_key, value) => (isRepeated(value) ? value.repeat.repeat(value.times) : value));

const ALL_SCOPES = CONTRACT.scopes.filter((scope) => scope !== 'admin');
const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'semantics-'));
fs.writeFileSync(path.join(dir, 'manifest.json'), '{"name": "table", "version": "1.0.0"}');
fs.mkdirSync(path.join(dir, 'migrations'));
fs.writeFileSync(path.join(dir, 'migrations/0001_tables.json'), JSON.stringify(table.migration));
after(() => fs.rmSync(dir, { recursive: true }));

for (const { case: name, scopes = ALL_SCOPES, email, steps } of table.cases) {
  test(name, async () => {
    const platform = createPlatform({ dir, ...structuredClone(table.given), scopes, email });
    for (const [at, step] of steps.entries()) await take(step, `step ${at + 1}: ${step.call}(${JSON.stringify(step.args).slice(1, -1).slice(0, 200)})`);
    platform.close();
  });
}

async function take({ call, args, gives, lacks = [], fails }, where) {
  const [result, error] = await callOf(call)(...structuredClone(args)).then((value) => [value], (thrown) => [undefined, thrown]);
  if (error && !(error instanceof streamspace.errors.StreamSpaceError)) throw error;
  if (fails) return compareError(error, fails, where);
  assert.equal(error, undefined, `${where}: ${error?.name}: ${error?.message} ${JSON.stringify(error?.details)}`);
  if (gives !== undefined) compare(result ?? null, gives, where);
  for (const field of lacks) assert.ok(!(field in result), `${where}: has ${field}`);
  return undefined;
}

function callOf(name) {
  const [, of, method] = /^db\.table\((\w+)\)\.(\w+)$/.exec(name) ?? [];
  if (of) return (...args) => streamspace.db.table(of)[method](...args);
  return name.split('.').reduce((object, part) => object[part], streamspace);
}

function compareError(error, wanted, where) {
  assert.ok(error, `${where} did not fail`);
  assert.equal(error.name, wanted.name, `${where}: ${error.message} ${JSON.stringify(error.details)}`);
  if (wanted.code) assert.equal(error.code, wanted.code, where);
  if (wanted.message) assert.equal(error.message, wanted.message, where);
  if (!wanted.details) return;
  compare(error.details, wanted.details, `${where} details`);
  if (error.code === 'VALIDATION_ERROR') assert.deepEqual(Object.keys(error.details).sort(), Object.keys(wanted.details).sort(), where);
}

function compare(found, wanted, where) {
  if (Array.isArray(wanted) && typeof wanted[0] === 'object') {
    assert.equal(found?.length, wanted.length, `${where}: ${JSON.stringify(found)}`);
    wanted.forEach((value, at) => compare(found[at], value, `${where}[${at}]`));
  } else if (typeof wanted === 'object' && wanted !== null && !Array.isArray(wanted)) {
    for (const [key, value] of Object.entries(wanted)) {
      assert.ok(typeof found === 'object' && found !== null && key in found, `${where}: has no ${key}: ${JSON.stringify(found)}`);
      compare(found[key], value, `${where}.${key}`);
    }
  } else assert.deepEqual(found, wanted, where);
}

test('every route that plugins call is answered in memory', () => {
  const declared = CONTRACT.routes.map(({ method, path: pattern }) => `${method} ${pattern}`);
  assert.deepEqual(declared.filter((one) => !HANDLERS[one]), []);
});
