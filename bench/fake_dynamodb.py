"""A DynamoDB that knows one item and gives it at once, alone or in a batch, on loopback: so that what is measured is the program and not a
database."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class FakeDynamoDB:
    """``calls`` counts what was asked since it was last set to 0."""

    def __init__(self, item: Mapping[str, Any]) -> None:
        self._item = dict(item)
        self._answer = json.dumps({"Item": item}).encode()
        self.calls = 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def _handler(fake) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                fake.calls += 1
                answer = fake._batch(body) if self.headers["X-Amz-Target"].endswith("BatchGetItem") else fake._answer
                head = f"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: {len(answer)}\r\n\r\n"
                self.wfile.write(head.encode() + answer)

        return Handler

    def _batch(self, body: bytes) -> bytes:
        """The item where it is asked for by its key; the others are not there."""
        found = {
            table: [self._item for key in asked["Keys"] if key.items() <= self._item.items()]
            for table, asked in json.loads(body)["RequestItems"].items()
        }
        return json.dumps({"Responses": found, "UnprocessedKeys": {}}).encode()

    @contextmanager
    def serving(self) -> Iterator[FakeDynamoDB]:
        thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()
