'use strict';

// Whatever a JavaScript plugin does, its author learns the plugin, the hook and the line, and the container serves the next call.
const assert = require('node:assert/strict');
const { test } = require('node:test');
const { plugin, recorder } = require('./sdk_plugin');

const source = (bad) => `const late = () => new Promise((resolve) => setTimeout(resolve, 5000));
module.exports = {
  async onLoad() {
    const register = (name, handler) => streamspace.commands.register({ name, description: 'd', handler });
    register('fine', async () => 'fine');
    register('bad', bad);
  },
};
async function bad(args) {
  ${bad}
}
`;

const CASES = [
  ["throw new Error('no')", 'Error', 'no', 10],
  ["throw 'only text'", 'Error', 'only text'],
  ['throw null', 'Error', 'null'],
  ['throw undefined', 'Error', 'undefined'],
  ['throw Object.create(null)', 'Error', '{}'],
  ["throw { get message() { throw new Error('x') } }", 'Error', 'cannot be read'],
  ["const e = new Error('round'); e.details = { e }; e.details.self = e.details; throw e", 'Error', 'round', 10],
  ["throw new Error('x'.repeat(1_000_000))", 'Error', '(1000000 characters)'],
  ['return bad(args)', 'RangeError', 'call stack', 9],
  ['process.exit(3)', 'Error', "command bad of the plugin 'my-plugin' called process.exit(3)", 10],
  ["setTimeout(() => { throw new Error('in a timer') }, 1); await late()", 'Error', 'in a timer', 10],
  ["Promise.reject(new Error('nobody waits')); await late()", 'Error', 'nobody waits', 10],
  ['while (true) {}', 'Error', "command bad of the plugin 'my-plugin' did not finish in time", 9],
  ['await new Promise(() => {})', 'Error', 'did not finish in time'],
  ["return 'x'.repeat(6_000_000)", 'RangeError', 'an answer holds 5500000'],
  ["return '\"'.repeat(2_800_000)", 'RangeError', 'returned 5600002 bytes'.slice(0, 9)],
  ['const a = []; a.push(a); return a', 'TypeError', 'JSON cannot hold'],
  ["const deep = []; let at = deep; for (let i = 0; i < 100000; i += 1) { at.push([]); at = at[0]; } return deep", 'TypeError', 'JSON cannot hold'],
];

for (const [bad, name, said, line] of CASES) {
  test(`a command that does: ${bad}`, async (t) => {
    const { container } = await plugin(t, source(bad));
    await container.load();

    const { error } = await container.call({ kind: 'command', name: 'bad', args: {} }, 1000);

    assert.equal(error.name, name);
    assert.ok(error.message.includes(said) || error.message.includes('Maximum call stack'), error.message);
    if (line) assert.deepEqual([error.hook, error.location], ['command bad', `index.js:${line}`]);
    assert.ok(JSON.stringify(error).length < 60_000);
    assert.equal((await container.command('fine')).result, 'fine');
  });
}

test('what the author puts in the place of the language does not break the protocol', async (t) => {
  const { container, platform } = await plugin(
    t,
    `JSON.stringify = () => 'patched'; JSON.parse = () => { throw new Error('patched') };
     Object.prototype.polluted = 'yes'; Array.prototype.extra = () => 1;
     globalThis.streamspace = null;
     module.exports = { onSessionCreated() { throw new Error('no'); } };`,
  );
  platform.routes['*'] = { data: { verdict: 'dead-letter' } };
  assert.deepEqual((await container.load()).registered.hooks, ['session.created']);

  assert.deepEqual(await container.deliver([recorder()()]), []);

  const [report] = platform.requests.filter(({ line }) => line.endsWith('/failures'));
  assert.equal(report.body.error.message, 'no');
});

test('thousands of writes at once are all made, a few at a time', async (t) => {
  const { container, platform } = await plugin(
    t,
    `module.exports = {
       async onSessionCreated() {
         await Promise.all(Array.from({ length: 3000 }, (_, n) => streamspace.storage.set('k' + n, n)));
       },
     };`,
  );
  await container.load();

  assert.deepEqual(await container.deliver([recorder()()]), []);

  assert.equal(platform.requests.filter(({ line }) => line.startsWith('PUT')).length, 3000);
  assert.ok(platform.mostOpen <= 16, `${platform.mostOpen} at once`);
});

test('a flood of log lines is cut with a note', async (t) => {
  const { container } = await plugin(
    t,
    `module.exports = {
       onLoad() { for (let n = 0; n < 50_000; n += 1) console.log(n); },
       onUnload() { console.log('x'.repeat(1_000_000)); },
     };`,
  );
  assert.equal((await container.load()).ok, true);
  assert.equal((await container.call({ kind: 'unload' })).ok, true);

  const lines = container.lines;
  assert.equal(lines.length, 2002);
  assert.deepEqual([lines[2000].level, lines[2000].message], ['warn', 'onLoad logged more than 2000 lines in one call; the rest is left out']);
  assert.ok(lines[2001].message.length < 64 * 1024);
});
