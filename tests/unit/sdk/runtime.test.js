'use strict';

// The JavaScript runtime against docs/runtime-protocol.md.
const assert = require('node:assert/strict');
const { test } = require('node:test');
const { plugin, recorder, SELF } = require('./sdk_plugin');

const KEEPS_WHAT_IT_SAW = `
  module.exports = {
    seen: [],
    get names() { return this.seen.map(([name]) => name); },
    async onLoad() {
      this.seen.push(['load', this.config, this.manifest.name]);
      streamspace.commands.register({ name: 'seen', description: 'd', handler: async () => this.seen });
      streamspace.commands.register({ name: 'names', description: 'd', handler: async () => this.names });
    },
    async onSessionCreated(session, event) {
      this.seen.push([session.id, event.type, this.config]);
      if (session.fails) throw new RangeError('no ' + session.id);
    },
  };
`;

test('load runs onLoad with the settings and answers what was registered, each time', async (t) => {
  const { container } = await plugin(t, `
    streamspace.ui.addMenuItem({ label: 'L', path: '/l', component: './l.jsx' });
    module.exports = {
      async onLoad() {
        if (this.config.apiKey !== 'k' || this.manifest.permissions[0] !== 'read:sessions') throw new Error('no context');
        streamspace.schedule('rate(1 hour)', this.sweep);
      },
      sweep() {},
      async onUserLogin() {},
      async onSessionCreated() {},
    };
  `);

  const answers = [await container.load({ apiKey: 'k' }), await container.load({ apiKey: 'k' })];

  assert.deepEqual(answers[0], answers[1]);
  assert.deepEqual(answers[0], {
    ok: true,
    registered: {
      hooks: ['session.created', 'user.login'],
      widgets: [],
      menuItems: [{ label: 'L', path: '/l', component: './l.jsx' }],
      settingsPages: [],
      commands: [],
      schedules: [{ name: 'sweep', expression: 'rate(1 hour)' }],
      endpoints: [],
      places: { 'session.created': 'index.js:10', 'user.login': 'index.js:9', 'schedule sweep': 'index.js:8' },
    },
  });
});

test('load tells where each function begins, in whichever of the files; what is bound or not the author\'s is left out', async (t) => {
  const { container } = await plugin(t, `
    const { greet } = require('./lib/greet');
    class Plugin {
      constructor() { this.bound = this.bound.bind(this); }
      onLoad() {
        streamspace.commands.register({ name: 'greet', description: 'd', handler: greet });
        streamspace.commands.register({ name: 'bound', description: 'd', handler: this.bound });
        streamspace.api.registerEndpoint({ method: 'GET', path: '/x',
          handler: (req, res) => res.json(1) });
      }
      bound() {}
    }
    Plugin.prototype.onUserLogin = function () {};
    module.exports = Plugin;
  `, { files: { 'lib/greet.js': '// greets\nexports.greet = () => 1;\n' } });

  const { registered } = await container.load();

  assert.deepEqual(registered.places, { 'command greet': 'lib/greet.js:2', 'endpoint GET /x': 'index.js:9', 'user.login': 'index.js:13' });
});

test('a throw in onLoad is an answer with its place', async (t) => {
  const { container } = await plugin(t, `module.exports = {
    async onLoad() {
      throw new streamspace.errors.StreamSpaceError('API key is required', { code: 'X', details: { field: 'apiKey' } });
    },
  };`);

  const { ok, error } = await container.load();

  const { stack, ...facts } = error;
  assert.equal(ok, false);
  assert.deepEqual(facts, {
    name: 'StreamSpaceError',
    message: 'API key is required',
    code: 'X',
    details: { field: 'apiKey' },
    hook: 'onLoad',
    location: 'index.js:3',
  });
  assert.ok(!stack.includes('streamspace/hooks.js'));
});

test("an API error's place is the author's line that awaited it", async (t) => {
  const { container, platform } = await plugin(t, `module.exports = {
    async onLoad() {
      await this.deeper();
    },
    async deeper() {
      await streamspace.email.send({ to: 'a@example.com', subject: 'S', text: 't' });
    },
  };`);
  platform.routes['*'] = { status: 403, error: { code: 'PERMISSION_DENIED', message: 'No', details: { scope: 'email' } } };

  const { error } = await container.load();

  assert.equal(error.name, 'PermissionDeniedError');
  assert.equal(error.location, 'index.js:6');
  assert.equal(error.message, `email.send needs the scope 'email'; add it to "permissions" in manifest.json`);
});

