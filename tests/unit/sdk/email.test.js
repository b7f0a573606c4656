'use strict';

// Attachments of the JavaScript SDK, by the cases that the Python suite runs too (tests/sdk/attachments.json).
const assert = require('node:assert/strict');
const { after, before, beforeEach, test } = require('node:test');
const email = require('../../../plugin_layers/nodejs/node_modules/streamspace/email');
const { FakePlatform } = require('./sdk_fake_platform');
const cases = require('../../sdk/attachments.json');

let platform;
before(async () => {
  platform = await FakePlatform.start();
  process.env.STREAMSPACE_API_URL = platform.url;
  process.env.STREAMSPACE_TOKEN = 'ss_plugin';
});
after(() => platform.stop());
beforeEach(() => {
  platform.requests = [];
  platform.script = [];
  let place = 0;
  platform.routes = {
    'POST /api/v1/uploads': () => {
      place += 1;
      return { status: 201, data: { upload_id: `upload_${place}`, url: `${platform.url}/bucket/${place}?signed`, method: 'PUT', headers: {} } };
    },
    'POST /api/v1/email': { status: 202, data: { message_id: 'm', skipped: [] } },
  };
});

const files = (sizes) => sizes.map((size, index) => ({ filename: `${index}.bin`, content: Buffer.alloc(size, 1) }));
const send = (sizes) => email.send({ to: 'a@example.com', subject: 'S', text: 't', attachments: files(sizes) });

for (const one of cases) {
  test(one.case, async () => {
    if (one.error) {
      await assert.rejects(send(one.sizes), { name: one.error, code: 'VALIDATION_ERROR' });
      assert.deepEqual(platform.requests, []);
      return;
    }

    await send(one.sizes);

    const sent = platform.asked('/email')[0].body.attachments;
    assert.deepEqual(
      sent.flatMap((attachment, index) => (attachment.upload_id ? [index] : [])),
      one.uploaded,
    );
    assert.ok(sent.every((attachment) => !(attachment.upload_id && attachment.content)));
    const puts = platform.asked('?signed');
    assert.deepEqual(puts.map(({ body }) => body.size_bytes), one.uploaded.map((index) => one.sizes[index]));
    assert.ok(puts.every(({ headers }) => headers.authorization === undefined));
  });
}

test('an upload is tried again after 503, and not after 403', async () => {
  const put = 'PUT /bucket/1';
  const answers = [{ status: 503 }, { status: 200 }];
  platform.routes[put] = () => answers.shift();
  await send([4_000_000]);
  assert.equal(platform.asked('?signed').length, 2);

  platform.requests = [];
  platform.routes['PUT /bucket/2'] = { status: 403 };
  await assert.rejects(send([4_000_000]), { name: 'PlatformUnreachableError', message: /upload failed: it was answered with 403/ });
  assert.equal(platform.asked('?signed').length, 1);
  assert.equal(platform.asked('/email').length, 0);
});
