'use strict';

// node sdk_process.js FOLDER ROUNDS URL: a command of the plugin in the folder, by turns with the bare request that it makes.
const http = require('node:http');
const path = require('node:path');

const write = process.stdout.write.bind(process.stdout); // as it is: the SDK takes it over

const [folder, rounds, url] = process.argv.slice(2);
const context = { getRemainingTimeInMillis: () => 30_000 };
const { handler } = require(path.join(folder, 'streamspace_shim.js'));

async function main() {
  await handler({ kind: 'load', settings: {}, settings_version: 1 }, context);
  const one = { kind: 'command', name: 'one', args: {}, settings_version: 1 };
  const agent = new http.Agent({ keepAlive: true });
  const bare = () =>
    new Promise((resolve, reject) => {
      http.get(`${url}/api/v1/storage/k`, { agent }, (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (chunk) => (text += chunk)).on('end', () => resolve(JSON.parse(text)));
      }).on('error', reject);
    });
  const found = { hook: [], bare: [] };
  for (let round = 0; round < Number(rounds) + 20; round += 1) {
    for (const [side, work] of [['hook', () => handler(one, context)], ['bare', bare]]) {
      const began = performance.now();
      await work();
      if (round >= 20) found[side].push((performance.now() - began) / 1000);
    }
  }
  return found;
}

main().then((found) => {
  write(`${JSON.stringify({ found })}\n`, () => process.reallyExit(0));
});
