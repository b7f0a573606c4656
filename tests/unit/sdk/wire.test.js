'use strict';

const assert = require('node:assert/strict');
const http = require('node:http');
const { execFile } = require('node:child_process');
const { once } = require('node:events');
const { test } = require('node:test');
const { promisify } = require('node:util');
const { FakePlatform } = require('./sdk_fake_platform');

const SDK = require.resolve('../../../plugin_layers/nodejs/node_modules/streamspace/package.json').replace(/package\.json$/, '');
const { carry } = require(`${SDK}wire`);
const { createClient, useTransport } = require(`${SDK}http`);
const { run } = require(`${SDK}call`);
const { downloadText } = require(`${SDK}downloads`);
const { uploadBytes } = require(`${SDK}uploads`);

/** A server that ends with the test: its URL, and how many connections it was offered. */
async function server(t, answer) {
  const found = { connections: 0 };
  const own = http.createServer(answer).on('connection', () => (found.connections += 1));
  own.listen(0, '127.0.0.1');
  await once(own, 'listening');
  t.after(() => {
    own.closeAllConnections();
    own.close();
  });
  return Object.assign(found, { url: `http://127.0.0.1:${own.address().port}` });
}

const get = (url, more) => carry(url, { method: 'GET', timeoutMs: 5000, ...more });
const failureOf = (promise) => promise.then(() => assert.fail('did not fail'), (error) => error);

test('requests one after the other share a connection, but not one that was idle for longer than four seconds', async (t) => {
  const found = await server(t, (_, response) => response.end('x'));

  for (let n = 0; n < 5; n += 1) await get(found.url);
  assert.equal(found.connections, 1);

  const now = Date.now();
  t.mock.method(Date, 'now', () => now + 4500);
  await get(found.url);
  assert.equal(found.connections, 2);
});

test('each connection has an idle time of its own', async (t) => {
  const found = await server(t, (_, response) => setTimeout(() => response.end('x'), 20));
  const began = Date.now();
  let passed = 0;
  t.mock.method(Date, 'now', () => began + passed);
  await Promise.all([get(found.url), get(found.url)]);

  passed = 3000;
  await get(found.url); // one of the two
  passed = 6000;
  await Promise.all([get(found.url), get(found.url)]); // the other one is too old by now

  assert.equal(found.connections, 3);
});

test('what is asked for at once has a connection each', async (t) => {
  const found = await server(t, (_, response) => setTimeout(() => response.end('x'), 50));

  await Promise.all([1, 2, 3].map(() => get(found.url)));

  assert.equal(found.connections, 3);
});

test('an answer that does not come, or does not end, is a TimeoutError', async (t) => {
  const silent = await server(t, () => {});
  const dripping = await server(t, (_, response) => setInterval(() => response.write('x'), 10).unref());

  for (const { url } of [silent, dripping]) assert.equal((await failureOf(get(url, { timeoutMs: 100 }))).name, 'TimeoutError');
});

test('an answer that breaks off is an error, and not half an answer', async (t) => {
  const found = await server(t, (request, response) => {
    response.writeHead(200, { 'content-length': 10 });
    response.write('half', () => request.socket.destroy());
  });

  assert.equal((await failureOf(get(found.url))).code, 'ECONNRESET');
});

test('a body arrives whole whatever the method, as text and as bytes', async (t) => {
  const found = await server(t, async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    response.end(JSON.stringify({ body: Buffer.concat(chunks).toString(), length: request.headers['content-length'] }));
  });

  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
    for (const body of ['gr\u00fcn', Buffer.from('gr\u00fcn')]) {
      assert.deepEqual(JSON.parse((await get(found.url, { method, body })).text), { body: 'gr\u00fcn', length: '5' });
    }
  }
});

test('a redirect is an answer like others: what it points at is not asked for', async (t) => {
  const found = await server(t, (_, response) => response.writeHead(302, { location: '/other' }).end());

  const { status, headers, text } = await get(found.url);

  assert.deepEqual([status, headers.location, text], [302, '/other', '']);
});

test("an author's headers are sent, but for those that frame the request, and what cannot be one is said at once", async (t) => {
  const platform = await FakePlatform.start();
  t.after(() => platform.stop());
  process.env.STREAMSPACE_API_URL = platform.url;
  const ask = (headers) => createClient().request('api.request', 'POST', 'things', { body: {}, headers, deadline: Date.now() + 5000 });

  await ask({ 'X-Mine': 7, Accept: 'text/html', HOST: 'elsewhere', 'Content-Length': '9', 'Transfer-Encoding': 'chunked' });
  const { headers } = platform.requests[0];

  assert.deepEqual(
    [headers['x-mine'], headers.accept, headers.host, headers['content-length'], headers['transfer-encoding']],
    ['7', 'application/json', new URL(platform.url).host, '2', undefined],
  );
  assert.match(headers['user-agent'], /streamspace/);
  for (const wrong of [{ 'X-Mine': 'a\r\nX-Other: b' }, { 'X Mine': 'a' }]) assert.ok((await failureOf(ask(wrong))) instanceof TypeError);
  assert.equal(platform.requests.length, 1);
});

test('a request loads neither fetch nor TLS that it does not need', async (t) => {
  const found = await server(t, (_, response) => response.end('{"success": true}'));
  const script = `
    const { request } = require(${JSON.stringify(`${SDK}http`)});
    request('c', 'GET', 'things', { deadline: Date.now() + 5000 }).then(() => console.log(process.moduleLoadList.join('\\n')));`;
  const env = { ...process.env, STREAMSPACE_API_URL: found.url };

  const { stdout } = await promisify(execFile)(process.execPath, ['-e', script], { env });

  assert.match(stdout, /NativeModule _http_client$/m);
  assert.doesNotMatch(stdout, /undici|NativeModule (?:https|tls)$/m);
});

test('a large value or an upload that cannot be carried says why, also of a host with several addresses', async (t) => {
  const refused = Object.assign(new AggregateError([]), { code: 'ECONNREFUSED' });
  useTransport(async (url) => {
    if (url.endsWith('/uploads')) return { status: 201, headers: {}, text: '{"success": true, "data": {"upload_id": "u", "url": "http://s3/x", "method": "PUT"}}' };
    throw refused;
  });
  t.after(() => useTransport());
  const last = { deadline: Date.now() }; // no time for another attempt

  const failed = await run(last, () => Promise.all([failureOf(uploadBytes('storage.set', Buffer.from('x'))), failureOf(downloadText('storage.get', 'http://s3/x'))]));

  assert.deepEqual(failed.map(({ message }) => message), [
    'storage.set: the upload failed: ECONNREFUSED',
    'storage.get: a large value could not be read: ECONNREFUSED',
  ]);
});
