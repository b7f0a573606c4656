'use strict';

// What the JavaScript SDK writes to the log: everything it is told, within bounds, and no secret (tests/sdk/redaction.json).
const assert = require('node:assert/strict');
const { test } = require('node:test');
const { plugin, recorder } = require('./sdk_plugin');
const { loggable } = require('../../../plugin_layers/nodejs/node_modules/streamspace/loggable');
const redactionModule = require.resolve('../../../plugin_layers/nodejs/node_modules/streamspace/redaction');

/** A container that knows no secrets yet. */
function fresh() {
  delete require.cache[redactionModule];
  return require(redactionModule);
}

for (const one of require('../../sdk/redaction.json')) {
  test(`a secret ${one.case}`, () => {
    const { hide, redacted } = fresh();
    hide(one.secrets);

    const shown = redacted(one.text);

    if (one.shown !== undefined) assert.equal(shown, one.shown);
    for (const hidden of one.hidden ?? []) assert.ok(!shown.includes(hidden), shown);
  });
}

test('whatever is logged becomes JSON that says what it was', () => {
  const circular = { a: 1 };
  circular.self = circular;
  const shown = loggable({
    circular,
    big: 10n ** 20n,
    bytes: Buffer.from('abc'),
    map: new Map([['k', new Set([1, 2])]]),
    date: new Date(0),
    bad: new Date(NaN),
    nan: NaN,
    run() {},
    nothing: undefined,
    list: [undefined, null],
    error: Object.assign(new RangeError('x', { cause: new Error('y') }), { code: 'E', status: 500 }),
    get thrower() {
      throw new Error('no');
    },
    bare: Object.create(null),
  });

  assert.deepEqual(JSON.parse(JSON.stringify(shown)), shown);
  assert.deepEqual(shown.circular, { a: 1, self: '[Circular]' });
  assert.deepEqual([shown.big, shown.bytes, shown.map], ['100000000000000000000', '<3 bytes>', { k: [1, 2] }]);
  assert.deepEqual([shown.date, shown.bad, shown.nan, shown.run], ['1970-01-01T00:00:00.000Z', null, 'NaN', '[Function run]']);
  assert.deepEqual([shown.list, shown.thrower, shown.bare], [[null, null], '[Threw: no]', {}]);
  assert.deepEqual([shown.error.name, shown.error.code, shown.error.status, shown.error.cause.message], ['RangeError', 'E', 500, 'y']);
});

test('what is too large or too deep is cut, and says so', () => {
  const deep = {};
  for (let at = deep, level = 0; level < 100; level += 1) at = at.in = {};

  assert.match(loggable('x'.repeat(100_000)), /… 50848 more characters$/);
  assert.match(loggable(Array(10_000).fill(1)).at(-1), /^… 8000 more$/);
  assert.ok(JSON.stringify(loggable(deep)).includes('"[Object]"'));
  assert.ok(JSON.stringify(loggable(Object.fromEntries(Array.from({ length: 5000 }, (_, n) => [n, 'y'.repeat(1000)])))).length < 200_000);
});

test('a plugin that logs its whole configuration shows no secret, nor the old one after a change, nor in a failure', async (t) => {
  const { container, platform } = await plugin(t, `
    module.exports = {
      async onLoad() {
        streamspace.log.info('loaded', { config: this.config });
        streamspace.commands.register({ name: 'tell', description: 'd', handler: async () => {
          console.log('key %s', this.config.apiKey, this.config);
          console.error(new Error('bad ' + this.config.apiKey));
          console.log(Buffer.from('john:' + this.config.apiKey).toString('base64'), process.env.STREAMSPACE_TOKEN);
          throw new Error('refused: ' + this.config.apiKey);
        } });
        this.first = this.config.apiKey;
        streamspace.commands.register({ name: 'old', description: 'd', handler: async () => console.log(this.first) });
      },
    };
  `);
  await container.call({ kind: 'load', settings: { apiKey: 'hunter2-first', greeting: 'hi' }, settings_version: 1, secret_settings: ['apiKey'] });
  const failed = await container.command('tell');
  platform.routes['GET /api/v1/runtime/self'] = {
    data: { settings: { apiKey: 'hunter2-second' }, settings_version: 2, secret_settings: ['apiKey'], platform: {} },
  };
  await container.command('old', {}, 2);
  await container.command('tell', {}, 2);

  const all = JSON.stringify(container.lines);
  assert.ok(!all.includes('hunter2'), all);
  assert.ok(!all.includes('odW50ZXIy') && !all.includes('h1bnRlcjIt'), all);
  assert.deepEqual(container.lines[0].data, { config: { apiKey: '[secret]', greeting: 'hi' } });
  assert.equal(failed.error.message, 'refused: [secret]');
  assert.ok(!JSON.stringify(failed).includes('hunter2'));
});

