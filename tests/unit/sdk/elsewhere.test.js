'use strict';

// Plugins as they were written for StreamSpace elsewhere: whatever their shape, they run unchanged.
const assert = require('node:assert/strict');
const { registerHooks } = require('node:module');
const { test } = require('node:test');
const { plugin, recorder } = require('./sdk_plugin');

/** Each notifies in onSessionCreated of what onLoad kept. */
const SHAPES = {
  'exports by name': {
    source: `let kept;
      exports.onLoad = function () { kept = this.config.greeting; };
      exports.onSessionCreated = async (session) => streamspace.notify(session.user, { title: 'T', message: kept });`,
  },
  'arrow functions, plain and returning a promise': {
    source: `const { notify } = require('streamspace');
      const state = {};
      module.exports = {
        onLoad: () => { state.kept = 'hello'; },
        onSessionCreated: (session) => notify(session.user, { title: 'T', message: state.kept }),
      };`,
  },
  'a class whose methods help each other': {
    source: `class Greeter {
        async onLoad() { this.kept = await this.read(); }
        async read() { return this.config.greeting; }
        async onSessionCreated(session) { await this.greet(session.user); }
        greet(user) { return global.streamspace.notify(user, { title: 'T', message: this.kept }); }
      }
      module.exports = Greeter;`,
  },
  'an instance of a class': {
    source: `class Greeter {
        #kept;
        onLoad() { this.#kept = this.config.greeting; }
        onSessionCreated(session) { return streamspace.notify(session.user, { title: 'T', message: this.#kept }); }
      }
      module.exports = new Greeter();`,
  },
  'TypeScript, compiled, with a default export': {
    source: `"use strict";
      Object.defineProperty(exports, "__esModule", { value: true });
      const plugin = {
        async onLoad() { this.kept = this.config.greeting; },
        async onSessionCreated(session) { await streamspace.notify(session.user, { title: 'T', message: this.kept }); },
      };
      exports.default = plugin;`,
  },
  'TypeScript, compiled, with a class and an import': {
    source: `"use strict";
      var __importDefault = (this && this.__importDefault) || function (mod) { return (mod && mod.__esModule) ? mod : { "default": mod }; };
      Object.defineProperty(exports, "__esModule", { value: true });
      const streamspace_1 = __importDefault(require("streamspace"));
      class Greeter {
        async onLoad() { this.kept = this.config.greeting; }
        async onSessionCreated(session) { await streamspace_1.default.notify(session.user, { title: 'T', message: this.kept }); }
      }
      exports.default = Greeter;`,
  },
  'TypeScript, compiled, with exports by name': {
    source: `"use strict";
      Object.defineProperty(exports, "__esModule", { value: true });
      exports.onSessionCreated = exports.onLoad = void 0;
      let kept;
      async function onLoad() { kept = this.config.greeting; }
      exports.onLoad = onLoad;
      const onSessionCreated = async (session) => { await streamspace.notify(session.user, { title: 'T', message: kept }); };
      exports.onSessionCreated = onSessionCreated;`,
  },
  'files, JSON and packages of its own': {
    source: `const { greet } = require('./lib/greet');
      module.exports = { onSessionCreated: (session) => greet(session.user) };`,
    files: {
      'lib/greet.js': `const { text } = require('../data/greeting.json');
        const shout = require('shout');
        module.exports.greet = (user) => streamspace.notify(user, { title: 'T', message: shout(text) });`,
      'data/greeting.json': '{"text": "HELLO"}',
      'node_modules/shout/package.json': '{"name": "shout", "main": "lib/index.js"}',
      'node_modules/shout/lib/index.js': 'module.exports = (text) => text.toLowerCase();',
    },
  },
  'an ES module that imports the API': {
    source: `import streamspace, { notify } from 'streamspace';
      import { text } from './lib/greeting.mjs';
      if (streamspace !== globalThis.streamspace) throw new Error('another API');
      export default {
        onLoad() { this.kept = text; },
        onSessionCreated(session) { return notify(session.user, { title: 'T', message: this.kept }); },
      };`,
    files: { 'lib/greeting.mjs': `import { log } from 'streamspace'; log.info('imported'); export const text = 'hello';` },
    main: 'index.mjs',
  },
  'a package of ES modules': {
    source: `import { text } from './lib/greeting.js';
      export function onLoad() { this.kept = text; }
      export async function onSessionCreated(session) {
        const { tell } = await import('./lib/later.js');
        await tell(session.user, this.kept);
      }`,
    files: {
      'package.json': '{"type": "module"}',
      'lib/greeting.js': `import streamspace from 'streamspace'; streamspace.log.info('imported'); export const text = 'hello';`,
      'lib/later.js': `import { notify } from 'streamspace'; export const tell = (user, message) => notify(user, { title: 'T', message });`,
    },
  },
};
if (registerHooks) {
  SHAPES['a CommonJS module with an ES module that imports the API'] = {
    source: `module.exports = {
      async onLoad() { this.tell = (await import('./tell.mjs')).tell; },
      onSessionCreated(session) { return this.tell(session.user); },
    };`,
    files: { 'tell.mjs': `import { notify } from 'streamspace'; export const tell = (user) => notify(user, { title: 'T', message: 'hello' });` },
  };
}

for (const [shape, { source, files = {}, main }] of Object.entries(SHAPES)) {
  test(`${shape}`, async (t) => {
    const { container, platform } = await plugin(t, source, { files, manifest: main ? { entrypoints: { main } } : {} });

    const answer = await container.load({ greeting: 'hello' });
    assert.equal(answer.ok, true, JSON.stringify(answer.error));
    assert.deepEqual(answer.registered.hooks, ['session.created']);
    assert.deepEqual(await container.deliver([recorder()({ id: 'ann-desk', user: 'ann' })]), []);

    const [{ body }] = platform.asked('/notifications');
    assert.deepEqual([body.to, body.message], ['ann', 'hello']);
  });
}

test("a package that is missing is an error that names it, not ours", async (t) => {
  const { container } = await plugin(t, "import left from 'left-pad'; export default {};", { manifest: { entrypoints: { main: 'index.mjs' } } });

  assert.match((await container.load()).error.message, /left-pad/);
});

test('every name of the API can be imported, where the package is found as well', async () => {
  const streamspace = require('../../../plugin_layers/nodejs/node_modules/streamspace');
  const imported = await import('../../../plugin_layers/nodejs/node_modules/streamspace/index.mjs');

  assert.deepEqual(Object.keys(imported).filter((name) => name !== 'default').sort(), Object.keys(streamspace).sort());
  assert.equal(imported.default, streamspace);
});
