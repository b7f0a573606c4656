"""The real routes, in process, do what the table says that the SDKs' in-memory platforms are held to as well."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from chalicelib import accounts, runtime, sessions
from chalicelib.accounts import Caller
from chalicelib.api.application import Application
from chalicelib.core import config
from chalicelib.runtime.table_keys import Shape
from tests.sdk.semantics import ALL_SCOPES, CASES, TABLE, run

BUCKET = "packages"
ADMIN = Caller("user", "root", "Root", "admin", None)


@pytest.fixture
def platform(aws: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """``platform(scopes, email)``: the whole API, and the Python SDK as a plugin on it."""
    from streamspace.client import client

    app = Application("test").include_everything()
    aws.client("ses").verify_email_identity(EmailAddress="streamspace@example.com")
    aws.client("s3").create_bucket(Bucket=BUCKET)
    monkeypatch.setenv("STREAMSPACE_PACKAGES_BUCKET", BUCKET)
    monkeypatch.setenv("STREAMSPACE_API_URL", "http://platform.test")

    def carry(method: str, target: str, headers: Mapping[str, str], payload: bytes | None) -> tuple[Any, bytes]:
        url = urlsplit(target)
        if url.netloc:
            # An address in S3 that the platform gave out.
            bucket, _, key = url.path.lstrip("/").partition("/")
            bucket, key = (bucket, key) if bucket == BUCKET else (BUCKET, url.path.lstrip("/"))
            aws.client("s3").put_object(Bucket=bucket, Key=unquote(key), Body=payload or b"")
            return SimpleNamespace(status=200, headers={}), b""
        event = {
            "httpMethod": method,
            # API Gateway gives the path as it came, and decodes the query.
            "path": url.path,
            "headers": dict(headers),
            "multiValueHeaders": {name: [value] for name, value in headers.items()},
            "multiValueQueryStringParameters": parse_qs(url.query, keep_blank_values=True) or None,
            "body": payload.decode() if payload is not None else None,
            "isBase64Encoded": False,
            "requestContext": {"requestId": "request-1", "identity": {"sourceIp": "192.0.2.1"}, "path": unquote(url.path)},
            "stageVariables": None,
        }
        answer = app(event, None)
        headers_of_answer = {name.lower(): value for name, value in answer["headers"].items()}
        return SimpleNamespace(status=answer["statusCode"], headers=headers_of_answer), answer["body"].encode()

    def begin(scopes: tuple[str, ...], email: bool) -> None:
        monkeypatch.setenv("STREAMSPACE_TOKEN", accounts.issue_plugin_token("table", frozenset(scopes)))
        monkeypatch.setenv("STREAMSPACE_EMAIL_SENDER", "streamspace@example.com" if email else "")
        for user in TABLE["given"]["users"]:
            accounts.create_user(username=user["username"], full_name=user["fullName"], email=user["email"], tier=user["tier"], by=None)
        for template in TABLE["given"]["templates"]:
            sessions.create_template(template, by=ADMIN)
        for operation in TABLE["migration"]["up"]:
            runtime.tables.define("table", Shape.from_json({**operation, "name": operation["table"]}))

    client.carry = carry
    try:
        with config.overridden(SESSION_CHECKS_QUEUE_URL=""):
            yield begin
    finally:
        client.carry = None


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["case"])
def test_the_real_platform_does_what_the_table_says(case: dict[str, Any], platform: Callable[..., None]) -> None:
    platform(tuple(case.get("scopes", ALL_SCOPES)), case.get("email", True))

    run(case)

    assert os.environ["STREAMSPACE_API_URL"] == "http://platform.test"  # nothing went over the network
