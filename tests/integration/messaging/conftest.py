"""People who are told things, and the API as API Gateway calls it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from chalicelib import accounts
from chalicelib.accounts import Caller
from chalicelib.api import dialogs, email, notifications, uploads
from chalicelib.api.http import Api
from chalicelib.core import config

SENDER = "no-reply@streamspace.example"


@pytest.fixture
def reader(aws: Any) -> Callable[..., Caller]:
    """``reader("jane", role="manager")``: a person with an account, as a caller."""

    def make(username: str, role: str = "user") -> Caller:
        user = accounts.create_user(username=username, full_name=username.title(), email=f"{username}@example.com", role=role, by=None)
        return Caller("user", user.username, user.full_name, role, None)

    return make


@pytest.fixture
def messaging_api(aws: Any) -> Callable[..., tuple[int, dict[str, Any]]]:
    """``messaging_api("POST", "/email", {…}, token=…, query={…})``: status and body."""
    app = Api("test")
    app.include(notifications.routes)
    app.include(email.routes)
    app.include(dialogs.routes)
    app.include(uploads.routes)

    def call(method: str, path: str, body: Any = None, *, token: str, query: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
        headers = {"content-type": "application/json", "authorization": f"Bearer {token}"}
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
        return answer["statusCode"], json.loads(answer["body"])

    return call


@pytest.fixture
def bucket(aws: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    aws.client("s3").create_bucket(Bucket="test-packages")
    monkeypatch.setenv("STREAMSPACE_PACKAGES_BUCKET", "test-packages")
    return "test-packages"


@pytest.fixture
def plugin_token(aws: Any) -> str:
    return accounts.issue_plugin_token("report", frozenset({"notifications", "email"}))


@pytest.fixture
def outbox(aws: Any) -> Iterator[list[Any]]:
    """SES with a verified sender; what it sent."""
    from moto.core import DEFAULT_ACCOUNT_ID
    from moto.ses import ses_backends

    aws.client("ses").verify_email_identity(EmailAddress=SENDER)
    with config.overridden(EMAIL_SENDER=f"StreamSpace <{SENDER}>"):
        yield ses_backends[DEFAULT_ACCOUNT_ID]["us-east-1"].sent_messages


@pytest.fixture
def personal_token() -> Callable[[Caller], str]:
    return lambda caller: accounts.create_token(caller, "test", None).text
