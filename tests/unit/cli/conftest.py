"""A platform for the command line: a server on the loopback interface that answers what a test tells it to."""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from click.testing import CliRunner, Result

from cli import locating
from cli.main import cli


@dataclass(frozen=True)
class Received:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    content: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.content) if self.content else None


@dataclass(frozen=True)
class Given:
    status: int
    content: bytes
    headers: dict[str, str] = field(default_factory=dict)


class Platform:
    """Answers are given per method and path; several for one path are used up in order, and the last one stays."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self._answers: dict[tuple[str, str], list[Given]] = {}
        platform = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                parts = urlsplit(self.path)
                query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
                content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                received = Received(self.command, parts.path, query, dict(self.headers), content)
                platform.received.append(received)
                given = platform._next(self.command, parts.path)
                self.send_response(given.status)
                for name, value in {"Content-Length": str(len(given.content)), **given.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(given.content)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answers(self, request: str, data: Any = None, *, status: int = 200, **envelope: Any) -> None:
        body = {"success": True, "data": data, "meta": {}, **envelope}
        self.answers_raw(request, json.dumps(body).encode(), status=status)

    def refuses(self, request: str, code: str, message: str, *, status: int, details: Any = None, **headers: str) -> None:
        body = {"success": False, "error": {"code": code, "message": message, "details": details or {}}, "meta": {}}
        self.answers_raw(request, json.dumps(body).encode(), status=status, **headers)

    def answers_raw(self, request: str, content: bytes, *, status: int = 200, **headers: str) -> None:
        method, _, path = request.partition(" ")
        given = Given(status, content, {name.replace("_", "-"): value for name, value in headers.items()})
        self._answers.setdefault((method, f"/api/v1{path}"), []).append(given)

    def _next(self, method: str, path: str) -> Given:
        answers = self._answers.get((method, path))
        if not answers:
            missing = {"success": False, "error": {"code": "NOT_FOUND", "message": f"{method} {path}", "details": {}}}
            return Given(404, json.dumps(missing).encode())
        return answers.pop(0) if len(answers) > 1 else answers[0]

    @property
    def requests(self) -> list[str]:
        return [f"{each.method} {each.path.removeprefix('/api/v1')}" for each in self.received]


@pytest.fixture
def platform():
    running = Platform()
    yield running
    running.close()


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A machine with nothing on it: no login, no local stack anywhere. Gives the working directory."""
    for name in ("STREAMSPACE_API_URL", "STREAMSPACE_TOKEN", "STREAMSPACE_LOCAL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home" / ".config"))
    monkeypatch.setattr(locating, "_CHECKOUT", tmp_path / "checkout")
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return work


@pytest.fixture
def waited(monkeypatch) -> list[float]:
    """Seconds that commands would have waited; nobody waits in these tests."""
    seconds: list[float] = []
    monkeypatch.setattr(time, "sleep", seconds.append)
    return seconds


Streamspace = Callable[..., Result]


@pytest.fixture
def streamspace(home: Path, platform: Platform, waited: list[float], monkeypatch) -> Streamspace:
    """Runs a command line against the platform, signed in with a token."""
    monkeypatch.setenv("STREAMSPACE_API_URL", platform.url)
    monkeypatch.setenv("STREAMSPACE_TOKEN", "ss_test")

    def run(*words: str, typed: str | None = None) -> Result:
        result = CliRunner().invoke(cli, list(words), input=typed, prog_name="streamspace")
        # Whatever happens, a user never sees a traceback.
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    return run


@pytest.fixture
def write_stack():
    def write(folder: Path, api_url: str, token: str = "ss_admin") -> Path:
        local = folder / ".local"
        local.mkdir(parents=True, exist_ok=True)
        description = {
            "api_url": api_url,
            "console_url": api_url,
            "admin": {"username": "admin", "password": "x", "token": token},
        }
        (local / "stack.json").write_text(json.dumps(description))
        return local

    return write
