'use strict';

// Session Concierge: hibernates forgotten sessions, and tells their users what becomes of them.
//
// Storage:
//   count:{day}:{what}:{event id}   one key for each thing counted. Sessions are handled side by side, so a number that each
//                                   adds to would lose some; and an event that comes again writes the same key again.
//   done:{day}:{event id}           what was already done because of that event
//   forgotten:{session id}          {idleMinutes}: this plugin is why the session hibernates

const PAGE = 100;
const REMEMBER_DAYS = 90;
const DAY_MS = 86400000;
const COUNTED = ['started', 'hibernated', 'forgotten', 'woken'];

module.exports = {
  async onLoad() {
    streamspace.commands.register({
      name: 'concierge-report',
      description: 'How many sessions were started, hibernated and woken, day by day',
      permissions: ['sessions.view'],
      handler: report,
    });
  },

  // Every five minutes

  async hibernateForgotten() {
    const exempt = new Set(String(this.config.exempt_templates || '').split(',').map((name) => name.trim()));
    const running = await allRunningSessions();
    for (const session of running) {
      if (!exempt.has(session.template) && this.isForgotten(session)) await this.hibernate(session.id);
    }
  },

  // Put so that a session is left running when either number is missing.
  isForgotten(session) {
    return idleMinutes(session) >= this.config.idle_minutes;
  },

  async hibernate(sessionId) {
    const mark = `forgotten:${sessionId}`;
    try {
      // Its user may have come back since the list was made.
      const session = await streamspace.api.getSession(sessionId);
      if (session.state !== 'running' || !this.isForgotten(session)) return;
      const idle = idleMinutes(session);
      // First the reason, for whoever handles the event that follows.
      await streamspace.storage.set(mark, { idleMinutes: idle });
      await streamspace.api.updateSession(sessionId, { state: 'hibernated' });
      streamspace.log.info('Hibernated a forgotten session', { sessionId, idleMinutes: idle });
    } catch (error) {
      if (error.name !== 'SessionNotFoundError' && error.name !== 'InvalidStateTransitionError') throw error;
      await streamspace.storage.delete(mark); // somebody else was faster
    }
  },

  // What becomes of sessions

  async onSessionCreated(session, event) {
    if (!this.config.tell_url) return;
    await eachOnce(doneKey(event), {
      notified: () =>
        streamspace.notify(session.user, {
          title: 'Session created',
          message: `Your ${session.template} session is being prepared.`,
          type: 'info',
        }),
    });
  },

  async onSessionStarted(session, event) {
    await count(event, 'started');
    if (!this.config.tell_url) return;
    await eachOnce(doneKey(event), {
      notified: () =>
        streamspace.notify(session.user, {
          title: 'Your session is ready',
          message: session.url ? `${session.template} runs at ${session.url}` : `${session.template} is running.`,
          type: 'success',
          ...(session.url ? { actions: [{ label: 'Open', url: session.url }] } : {}),
        }),
    });
  },

  async onSessionHibernated(session, event) {
    const forgotten = await streamspace.storage.get(`forgotten:${session.id}`);
    await count(event, 'hibernated');
    if (forgotten) await count(event, 'forgotten');
    if (!this.config.tell_changes) return;
    const reason = forgotten ? `You had left it alone for ${forgotten.idleMinutes} minutes. ` : '';
    await eachOnce(doneKey(event), {
      notified: () =>
        streamspace.notify(session.user, {
          title: 'Your session hibernates',
          message: `${reason}Your ${session.template} session waits for you; wake it when you need it.`,
          type: forgotten ? 'warning' : 'info',
          persistent: true,
        }),
    });
  },

  async onSessionWoken(session, event) {
    await streamspace.storage.delete(`forgotten:${session.id}`);
    await count(event, 'woken');
    if (!this.config.tell_changes) return;
    await eachOnce(doneKey(event), {
      notified: () =>
        streamspace.notify(session.user, {
          title: 'Your session wakes',
          message: `Your ${session.template} session is on its way back.`,
          type: 'info',
        }),
    });
  },

  async onSessionStopped(session) {
    await streamspace.storage.delete(`forgotten:${session.id}`);
  },

  async onSessionDeleted(session) {
    await streamspace.storage.delete(`forgotten:${session.id}`);
  },

  // Every night

  async forgetOldCounts() {
    const oldest = dayBefore(REMEMBER_DAYS);
    for (const prefix of ['count:', 'done:']) {
      for (const key of await streamspace.storage.keys(prefix)) {
        if (key < prefix + oldest) await streamspace.storage.delete(key);
      }
    }
  },
};

// {days?} → {from, to, total: {started, hibernated, forgotten, woken}, days: [{day, …}]}; `forgotten` are those among the
// hibernated that this plugin put to sleep. Days without any are left out.
async function report(args) {
  const days = (args && args.days) ?? 7;
  if (!Number.isInteger(days) || days < 1 || days > REMEMBER_DAYS) {
    throw new Error(`concierge-report: 'days' must be a whole number from 1 to ${REMEMBER_DAYS}`);
  }
  const [from, to] = [dayBefore(days - 1), dayBefore(0)];
  const none = () => Object.fromEntries(COUNTED.map((what) => [what, 0]));
  const total = none();
  const byDay = new Map();
  for (const key of await streamspace.storage.keys('count:')) {
    const [, day, what] = key.split(':');
    if (day < from || day > to || !COUNTED.includes(what)) continue;
    if (!byDay.has(day)) byDay.set(day, none());
    byDay.get(day)[what] += 1;
    total[what] += 1;
  }
  const inOrder = [...byDay].sort(([one], [other]) => (one < other ? -1 : 1));
  return { from, to, total, days: inOrder.map(([day, counts]) => ({ day, ...counts })) };
}

// All pages are read before anything is hibernated, since what leaves the list would shift its pages.
async function allRunningSessions() {
  const all = [];
  for (;;) {
    const page = await streamspace.api.getSessions({ state: 'running', limit: PAGE, offset: all.length });
    all.push(...page);
    if (page.length < PAGE) return all;
  }
}

function idleMinutes(session) {
  return Math.floor((Date.now() - Date.parse(session.lastActivity || session.createdAt)) / 60000);
}

function count(event, what) {
  return streamspace.storage.set(`count:${event.time.slice(0, 10)}:${what}:${event.id}`, true);
}

// Runs each effect that was not run for this key; what throws is run again when the event is delivered again. When the user is
// deleted meanwhile nobody is left to be told, and that counts as done.
async function eachOnce(key, effects) {
  const done = (await streamspace.storage.get(key)) || {};
  for (const [name, effect] of Object.entries(effects)) {
    if (done[name]) continue;
    try {
      await effect();
    } catch (error) {
      if (error.name !== 'UserNotFoundError') throw error;
    }
    done[name] = true;
    await streamspace.storage.set(key, done);
  }
}

function doneKey(event) {
  return `done:${event.time.slice(0, 10)}:${event.id}`;
}

function dayBefore(days) {
  return new Date(Date.now() - days * DAY_MS).toISOString().slice(0, 10);
}
