'use strict';

const { fork } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { FakePlatform } = require('./sdk_fake_platform');

// Where `require` looks on Lambda, as /opt/nodejs/node_modules.
const LAYER = path.resolve(__dirname, '../../../plugin_layers/nodejs/node_modules');
const SELF = 'GET /api/v1/runtime/self';

/** Packs a plugin from its source and starts a container with it, and a platform for it. Both end with the test `t`. */
async function plugin(t, source, { manifest = {}, files = {} } = {}) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'plugin-'));
  const about = { name: 'my-plugin', version: '1.0.0', permissions: ['read:sessions'], ...manifest };
  const packed = { 'manifest.json': JSON.stringify(about), [manifest.entrypoints?.main ?? 'index.js']: source, ...files };
  for (const [name, text] of Object.entries(packed)) {
    fs.mkdirSync(path.dirname(path.join(dir, name)), { recursive: true });
    fs.writeFileSync(path.join(dir, name), text);
  }
  const platform = await FakePlatform.start();
  platform.routes[SELF] = { data: { settings: { apiKey: 'k' }, settings_version: 1, platform: {} } };
  const container = new Container(dir, platform);
  t.after(() => {
    container.child.kill();
    platform.stop();
    fs.rmSync(dir, { recursive: true });
  });
  return { container, platform };
}

class Container {
  constructor(dir, platform) {
    this.output = '';
    this.unread = 0; // answers whose output has not all been read
    this.child = fork(path.join(__dirname, 'sdk_container.js'), [dir], {
      env: { ...process.env, STREAMSPACE_API_URL: platform.url, STREAMSPACE_TOKEN: 'ss_plugin', STREAMSPACE_PLUGIN: 'my-plugin', NODE_PATH: LAYER },
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    });
    this.child.stdout.on('data', (chunk) => {
      const parts = String(chunk).split('\0');
      this.output += parts.join('');
      this.unread -= parts.length - 1;
      this.child.stdout.emit('read');
    });
  }

  async call(payload, leftMs = 30_000) {
    this.child.send({ payload, leftMs });
    const [{ answer }] = await once(this.child, 'message');
    this.unread += 1;
    while (this.unread > 0) await once(this.child.stdout, 'read');
    return answer;
  }

  load(settings = {}, version = 1) {
    return this.call({ kind: 'load', settings, settings_version: version });
  }

  command(name, args, version = 1) {
    return this.call({ kind: 'command', name, args, caller: { username: 'ann' }, settings_version: version });
  }

  /** The messages that are given back. */
  async deliver(records, leftMs) {
    const answer = await this.call({ Records: records }, leftMs);
    return answer.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier);
  }

  get lines() {
    return this.output.trim().split('\n').map((line) => JSON.parse(line));
  }
}

/** Makes SQS records with an event each, numbered from 1. */
function recorder() {
  let number = 0;
  return (data = { id: 'john-firefox' }, { type = 'session.created', group = 'session#john-firefox', received = 1, version = 1 } = {}) => {
    number += 1;
    const time = '2026-01-02T03:04:05Z';
    const event = { id: 7301000 + number, type, aggregate: group, sequence: number, time, data, settings_version: version };
    return {
      messageId: `m${number}`,
      receiptHandle: `r${number}`,
      body: JSON.stringify(event),
      attributes: { MessageGroupId: group, ApproximateReceiveCount: String(received) },
    };
  };
}

module.exports = { plugin, recorder, SELF };
