'use strict';

// What a JavaScript plugin's tests can do with streamspace/testing.
const assert = require('node:assert/strict');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { after, afterEach, test } = require('node:test');
const streamspace = require('../../../plugin_layers/nodejs/node_modules/streamspace');
const { createPlatform, PluginFailed } = require('../../../plugin_layers/nodejs/node_modules/streamspace/testing');

const made = [];
let platform;
after(() => made.forEach((dir) => fs.rmSync(dir, { recursive: true })));
afterEach(() => platform?.close());

function plugin(source, manifest = {}, options = {}) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'plugin-'));
  made.push(dir);
  const permissions = ['read:sessions', 'write:sessions', 'read:users', 'notifications', 'email', 'storage', 'commands', 'ui'];
  fs.writeFileSync(path.join(dir, 'manifest.json'), JSON.stringify({ name: 'my-plugin', version: '1.0.0', permissions, ...manifest }));
  fs.writeFileSync(path.join(dir, 'index.js'), source);
  platform = createPlatform({ dir, ...options });
  return platform;
}

test('load runs onLoad with the settings over the defaults, and tells what was registered', async () => {
  plugin(
    `module.exports = { async onLoad() {
      console.log('config', JSON.stringify(this.config), this.manifest.name);
      streamspace.commands.register({ name: 'hello', description: 'd', handler: async () => 'hi' });
    }, onSessionCreated() {} };`,
    { settings: { tabs: [], fields: [{ key: 'greeting', default: 'Hello' }, { key: 'limit' }] } },
    { settings: { limit: 3 } },
  );

  const registered = await platform.load();

  assert.deepEqual(registered.hooks, ['session.created']);
  assert.deepEqual(registered.commands, [{ name: 'hello', description: 'd', permissions: [] }]);
  assert.equal(platform.logs[0].message, 'config {"greeting":"Hello","limit":3} my-plugin');
  assert.equal(platform.logs[0].hook, 'onLoad');
  assert.throws(() => platform.changeSettings({ nonsense: 1 }), /no setting 'nonsense'; it has: greeting, limit/);
});

test('an event makes its object exist, runs the hook, and what the hook does is seen', async () => {
  plugin(`module.exports = { async onSessionStarted(session, event) {
    const user = await streamspace.api.getUser(session.user);
    await streamspace.storage.set('seen', [event.type, (await streamspace.api.getSession(session.id)).url]);
    await streamspace.notify(session.user, { title: 'Ready', message: user.fullName, actions: [{ label: 'Open', url: '/x' }, { label: 'Stop', handler: async () => {
      await streamspace.api.updateSession(session.id, { state: 'hibernated' });
      return 'stopped';
    } }] });
    await streamspace.email.send({ to: user.email, subject: 's', text: 't', attachments: [{ filename: 'f', content: 'c' }] });
  } };`);
  await platform.load();

  const event = await platform.emit('session.started', { user: 'zoe-b', template: 'vlc' });

  assert.equal(event.data.id, 'zoe-b-vlc');
  assert.deepEqual(platform.storage, { seen: ['session.started', 'https://zoe-b-vlc.streamspace.local'] });
  const [notification] = platform.notifications;
  assert.deepEqual([notification.to, notification.message, notification.type], ['zoe-b', 'Zoe B', 'info']);
  assert.equal(String(platform.emails[0].attachments[0].content), 'c');
  assert.equal(await platform.press(notification, 'Open'), '/x');
  assert.equal(await platform.press(notification, 'Stop'), 'stopped');
  assert.equal(platform.sessions[0].state, 'hibernated');
  await assert.rejects(platform.press(notification, 'Nothing'), /no button 'Nothing'; it has: Open, Stop/);
});

