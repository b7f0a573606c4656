// Compiles, or the types are wrong: what an author may write, and with @ts-expect-error what not.
import streamspaceModule = require('streamspace');
import { createPlatform, PluginFailed } from 'streamspace/testing';

const same: streamspaceModule.StreamSpace = streamspace;
void same;

const plugin: streamspaceModule.Plugin = {
  seen: [] as string[],

  async onLoad() {
    const key: string = this.config.apiKey;
    streamspace.log.info(`${this.manifest.name} loads`, { key });
    streamspace.ui.registerWidget('w', { title: 'T', component: './w.jsx', position: 'sidebar' });
    streamspace.commands.register({ name: 'c', description: 'd', handler: async (args) => args.x });
    streamspace.schedule('rate(1 hour)', () => {});
    streamspace.schedule('sweep', 'rate(1 hour)', async ({ name }) => void name);
    streamspace.api.registerEndpoint({
      method: 'POST',
      path: '/items/:id',
      permissions: ['admin'],
      handler: async (req, res) => {
        const id: string = req.params.id;
        const username: string | undefined = req.user?.username;
        res.status(201).set('X-Id', id).json({ username, body: req.body, bytes: req.rawBody.length });
      },
    });
    streamspace.api.registerEndpoint({ path: '/go', handler: (_req, res) => res.redirect(301, '/there') });
    // @ts-expect-error an endpoint has a path
    streamspace.api.registerEndpoint({ handler: () => 1 });
    // @ts-expect-error what would be sent?
    streamspace.api.registerEndpoint({ path: '/a', handler: 'sync' });
  },

  async onSessionCreated(session, event) {
    this.seen.push(session.id, event.type);
    await streamspace.notify(session.user, { title: 'T', message: session.template, type: 'success' });
    await streamspace.notify.notifyAll({ title: 'T', message: 'M' });
    await streamspace.notifyAdmins({ title: 'T', message: 'M', timeout: 3000 });
    await streamspace.notify(session.user, {
      title: 'T',
      message: 'M',
      actions: [{ label: 'A', handler: () => {} }, { label: 'B', handler: (action, { user }) => `${user.username}: ${action.index}` }],
    });
    const confirmed: boolean = await streamspace.ui.showDialog({ title: 'T', message: 'M', type: 'confirm' });
    void confirmed;
    const listed = await streamspace.api.request<streamspaceModule.Session[]>('sessions', { query: { user: 'john' } });
    void listed[0].id;
    // @ts-expect-error no such kind of dialog
    await streamspace.ui.showDialog({ title: 'T', message: 'M', type: 'question' });
    const sessions: streamspaceModule.Session[] = await streamspace.api.getSessions({ user: session.user, state: 'running' });
    const url: string | undefined = sessions[0].url;
    void url;
    try {
      await streamspace.api.getUser('john');
    } catch (error) {
      if (error instanceof streamspace.errors.UserNotFoundError) streamspace.log.warn(error.message, error.details);
      else throw error;
    }

    // @ts-expect-error 'asleep' is no state
    await streamspace.api.updateSession(session.id, { state: 'asleep' });
    // @ts-expect-error the template is required
    await streamspace.api.createSession({ user: 'john' });
    // @ts-expect-error no such field
    session.owner;
    // @ts-expect-error the title is required
    await streamspace.notify('john', { message: 'M' });
    // @ts-expect-error a version cannot be set
    streamspace.version = '2.0.0';
  },

  onNotificationAction(action, { notification, user }) {
    return `${user.username} pressed ${action.label} of ${notification.title}`;
  },

  onUserLogin(user) {
    const quota: number = user.quotas.maxSessions;
    void quota;
  },
};

export = plugin;

async function itsTests(): Promise<void> {
  const platform = createPlatform({ users: [{ username: 'jane', role: 'manager' }], commands: { sum: ({ n }) => n + 1 }, answer: () => true });
  await platform.load();
  const { data }: { data: streamspaceModule.Session | streamspaceModule.User } = await platform.emit('session.created', { user: 'jane' });
  const to: string = platform.notifications[0].to;
  const status: number = (await platform.request('GET', '/x', { as: null })).status;
  const later: Date = (platform.clock.advance('1h'), platform.clock.now);
  // @ts-expect-error a role that nobody has
  createPlatform({ users: [{ username: 'jane', role: 'king' }] });
  const failed = new Error() as PluginFailed;
  void [data, to, status, later, failed.failure.location];
}
void itsTests;
