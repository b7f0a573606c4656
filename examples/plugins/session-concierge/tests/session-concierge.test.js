'use strict';

const assert = require('node:assert/strict');
const { beforeEach, test } = require('node:test');

const plugin = require('../index.js');

let fake;

function named(name) {
  return Object.assign(new Error(name), { name });
}

beforeEach(async () => {
  const stored = new Map();
  fake = { sessions: new Map(), notified: [], registered: {}, stored, failures: new Map() };
  globalThis.streamspace = {
    storage: {
      get: async (key) => structuredClone(stored.get(key) ?? null),
      set: async (key, value) => void stored.set(key, structuredClone(value)),
      delete: async (key) => void stored.delete(key),
      keys: async (prefix = '') => [...stored.keys()].filter((key) => key.startsWith(prefix)),
    },
    api: {
      getSessions: async ({ state, limit, offset }) =>
        [...fake.sessions.values()].filter((each) => each.state === state).slice(offset, offset + limit),
      getSession: async (id) => fake.sessions.get(id) ?? Promise.reject(named('SessionNotFoundError')),
      updateSession: async (id, changes) => {
        if (fake.failures.has(id)) throw named(fake.failures.get(id));
        Object.assign(fake.sessions.get(id), changes);
      },
    },
    notify: async (user, notification) => void fake.notified.push([user, notification]),
    commands: { register: (command) => void (fake.registered[command.name] = command) },
    log: { info: () => {} },
  };
  plugin.config = { idle_minutes: 60, exempt_templates: 'obs, jupyter', tell_url: true, tell_changes: true };
  await plugin.onLoad();
});

const minutesAgo = (minutes) => new Date(Date.now() - minutes * 60000).toISOString();

function running(id, idle, more = {}) {
  const session = {
    id, user: 'john', template: 'vscode', state: 'running', createdAt: minutesAgo(600), lastActivity: minutesAgo(idle), ...more,
  };
  fake.sessions.set(id, session);
  return session;
}

const today = (id) => ({ id, time: new Date().toISOString() });
const states = () => Object.fromEntries([...fake.sessions.values()].map(({ id, state }) => [id, state]));
const report = (args) => fake.registered['concierge-report'].handler(args);

test('sessions left alone for longer than the setting hibernate, others run on', async () => {
  running('forgotten', 61);
  running('in-use', 59);
  running('exempt', 500, { template: 'jupyter' });
  running('never-touched', 0, { lastActivity: undefined });

  await plugin.hibernateForgotten();

  assert.deepEqual(states(), {
    forgotten: 'hibernated', 'in-use': 'running', exempt: 'running', 'never-touched': 'hibernated',
  });
});

test('without the setting nothing hibernates', async () => {
  running('forgotten', 500);
  plugin.config = {};

  await plugin.hibernateForgotten();

  assert.deepEqual(states(), { forgotten: 'running' });
});

test('none is skipped when there are several pages of them', async () => {
  for (let number = 0; number < 250; number += 1) running(`s-${number}`, 90);

  await plugin.hibernateForgotten();

  assert.ok([...fake.sessions.values()].every(({ state }) => state === 'hibernated'));
});

test('a user who came back after the list was made keeps the session', async () => {
  running('back', 90);
  const { getSession } = streamspace.api;
  streamspace.api.getSession = async (id) => ({ ...(await getSession(id)), lastActivity: minutesAgo(0) });

  await plugin.hibernateForgotten();

  assert.deepEqual(states(), { back: 'running' });
});

test('sessions that somebody else changed meanwhile do not stop the round, and other failures do', async () => {
  running('gone', 90);
  running('other', 90);
  fake.failures.set('gone', 'InvalidStateTransitionError');
  await plugin.hibernateForgotten();
  assert.equal(fake.sessions.get('other').state, 'hibernated');
  assert.equal(fake.stored.has('forgotten:gone'), false);

  fake.failures.set('gone', 'NetworkError');
  await assert.rejects(plugin.hibernateForgotten(), { name: 'NetworkError' });
});

test('the user is told once why the session hibernates', async () => {
  const session = running('john-vscode', 61);
  await plugin.hibernateForgotten();
  const event = today(1);
  for (let delivery = 0; delivery < 2; delivery += 1) await plugin.onSessionHibernated(session, event);

  assert.equal(fake.notified.length, 1);
  assert.match(fake.notified[0][1].message, /left it alone for 61 minutes/);
});

test('a session that its user put to sleep is not called forgotten, also after it once was', async () => {
  const session = running('john-vscode', 61);
  await plugin.hibernateForgotten();
  await plugin.onSessionHibernated(session, today(1));
  await plugin.onSessionWoken(session, today(2));
  await plugin.onSessionHibernated(session, today(3));

  assert.doesNotMatch(fake.notified.at(-1)[1].message, /left it alone/);
  assert.deepEqual((await report({})).total, { started: 0, hibernated: 2, forgotten: 1, woken: 1 });
});

test('the user is told where the session is, with a button', async () => {
  const session = { ...running('john-vscode', 0), url: 'https://john-vscode.streamspace.local' };
  await plugin.onSessionCreated(session, today(1));
  await plugin.onSessionStarted(session, today(2));
  await plugin.onSessionStarted(session, today(2));

  assert.deepEqual(fake.notified.map(([user, { title }]) => [user, title]), [
    ['john', 'Session created'], ['john', 'Your session is ready'],
  ]);
  assert.deepEqual(fake.notified[1][1].actions, [{ label: 'Open', url: session.url }]);
});

test('a user who is gone stops nothing', async () => {
  streamspace.notify = () => Promise.reject(named('UserNotFoundError'));

  await plugin.onSessionStarted(running('john-vscode', 0), today(1));

  assert.equal((await report()).total.started, 1);
});

test('events side by side and twice are counted right, day by day', async () => {
  const session = running('john-vscode', 0);
  const events = Array.from({ length: 20 }, (_, id) => today(id));

  await Promise.all([...events, ...events].map((event) => plugin.onSessionStarted(session, event)));

  const { total, days } = await report();
  assert.equal(total.started, 20);
  assert.deepEqual(days.map(({ started }) => started), [20]);
  await assert.rejects(report({ days: 0 }), /from 1 to 90/);
});

test('old counts and marks are removed', async () => {
  await plugin.onSessionStarted(running('john-vscode', 0), { id: 1, time: '2020-01-01T00:00:00Z' });
  await plugin.onSessionStarted(running('john-vscode', 0), today(2));

  await plugin.forgetOldCounts();

  assert.equal(fake.stored.size, 2);
});
