import { Chain } from './lib/chain.js';

const WATCHED = ['Created', 'Started', 'Hibernated', 'Woken'];

export default class SessionAuditor {
  static label = 'auditor';

  async onLoad() {
    this.chain = new Chain(streamspace.storage);
    streamspace.log.info(`${SessionAuditor.label} is ready`, { watched: WATCHED });
    streamspace.commands.register({ name: 'audit', description: 'What happened to a session', handler: this.audit.bind(this) });
  }

  async audit({ id }) {
    const { format } = await import('node:util');
    const entries = (await streamspace.storage.get(id)) ?? [];
    return { id: format('%s', id), what: entries.map((entry) => entry.what), intact: await this.chain.verify(id) };
  }

  async note(what, session) {
    await this.chain.append(session.id, { what, user: session.user, template: session.template });
  }

  onSessionCreated = (session) => this.note('created', session);

  async onSessionStarted(session) {
    await this.note('started', session);
  }

  onSessionHibernated(session) {
    return this.note('hibernated', session);
  }

  onSessionWoken(session) {
    return this.note('woken', session);
  }
}
