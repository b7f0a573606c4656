"""Images are looked for in the registries that the administrator names: a local one that speaks the distribution API."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from chalicelib import sessions
from chalicelib.core import config
from chalicelib.core.errors import ServiceUnavailable
from chalicelib.sessions import registries
from chalicelib.sessions.errors import InvalidImage, TemplateNotFound

DIGEST = "sha256:" + "a" * 64


class Registry(ThreadingHTTPServer):
    """Has ``images``; gives tokens for ``public`` repositories where it wants any; ``status`` answers for everything else."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.host = f"127.0.0.1:{self.server_port}"
        self.images = {("team/app", "1.2"), ("team/app", DIGEST), ("team/app", "latest")}
        self.wants_token = False
        self.public = {"team/app"}
        self.status: int | None = None
        self.is_silent = threading.Event()
        self.asked: list[str] = []


class _Answers(BaseHTTPRequestHandler):
    server: Registry

    def do_HEAD(self) -> None:
        registry = self.server
        registry.asked.append(self.path)
        if registry.is_silent.is_set():
            self.close_connection = True
            return
        name, _, version = self.path.removeprefix("/v2/").partition("/manifests/")
        if registry.status is not None:
            self._say(registry.status)
        elif registry.wants_token and self.headers.get("Authorization") != f"Bearer for {name}":
            realm = f'Bearer realm="http://{registry.host}/token",service="it"'
            self._say(401, {"WWW-Authenticate": realm})
        else:
            self._say(200 if (name, version) in registry.images else 404)

    def do_GET(self) -> None:
        given = parse_qs(urlsplit(self.path).query)
        name = given["scope"][0].removeprefix("repository:").removesuffix(":pull")
        assert given["service"] == ["it"]
        self._say(200, body=json.dumps({"token": f"for {name}"} if name in self.server.public else {}).encode())

    def _say(self, status: int, headers: dict[str, str] | None = None, body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Says nothing."""


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    monkeypatch.setenv("STREAMSPACE_ENVIRONMENT", "local")
    server = Registry()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    with config.overridden(IMAGE_REGISTRIES=f"ghcr.io, {server.host}"):
        yield server
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        ("nginx", ("docker.io", "library/nginx", "latest")),
        ("team/app:1.2", ("docker.io", "team/app", "1.2")),
        ("index.docker.io/team/app", ("docker.io", "team/app", "latest")),
        ("lscr.io/linuxserver/firefox:latest", ("lscr.io", "linuxserver/firefox", "latest")),
        ("localhost/app", ("localhost", "app", "latest")),
        ("registry:5000/app", ("registry:5000", "app", "latest")),
        (f"ghcr.io/a/b:1@{DIGEST}", ("ghcr.io", "a/b", DIGEST)),
        (f"ghcr.io/a/b@{DIGEST}", ("ghcr.io", "a/b", DIGEST)),
    ],
    ids=["bare", "hub", "hub's index", "registry", "localhost", "port", "tag and digest", "digest"],
)
def test_a_reference_says_where_it_is_to_be_looked_for(reference, parts):
    assert registries.parts_of(reference) == parts


def test_an_image_that_is_there_is_found_with_and_without_a_token(registry):
    for wants_token in (False, True):
        registry.wants_token = wants_token
        for image in ("team/app:1.2", "team/app", f"team/app:9.9@{DIGEST}"):
            registries.must_have(f"{registry.host}/{image}")


def test_an_image_that_is_missing_or_private_is_invalid_and_no_template_is_left(registry, platform):
    with pytest.raises(InvalidImage) as missing:
        platform.template(baseImage=f"{registry.host}/team/app:9.9")
    registry.wants_token, registry.public = True, set()
    with pytest.raises(InvalidImage) as private:
        platform.template(baseImage=f"{registry.host}/team/app:1.2")

    assert (missing.value.status, missing.value.details) == (422, {"field": "baseImage"})
    assert "has no image" in missing.value.message
    assert "does not show" in private.value.message
    with pytest.raises(TemplateNotFound):
        sessions.get_template("firefox")


def test_a_registry_that_gives_no_answer_is_no_verdict_on_the_image(registry, monkeypatch):
    image = f"{registry.host}/team/app:1.2"
    registry.status = 503
    with pytest.raises(ServiceUnavailable) as busy:
        registries.must_have(image)
    registry.status = None
    registry.is_silent.set()
    with pytest.raises(ServiceUnavailable):
        registries.must_have(image)
    with config.overridden(IMAGE_REGISTRIES="127.0.0.1:1"), pytest.raises(ServiceUnavailable):
        registries.must_have("127.0.0.1:1/team/app:1.2")

    assert busy.value.details == {"retry_after_s": 10}


def test_a_registry_that_hangs_is_not_waited_for(registry, monkeypatch):
    hold = threading.Event()
    monkeypatch.setattr(_Answers, "do_HEAD", lambda self: hold.wait(5))
    monkeypatch.setattr(registries, "_ALL_S", 0.1)

    with pytest.raises(ServiceUnavailable):
        registries.must_have(f"{registry.host}/team/app:1.2")

    hold.set()


def test_only_named_registries_are_asked_and_only_about_an_image_that_is_new(registry, platform):
    platform.template(baseImage=f"{registry.host}/team/app:1.2")
    platform.template("other", baseImage="elsewhere.example/team/app:1.2")
    assert len(registry.asked) == 1

    registry.status = 500
    kept = {**sessions.document_of(sessions.get_template("firefox"))["spec"], "displayName": "Renamed"}
    sessions.replace_template("firefox", {"name": "firefox", **kept}, by=platform.admin)

    assert len(registry.asked) == 1
