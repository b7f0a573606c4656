"""People, templates and a cluster to start sessions in."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from sessions_cluster import FakeCluster, Queue

from chalicelib import accounts, sessions
from chalicelib.accounts import Caller
from chalicelib.api import sessions as session_routes
from chalicelib.api import templates as template_routes
from chalicelib.api.http import Api
from chalicelib.core import config
from chalicelib.sessions import entrances
from chalicelib.sessions.drift import Comparison
from chalicelib.sessions.objects import Place
from chalicelib.sessions.worker import Worker

ADMIN = Caller("user", "root", "Root", "admin", None)
PLACE = Place("streamspace", "streamspace.local", platform_url="https://platform.example.com", ingress_controllers=entrances.ASKING)


@dataclass(frozen=True)
class Answer:
    status: int
    body: dict[str, Any]

    @property
    def data(self) -> Any:
        return self.body["data"]

    @property
    def error(self) -> dict[str, Any]:
        return self.body["error"]


class Waiting:
    """Time that passes only when somebody waits: how fast this machine is makes no difference."""

    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def monotonic(self) -> float:
        return self.now


@dataclass
class SessionPlatform:
    """The platform as its users and its cluster see it."""

    cluster: FakeCluster
    checks: Queue
    worker: Worker
    comparison: Comparison
    place: Place
    waiting: Waiting
    app: Api
    tokens: dict[str, str] = field(default_factory=dict)

    admin = ADMIN

    def user(self, username: str, role: str = "user", **quotas: Any) -> Caller:
        quotas = {"max_sessions": 5, "memory": "64Gi", **quotas}
        accounts.create_user(
            username=username,
            full_name=username.title(),
            email=f"{username}@example.com",
            role=role,
            quotas=quotas,
            by=None,
        )
        return Caller("user", username, username.title(), role, None)

    def template(self, name: str = "firefox", **more: Any) -> sessions.Template:
        wanted = {
            "name": name,
            "displayName": name.title(),
            "description": "A browser",
            "category": "Web Browsers",
            "baseImage": f"lscr.io/linuxserver/{name}:latest",
            "defaultResources": {"memory": "2Gi", "cpu": "1000m"},
            "ports": [{"name": "vnc", "containerPort": 3000}],
        }
        return sessions.create_template({**wanted, **more}, by=ADMIN)

    def session(self, user: str = "john", template: str = "firefox", **more: Any) -> sessions.Session:
        return sessions.create_session({"user": user, "template": template, **more}, by=ADMIN)

    def ready_session(self, *arguments: str, **more: Any) -> sessions.Session:
        session = self.session(*arguments, **more)
        assert self.worker.reconcile(session.id)
        return sessions.get_session(session.id, by=ADMIN)

    def sign_in(self, username: str) -> str:
        # Hashing a password takes its time on purpose: only who signs in gets one.
        accounts.set_password(username, "correct horse", by=None)
        return accounts.login(username, "correct horse").token

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = None,
        query: dict[str, Any] | None = None,
        content_type: str = "application/json",
    ) -> Answer:
        headers = {"content-type": content_type} | ({"authorization": f"Bearer {token}"} if token else {})
        event = {
            "httpMethod": method,
            "path": f"/api/v1{path}",
            "headers": headers,
            "multiValueHeaders": {name: [value] for name, value in headers.items()},
            "multiValueQueryStringParameters": {name: [str(value)] for name, value in (query or {}).items()} or None,
            "body": body if body is None or isinstance(body, str) else json.dumps(body),
            "isBase64Encoded": False,
            "requestContext": {"requestId": "request-1", "identity": {"sourceIp": "192.0.2.1"}},
            "stageVariables": None,
        }
        answer = self.app(event, None)
        return Answer(answer["statusCode"], json.loads(answer["body"]))


@pytest.fixture
def platform(aws: Any) -> Iterator[SessionPlatform]:
    cluster = FakeCluster()
    checks = Queue(aws.client("sqs"), "session-checks")
    place, waiting = PLACE, Waiting()
    worker = Worker(cluster=lambda: cluster, patience_s=0.5, sleep=waiting.sleep, monotonic=waiting.monotonic, place=lambda: place)
    app = Api("test")
    app.include(session_routes.routes)
    app.include(template_routes.routes)
    with config.overridden(SESSION_CHECKS_QUEUE_URL=checks.url):
        yield SessionPlatform(cluster, checks, worker, Comparison(lambda: cluster, lambda: place), place, waiting, app)


@pytest.fixture
def event_of() -> Callable[..., dict[str, Any]]:
    """``event_of("session#a", "session#b")``: an SQS event with a message for each aggregate, as the queue ``sessions`` gives it."""

    def make(*aggregates: str, type: str = "session.created") -> dict[str, Any]:
        return {
            "Records": [
                {
                    "messageId": f"m{number}",
                    "attributes": {"MessageGroupId": aggregate},
                    "body": json.dumps({"id": number, "type": type, "aggregate": aggregate, "sequence": number, "data": {}}),
                }
                for number, aggregate in enumerate(aggregates)
            ]
        }

    return make
