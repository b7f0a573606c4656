'use strict';

// Endpoints, notifications' actions and dialogs as a container runs them (docs/runtime-protocol.md).
const assert = require('node:assert/strict');
const { test } = require('node:test');
const { plugin } = require('./sdk_plugin');

const base64 = (text) => Buffer.from(text).toString('base64');

/** A container whose plugin has `handler` (source text) at `path`; `ask` sends it a request and gives the response, or the failure. */
async function endpoint(t, handler, { method = 'GET', path = '/a', rest = '' } = {}) {
  const { container } = await plugin(
    t,
    `module.exports = {
      name: 'me',
      onLoad() { streamspace.api.registerEndpoint({ method: '${method}', path: '${path}', handler: ${handler} }); },
      ${rest}
    };`,
  );
  await container.load();
  const ask = async (request = {}, leftMs = undefined) => {
    const travelling = { method, path, params: {}, query: {}, headers: {}, body: '', user: null, ip: '::1', ...request };
    const answer = await container.call({ kind: 'endpoint', endpoint: { method, path }, request: travelling, settings_version: 1 }, leftMs);
    return answer.response ?? answer.error;
  };
  return { ask, container };
}

const JSON_TYPE = { 'content-type': 'application/json; charset=utf-8' };
const TEXT_TYPE = { 'content-type': 'text/plain; charset=utf-8' };
const HTML_TYPE = { 'content-type': 'text/html; charset=utf-8' };

for (const [what, handler, response] of [
  ['a value', 'async () => ({ ok: [1] })', { status: 200, headers: JSON_TYPE, text: '{"ok":[1]}' }],
  ['null', '() => null', { status: 200, headers: JSON_TYPE, text: 'null' }],
  ['a string', "async () => 'hi'", { status: 200, headers: JSON_TYPE, text: '"hi"' }],
  ['res.json in a chain', "(req, res) => res.status(201).set('X-A', 7).json({ a: 1 })", { status: 201, headers: { 'x-a': '7', ...JSON_TYPE }, text: '{"a":1}' }],
  ['res.send of text', "(req, res) => { res.send('<h1>'); }", { status: 200, headers: HTML_TYPE, text: '<h1>' }],
  ['res.send of typed text', "(req, res) => res.type('csv').send('a,b')", { status: 200, headers: { 'content-type': 'text/csv; charset=utf-8' }, text: 'a,b' }],
  ['res.send of bytes', '(req, res) => res.send(Buffer.from([0, 255]))', { status: 200, headers: { 'content-type': 'application/octet-stream' }, base64: 'AP8=' }],
  ['res.send of a typed array', "(req, res) => res.type('png').send(new Uint8Array([1]))", { status: 200, headers: { 'content-type': 'image/png' }, base64: 'AQ==' }],
  ['res.send of an object', '(req, res) => res.send([1])', { status: 200, headers: JSON_TYPE, text: '[1]' }],
  ['res.end', '(req, res) => res.status(204).end()', { status: 204, headers: {}, text: '' }],
  ['res.sendStatus', '(req, res) => res.sendStatus(404)', { status: 404, headers: TEXT_TYPE, text: 'Not Found' }],
  ['res.redirect', "(req, res) => res.redirect('/há?a=%20b')", { status: 302, headers: { location: '/h%C3%A1?a=%20b', ...TEXT_TYPE }, text: 'Found: /há?a=%20b' }],
  ['res.redirect with a status', "(req, res) => res.redirect(301, '/b')", { status: 301, headers: { location: '/b', ...TEXT_TYPE }, text: 'Moved Permanently: /b' }],
  ['several headers', "(req, res) => res.set({ ETag: 'x' }).append('Link', '<a>').append('Link', '<b>').end('x')", { status: 200, headers: { etag: 'x', link: ['<a>', '<b>'] }, text: 'x' }],
  ['an answer after the function returned', '(req, res) => { setTimeout(() => res.json(1), 20); }', { status: 200, headers: JSON_TYPE, text: '1' }],
  ['a second answer', '(req, res) => { res.json(1); res.status(500).json(2); }', { status: 200, headers: JSON_TYPE, text: '1' }],
  ['a throw after the answer', "async (req, res) => { res.json(1); throw new Error('late'); }", { status: 200, headers: JSON_TYPE, text: '1' }],
  ['half an emoji', "(req, res) => res.type('text').send('\\ud83d')", { status: 200, headers: TEXT_TYPE, text: '\ufffd' }],
]) {
  test(`${what} is an answer`, async (t) => {
    const { ask } = await endpoint(t, handler);

    assert.deepEqual(await ask(), response);
  });
}

