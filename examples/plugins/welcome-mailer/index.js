'use strict';

// Welcome Mailer: greets new users, and helps them with their first session.
//
// Storage:
//   done:{day}:{event id}       what was already done because of that event: {emailed: true, …}
//   first-session:{username}    which was the user's first session: its id and when it was made, as ids can come again
//
// Mails are recorded in the audit trail with its command `audit-record`; `audit-search` with action "mail.sent" finds them.

const REMEMBER_DONE_DAYS = 30;

module.exports = {
  async onLoad() {
    streamspace.commands.register({
      name: 'welcome-resend',
      description: 'Send a user the welcome mail again',
      permissions: ['users.manage'],
      handler: (args) => this.resend(args),
    });
  },

  async onUserCreated(user, event) {
    if (this.config.enabled === false) return;
    await eachOnce(doneKey(event), {
      emailed: () => this.sendWelcome(user),
      notified: () =>
        streamspace.notify(user.username, {
          title: 'Welcome to StreamSpace',
          message: this.greetingFor(user),
          type: 'success',
          persistent: true,
        }),
      recorded: () => recordMail('welcome', user.username, event),
    });
  },

  async onUserDeleted(user) {
    // Whoever gets this name later is a new person, with a first session to come.
    await streamspace.storage.delete(`first-session:${user.username}`);
  },

  async onSessionCreated(session, event) {
    if (this.config.enabled === false || !(await isFirstSession(session))) return;
    await eachOnce(doneKey(event), {
      notified: () =>
        streamspace.notify(session.user, {
          title: 'Your first session',
          message: `Your ${session.template} session is starting. You will be told when it is ready.`,
          type: 'info',
        }),
      emailed: () => this.mailFirstSession(session),
      recorded: () => recordMail('first-session', session.user, event),
    });
  },

  async onSessionStarted(session, event) {
    if (this.config.enabled === false) return;
    if ((await streamspace.storage.get(`first-session:${session.user}`)) !== identity(session)) return;
    await eachOnce(doneKey(event), {
      notified: () =>
        streamspace.notify(session.user, {
          title: 'Your first session is ready',
          message: session.url ? `Open it at ${session.url}` : 'Open it from your list of sessions.',
          type: 'success',
          persistent: true,
          ...(session.url ? { actions: [{ label: 'Open', url: session.url }] } : {}),
        }),
    });
  },

  async resend(args) {
    const username = args && args.username;
    if (typeof username !== 'string' || !username) {
      throw new Error("welcome-resend needs 'username', such as {\"username\": \"john\"}");
    }
    const user = await streamspace.api.getUser(username);
    const isSent = await this.sendWelcome(user);
    if (isSent) await recordMail('welcome', username, { id: Date.now(), time: new Date().toISOString() });
    return { sent: isSent, to: user.email };
  },

  async forgetOldMarks() {
    const oldestKept = `done:${new Date(Date.now() - REMEMBER_DONE_DAYS * 86400000).toISOString().slice(0, 10)}`;
    for (const key of await streamspace.storage.keys('done:')) {
      if (key < oldestKept) await streamspace.storage.delete(key);
    }
  },

  greetingFor(user) {
    return this.config.greeting.replaceAll('{name}', () => user.fullName || user.username);
  },

  sendWelcome(user) {
    return this.send(user, 'Welcome to StreamSpace', [
      this.greetingFor(user),
      `Your username is ${user.username}. Pick a template, and your first session runs in a minute.`,
    ]);
  },

  async mailFirstSession(session) {
    const user = await streamspace.api.getUser(session.user);
    await this.send(user, 'Your first StreamSpace session', [
      `Hello ${user.fullName || user.username},`,
      `your first session, with ${session.template}, is starting. When you leave it alone it hibernates, and your files stay.`,
    ]);
  },

  // Whether a mail was sent: without an email service there is nothing to try again.
  async send(user, subject, paragraphs) {
    const all = [...paragraphs, this.config.sender_name];
    try {
      await streamspace.email.send({
        to: user.email,
        subject,
        text: all.join('\n\n'),
        html: all.map((text) => `<p>${escapeHtml(text)}</p>`).join(''),
      });
      return true;
    } catch (error) {
      if (error.name !== 'EmailNotConfiguredError') throw error;
      streamspace.log.warn('No email was sent: the platform has no email service', { subject });
      return false;
    }
  },
};

// The platform's own list decides, as two sessions may be created at once and their events handled side by side; what was
// remembered covers first sessions that are deleted since.
async function isFirstSession(session) {
  const key = `first-session:${session.user}`;
  const known = await streamspace.storage.get(key);
  if (known) return known === identity(session);
  let sessions;
  try {
    sessions = await streamspace.api.getUserSessions(session.user);
  } catch (error) {
    if (error.name === 'UserNotFoundError') return false;
    throw error;
  }
  const isOlder = (other) =>
    other.createdAt < session.createdAt || (other.createdAt === session.createdAt && other.id < session.id);
  if (sessions.some(isOlder)) return false;
  await streamspace.storage.set(key, identity(session));
  return true;
}

function identity(session) {
  return `${session.id} ${session.createdAt}`;
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

// Time and id make it the same entry when it is recorded twice.
function recordMail(mail, username, event) {
  return streamspace.commands.execute('audit-record', {
    action: 'mail.sent',
    user: username,
    time: event.time,
    id: `${event.id}-${mail}`,
    detail: { mail },
  });
}

function escapeHtml(text) {
  const entities = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
  return text.replace(/[&<>"']/g, (character) => entities[character]);
}
