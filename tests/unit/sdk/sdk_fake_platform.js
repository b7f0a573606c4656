'use strict';

const http = require('node:http');

/**
 * A platform on loopback, as in sdk_fake_platform.py: `script` answers the next requests, then `routes` by `METHOD path`, `*` for the rest.
 * An answer is `{status?, headers?, data?, error?, meta?, links?, raw?, drop?}`.
 */
class FakePlatform {
  script = [];
  routes = {};
  requests = [];
  open = 0;
  mostOpen = 0; // requests at once

  static async start() {
    const platform = new FakePlatform();
    platform.server = http.createServer((request, response) => platform.serve(request, response));
    await new Promise((resolve) => platform.server.listen(0, '127.0.0.1', resolve));
    platform.url = `http://127.0.0.1:${platform.server.address().port}`;
    return platform;
  }

  stop() {
    this.server.closeAllConnections();
    this.server.close();
  }

  asked(ending) {
    return this.requests.filter(({ line }) => line.endsWith(ending));
  }

  answer(request) {
    this.requests.push(request);
    if (this.script.length > 0) return this.script.shift();
    const route = [request.line, request.line.split('?')[0], '*'].map((key) => this.routes[key]).find(Boolean);
    return (typeof route === 'function' ? route(request) : route) ?? {};
  }

  async serve(request, response) {
    this.open += 1;
    this.mostOpen = Math.max(this.mostOpen, this.open);
    response.once('close', () => (this.open -= 1));
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const asked = { line: `${request.method} ${request.url}`, body: bodyOf(request, Buffer.concat(chunks)), headers: request.headers };
    const answer = this.answer(asked);
    if (answer.drop) return request.socket.destroy();
    const { status = 200, headers = {} } = answer;
    response.writeHead(status, headers);
    return response.end(status === 204 ? undefined : (answer.raw ?? JSON.stringify(envelope(answer, status))));
  }
}

/** JSON as a value; of anything else its size. */
function bodyOf(request, bytes) {
  if (bytes.length === 0) return null;
  return request.headers['content-type'] === 'application/json' ? JSON.parse(bytes) : { size_bytes: bytes.length };
}

function envelope({ data = null, meta = {}, links, error }, status) {
  if (error) return { success: false, error };
  return status >= 300 && !links ? {} : { success: true, data, meta, links };
}

module.exports = { FakePlatform };
