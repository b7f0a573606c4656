"""A platform on loopback that answers what a test tells it to, and remembers what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = dict[str, Any]


@dataclass
class FakePlatform:
    """``script`` answers the next requests in order; then ``routes`` by ``"METHOD path"``; else 200 with null.

    An answer is ``{status?, headers?, data?, error?, meta?, links?, raw?, drop?}``.
    """

    script: list[Answer] = field(default_factory=list)
    routes: dict[str, Answer | Callable[[dict[str, Any]], Answer]] = field(default_factory=dict)
    requests: list[dict[str, Any]] = field(default_factory=list)
    url: str = ""

    def answer(self, request: dict[str, Any]) -> Answer:
        self.requests.append(request)
        if self.script:
            return self.script.pop(0)
        for key in (request["line"], request["line"].split("?")[0], "*"):
            if key in self.routes:
                route = self.routes[key]
                return route(request) if callable(route) else route
        return {}

    def asked(self, ending: str) -> list[dict[str, Any]]:
        return [request for request in self.requests if request["line"].endswith(ending)]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and body in one packet: no waiting for a delayed ACK
    platform: FakePlatform

    def _serve(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        text = self.rfile.read(length)
        is_json = self.headers.get("content-type") == "application/json"
        answer = self.platform.answer(
            {
                "line": f"{self.command} {self.path}",
                "body": None if not text else json.loads(text) if is_json else {"size_bytes": length},
                "headers": {name.lower(): value for name, value in self.headers.items()},
            }
        )
        if answer.get("drop"):
            self.close_connection = True
            return
        status = answer.get("status", 200)
        payload = answer["raw"].encode() if answer.get("raw") is not None else json.dumps(_envelope(answer, status)).encode()
        self.send_response(status)
        for name, value in answer.get("headers", {}).items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("content-length", str(len(payload)))
        self.end_headers()
        if status != 204:
            self.wfile.write(payload)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve

    def log_message(self, *_: Any) -> None:
        pass


def _envelope(answer: Answer, status: int) -> Answer:
    if "error" in answer:
        return {"success": False, "error": answer["error"]}
    if status >= 300 and "links" not in answer:
        return {}
    links = {"links": answer["links"]} if "links" in answer else {}
    return {"success": True, "data": answer.get("data"), "meta": answer.get("meta", {}), **links}


def serve(platform: FakePlatform) -> ThreadingHTTPServer:
    handler = type("Handler", (_Handler,), {"platform": platform})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    platform.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    return server
