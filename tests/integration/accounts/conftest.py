"""People to act as, and the API as API Gateway calls it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from accounts_people import PASSWORD

from chalicelib import accounts
from chalicelib.accounts import User
from chalicelib.api import auth, users
from chalicelib.api.http import Api


@dataclass(frozen=True)
class Answer:
    status: int
    body: dict[str, Any]
    headers: dict[str, str]

    @property
    def data(self) -> Any:
        return self.body["data"]

    @property
    def error(self) -> dict[str, Any]:
        return self.body["error"]


@pytest.fixture
def accounts_api(aws: Any) -> Callable[..., Answer]:
    """``accounts_api("POST", "/users", {…}, token=…, query={…})``."""
    app = Api("test")
    app.include(auth.routes)
    app.include(users.routes)

    def call(method: str, path: str, body: Any = None, *, token: str | None = None, query: dict[str, Any] | None = None) -> Answer:
        headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {token}"} if token else {})
        event = {
            "httpMethod": method,
            "path": f"/api/v1{path}",
            "headers": headers,
            "multiValueHeaders": {name: [value] for name, value in headers.items()},
            "multiValueQueryStringParameters": {name: [str(value)] for name, value in (query or {}).items()} or None,
            "body": None if body is None else json.dumps(body),
            "isBase64Encoded": False,
            "requestContext": {"requestId": "request-1", "identity": {"sourceIp": "192.0.2.1"}},
            "stageVariables": None,
        }
        answer = app(event, None)
        return Answer(answer["statusCode"], json.loads(answer["body"]), answer.get("headers", {}))

    return call


@pytest.fixture
def person(aws: Any) -> Callable[..., User]:
    """``person("jane", role="manager")``: a user who can sign in with PASSWORD."""

    def make(username: str, **more: Any) -> User:
        given = {"full_name": username.title(), "email": f"{username}@example.com", "password": PASSWORD, "by": None, **more}
        return accounts.create_user(username=username, **given)

    return make


@pytest.fixture
def signed_in(person: Callable[..., User]) -> Callable[..., str]:
    """``signed_in("jane", role="manager")``: the bearer token of a new person."""

    def make(username: str, **more: Any) -> str:
        person(username, **more)
        return accounts.login(username, PASSWORD).token

    return make