test('console has the objects as data beside the text', async (t) => {
  const { container } = await plugin(t, `
    module.exports = {
      async onSessionCreated() {
        console.log('one', { a: 1 });
        console.warn('%d of %s', 2, 'x', [1], new Error('e'));
        console.info('none', 1, 'two');
        console.log({ [Symbol.for('nodejs.util.inspect.custom')]() { throw new Error('no'); } });
        process.emitWarning('old', 'DeprecationWarning');
        await new Promise((resolve) => setTimeout(resolve, 10));
      },
    };
  `);
  await container.load();
  await container.deliver([recorder()()]);

  const { lines } = container;
  assert.deepEqual(lines.map(({ level }) => level), ['info', 'warn', 'info', 'info', 'warn']);
  assert.deepEqual(lines[0].data, { a: 1 });
  assert.match(lines[1].message, /^2 of x/);
  assert.deepEqual([lines[1].data[0], lines[1].data[1].message], [[1], 'e']);
  assert.equal(lines[2].data, undefined);
  assert.equal(lines[4].message, 'DeprecationWarning: old');
});

test('what is written past the log becomes lines of it, with hook and level, and shows no secret', async (t) => {
  const { container } = await plugin(t, `
    const fs = require('node:fs');
    const { promisify } = require('node:util');
    module.exports = {
      async onSessionCreated() {
        const key = this.config.apiKey;
        process.stdout.write('a stream: ' + key + '\\n');
        process.stdout.write('in ');
        process.stdout.write(Buffer.from(key.slice(0, 4)));
        process.stdout.write(key.slice(4) + '\\n');
        await new Promise((resolve) => process.stderr.write('an error: ' + key + '\\n', resolve));
        new console.Console(process.stdout).log('a console %s', key);
        fs.writeSync(1, 'fs: ' + key + '\\n');
        fs.writeSync(2, Buffer.from('xx bytes: ' + key + '\\nxx'), 3, key.length + 8);
        const { bytesWritten } = await promisify(fs.write)(1, Buffer.from('promised: ' + key + '\\n'));
        fs.writeFileSync('/dev/stdout', 'a device: ' + key + '\\n');
        fs.appendFileSync(2, 'appended: ' + key + '\\n');
        fs.createWriteStream(null, { fd: 1, autoClose: false }).write('a file: ' + key + '\\n');
        await new Promise((resolve) => setTimeout(resolve, 20));
        require('node:child_process').execSync('echo a child: ' + key + ' >&2'); // which has its errors written to ours
        process.stdout.write('ä'.repeat(3) + bytesWritten + ' and no end');
      },
    };
  `);
  const secrets = { settings: { apiKey: 'hunter2-first' }, settings_version: 1, secret_settings: ['apiKey'] };
  await container.call({ kind: 'load', ...secrets });
  await container.deliver([recorder()()]);

  assert.ok(!container.output.includes('hunter2'), container.output);
  assert.deepEqual(container.lines.map(({ level, message }) => [level, message]), [
    ['info', 'a stream: [secret]'],
    ['info', 'in [secret]'],
    ['error', 'an error: [secret]'],
    ['info', 'a console [secret]'],
    ['info', 'fs: [secret]'],
    ['error', 'bytes: [secret]'],
    ['info', 'promised: [secret]'],
    ['info', 'a device: [secret]'],
    ['error', 'appended: [secret]'],
    ['info', 'a file: [secret]'],
    ['error', 'a child: [secret]'],
    ['info', 'äää24 and no end'],
  ]);
  assert.ok(container.lines.every(({ hook, event_id: event }) => hook === 'onSessionCreated' && event));
});

test('an ES module that names the functions finds the same, and other files are written as ever', async (t) => {
  const { container } = await plugin(t, '', {
    manifest: { entrypoints: { main: 'index.mjs' } },
    files: { 'index.mjs': `
      import { readFileSync, writeFileSync, writeSync, openSync } from 'node:fs';
      import { stdout } from 'node:process';
      export default { onLoad() {
        const place = import.meta.dirname ?? new URL('.', import.meta.url).pathname;
        writeFileSync(place + '/own', 'kept');
        writeSync(openSync(place + '/own', 'a'), ' whole');
        writeSync(1, 'named ' + readFileSync(place + '/own') + '\\n');
        stdout.write('x'.repeat(200_000));
      } };` },
  });

  assert.equal((await container.load()).ok, true);

  const [named, long] = container.lines;
  assert.equal(named.message, 'named kept whole');
  assert.match(long.message, /^x+… \d+ more characters$/);
});
