const { createHmac, timingSafeEqual } = require('crypto');

let sent = [];

async function post(config, text) {
  const hourAgo = Date.now() - 3600 * 1000;
  sent = sent.filter((at) => at > hourAgo);
  if (sent.length >= config.rateLimit) {
    streamspace.log.warn('Rate limit reached, message dropped', { text });
    return;
  }
  const response = await fetch(config.webhookUrl, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ channel: config.channel, text, attachments: [{ color: 'good', footer: 'StreamSpace' }] }),
  });
  if (!response.ok) throw new Error(`The chat answered ${response.status}`);
  sent.push(Date.now());
}

function isSigned(req, secret) {
  const wanted = Buffer.from(`v0=${createHmac('sha256', secret).update(req.rawBody).digest('hex')}`);
  const given = Buffer.from(req.get('X-Signature') || '');
  return wanted.length === given.length && timingSafeEqual(wanted, given);
}

module.exports = {
  async onLoad() {
    streamspace.api.registerEndpoint({
      method: 'POST',
      path: '/commands/:command',
      public: true,
      handler: async (req, res) => {
        if (!isSigned(req, this.config.signingSecret)) return res.status(401).json({ text: 'Who are you?' });
        const sessions = await streamspace.api.getSessions({ state: 'running' });
        res.json({ response_type: 'ephemeral', text: `${req.params.command}: ${sessions.length >= 1 ? 'sessions run' : 'all quiet'}` });
      },
    });
  },

  async OnSessionCreated(session) {
    if (!this.config.notifyOnSessionCreated) return;
    await post(this.config, `${session.user} started ${session.template}`);
  },

  async OnSessionHibernated(session) {
    await post(this.config, `${session.id} sleeps`);
  },
};