test('a request is as its readers know it', async (t) => {
  const { ask } = await endpoint(t, `(req) => ({
    ...req, body: req.body, raw: req.rawBody.toString(), sig: req.get('X-Sig'), isBuffer: Buffer.isBuffer(req.rawBody), rawBody: undefined,
  })`);
  const request = { method: 'GET', path: '/a', params: { id: '7' }, query: { q: ['1', '2'] }, headers: { 'x-sig': 's' }, user: { username: 'ann', role: 'admin' }, ip: '::1' };

  const answer = await ask({ ...request, body: base64('plain ü') });

  assert.deepEqual(JSON.parse(answer.text), { ...request, body: 'plain ü', raw: 'plain ü', sig: 's', isBuffer: true });
});

for (const [what, type, text, body] of [
  ['JSON', 'application/json; charset=utf-8', '{"a":[1]}', { a: [1] }],
  ['a dialect of JSON', 'application/cloudevents+json', '{"a":1}', { a: 1 }],
  ['a form', 'application/x-www-form-urlencoded', 'a=1&b=x+y&b=%C3%BC&__proto__=z', { a: '1', b: ['x y', 'ü'], ['__proto__']: 'z' }],
  ['text', 'text/plain', '{"a":1}', '{"a":1}'],
  ['nothing', 'application/json', '', undefined],
]) {
  test(`a body that is ${what} is read as such`, async (t) => {
    const { ask } = await endpoint(t, '(req) => ({ body: req.body })', { method: 'POST' });

    const answer = await ask({ headers: { 'content-type': type }, body: base64(text) });

    assert.deepEqual(JSON.parse(answer.text), JSON.parse(JSON.stringify({ body })));
  });
}

test('a body that is no JSON is its sender\'s fault, and the raw bytes can be read all the same', async (t) => {
  const { ask } = await endpoint(t, "async (req) => req.query.raw ? req.rawBody.length : req.body.name", { method: 'POST' });
  const request = { headers: { 'content-type': 'application/json' }, body: base64('{"a":') };

  const refused = await ask(request);

  assert.equal(refused.status, 400);
  assert.equal(JSON.parse(refused.text).error.code, 'BAD_REQUEST');
  assert.equal((await ask({ ...request, query: { raw: '1' } })).text, '5');
});

for (const [what, handler, message, leftMs] of [
  ['a promise without an answer', 'async () => {}', /'GET \/a' of the plugin 'my-plugin' answered nothing/],
  ['a function that never answers', '() => {}', /'GET \/a' of the plugin 'my-plugin' answered nothing/, 1500],
  ['a promise that never settles', '() => new Promise(() => {})', /'GET \/a' of the plugin 'my-plugin' answered nothing/, 1500],
  ['too much', "(req, res) => res.send('x'.repeat(5 * 1024 * 1024))", /'GET \/a' of the plugin 'my-plugin' has 52\d{5} bytes/],
  ['a status that is none', '(req, res) => res.status(99).end()', /200 to 599/],
  ['a header with a line break', "(req, res) => res.set('x-a', 'b\\r\\nc: d').end()", /'x-a'/],
  ['what JSON cannot hold', '() => 1n', /BigInt/],
]) {
  test(`${what} is a failure that says whose`, async (t) => {
    const { ask } = await endpoint(t, handler);

    const failure = await ask({}, leftMs);

    assert.equal(failure.hook, 'endpoint GET /a');
    assert.match(failure.message, message);
  });
}

