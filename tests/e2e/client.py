"""The platform as a program sees it that knows the documents and nothing else: HTTP, JSON, and the domain's words."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import urllib3

BASE_PATH = "/api/v1"


class Refused(AssertionError):
    """An error envelope where the test wanted a success. Also the expected outcome of what must be refused."""

    def __init__(self, answer: Answer, request: str) -> None:
        error = answer.json["error"]
        self.status: int = answer.status
        self.code: str = error["code"]
        self.message: str = error["message"]
        self.details: dict[str, Any] = error["details"]
        super().__init__(f"{request}: {self.status} {self.code}: {self.message} {json.dumps(self.details)}")


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def data(self) -> Any:
        return self.json["data"]


@dataclass(frozen=True)
class ServerSentEvent:
    id: str
    name: str
    data: Any


class Api:
    """One signed-in caller."""

    def __init__(self, url: str, token: str | None = None) -> None:
        self.url = url
        self.token = token
        self._http = urllib3.PoolManager(timeout=60, retries=False, maxsize=10)

    def raw(self, method: str, path: str, *, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Answer:
        """One request as it stands; ``path`` begins after the host."""
        sent = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        answer = self._http.request(method, self.url + path, body=body, headers={**sent, **(headers or {})}, redirect=False)
        return Answer(answer.status, answer.headers, answer.data.decode())

    def ask(self, method: str, path: str, body: Any = None, *, headers: Mapping[str, str] | None = None, **query: Any) -> Answer:
        """A success, whatever its status. Raises Refused."""
        full = BASE_PATH + path + (f"?{urlencode(query)}" if query else "")
        content = None if body is None else json.dumps(body).encode()
        answer = self.raw(method, full, body=content, headers={"Content-Type": "application/json", **(headers or {})})
        if answer.status >= 400:
            raise Refused(answer, f"{method} {full}")
        return answer

    def get(self, path: str, **query: Any) -> Any:
        return self.ask("GET", path, **query).data

    def post(self, path: str, body: Any = None) -> Any:
        return self.ask("POST", path, body).data

    def put(self, path: str, body: Any) -> Any:
        return self.ask("PUT", path, body).data

    def patch(self, path: str, body: Any) -> Any:
        return self.ask("PATCH", path, body).data

    def delete(self, path: str, **query: Any) -> Any:
        return self.ask("DELETE", path, **query).data

    def log_in(self, username: str, password: str) -> Api:
        """The same platform, as somebody else."""
        return Api(self.url, Api(self.url).post("/auth/login", {"username": username, "password": password})["token"])

    # Plugins

    def plugin(self, slug: str) -> dict[str, Any]:
        return self.get(f"/admin/plugins/{slug}")

    def is_installed(self, slug: str) -> bool:
        return any(one["slug"] == slug for one in self.get("/admin/plugins", search=slug, per_page=100))

    def finished(self, answer: Answer, *, within_s: float = 120) -> dict[str, Any]:
        """The record of the job that an answer began, once it has ended, well or not."""
        path = f"/admin/jobs/{answer.data['job_id']}"
        ended = ("succeeded", "failed", "stuck")
        return eventually(lambda: (job := self.get(path))["status"] in ended and job, within_s, "the job has not ended", every_s=0.5)

    def uninstall(self, slug: str, *, backup: bool = True) -> None:
        answer = self.ask("DELETE", f"/admin/plugins/{slug}", backup=str(backup).lower())
        if answer.status == 202:
            job = self.finished(answer)
            assert job["status"] == "succeeded", job

    def dead_letters(self, slug: str) -> list[dict[str, Any]]:
        return self.get(f"/admin/plugins/{slug}/events/dead-letters")

    def run(self, command: str, **args: Any) -> Any:
        return self.post(f"/commands/{quote(command, safe='')}/execute", {"args": args})["result"]

    # Sessions

    def session(self, session_id: str) -> dict[str, Any]:
        return self.get(f"/sessions/{session_id}")

    def running(self, session_id: str, *, within_s: float = 60) -> dict[str, Any]:
        """The session once it can be used."""
        return eventually(
            lambda: (found := self.session(session_id)).get("podName") and found.get("url") and found,
            within_s,
            lambda: f"the session is not ready: {self.session(session_id)}",
        )

    def become(self, session_id: str, state: str) -> dict[str, Any]:
        return self.patch(f"/sessions/{session_id}", {"state": state})


def eventually(
    check: Callable[[], Any], within_s: float, otherwise: str | Callable[[], str] = "it did not become so", *, every_s: float = 0.25
) -> Any:
    """What ``check`` answers, once that is truthy. Fails with ``otherwise``, which may look at the world once more."""
    ends = time.monotonic() + within_s
    while not (found := check()):
        if time.monotonic() > ends:
            raise AssertionError(f"not within {within_s} s: {otherwise() if callable(otherwise) else otherwise}")
        time.sleep(every_s)
    return found


def server_sent_events(text: str) -> Iterator[ServerSentEvent]:
    """The events of one answer, as a browser would read them. Source: HTML Living Standard §9.2.6."""
    for block in text.split("\n\n")[:-1]:
        fields = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))
        if "data" in fields:
            yield ServerSentEvent(fields["id"], fields["event"], json.loads(fields["data"]))
