"""A marketplace on loopback: what is in its folder is served, and signed with its key."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chalicelib.marketplace import publication
from chalicelib.marketplace import repository as client

RELEASED = "2026-01-02T03:04:05Z"


class Shop:
    """``files``: path -> (status, body). ``requests``: what was asked for, with the ETag that was sent along."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.key = Ed25519PrivateKey.generate()
        self.files: dict[str, tuple[int, bytes]] = {}
        self.requests: list[tuple[str, str | None]] = []
        self.moved: dict[str, str] = {}

    @property
    def public_key(self) -> str:
        return base64.b64encode(self.key.public_key().public_bytes_raw()).decode()

    def serve(self, path: str, body: bytes, status: int = 200) -> None:
        self.files[path] = (status, body)

    def publish(self, *plugins: dict[str, Any], sequence: int = 1, **more: Any) -> None:
        files = publication.repository(plugins, sequence, RELEASED)
        signed = files.pop("index.json")
        for path, content in files.items():
            self.serve(f"/{path}", content)
        self.publish_index(json.dumps(json.loads(signed) | more).encode())

    def publish_index(self, body: bytes) -> None:
        self.serve("/index.json", body)
        self.serve("/index.json.sig", base64.b64encode(self.key.sign(body)))

    def plugin(self, slug: str, *versions: str, content: bytes = b"package", **more: Any) -> dict[str, Any]:
        for version in versions:
            self.serve(f"/packages/{slug}-{version}.zip", content)
        return {
            "slug": slug,
            "name": slug.title(),
            "author": {"name": "Vendor"},
            "releases": [
                {
                    "version": version,
                    "released_at": RELEASED,
                    "url": f"packages/{slug}-{version}.zip",
                    "sha256": hashlib.sha256(content).hexdigest(),
                    "size_bytes": len(content),
                    **more.get("release", {}),
                }
                for version in versions
            ],
            **{key: value for key, value in more.items() if key != "release"},
        }


@pytest.fixture
def shop(aws: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers.get("If-None-Match")
            served.requests.append((self.path, asked))
            if self.path in served.moved:
                self.send_response(302)
                self.send_header("Location", served.moved[self.path])
                self.end_headers()
                return
            status, body = served.files.get(self.path, (404, b""))
            etag = f'"{hashlib.sha256(body).hexdigest()}"'
            if asked == etag:
                status, body = 304, b""
            self.send_response(status)
            self.send_header("ETag", etag)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    served = Shop(f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("STREAMSPACE_MARKETPLACE_URL", served.url)
    monkeypatch.setenv("STREAMSPACE_MARKETPLACE_PUBLIC_KEY", served.public_key)
    client.forget()
    yield served
    client.forget()
    server.shutdown()
    server.server_close()
