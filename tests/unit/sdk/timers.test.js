'use strict';

// Timers, schedules and declared methods of the JavaScript runtime against docs/runtime-protocol.md.
const assert = require('node:assert/strict');
const { test } = require('node:test');
const { plugin, recorder, SELF } = require('./sdk_plugin');

const schedulesOf = (answer) => answer.registered.schedules;
const warnings = (container) => container.lines.filter(({ level }) => level === 'warn').map(({ message }) => message);

const DOCUMENTED = `
  module.exports = {
    timers: [],
    ran: [],
    async onLoad() {
      this.timers.push(setInterval(() => this.ran.push(['sweep', this.config.apiKey]), 5 * 60 * 1000));
      this.timers.push(setInterval(this.report.bind(this), 90_000, 'now'));
      this.timers.push(setTimeout(() => this.ran.push(['once']), 2 * 60 * 60 * 1000));
      streamspace.commands.register({ name: 'ran', description: 'd', handler: async () => this.ran });
      streamspace.commands.register({ name: 'stop', description: 'd', handler: async () => clearInterval(this.timers[0]) });
    },
    report(when) { this.ran.push(['report', when]); },
    async onUnload() { this.timers.forEach((timer) => clearInterval(timer)); },
  };
`;

test('timers of a minute or more in onLoad are schedules, with the same names in each container', async (t) => {
  const { container } = await plugin(t, DOCUMENTED);

  const answers = [await container.load(), await container.load()];

  assert.deepEqual(schedulesOf(answers[0]), [
    { name: 'interval-5m', expression: 'rate(5 minutes)' },
    { name: 'timer-report', expression: 'rate(2 minutes)' },
    { name: 'timeout-120m', after_s: 7200 },
  ]);
  assert.deepEqual(answers[1], answers[0]);
  assert.match(warnings(container)[0], /90000 ms runs every 2 minutes/);
});

test('a scheduled run reaches the closure, also in a cold container, with the newest settings', async (t) => {
  const { container, platform } = await plugin(t, DOCUMENTED);

  for (const name of ['interval-5m', 'timer-report', 'timeout-120m']) {
    assert.deepEqual(await container.call({ kind: 'schedule', name, scheduled_time: '2026-01-02T03:04:00Z' }), { ok: true });
  }
  platform.routes[SELF] = { data: { settings: { apiKey: 'new' }, settings_version: 2, platform: {} } };
  await container.call({ kind: 'schedule', name: 'interval-5m' });

  const { result } = await container.command('ran');
  assert.deepEqual(result, [['sweep', 'k'], ['report', 'now'], ['once'], ['sweep', 'new']]);
});

test("the document's onUnload runs and asks for nothing: the platform removes schedules", async (t) => {
  const { container, platform } = await plugin(t, DOCUMENTED);
  await container.load();

  assert.deepEqual(await container.call({ kind: 'unload' }), { ok: true });

  assert.deepEqual(platform.requests, []);
});

test('clearInterval in a later hook stops the schedule at the platform before the hook ends', async (t) => {
  const { container, platform } = await plugin(t, DOCUMENTED);
  await container.load();
  platform.routes['*'] = { data: null };

  await container.command('stop', {}, 1);

  assert.deepEqual(platform.requests.map(({ line }) => line), ['DELETE /api/v1/runtime/schedules/interval-5m']);
  await container.call({ kind: 'schedule', name: 'interval-5m' });
  assert.deepEqual((await container.command('ran')).result, []);
});

test('a timer that onLoad itself clears was never there', async (t) => {
  const { container, platform } = await plugin(t, `module.exports = {
    async onLoad() { clearTimeout(setTimeout(() => {}, 60000)); setInterval(() => {}, 60000).unref(); },
  };`);

  assert.deepEqual(schedulesOf(await container.load()).map(({ name }) => name), ['interval-1m']);
  assert.deepEqual(platform.requests, []);
});