for (const [what, thrown, message] of [
  ['a string', "'just text'", 'just text'],
  ['an object', '{ reason: 7 }', '{"reason":7}'],
  ['undefined', 'undefined', 'undefined was thrown: undefined'],
]) {
  test(`${what} that is thrown is a failure too`, async (t) => {
    const { container } = await plugin(t, `module.exports = { async onLoad() { throw ${thrown}; } };`);

    assert.deepEqual((await container.load()).error, { name: 'Error', message, hook: 'onLoad' });
  });
}

for (const [what, source, name] of [
  ['a missing module', "require('nothing-of-that-name');", 'Error'],
  ['a syntax error', 'module.exports = {\n  broken(: 1\n};', 'SyntaxError'],
  ['an arrow function', 'module.exports = () => ({});', 'TypeError'],
]) {
  test(`${what} is an answer of every call`, async (t) => {
    const { container } = await plugin(t, source);

    for (const answer of [await container.load(), await container.load()]) {
      assert.equal(answer.error.name, name);
      assert.equal(answer.error.hook, 'module');
    }
  });
}

const HOOK = "async onLoad() { this.n = (this.n ?? 0) + 1; throw new Error([this.n, this.config.a, this.manifest.name, typeof streamspace.notify].join()); }";
for (const [shape, source, main] of [
  ['an object', `module.exports = { ${HOOK} };`],
  ['a frozen object', `module.exports = Object.freeze({ ${HOOK} });`],
  ['a class', `module.exports = class { constructor() { this.manifest.name.length; } ${HOOK} };`],
  ['a transpiled ES module', `exports.__esModule = true; exports.default = { ${HOOK} };`],
  ['an ES module by its name', `export default { ${HOOK} };`, 'index.mjs'],
  ['an ES module with a class', `export default class { ${HOOK} }`, 'src/index.mjs'],
  ['an ES module by its exports', `export ${HOOK.replace('async', 'async function')}`, 'index.mjs'],
]) {
  test(`${shape} is a plugin`, async (t) => {
    const { container } = await plugin(t, source, { manifest: main ? { entrypoints: { main } } : {} });

    await container.load({ a: 1 });

    assert.equal((await container.load({ a: 2 })).error.message, '2,2,my-plugin,function');
  });
}

test('"type": "module" makes index.js an ES module', async (t) => {
  const { container } = await plugin(t, 'export default { onUserLogin() {} };', { files: { 'package.json': '{"type": "module"}' } });

  assert.deepEqual((await container.load()).registered.hooks, ['user.login']);
});

test('a cold container fetches its settings and runs onLoad once', async (t) => {
  const { container, platform } = await plugin(t, KEEPS_WHAT_IT_SAW);
  const record = recorder();

  assert.deepEqual(await container.deliver([record({ id: 'a' }), record({ id: 'b' })]), []);

  assert.deepEqual((await container.command('seen')).result, [
    ['load', { apiKey: 'k' }, 'my-plugin'],
    ['a', 'session.created', { apiKey: 'k' }],
    ['b', 'session.created', { apiKey: 'k' }],
  ]);
  assert.deepEqual(platform.requests.map(({ line }) => line), [SELF]);
});

test('newer settings are fetched without onLoad', async (t) => {
  const { container, platform } = await plugin(t, KEEPS_WHAT_IT_SAW);
  const record = recorder();
  await container.load({ apiKey: 'old' });
  platform.routes[SELF] = { data: { settings: { apiKey: 'new' }, settings_version: 2 } };

  await container.deliver([record(), record({}, { version: 2 }), record({}, { version: 2 })]);

  const seen = (await container.command('seen', {}, 2)).result;
  assert.deepEqual(seen.slice(1).map((entry) => entry.at(-1).apiKey), ['old', 'new', 'new']);
  assert.equal(platform.requests.length, 1);
});

test('commands answer JSON, or what went wrong', async (t) => {
  const { container } = await plugin(t, `module.exports = {
    onLoad() {
      const register = (name, handler) => streamspace.commands.register({ name, description: 'd', handler });
      register('echo', async (args, context) => [args, context]);
      register('nothing', () => {});
      register('odd', () => 1n);
      register('fails', async () => { throw new RangeError('no'); });
    },
  };`);

  const answers = await ['echo', 'nothing', 'odd', 'fails', 'none'].reduce(
    async (earlier, name) => [...(await earlier), await container.command(name)],
    [],
  );

  assert.deepEqual(answers[0], { ok: true, result: [{}, { caller: { username: 'ann' } }] });
  assert.deepEqual(answers[1], { ok: true, result: null });
  assert.match(answers[2].error.message, /JSON/);
  assert.deepEqual([answers[3].error.name, answers[3].error.hook], ['RangeError', 'command fails']);
  assert.equal(answers[4].error.code, 'COMMAND_NOT_FOUND');
  assert.match(answers[4].error.message, /streamspace\.commands\.register/);
});