test('an answer that was given stands when the rest is not finished in time', async (t) => {
  const { ask } = await endpoint(t, '(req, res) => { res.json(1); return new Promise(() => {}); }');

  assert.equal((await ask({}, 1500)).text, '1');
});

for (const [what, handler] of [
  ['a method', 'this.who'],
  ['a bound method', 'this.who.bind(this)'],
  ['an arrow function', '() => this.who()'],
]) {
  test(`${what} is a handler with the plugin as its this`, async (t) => {
    const { ask } = await endpoint(t, handler, { rest: 'async who() { return this.name; }' });

    assert.equal((await ask()).text, '"me"');
  });
}

test("functions of every kind are commands, schedules and buttons' handlers, with the plugin as their this", async (t) => {
  const { container, platform } = await plugin(t, `module.exports = class {
    name = 'me';
    static who() { return 'me'; }
    who() { return this.name; }
    async onLoad() {
      const kinds = { method: this.who, bound: this.who.bind(this), arrow: () => this.name, fixed: this.constructor.who };
      for (const [name, handler] of Object.entries(kinds)) {
        streamspace.commands.register({ name, description: 'd', handler });
        streamspace.schedule(name, 'rate(1 hour)', function (task) { this.ran = [...(this.ran ?? []), task.name, handler.call(this)]; });
      }
      streamspace.commands.register({ name: 'ran', description: 'd', handler() { return this.ran; } });
      const actions = Object.entries(kinds).map(([label, handler]) => ({ label, handler }));
      await streamspace.notify('ann', { title: 'T', message: 'M', actions });
    }
  };`);
  await container.load();
  const names = ['method', 'bound', 'arrow', 'fixed'];

  for (const [at, name] of names.entries()) {
    assert.equal((await container.command(name)).result, 'me');
    assert.equal((await container.call({ kind: 'schedule', name, settings_version: 1 })).ok, true);
    const { handler } = platform.asked('/notifications')[0].body.actions[at];
    assert.equal((await container.call(click(handler, name))).message, 'me');
  }
  assert.deepEqual((await container.command('ran')).result, names.flatMap((name) => [name, 'me']));
});

test('HEAD gets no body, and an endpoint that nobody registered is a failure', async (t) => {
  const { ask, container } = await endpoint(t, '() => 1');

  assert.deepEqual(await ask({ method: 'HEAD' }), { status: 200, headers: JSON_TYPE, text: '' });
  const { error } = await container.call({ kind: 'endpoint', endpoint: { method: 'PUT', path: '/b' }, request: { method: 'PUT' }, settings_version: 1 });
  assert.match(error.message, /'PUT \/b'.*registerEndpoint/);
});

test("what the manifest declares with a handler is registered, unless the code's own is there", async (t) => {
  const declared = [
    { method: 'GET', path: '/a', handler: 'fromManifest', permissions: ['admin'] },
    { path: '/own/:id', handler: 'fromManifest' },
    { path: '/unknown', handler: 'nothing' },
    '/text',
  ];
  const { container } = await plugin(
    t,
    `module.exports = {
      onLoad() { streamspace.api.registerEndpoint({ path: '/own/:key', handler: () => 'code' }); },
      fromManifest() { return 'manifest'; },
    };`,
    { manifest: { contributes: { api_endpoints: declared } } },
  );

  assert.deepEqual((await container.load()).registered.endpoints, [
    { method: 'GET', path: '/own/:key', permissions: [] },
    { method: 'GET', path: '/a', permissions: ['admin'] },
  ]);
});

const click = (handlerId, label = 'Later') => ({
  kind: 'action',
  handler_id: handlerId,
  notification: { id: 'ntf_1', title: 'T', message: 'M', type: 'info' },
  action: { index: 1, label },
  caller: { username: 'ann' },
  settings_version: 1,
});