test('short timers are Node’s own, and one that is left waiting is warned of once', async (t) => {
  const { container } = await plugin(t, `
    const { promisify } = require('node:util');
    module.exports = {
      async onLoad() {
        await new Promise((resolve) => setTimeout(resolve, 5));
        await promisify(setTimeout)(5);
        this.timer = setInterval(() => {}, 5000);
        this.other = setInterval(() => {}, 5000);
        streamspace.commands.register({ name: 'stop', description: 'd', handler: () => [clearInterval(this.timer), clearInterval(this.other)] });
      },
    };`);

  const answer = await container.load();
  await container.command('stop');

  assert.deepEqual(schedulesOf(answer), []);
  assert.equal(warnings(container).length, 1);
  assert.match(warnings(container)[0], /onLoad leaves a timer waiting.*streamspace\.schedule/);
});

test('a hook that only sleeps is warned of nothing', async (t) => {
  const { container } = await plugin(t, `module.exports = {
    async onLoad() { await new Promise((resolve) => setTimeout(resolve, 5)); clearTimeout(setTimeout(() => {}, 500)); console.log('done'); },
  };`);

  await container.load();

  assert.deepEqual(container.lines.map(({ message }) => message), ['done']);
});

test('a long timer in another hook says that it is lost', async (t) => {
  const { container } = await plugin(t, `module.exports = {
    async onLoad() {
      streamspace.commands.register({ name: 'later', description: 'd', handler: () => { setTimeout(() => {}, 120000).unref(); } });
    },
  };`);
  await container.load();

  await container.command('later');

  assert.match(warnings(container)[0], /setTimeout of 120000 ms in command later is lost/);
});

test('what a package in node_modules keeps for itself is not a schedule', async (t) => {
  const { container } = await plugin(
    t,
    `const client = require('client'); module.exports = { async onLoad() { client.connect(); } };`,
    { files: { 'node_modules/client/index.js': 'exports.connect = () => setInterval(() => {}, 3600000).unref();' } },
  );

  assert.deepEqual(schedulesOf(await container.load()), []);
  assert.equal(container.output, '');
});

test('an ES module and the top level of a module have timers too', async (t) => {
  const { container } = await plugin(t, 'setInterval(function tidy() {}, 60_000); export async function onLoad() { setInterval(() => {}, 60_000); }', {
    manifest: { entrypoints: { main: 'index.mjs' } },
  });

  const answers = [await container.load(), await container.load()];

  assert.deepEqual(schedulesOf(answers[0]).map(({ name }) => name), ['timer-tidy', 'interval-1m']);
  assert.deepEqual(answers[0], answers[1]);
});

test('a scheduled run that fails is logged and thrown, so that Lambda tries again; a call by hand is answered', async (t) => {
  const { container } = await plugin(t, `module.exports = { async onLoad() { streamspace.schedule('rate(1 hour)', function sweep() { throw new Error('no'); }); } };`);
  await container.load();

  const thrown = await container.call({ kind: 'schedule', name: 'sweep', scheduled_time: '2026-01-02T03:04:00Z' });
  const unknown = await container.call({ kind: 'schedule', name: 'nothing', scheduled_time: '2026-01-02T03:04:00Z' });
  const answered = await container.call({ kind: 'schedule', name: 'sweep' });

  assert.equal(thrown.thrown, 'no');
  assert.match(unknown.thrown, /no scheduled task 'nothing'/);
  assert.deepEqual([answered.ok, answered.error.hook], [false, 'schedule sweep']);
  const errors = container.lines.filter(({ level }) => level === 'error').map(({ message }) => message);
  assert.deepEqual(errors.map((message) => message.slice(0, 35)), [
    'schedule sweep failed: no',
    "The scheduled task 'nothing' failed",
    'schedule sweep failed: no',
  ]);
});