test('what a plugin does causes events, which it hears', async () => {
  plugin(`const heard = [];
  const hear = (session, { type }) => void heard.push(type);
  module.exports = { onSessionCreated: hear, onSessionStarted: hear, onSessionHibernated: hear, onSessionWoken: hear, onSessionStopped: hear, onSessionDeleted: hear,
    onLoad() {
      streamspace.commands.register({ name: 'go', description: 'd', handler: async () => {
        const { id } = await streamspace.api.createSession({ user: 'jane', template: 'firefox-browser' });
        return id;
      } });
      streamspace.commands.register({ name: 'heard', description: 'd', handler: () => heard });
    } };`);
  await platform.load();

  const id = await platform.command('go');
  assert.equal(platform.sessions[0].url, 'https://jane-firefox-browser.streamspace.local');
  for (const state of ['hibernated', 'running']) await streamspace.api.updateSession(id, { state });
  await streamspace.api.deleteSession(id);
  await platform.settle();

  const kinds = ['created', 'started', 'hibernated', 'woken', 'stopped', 'deleted'];
  assert.deepEqual(await platform.command('heard'), kinds.map((kind) => `session.${kind}`));
});

test('a hook that fails is tried three times, and the test is told with file and line', async () => {
  plugin(`let tries = 0;
module.exports = { async onUserLogin() {
  tries += 1;
  if (tries < 3) throw new Error('not yet');
  await streamspace.storage.set('tries', tries);
}, onUserLogout() {
  throw new TypeError('never');
} };`);
  await platform.load();

  await platform.emit('user.login', { username: 'jane' });
  assert.deepEqual(platform.storage, { tries: 3 });

  const failed = await platform.emit('user.logout').then(() => assert.fail('did not fail'), (error) => error);
  assert.ok(failed instanceof PluginFailed);
  assert.match(failed.message, /^onUserLogout failed: TypeError: never \(index.js:7\) \(in each of 3 attempts\)$/);
  assert.equal(platform.deadLetters[0].event.type, 'user.logout');
});

test('a module or an onLoad that throws fails the load with file and line', async () => {
  plugin('const x = 1;\nmodule.exports = {};\nthrow new Error("top level");');
  await assert.rejects(platform.load(), /module failed: Error: top level \(index.js:3\)/);
  plugin('module.exports = { onLoad() {\n  streamspace.commands.register({});\n} };');
  await assert.rejects(platform.load(), /onLoad failed: TypeError: commands.register needs 'name'.*\(index.js:2\)/);
});

test('commands know who may run them, and what they throw comes as the API says', async () => {
  plugin(
    `module.exports = { onLoad() {
      streamspace.commands.register({ name: 'who', description: 'd', handler: (args, { caller }) => caller.username });
      streamspace.commands.register({ name: 'admins', description: 'd', permissions: ['admin'], handler: () => 1 });
      streamspace.commands.register({ name: 'mine', description: 'd', permissions: ['my.reports'], handler: () => 2 });
      streamspace.commands.register({ name: 'bad', description: 'd', handler: () => { throw new RangeError('too far'); } });
      streamspace.commands.register({ name: 'other', description: 'd', handler: ({ name }) => streamspace.commands.execute(name, { n: 1 }) });
    } };`,
    { contributes: { permissions: [{ name: 'my.reports', default_roles: ['manager'] }] } },
    {
      users: [{ username: 'jane' }, { username: 'max', role: 'manager' }],
      commands: { sum: ({ n }) => n + 1, broken: () => { throw new Error('theirs'); } },
    },
  );
  await platform.load();

  assert.equal(await platform.command('who', {}, { as: 'jane' }), 'jane');
  await assert.rejects(platform.command('admins', {}, { as: 'jane' }), { name: 'PermissionDeniedError' });
  assert.equal(await platform.command('mine', {}, { as: 'max' }), 2);
  await assert.rejects(platform.command('mine', {}, { as: 'jane' }), { name: 'PermissionDeniedError' });
  await assert.rejects(platform.command('bad'), { name: 'CommandFailedError', message: "The command 'bad' of 'my-plugin' failed: too far" });
  await assert.rejects(platform.command('nothing'), { name: 'CommandNotFoundError' });
  assert.equal(await platform.command('other', { name: 'sum' }), 2);
  await assert.rejects(platform.command('other', { name: 'broken' }), /theirs/);
});