test('scheduled tasks are handlers or methods', async (t) => {
  const tasks = [{ name: 'nightly', schedule: 'rate(1 day)', handler: 'tidy' }, { name: 'daily-sync', schedule: 'x' }];
  const source = `module.exports = {
    ran: [],
    onLoad() {
      streamspace.schedule('given', 'rate(1 hour)', () => this.ran.push('given'));
      streamspace.commands.register({ name: 'ran', description: 'd', handler: () => this.ran });
    },
    tidy() { this.ran.push('tidy'); },
    async dailySync({ name }) { this.ran.push(name); },
  };`;
  const { container } = await plugin(t, source, { manifest: { contributes: { scheduled_tasks: tasks } } });

  const oks = [];
  for (const name of ['given', 'nightly', 'daily-sync', 'none']) oks.push((await container.call({ kind: 'schedule', name })).ok);

  assert.deepEqual(oks, [true, true, true, false]);
  assert.deepEqual((await container.command('ran')).result, ['given', 'tidy', 'daily-sync']);
});

test('unload runs onUnload and makes the container cold', async (t) => {
  const { container, platform } = await plugin(t, `module.exports = { onUnload() { throw new Error('open files'); } };`);
  await container.load();

  assert.equal((await container.call({ kind: 'unload' })).error.hook, 'onUnload');

  await container.call({ kind: 'unload' });
  assert.deepEqual(platform.requests.map(({ line }) => line), [SELF]);
});

test('an unknown kind is an answer', async (t) => {
  const { container } = await plugin(t, 'module.exports = {};');

  assert.match((await container.call({ kind: 'dance' })).error.message, /'dance'/);
});

test('a failed event is reported with the handles of its group', async (t) => {
  const { container, platform } = await plugin(t, KEEPS_WHAT_IT_SAW);
  const record = recorder();
  await container.load();
  platform.routes['*'] = { data: { verdict: 'retry' } };

  const givenBack = await container.deliver([record({ id: 'a', fails: true }), record({ id: 'b' }, { group: 'other' }), record({ id: 'c' })]);

  assert.deepEqual(givenBack, ['m1', 'm3']);
  const [{ line, body }] = platform.requests;
  const { error, ...rest } = body;
  assert.equal(line, 'POST /api/v1/runtime/events/7301001/failures');
  assert.deepEqual(rest, { aggregate: 'session#john-firefox', sequence: 1, attempt: 1, receipt_handles: ['r1', 'r3'] });
  assert.deepEqual([error.name, error.message, error.hook], ['RangeError', 'no a', 'onSessionCreated']);
  assert.deepEqual((await container.command('names')).result, ['load', 'a', 'b']);
});

test('a dead letter lets its group go on', async (t) => {
  const { container, platform } = await plugin(t, KEEPS_WHAT_IT_SAW);
  const record = recorder();
  await container.load();
  platform.routes['*'] = { data: { verdict: 'dead-letter' } };

  assert.deepEqual(await container.deliver([record({ id: 'a', fails: true }), record({ id: 'b' })]), []);

  assert.deepEqual((await container.command('names')).result, ['load', 'a', 'b']);
});

for (const [verdict, ran] of [['run', ['load', 'a']], ['dead-letter', ['load']]]) {
  test(`an event received again begins an attempt: ${verdict}`, async (t) => {
    const { container, platform } = await plugin(t, KEEPS_WHAT_IT_SAW);
    await container.load();
    platform.routes['*'] = { data: { verdict } };

    assert.deepEqual(await container.deliver([recorder()({ id: 'a' }, { received: 2 })]), []);

    const [{ line, body }] = platform.requests;
    assert.equal(line, 'POST /api/v1/runtime/events/7301001/attempts');
    assert.deepEqual(body, { aggregate: 'session#john-firefox', sequence: 1 });
    assert.deepEqual((await container.command('names')).result, ran);
  });
}

