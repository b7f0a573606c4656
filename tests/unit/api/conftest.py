"""The whole API, called as API Gateway calls it. There is no AWS here: what reaches for it fails."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from chalicelib.api import application
from chalicelib.api.http import Api


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    text: str

    @property
    def body(self) -> dict[str, Any]:
        return json.loads(self.text)  # type: ignore[no-any-return]

    @property
    def error(self) -> dict[str, Any]:
        return self.body["error"]  # type: ignore[no-any-return]


def event(
    method: str,
    path: str,
    body: bytes | str | None = None,
    *,
    headers: dict[str, str] | None = None,
    query: dict[str, str] | None = None,
    base64_encoded: bool = False,
) -> dict[str, Any]:
    headers = headers or {}
    return {
        "httpMethod": method,
        "path": path,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "multiValueQueryStringParameters": {name: [value] for name, value in (query or {}).items()} or None,
        "body": body,
        "isBase64Encoded": base64_encoded,
        "requestContext": {"requestId": "request-1", "identity": {"sourceIp": "192.0.2.1"}},
        "stageVariables": None,
    }


def ask(app: Api, *args: Any, **kwargs: Any) -> Answer:
    answer = app(event(*args, **kwargs), None)
    return Answer(answer["statusCode"], {**answer.get("headers", {}), **answer.get("multiValueHeaders", {})}, answer["body"])


@pytest.fixture(scope="session")
def app() -> Api:
    return application.build()


@pytest.fixture
def call(app: Api, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Answer]:
    """``call("POST", "/api/v1/auth/login", "{}", headers={…})``, to the real application, without any setting."""
    import os

    for name in list(os.environ):
        if name.startswith("STREAMSPACE_"):
            monkeypatch.delenv(name)
    return lambda *args, **kwargs: ask(app, *args, **kwargs)