test('a handler is told the time that it was scheduled for', async (t) => {
  const { container } = await plugin(t, `module.exports = {
    async onLoad() {
      streamspace.schedule('@daily', (task) => { this.task = task; });
      streamspace.commands.register({ name: 'task', description: 'd', handler: () => this.task });
    },
  };`);
  await container.load();

  await container.call({ kind: 'schedule', name: 'schedule-1', scheduled_time: '2026-01-02T03:04:00Z' });
  assert.deepEqual((await container.command('task')).result, { name: 'schedule-1', scheduledTime: '2026-01-02T03:04:00Z' });
  await container.call({ kind: 'schedule', name: 'schedule-1', scheduled_time: '<aws.scheduler.scheduled-time>' });
  assert.match((await container.command('task')).result.scheduledTime, /^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
});

const MAPPED = {
  events: { 'session.created': 'OnSessionCreated', 'session.terminated': 'sessionIsOver', 'user.created': 'Missing', 'user.login': false },
  lifecycle: { onLoad: true, onUnload: 'TidyUp' },
  scheduler: { jobs: [{ name: 'close-month', schedule: '@monthly' }, { name: 'count', schedule: '@daily', handler: 'CountUsage' }, { name: 'idle', schedule: '@daily' }] },
  api: { endpoints: ['/usage', 'GET /reports'] },
};

test('events, lifecycle and jobs call the methods that the manifest names', async (t) => {
  const { container } = await plugin(t, `module.exports = {
    heard: [],
    OnLoad() {
      streamspace.commands.register({ name: 'heard', description: 'd', handler: () => this.heard });
      streamspace.api.registerEndpoint({ path: '/usage', handler: () => 1 });
    },
    onSessionCreated() { this.heard.push('onSessionCreated'); },
    OnSessionCreated({ id }) { this.heard.push('OnSessionCreated ' + id); },
    sessionIsOver() { this.heard.push('over'); },
    onUserCreated() { this.heard.push('documented'); },
    onUserLogin() { this.heard.push('never'); },
    CloseMonth() { this.heard.push('closed'); },
    countUsage() { this.heard.push('counted'); },
    TidyUp() { console.log('tidied'); },
  };`, { manifest: MAPPED });
  const record = recorder();
  const { registered } = await container.load();

  await container.deliver([record(), record({}, { type: 'session.stopped' }), record({}, { type: 'user.created' }), record({}, { type: 'user.login' })]);
  await container.call({ kind: 'schedule', name: 'close-month' });
  await container.call({ kind: 'schedule', name: 'count' });

  assert.deepEqual(registered.hooks, ['session.created', 'session.stopped', 'user.created']);
  assert.deepEqual((await container.command('heard')).result, ['OnSessionCreated john-firefox', 'over', 'documented', 'closed', 'counted']);
  assert.deepEqual(warnings(container), [
    "manifest.json names the method 'Missing' for 'user.created', and there is none",
    "the scheduled task 'idle' has no handler: write a method 'idle', or streamspace.schedule in onLoad",
    "manifest.json declares the endpoint '/reports', and nothing serves it: streamspace.api.registerEndpoint does",
  ]);
  await container.call({ kind: 'unload' });
  assert.equal(container.lines.at(-1).message, 'tidied');
});

test("a theme's module answers its tokens, and what JSON would lose is refused", async (t) => {
  const theme = { manifest: { type: 'theme' } };
  const right = await plugin(t, "module.exports = { theme: { palette: { primary: { main: '#123456' } } } };", theme);
  const wrong = await plugin(t, 'module.exports = { theme: { spacing: (factor) => 8 * factor } };', theme);
  const other = await plugin(t, 'module.exports = { theme: { a: 1 } };');

  assert.deepEqual((await right.container.load()).registered.theme, { palette: { primary: { main: '#123456' } } });
  assert.match((await wrong.container.load()).error.message, /'spacing' is a function/);
  assert.equal((await other.container.load()).registered.theme, undefined);
});
