"""schemathesis asks every operation of ``openapi.json`` for what it may be asked for, and for what it may not: no answer is one that the
document does not know, and none is the platform's own failure.

``STREAMSPACE_FUZZ_EXAMPLES=200 pytest tests/integration/api/test_every_operation.py`` looks further; the suites take a few of each.
"""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from chalicelib import accounts, plugins, webhooks
from chalicelib.accounts import Caller
from chalicelib.marketplace import repository as marketplace
from tests.integration.jobs.conftest import package

EXAMPLES = int(os.environ.get("STREAMSPACE_FUZZ_EXAMPLES", "2"))
_CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
_unhurried = settings(
    max_examples=EXAMPLES,
    derandomize=EXAMPLES == 2,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture
def world(platform, repository, token, monkeypatch):
    """One of each thing; gives the tokens, and what path parameters are called that lead to something."""
    monkeypatch.setenv("STREAMSPACE_EMAIL_SENDER", "streamspace@example.com")
    platform.aws.client("ses").verify_email_identity(EmailAddress="streamspace@example.com")
    repository.publish(package("watcher", permissions=["storage", "commands", "email"]))
    marketplace.forget()
    platform.loads["watcher"] = {"ok": True, "registered": {"hooks": [], "commands": [{"name": "deploy"}]}}
    assert platform.install("watcher").status == "succeeded"
    accounts.create_user(username="jane", full_name="Jane", email="jane@example.com", by=None)
    ann = Caller("user", "ann", "Ann", "admin", None)
    webhook, _ = webhooks.create("https://hooks.example.com/x", ["*"], secret=None, description="", by=ann)
    scopes = frozenset(accounts.SCOPES)
    return {"person": token, "plugin": accounts.issue_plugin_token("watcher", scopes)}, {
        "/admin/plugins": {"slug": "watcher"},
        "/users": {"username": "jane"},
        "/admin/webhooks": {"id": webhook.id},
        "/commands": {"name": "deploy"},
    }


def test_no_operation_answers_what_it_does_not_say(whole_app, world):
    tokens, known = world
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app=as_wsgi(whole_app))
    operations = [found.ok() for found in schema.get_all_operations()]
    plugins_own = {
        (route.method, route.pattern.removeprefix("/api/v1").replace("+}", "}"))
        for methods in whole_app.declared.values()
        for route in methods.values()
        if route.plugin_only
    }
    faults: dict[str, str] = {}

    # What deletes comes last, so that the others find something; and what makes the token worthless, last of all.
    for operation in sorted(operations, key=lambda one: (one.path == "/auth/logout", one.method == "delete", one.path, one.method)):
        own = (operation.method.upper(), operation.path) in plugins_own
        headers = {"Authorization": f"Bearer {tokens['plugin' if own else 'person']}"}
        there = next((names for head, names in known.items() if operation.path.startswith(head)), {})
        faults |= _driven(operation, headers, there)
        # Else the plugin's own operations, and what starts one, would be asked in safe mode.
        plugins.safe_mode.declare(Caller("user", "ann", "Ann", "admin", None), on=False)

    assert len(operations) > 90
    assert not faults, "\n\n".join(f"{name}\n{fault}" for name, fault in faults.items())


def _driven(operation: Any, headers: dict[str, str], there: dict[str, str]) -> dict[str, str]:
    """What is wrong with the operation, by its name."""
    names = [{}, there] if there and "{" in operation.path else [{}]
    try:
        for instead in names:
            _driver(operation, GenerationMode.POSITIVE, headers, instead)()
        if operation.query or operation.body:
            _driver(operation, GenerationMode.NEGATIVE, headers, {})()
    except Exception as fault:  # noqa: BLE001 all operations are looked at, whatever one of them does
        return {operation.label: f"{type(fault).__name__}: {fault}"[:3000]}
    return {}


def _driver(operation: Any, mode: GenerationMode, headers: dict[str, str], instead: dict[str, str]) -> Callable[[], None]:
    @_unhurried
    @given(case=operation.as_strategy(generation_mode=mode))
    def drive(case: Any) -> None:
        case.path_parameters = {**(case.path_parameters or {}), **instead}
        case.call_and_validate(headers=headers, checks=_CHECKS)

    return drive


def as_wsgi(app: Any) -> Any:
    """The application behind a server, as API Gateway is one: for clients that speak HTTP."""

    def serve(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        asked = urlsplit(environ.get("REQUEST_URI") or quote(environ["PATH_INFO"].encode("latin-1")))
        headers = {name[5:].replace("_", "-").lower(): value for name, value in environ.items() if name.startswith("HTTP_")}
        if environ.get("CONTENT_TYPE"):
            headers["content-type"] = environ["CONTENT_TYPE"]
        body = (environ.get("wsgi.input") or io.BytesIO()).read(int(environ.get("CONTENT_LENGTH") or 0))
        answer = app(
            {
                "httpMethod": environ["REQUEST_METHOD"],
                "path": asked.path,
                "headers": headers,
                "multiValueHeaders": {name: [value] for name, value in headers.items()},
                "multiValueQueryStringParameters": parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True) or None,
                "body": base64.b64encode(body).decode() if body else None,
                "isBase64Encoded": bool(body),
                "requestContext": {"requestId": "fuzz", "identity": {"sourceIp": "192.0.2.1"}},
                "stageVariables": None,
            },
            None,
        )
        several = answer.get("multiValueHeaders") or {}
        told = [(name, str(value)) for name, value in answer.get("headers", {}).items()]
        start_response(f"{answer['statusCode']} As-Answered", told + [(name, one) for name, values in several.items() for one in values])
        return [base64.b64decode(answer["body"]) if answer.get("isBase64Encoded") else answer["body"].encode()]

    return serve