// Each failure that is the platform's: as the author's code throws it, and as a cause of what it throws.
for (const [what, code, fault] of [
  ['503', 'await streamspace.api.getSession("x")', 'platform'],
  ['its cause', 'await streamspace.api.getSession("x").catch((cause) => { throw new Error("wrapped", { cause }); })', 'platform'],
  ['an answer', 'await streamspace.api.deleteSession("x")', undefined],
  ['its own', 'throw new Error("own")', undefined],
]) {
  test(`a failure says whether it is the platform's: ${what}`, async (t) => {
    const { container, platform } = await plugin(t, `module.exports = { async onSessionCreated() { ${code}; } };`);
    await container.load();
    platform.routes['GET /api/v1/sessions/x'] = { status: 503, headers: { 'retry-after': '60' } };
    platform.routes['DELETE /api/v1/sessions/x'] = { status: 404, error: { code: 'SESSION_NOT_FOUND', message: 'No session' } };
    platform.routes['*'] = { data: { verdict: 'retry' } };

    await container.deliver([recorder()()]);

    const [report] = platform.asked('/failures');
    assert.equal(report.body.error.fault, fault);
  });
}

test('a failure that could not be told is told with the next attempt, once', async (t) => {
  const { container, platform } = await plugin(t, KEEPS_WHAT_IT_SAW);
  const record = recorder();
  await container.load();
  platform.routes['*'] = { status: 500 };
  const troubled = record({ id: 'a', fails: true });
  await container.deliver([troubled]);
  platform.routes['*'] = { data: { verdict: 'run' } };
  troubled.attributes.ApproximateReceiveCount = '2';

  await container.deliver([troubled]);
  await container.deliver([troubled]);

  const begun = platform.asked('/attempts').map(({ body }) => body.unreported?.message);
  assert.deepEqual(begun, ['no a', undefined]);
});

test('a delivery is reported only when its message asks for it, or with the next failure', async (t) => {
  const { container, platform } = await plugin(t, KEEPS_WHAT_IT_SAW);
  const record = recorder();
  await container.load();
  platform.routes['*'] = { data: { verdict: 'retry' } };
  const asking = record({ id: 'b' });
  asking.body = asking.body.replace('{', '{"report_delivery":true,');

  await container.deliver([record({ id: 'a' })]);
  await container.deliver([record({ id: 'x', fails: true })]);
  await container.deliver([record({ id: 'y', fails: true })]);
  await container.deliver([asking]);
  await container.deliver([record({ id: 'z', fails: true })]);

  const told = platform.requests.map(({ line, body }) => [line.split('/').at(-1), body.has_delivered]);
  assert.deepEqual(told, [['failures', true], ['failures', undefined], ['deliveries', undefined], ['failures', undefined]]);
});

test('a delivery that cannot be reported is a delivery', async (t) => {
  const { container, platform } = await plugin(t, KEEPS_WHAT_IT_SAW);
  await container.load();
  platform.routes['*'] = { status: 500 };
  const asking = recorder()({ id: 'a' });
  asking.body = asking.body.replace('{', '{"report_delivery":true,');

  assert.deepEqual(await container.deliver([asking]), []);
});

test('each call says how many hooks led to it', async (t) => {
  const { container, platform } = await plugin(t, `module.exports = {
    onLoad() { streamspace.commands.register({ name: 'look', description: 'd', handler: () => streamspace.api.getSessions() }); },
    async onSessionCreated() { await streamspace.api.getSessions(); },
  };`);
  await container.load();
  platform.routes['*'] = { data: [] };
  const caused = recorder()();
  caused.body = caused.body.replace('{', '{"hops":3,');

  await container.deliver([recorder()(), caused]);
  await container.command('look');
  await container.call({ kind: 'command', name: 'look', args: {}, caller: { username: 'ann' }, settings_version: 1, hops: 2 });

  assert.deepEqual(platform.requests.map(({ headers }) => headers['x-streamspace-hops']), ['0', '3', '0', '2']);
});

test('an attempt that cannot be begun is not run', async (t) => {
  const { container, platform } = await plugin(t, KEEPS_WHAT_IT_SAW);
  const record = recorder();
  await container.load();
  platform.routes['*'] = { status: 500 };

  assert.deepEqual(await container.deliver([record({ id: 'a' }, { received: 2 }), record({ id: 'b' })]), ['m1', 'm2']);

  assert.deepEqual((await container.command('names')).result, ['load']);
});

test('an onLoad that fails fails the events and is run once', async (t) => {
  const { container, platform } = await plugin(t, `module.exports = {
    async onLoad() { await streamspace.storage.set('tried', 1); throw new Error('no connection'); },
    async onSessionCreated() {},
  };`);
  const record = recorder();
  platform.routes['*'] = { data: { verdict: 'retry' } };

  assert.deepEqual(await container.deliver([record({}, { group: 'a' }), record({}, { group: 'b' })]), ['m1', 'm2']);

  assert.equal(platform.asked('storage/tried').length, 1);
  assert.deepEqual(platform.asked('/failures').map(({ body }) => body.error.hook), ['onLoad', 'onLoad']);
});