test('endpoints answer the most specific path, to those who may', async () => {
  plugin(`module.exports = { onLoad() {
    const on = (path, handler, more) => streamspace.api.registerEndpoint({ path, handler, ...more });
    on('/items/:id', (req) => ({ id: req.params.id, q: req.query, who: req.user.username }));
    on('/items/all', () => 'all');
    on('/files/*', (req) => req.params[0]);
    on('/hook', (req, res) => res.status(202).send(req.body.n + 1 + ''), { method: 'POST', public: true });
    on('/secret', () => 1, { permissions: ['admin'] });
  } };`);
  await platform.load();

  assert.deepEqual((await platform.request('GET', '/items/a%20b?x=1&y=2&y=3', { as: 'jane' })).body, { id: 'a b', q: { x: '1', y: ['2', '3'] }, who: 'jane' });
  assert.equal((await platform.request('GET', '/items/all')).body, 'all');
  assert.equal((await platform.request('GET', '/files/a/b.txt')).body, 'a/b.txt');
  const { status, body } = await platform.request('POST', '/hook', { as: null, body: { n: 1 } });
  assert.deepEqual([status, String(body)], [202, '2']);
  await assert.rejects(platform.request('GET', '/secret', { as: 'jane' }), { name: 'PermissionDeniedError' });
  await assert.rejects(platform.request('GET', '/items/all', { as: null }), { name: 'UnauthenticatedError' });
  await assert.rejects(platform.request('GET', '/nothing'), { name: 'NotFoundError' });
});

test('settings change under a loaded plugin, tasks run by name, and requests can be made to fail', async () => {
  plugin(
    `module.exports = { async dailySync() {
      try {
        await streamspace.email.send({ to: 'a@example.com', subject: 's', text: this.config.greeting });
      } catch (error) {
        streamspace.log.warn('no mail', { code: error.code });
      }
    } };`,
    { configSchema: { properties: { greeting: { type: 'string', default: 'Hello' } } } },
  );
  await platform.load();

  platform.changeSettings({ greeting: 'Salut' });
  await platform.schedule('daily-sync');
  platform.failNext('EMAIL_NOT_CONFIGURED');
  await platform.schedule('daily-sync');

  assert.deepEqual(platform.emails.map(({ text }) => text), ['Salut']);
  assert.deepEqual(platform.logs.map(({ level, data }) => [level, data.code]), [['warn', 'EMAIL_NOT_CONFIGURED']]);
});

test('a plugin that answers itself without an end is stopped', async () => {
  plugin(`module.exports = { async onUserUpdated(user) { await streamspace.api.updateUser(user.username, { fullName: 'Again' }); } };`, {
    permissions: ['write:users'],
  });
  await platform.load();
  await assert.rejects(platform.emit('user.updated', { username: 'jane' }), /answers its own events without an end/);
});

test('each load starts anew, and closing gives the SDK back', async () => {
  plugin(`let count = 0; module.exports = { onLoad() { count += 1; streamspace.commands.register({ name: 'count', description: 'd', handler: () => count }); } };`);
  await platform.load();
  await platform.load();
  assert.equal(await platform.command('count'), 1);
  const before = console.log;
  platform.close();
  assert.equal(console.log, before);
  await assert.rejects(streamspace.storage.get('x'), /STREAMSPACE_API_URL is not set/);
});

test('a full cluster refuses sessions', async () => {
  plugin('module.exports = {};');
  platform.fillCluster();
  const asked = streamspace.api.createSession({ user: 'jane', template: 'firefox-browser' });
  await assert.rejects(asked, { name: 'InsufficientResourcesError' });
});
