"""How many AWS calls a request makes: what each route declares as its most, and what some were counted to make.

The declared number is true of the normal path, the token's lookup included, and tests hold the routes to it. Counted are requests of an
administrator on moto's AWS, in a container that served others before.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from bench.report import Table

T = TypeVar("T")

_PASSWORD = "correct-horse-battery-staple"
_LIMITS = {"memory": "1Gi", "cpu": "500m"}
_TEMPLATE = {
    "name": "firefox",
    "displayName": "Firefox",
    "description": "A browser",
    "category": "Browsers",
    "baseImage": "lscr.io/linuxserver/firefox:latest",
    "defaultResources": _LIMITS,
    "ports": [{"name": "vnc", "containerPort": 3000, "protocol": "TCP"}],
}
_NEWS = {"to": "admin", "title": "Hello", "message": "There is news"}
_PERSON = {"username": "john", "fullName": "John", "email": "john@example.com"}
# In this order: later ones need what earlier ones made.
_REQUESTS: tuple[tuple[str, str, str, Any], ...] = (
    ("GET", "/health", "/health", None),
    ("GET", "/platform", "/platform", None),
    ("POST", "/auth/login", "/auth/login", {"username": "admin", "password": _PASSWORD}),
    ("GET", "/auth/me", "/auth/me", None),
    ("GET", "/auth/tokens", "/auth/tokens", None),
    ("POST", "/users", "/users", _PERSON),
    ("GET", "/users", "/users", None),
    ("GET", "/users/{username}", "/users/john", None),
    ("PATCH", "/users/{username}", "/users/john", {"fullName": "John B."}),
    ("POST", "/templates", "/templates", _TEMPLATE),
    ("GET", "/templates", "/templates", None),
    ("GET", "/templates/{name}", "/templates/firefox", None),
    ("POST", "/sessions", "/sessions", {"user": "john", "template": "firefox", "resources": _LIMITS}),
    ("GET", "/sessions", "/sessions", None),
    ("GET", "/users/{username}/sessions", "/users/john/sessions", None),
    ("GET", "/sessions/{id}", "/sessions/john-firefox", None),
    ("POST", "/sessions/{id}/activity", "/sessions/john-firefox/activity", {}),
    ("PATCH", "/sessions/{id}", "/sessions/john-firefox", {"state": "hibernated"}),
    ("DELETE", "/sessions/{id}", "/sessions/john-firefox", None),
    ("POST", "/notifications", "/notifications", _NEWS),
    ("GET", "/notifications", "/notifications", None),
    ("GET", "/commands", "/commands", None),
    ("GET", "/ui/extensions", "/ui/extensions", None),
    ("GET", "/admin/plugins", "/admin/plugins", None),
)


def run() -> list[Table]:
    from chalicelib.api.application import build
    from chalicelib.api.routing import BASE_PATH

    application = build().include_everything()
    counted = _counted(application, BASE_PATH)
    rows = []
    for pattern, methods in sorted(application.declared.items()):
        for method, route in sorted(methods.items()):
            path = pattern.removeprefix(BASE_PATH)
            calls = counted.get((method, path))
            rows.append((f"`{method} {path}`", route.aws_calls, "" if calls is None else f"{len(calls)}: {', '.join(calls)}"))
    return [
        Table(
            "AWS calls of each route",
            "At most, as declared; and as counted on moto, where it was asked.",
            ("route", "most", "counted"),
            rows,
        )
    ]


def _counted(application: Any, base_path: str) -> dict[tuple[str, str], list[str]]:
    found = {}
    with account([]) as calls:
        from chalicelib.accounts.bootstrap import ensure_administrator

        token = ensure_administrator("admin", _PASSWORD)
        application(_event("GET", f"{base_path}/auth/me", token, None), None)
        for method, pattern, path, body in _REQUESTS:
            calls.clear()
            answer = application(_event(method, base_path + path, token, body), None)
            if answer["statusCode"] >= 300:
                raise SystemExit(f"{method} {path} answered {answer['statusCode']}: {answer['body']}")
            found[method, pattern] = list(calls)
    return found


@contextmanager
def account(calls: list[str]) -> Iterator[list[str]]:
    """moto's AWS with the template's tables; the names of the operations that are called are added to the list."""
    from botocore.client import BaseClient
    from moto import mock_aws

    from chalicelib.core import aws, tables
    from tests.conftest import template_resources, variable_of

    before = dict(os.environ)
    os.environ.pop("AWS_ENDPOINT_URL", None)
    os.environ.pop("AWS_PROFILE", None)
    os.environ |= dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "bench")
    os.environ |= {"AWS_DEFAULT_REGION": "us-east-1", "AWS_REGION": "us-east-1", "STREAMSPACE_ENVIRONMENT": "local"}
    # Counting a request is one UpdateItem more for each route alike; it is left out of what they declare.
    os.environ["STREAMSPACE_RATE_LIMITS"] = "off"
    call = BaseClient._make_api_call

    def counted(client: Any, operation: str, parameters: dict[str, Any]) -> Any:
        calls.append(operation)
        return call(client, operation, parameters)

    try:
        with mock_aws():
            for name, properties in template_resources("AWS::DynamoDB::Table").items():
                os.environ[variable_of(name)] = f"bench-{name}"
                kept = ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "BillingMode")
                wanted = {key: properties[key] for key in kept if key in properties}
                aws.client("dynamodb").create_table(TableName=f"bench-{name}", **wanted)
            BaseClient._make_api_call = counted
            yield calls
    finally:
        BaseClient._make_api_call = call
        aws.client.cache_clear()
        tables.connection.cache_clear()
        os.environ.clear()
        os.environ |= before


def items_read(work: Callable[[], T]) -> tuple[T, int]:
    """What it gave, and what its queries looked at: each item that they look at is paid for. Source: DynamoDB, Query, ``ScannedCount``."""
    from botocore.client import BaseClient

    counts: list[int] = []
    call = BaseClient._make_api_call

    def counted(client: Any, operation: str, parameters: dict[str, Any]) -> Any:
        answer = call(client, operation, parameters)
        counts.append(answer.get("ScannedCount", 0))
        return answer

    BaseClient._make_api_call = counted
    try:
        return work(), sum(counts)
    finally:
        BaseClient._make_api_call = call


def _event(method: str, path: str, token: str, body: Any) -> dict[str, Any]:
    headers = {"content-type": "application/json", "authorization": f"Bearer {token}"}
    return {
        "httpMethod": method,
        "path": path,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "multiValueQueryStringParameters": None,
        "body": None if body is None else json.dumps(body),
        "isBase64Encoded": False,
        "requestContext": {"requestId": "bench", "identity": {"sourceIp": "127.0.0.1"}},
        "stageVariables": None,
    }