test('a module that fails fails the events', async (t) => {
  const { container, platform } = await plugin(t, "throw new RangeError('broken');");
  const record = recorder();
  platform.routes['*'] = { data: { verdict: 'dead-letter' } };

  assert.deepEqual(await container.deliver([record({}, { group: 'a' }), record({}, { group: 'b' })]), []);

  assert.deepEqual(platform.asked('/failures').map(({ body }) => body.error.name), ['RangeError', 'RangeError']);
});

test('settings that cannot be had are no attempt', async (t) => {
  const { container, platform } = await plugin(t, KEEPS_WHAT_IT_SAW);
  platform.routes[SELF] = { status: 500 };

  assert.deepEqual(await container.deliver([recorder()()]), ['m1']);

  assert.deepEqual(platform.asked('/failures'), []);
});

test('what nobody hears is done without a request; what is no event is given back', async (t) => {
  const { container, platform } = await plugin(t, KEEPS_WHAT_IT_SAW);
  const record = recorder();
  const broken = { ...record(), body: '{' };

  const givenBack = await container.deliver([record({}, { type: 'user.login', received: 3 }), record({}, { type: 'new.kind' }), broken]);

  assert.deepEqual(givenBack, ['m1']);
  assert.deepEqual(platform.requests, []);
});

test('with a tenth of the time left the rest is given back', async (t) => {
  const { container } = await plugin(t, `module.exports = {
    async onSessionCreated({ ms }) { for (const end = Date.now() + ms; Date.now() < end; ); },
  };`);
  const record = recorder();
  await container.load();

  const givenBack = await container.deliver([record({ ms: 320 }), record({ ms: 0 }, { group: 'b' })], 300);

  assert.deepEqual(givenBack.at(-1), 'm2');
});

test('a hook whose promise never settles fails in time to be reported', async (t) => {
  const { container, platform } = await plugin(t, 'module.exports = { onSessionCreated: () => new Promise(() => {}) };');
  await container.load();
  platform.routes['*'] = { data: { verdict: 'retry' } };

  assert.deepEqual(await container.deliver([recorder()()], 2500), ['m1']);

  assert.match(platform.requests[0].body.error.message, /onSessionCreated of the plugin 'my-plugin' did not finish in time/);
});

test('process.exit and a rejection that nobody handles fail the hook', async (t) => {
  const { container, platform } = await plugin(t, `module.exports = {
    async onSessionCreated({ how }) {
      if (how === 'exit') process.exit(3);
      if (how === 'leak') Promise.reject(new RangeError('leaked'));
    },
  };`);
  const record = recorder();
  await container.load();
  platform.routes['*'] = { data: { verdict: 'dead-letter' } };

  assert.deepEqual(await container.deliver([record({ how: 'exit' }), record({ how: 'leak' }), record({ how: 'well' })]), []);

  assert.deepEqual(platform.requests.map(({ body }) => body.error.message), [
    "onSessionCreated of the plugin 'my-plugin' called process.exit(3); throw an error instead",
    'leaked',
  ]);
});

test('console and log write lines of JSON', async (t) => {
  const { container } = await plugin(t, `
    console.log('top %s', 'level');
    module.exports = {
      async onSessionCreated() {
        console.log('two\\nlines', { a: 1 });
        console.error(new RangeError('x').message);
        console.table([{ a: 1 }]);
        const circular = {};
        circular.self = circular;
        streamspace.log.warn('High', { usage: '85%', error: new RangeError('x'), big: 1n });
        await null;
        streamspace.log.log('fatal', 'circular', circular);
      },
    };
  `);
  await container.load();

  await container.deliver([recorder()()]);

  const { lines } = container;
  assert.deepEqual(lines.map(({ level }) => level), ['info', 'info', 'error', 'info', 'warn', 'fatal']);
  assert.deepEqual(lines.map(({ message }) => message).slice(0, 3), ['top level', 'two\nlines { a: 1 }', 'x']);
  assert.equal(lines[4].data.error.name, 'RangeError');
  assert.equal(lines[0].hook, 'module');
  assert.ok(lines.every((line) => line.plugin === 'my-plugin' && line.timestamp.endsWith('Z')));
  assert.ok(lines.slice(1).every((line) => line.hook === 'onSessionCreated' && line.event_id === 7301001));
});