const NOTIFIES = `
  onLoad() {
    streamspace.commands.register({ name: 'notify', description: 'd', handler: async () => {
      await streamspace.notify('ann', { title: 'T', message: 'M', actions: [
        { label: 'Later', handler: () => { this.pressed = 'closure'; return 'I will'; } },
        { label: 'Named', handler: 'snooze' },
      ] });
    } });
    streamspace.commands.register({ name: 'pressed', description: 'd', handler: () => this.pressed });
  },`;
const HEARS_CLICKS = 'async onNotificationAction(action, context) { this.pressed = [action, context]; return { no: "text" }; },';

test("a button's function runs in its container, and a name goes to onNotificationAction", async (t) => {
  const { container, platform } = await plugin(t, `module.exports = { ${NOTIFIES} ${HEARS_CLICKS} };`);
  await container.command('notify');
  const [{ handler: kept }, named] = platform.asked('/notifications')[0].body.actions;

  assert.match(kept, /^fn:/);
  assert.deepEqual(named, { label: 'Named', handler: 'snooze' });
  assert.deepEqual(await container.call(click(kept)), { ok: true, handled: 'handler', message: 'I will' });
  assert.deepEqual((await container.command('pressed')).result, 'closure');
  assert.deepEqual(await container.call(click('snooze', 'Named')), { ok: true, handled: 'hook' });
  const { notification } = click();
  assert.deepEqual((await container.command('pressed')).result, [
    { index: 1, label: 'Named', handler: 'snooze' },
    { notification, user: { username: 'ann' } },
  ]);
});

test('a function that another container keeps is left to onNotificationAction, or to nobody', async (t) => {
  const { container } = await plugin(t, `module.exports = { ${NOTIFIES} ${HEARS_CLICKS} };`);
  const { container: silent } = await plugin(t, `module.exports = { ${NOTIFIES} };`);

  assert.equal((await container.call(click('fn:other'))).handled, 'hook');
  assert.deepEqual((await container.command('pressed')).result[0], { index: 1, label: 'Later' });
  assert.deepEqual(await silent.call(click('fn:other')), { ok: true, handled: null });
});

test("a button's function that throws is a failure that names it", async (t) => {
  const { container, platform } = await plugin(t, `module.exports = {
    async onLoad() {
      await streamspace.notify('ann', { title: 'T', message: 'M', actions: [{ label: 'Go', handler: () => { throw new RangeError('no'); } }] });
    },
  };`);
  await container.load();

  const { error } = await container.call(click(platform.asked('/notifications')[0].body.actions[0].handler, 'Go'));

  assert.deepEqual([error.name, error.hook, error.location], ['RangeError', 'action Go', 'index.js:3']);
});

test('a thousand functions are kept, the latest used', async (t) => {
  const { container, platform } = await plugin(t, `module.exports = {
    onLoad() {
      streamspace.commands.register({ name: 'notify', description: 'd', handler: (args) =>
        streamspace.notify('ann', { title: 'T', message: 'M', actions: Array.from({ length: args.n }, (_, n) => ({ label: 'L', handler: () => String(n) })) }) });
    },
  };`);
  const send = async (n) => {
    await container.command('notify', { n });
    return platform.requests.at(-1).body.actions.map(({ handler }) => handler);
  };
  const [oldest, second] = await send(2);
  await container.call(click(oldest));

  await send(999);

  assert.equal((await container.call(click(oldest))).message, '0');
  assert.equal((await container.call(click(second))).handled, null);
});

const ASKS = `module.exports = {
  onLoad() {
    streamspace.commands.register({ name: 'ask', description: 'd', handler: async (options) => {
      try {
        return { answered: await streamspace.ui.showDialog({ title: 'Sure?', message: 'M', ...options }) };
      } catch (error) {
        return { name: error.name, code: error.code, is: error instanceof streamspace.errors.DialogTimeoutError, message: error.message };
      }
    } });
  },
  async onSessionCreated() { await streamspace.ui.showDialog({ title: 'T', message: 'M' }); },
  async onUserLogin() { await streamspace.ui.showDialog({ title: 'T', message: 'M' }); },
};`;

