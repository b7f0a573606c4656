'use strict';

const assert = require('node:assert/strict');
const { beforeEach, test } = require('node:test');

const plugin = require('../index.js');

const JOHN = { username: 'john', fullName: 'John <Doe>', email: 'john@example.com' };
let fake;

function named(name) {
  return Object.assign(new Error(name), { name });
}

beforeEach(async () => {
  const stored = new Map();
  fake = { notified: [], emails: [], recorded: [], sessions: [], users: { john: JOHN }, registered: {}, stored };
  globalThis.streamspace = {
    storage: {
      get: async (key) => structuredClone(stored.get(key) ?? null),
      set: async (key, value) => void stored.set(key, structuredClone(value)),
      delete: async (key) => void stored.delete(key),
      keys: async (prefix = '') => [...stored.keys()].filter((key) => key.startsWith(prefix)),
    },
    api: {
      getUser: async (name) => fake.users[name] ?? Promise.reject(named('UserNotFoundError')),
      getUserSessions: async () => fake.sessions,
    },
    notify: async (user, notification) => {
      if (!fake.users[user]) throw named('UserNotFoundError');
      fake.notified.push([user, notification]);
    },
    email: { send: async (email) => void fake.emails.push(email) },
    commands: {
      register: (command) => void (fake.registered[command.name] = command),
      execute: async (name, args) => void fake.recorded.push([name, args]),
    },
    log: { warn: () => {} },
  };
  plugin.config = { enabled: true, sender_name: 'The team', greeting: 'Welcome, {name}!' };
  await plugin.onLoad();
});

const at = (id, time = '2026-01-02T03:04:05Z') => ({ id, time });
const session = (id, createdAt = '2026-01-02T03:04:05Z') => ({
  id, user: 'john', template: 'vscode', state: 'running', createdAt, url: `https://${id}.streamspace.local`,
});

async function create(made, eventId) {
  fake.sessions.push(made);
  await plugin.onSessionCreated(made, at(eventId));
}

test('a new user is mailed, notified and recorded once, however often the event comes', async () => {
  for (let delivery = 0; delivery < 3; delivery += 1) await plugin.onUserCreated(JOHN, at(7301));

  assert.equal(fake.emails.length, 1);
  assert.equal(fake.emails[0].to, 'john@example.com');
  assert.match(fake.emails[0].text, /Welcome, John <Doe>!/);
  assert.match(fake.emails[0].html, /Welcome, John &lt;Doe&gt;!/);
  assert.equal(fake.notified.length, 1);
  assert.deepEqual(fake.recorded, [[
    'audit-record',
    { action: 'mail.sent', user: 'john', time: '2026-01-02T03:04:05Z', id: '7301-welcome', detail: { mail: 'welcome' } },
  ]]);
});

test('what failed is done by the next delivery, and the rest is not repeated', async () => {
  const { notify } = streamspace;
  streamspace.notify = () => Promise.reject(new Error('no answer'));
  await assert.rejects(plugin.onUserCreated(JOHN, at(7301)), /no answer/);
  streamspace.notify = notify;
  await plugin.onUserCreated(JOHN, at(7301));

  assert.equal(fake.emails.length, 1);
  assert.equal(fake.notified.length, 1);
  assert.equal(fake.recorded.length, 1);
});

test('only the first session is announced, also after it was deleted', async () => {
  await create(session('john-vscode'), 1);
  await plugin.onSessionStarted(session('john-vscode'), at(2));
  await plugin.onSessionStarted(session('john-vscode'), at(2));
  fake.sessions.length = 0;
  await create(session('john-gimp'), 3);
  await plugin.onSessionStarted(session('john-gimp'), at(4));
  await create(session('john-vscode', '2026-02-01T00:00:00Z'), 5);

  assert.deepEqual(fake.emails.map(({ subject }) => subject), ['Your first StreamSpace session']);
  assert.deepEqual(fake.notified.map(([, { title }]) => title), ['Your first session', 'Your first session is ready']);
  assert.equal(fake.notified[1][1].actions[0].url, 'https://john-vscode.streamspace.local');
});

test('of two sessions made at once the older is the first, whichever event is handled first', async () => {
  const [older, younger] = [session('john-b', '2026-01-02T03:04:05Z'), session('john-a', '2026-01-02T03:04:06Z')];
  fake.sessions.push(older, younger);

  await plugin.onSessionCreated(younger, at(2));
  await plugin.onSessionCreated(older, at(1));

  assert.equal(fake.emails.length, 1);
  assert.equal(await streamspace.storage.get('first-session:john'), 'john-b 2026-01-02T03:04:05Z');
});

test('a new user of an old name has a first session again', async () => {
  await create(session('john-vscode'), 1);
  await plugin.onUserDeleted(JOHN);
  fake.sessions.length = 0;
  await create(session('john-vscode'), 9);

  assert.equal(fake.emails.length, 2);
});

test('a user who is gone and a platform without email stop nothing', async () => {
  streamspace.email.send = () => Promise.reject(named('EmailNotConfiguredError'));
  await plugin.onUserCreated(JOHN, at(1));
  fake.users = {};
  await create(session('john-vscode'), 2);

  assert.equal(fake.notified.length, 1);
});

test('nothing is sent when the setting is off', async () => {
  plugin.config.enabled = false;
  await plugin.onUserCreated(JOHN, at(1));
  await create(session('john-vscode'), 2);

  assert.deepEqual([fake.emails, fake.notified], [[], []]);
});

test('welcome-resend mails again, and says what it needs', async () => {
  const { handler } = fake.registered['welcome-resend'];

  assert.deepEqual(await handler({ username: 'john' }), { sent: true, to: 'john@example.com' });
  assert.equal(fake.emails.length, 1);
  await assert.rejects(handler({}), /needs 'username'/);
  await assert.rejects(handler({ username: 'nobody' }), { name: 'UserNotFoundError' });
});

test('marks older than a month are removed, and nothing else', async () => {
  await plugin.onUserCreated(JOHN, at(1, '2020-01-01T00:00:00Z'));
  await plugin.onUserCreated(JOHN, at(2, new Date().toISOString()));
  await streamspace.storage.set('first-session:john', 'x');

  await plugin.forgetOldMarks();

  assert.deepEqual([...fake.stored.keys()].length, 2);
});
