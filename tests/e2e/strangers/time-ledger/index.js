const running = () => streamspace.db.table('running');
const entries = () => streamspace.db.table('entries');

class TimeLedger {
  async onLoad() {
    streamspace.commands.register({
      name: 'ledger',
      description: 'What was added up',
      permissions: ['admin'],
      handler: async () => (await entries().query({ limit: 100 })).items,
    });
  }

  async onSessionStarted(session) {
    await running().put({ id: session.id, user: session.user, since: Date.now() });
  }

  async onSessionHibernated(session) {
    const row = await running().get(session.id);
    if (!row) return;
    await entries().put({ id: `${session.user}#${row.since}`, user: session.user, seconds: Math.round((Date.now() - row.since) / 1000), closed: false });
    await running().delete(session.id);
  }

  async closeDay() {
    const { items } = await entries().query({ limit: 100 });
    for (const item of items.filter(({ closed }) => !closed)) await entries().put({ ...item, closed: true });
    streamspace.log.info('Day closed', { entries: items.length });
  }
}

module.exports = new TimeLedger();
