'use strict';

// A plugin that executes its own commands.
const assert = require('node:assert/strict');
const { test } = require('node:test');
const { plugin } = require('./sdk_plugin');

test("a plugin's own command runs in place, already in onLoad", async (t) => {
  const { container, platform } = await plugin(t, `module.exports = {
    seen: [],
    async onLoad() {
      const { commands } = streamspace;
      commands.register({
        name: 'note',
        description: 'd',
        async handler(args, { caller }) { this.seen.push([args, caller.username]); return { at: new Date(0), noted: this.seen.length }; },
      });
      commands.register({ name: 'both', description: 'd', handler: async () => [await commands.execute('note', { n: 2 }), this.seen] });
      this.first = await commands.execute('note');
      commands.register({ name: 'first', description: 'd', handler: () => this.first });
    },
  };`);
  await container.load();

  const at = '1970-01-01T00:00:00.000Z';
  assert.deepEqual((await container.command('first')).result, { at, noted: 1 });
  assert.deepEqual((await container.command('both')).result, [{ at, noted: 2 }, [[{}, 'my-plugin'], [{ n: 2 }, 'my-plugin']]]);
  assert.deepEqual(platform.requests, []);
});

test('what its own command throws is a CommandFailedError, as of any command', async (t) => {
  const { container } = await plugin(t, `module.exports = {
    onLoad() {
      const { commands, errors } = streamspace;
      commands.register({ name: 'fails', description: 'd', handler: async () => { throw Object.assign(new RangeError('no'), { code: 'E' }); } });
      commands.register({ name: 'odd', description: 'd', handler: () => 1n });
      const told = (error) => [error instanceof errors.CommandFailedError, error.name, error.code, error.message, error.details];
      commands.register({ name: 'try', description: 'd', handler: ({ name }) => commands.execute(name).catch(told) });
    },
  };`);
  await container.load();

  assert.deepEqual((await container.command('try', { name: 'fails' })).result, [
    true, 'CommandFailedError', 'COMMAND_FAILED', "The command 'fails' of 'my-plugin' failed: no",
    { plugin: 'my-plugin', name: 'RangeError', message: 'no', code: 'E' },
  ]);
  assert.equal((await container.command('try', { name: 'odd' })).result[4].name, 'TypeError');
});
