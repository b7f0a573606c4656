"""A DynamoDB that knows one item and gives it at once, on loopback: so that what is measured is the program and not a database."""

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
        self._answer = json.dumps({"Item": item}).encode()
        self.calls = 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def _handler(fake) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                fake.calls += 1
                head = f"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: {len(fake._answer)}\r\n\r\n"
                self.wfile.write(head.encode() + fake._answer)

        return Handler

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
