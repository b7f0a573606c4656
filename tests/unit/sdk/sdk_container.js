'use strict';

// Run as a process of its own: a cold container with the plugin in the folder that argv names. Answers payloads over IPC. SDK may name
// another copy of the SDK than its sources. A zero byte in the output says that all that was printed before the answer is there.
const { writeSync } = require('node:fs'); // before the SDK has replaced it
const { createHandler } = require(process.env.SDK ?? '../../../plugin_layers/nodejs/node_modules/streamspace/runtime');

const handler = createHandler(process.argv[2]);

process.on('message', async ({ payload, leftMs }) => {
  const end = Date.now() + leftMs;
  const answer = await handler(payload, { getRemainingTimeInMillis: () => end - Date.now() }).catch(({ message }) => ({ thrown: message }));
  writeSync(1, '\0');
  process.send({ answer });
});