const pending = (more = {}) => ({ data: { id: 'dlg_1', status: 'pending', value: null, ...more } });

test('a dialog asks who runs the command, and waits for the answer', async (t) => {
  const { container, platform } = await plugin(t, ASKS);
  await container.load();
  platform.script.push(pending(), pending(), pending({ status: 'answered', value: { deep: [1] } }));

  assert.deepEqual((await container.command('ask', { type: 'confirm' })).result, { answered: { deep: [1] } });

  const [asked, ...looks] = platform.requests;
  const { timeout, ...body } = asked.body;
  assert.deepEqual(body, { to: 'ann', title: 'Sure?', message: 'M', type: 'confirm' });
  assert.ok(timeout > 26_000 && timeout <= 27_500, String(timeout));
  assert.deepEqual(looks.map(({ line }) => line), Array(2).fill('GET /api/v1/dialogs/dlg_1'));
});

test('when the call must end the dialog is withdrawn, and who answers in that moment is heard', async (t) => {
  const { container, platform } = await plugin(t, ASKS);
  await container.load();
  platform.routes['POST /api/v1/dialogs'] = pending();
  platform.routes['GET /api/v1/dialogs/dlg_1'] = pending();
  const ask = { kind: 'command', name: 'ask', args: {}, caller: { username: 'ann' }, settings_version: 1 };
  platform.routes['DELETE /api/v1/dialogs/dlg_1'] = pending({ status: 'withdrawn' });

  const { result } = await container.call({ ...ask, deadline_ms: Date.now() + 2500 });

  assert.deepEqual([result.name, result.code, result.is], ['DialogTimeoutError', 'DIALOG_TIMEOUT', true]);
  assert.match(result.message, /'ann' did not answer the dialog 'Sure\?' of the plugin 'my-plugin'/);
  const looks = platform.asked('/dialogs/dlg_1').filter(({ line }) => line.startsWith('GET'));
  assert.ok(looks.length >= 1 && looks.length <= 3, `${looks.length} looks in a second`);
  platform.routes['DELETE /api/v1/dialogs/dlg_1'] = pending({ status: 'answered', value: false });
  assert.deepEqual((await container.call({ ...ask, deadline_ms: Date.now() + 2500 })).result, { answered: false });
});

test('in a hook the owner is asked, and where there is nobody the author is told', async (t) => {
  const { container, platform } = await plugin(t, ASKS);
  const { recorder } = require('./sdk_plugin');
  const record = recorder();
  await container.load();
  platform.routes['POST /api/v1/dialogs'] = pending({ status: 'answered' });

  await container.deliver([record({ id: 's', user: 'john' }), record({ username: 'jane' }, { type: 'user.login', group: 'user#jane' })]);
  const named = await container.call({ kind: 'command', name: 'ask', args: { user: 'max' }, caller: { plugin: 'other' }, settings_version: 1 });
  const nobody = await container.call({ kind: 'command', name: 'ask', args: {}, caller: { plugin: 'other' }, settings_version: 1 });

  assert.deepEqual(platform.asked('/dialogs').map(({ body }) => body.to), ['john', 'jane', 'max']);
  assert.deepEqual(named.result, { answered: null });
  assert.equal(nobody.result.code, 'VALIDATION_ERROR');
  assert.match(nobody.result.message, /'user': command ask runs for no person/);
});

test('a hook ends before its caller stops waiting', async (t) => {
  const { container } = await plugin(t, `module.exports = {
    onLoad() { streamspace.commands.register({ name: 'hang', description: 'd', handler: () => new Promise(() => {}) }); },
  };`);
  await container.load();
  const began = Date.now();

  const { error } = await container.call({ kind: 'command', name: 'hang', settings_version: 1, deadline_ms: began + 1000 });

  assert.match(error.message, /command hang of the plugin 'my-plugin' did not finish in time/);
  assert.ok(Date.now() - began < 1000);
});
