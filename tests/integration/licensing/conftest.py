"""A licence service on loopback: the reference one, which can be made to misbehave."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chalicelib.core import clock
from chalicelib.licensing import installation
from cli.license_book import LicenseBook
from tests.integration.jobs.conftest import platform, repository

__all__ = ["office", "platform", "repository"]

Question = dict[str, Any]
Misbehaviour = Callable[[str, Question], tuple[int, bytes]]


class Office:
    """``asked``: what was asked, in order. ``misbehaves``: answers in the book's place."""

    def __init__(self, folder: Path) -> None:
        self.key = Ed25519PrivateKey.generate()
        self.book = LicenseBook(folder / "licenses.sqlite", self.key.private_bytes_raw(), now=clock.timestamp)
        self.asked: list[tuple[str, Question]] = []
        self.misbehaves: Misbehaviour | None = None
        self.url = ""

    @property
    def public_key(self) -> str:
        return base64.b64encode(self.key.public_key().public_bytes_raw()).decode()

    def issue(self, slug: str = "paid", *, days: float | None = 365, **more: Any) -> str:
        more = {"type": "professional", "features": ("advanced_reports", "api_access"), **more}
        return self.book.issue(slug, expires_at=None if days is None else int(clock.timestamp() + days * 86400), **more)

    def seats_used(self) -> int:
        return sum(one.seats_used for one in self.book.everything())

    def take_seat_elsewhere(self, key: str, slug: str = "paid", installation_id: str = "ins_other") -> str:
        question = {"license_key": key, "plugin": slug, "installation_id": installation_id, "nonce": "n"}
        status, document = self.book.answer("activations", question)
        assert status == 200, document
        return str(document["license"])

    def free_the_seat_of_this_installation(self, key: str, slug: str = "paid") -> None:
        self.book.answer("deactivations", {"license_key": key, "plugin": slug, "installation_id": installation.id_of_this()})

    def is_away(self, *, status: int = 500) -> None:
        self.misbehaves = lambda *_: (status, b"down")

    def is_back(self) -> None:
        self.misbehaves = None

    def answer(self, what: str, question: Question) -> tuple[int, bytes]:
        self.asked.append((what, question))
        if self.misbehaves is not None:
            return self.misbehaves(what, question)
        status, document = self.book.answer(what, question)
        return status, json.dumps(document).encode()


@pytest.fixture
def office(tmp_path: Path, aws: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    folder = tmp_path / "office"
    folder.mkdir()
    made = Office(folder)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, content = made.answer(self.path.rpartition("/")[2], question)
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    made.url = f"http://127.0.0.1:{server.server_port}/licenses"
    monkeypatch.setenv("STREAMSPACE_LICENSE_SERVICE_URL", made.url)
    monkeypatch.setenv("STREAMSPACE_LICENSE_PUBLIC_KEY", made.public_key)
    yield made
    server.shutdown()
    server.server_close()
