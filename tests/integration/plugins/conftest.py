"""A platform with plugins on it, seen through its API."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from chalicelib import accounts, runtime
from chalicelib.accounts import Caller
from chalicelib.api import marketplace as marketplace_routes
from chalicelib.api import plugins as plugin_routes
from chalicelib.api.http import Api
from chalicelib.core import clock
from chalicelib.events import Actor, unit_of_work
from chalicelib.plugins import InstalledPlugin, manifest, registry
from chalicelib.runtime.active import ActivePlugin

ADMIN = Caller("user", "ann", "Ann Lee", "admin", None)

INVOICES = {
    "name": "invoice-manager",
    "version": "2.1.0",
    "displayName": "Invoice Manager",
    "description": "Manage invoices, payments, and billing",
    "author": {"name": "Vendor Name", "url": "https://vendor.com", "email": "support@vendor.com"},
    "category": "accounting",
    "icon": "assets/icon.png",
    "screenshots": ["assets/screenshots/list.png"],
    "homepage": "https://vendor.com/invoice-manager",
    "documentation": "https://docs.vendor.com/invoice-manager",
    "tags": ["invoice", "billing"],
    "permissions": ["email"],
    "requirements": {"system_version": "1.0.0", "extensions": ["gd"]},
    "dependencies": [
        {"slug": "core-finance", "version_constraint": "^1.5.0"},
        {"slug": "pdf-generator", "version_constraint": "^2.0.0", "is_optional": True},
    ],
    "changelog": "2.1.0: faster",
    "contributes": {
        "permissions": [{"name": "invoices.view", "description": "View invoices", "default_roles": ["admin", "manager"]}],
        "widgets": [{"id": "due", "title": "Due", "component": "ui/Due.jsx"}],
    },
    "settings": {
        "tabs": [{"key": "general", "label": "General", "icon": "settings"}, {"key": "email", "label": "Email", "icon": "mail"}],
        "fields": [
            {
                "key": "invoice_prefix",
                "type": "text",
                "label": "Invoice Prefix",
                "tab": "general",
                "default": "INV-",
                "hint": "Prefix added to invoice numbers",
                "rules": "required|string|max:10",
            },
            {
                "key": "default_currency",
                "type": "select",
                "label": "Default Currency",
                "tab": "general",
                "default": "USD",
                "options": [{"value": "USD", "label": "US Dollar"}, {"value": "EUR", "label": "Euro"}],
            },
            {"key": "default_due_days", "type": "integer", "label": "Due Days", "tab": "general", "default": 30, "rules": "between:1,365"},
            {"key": "auto_send_email", "type": "boolean", "label": "Send Invoice Email Automatically", "tab": "email", "default": True},
            {"key": "reply_to", "type": "email", "label": "Reply To", "tab": "email", "rules": "required_if:auto_send_email,false"},
            {"key": "smtp_password", "type": "password", "label": "SMTP Password", "tab": "email", "rules": "min:4"},
        ],
    },
}


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


@pytest.fixture
def install(aws: Any) -> Callable[..., InstalledPlugin]:
    """``install(slug="pdf", version="1.0.0", status="inactive", **manifest)``: as a finished job leaves it."""

    def put(slug: str, version: str = "1.0.0", *, status: str = "active", by: Actor = ADMIN.actor, **more: Any) -> InstalledPlugin:
        plugin = InstalledPlugin.fresh(manifest.parse({"name": slug, "version": version, **more}), "0" * 64, clock.now())
        with unit_of_work(by) as work:
            work.emit("plugin.installed", registry.add(work, plugin), {"plugin": plugin.summary()})
        if status == "inactive":
            return registry.get(slug)
        now = clock.now()
        kept = registry.get(slug)
        changed = kept.activated(now) if status == "active" else kept.failed("API key is required", "failed_to_start", now)
        with unit_of_work(by) as work:
            told = "plugin.activated" if status == "active" else "plugin.failed"
            work.emit(told, registry.save(work, changed), {"plugin": plugin.summary()})
            if changed.is_active:
                runtime.active.put(work, ActivePlugin(slug, "https://queue", changed.settings_version, {}))
        return registry.get(slug)

    return put


@pytest.fixture
def invoices(install: Callable[..., InstalledPlugin]) -> InstalledPlugin:
    """The document's own example."""
    more = {key: value for key, value in INVOICES.items() if key not in ("name", "version")}
    return install("invoice-manager", "2.1.0", **more)


@pytest.fixture
def secrets_key(aws: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    key_id = str(aws.client("kms").create_key()["KeyMetadata"]["KeyId"])
    monkeypatch.setenv("STREAMSPACE_SECRETS_KEY_ID", key_id)
    return key_id


@pytest.fixture
def api(aws: Any) -> Callable[..., Answer]:
    """``api("GET", "/admin/plugins", query={…}, role="admin")``, as API Gateway would call it."""
    app = Api("test")
    app.include(plugin_routes.routes)
    app.include(marketplace_routes.routes)
    tokens: dict[str, str] = {}

    def token_of(role: str) -> str:
        if role not in tokens:
            name = role.title()
            accounts.create_user(username=f"the-{role}", full_name=name, email=f"{role}@example.com", role=role, by=None)
            # Not by signing in: hashing a password takes longer than most tests.
            tokens[role] = accounts.create_token(Caller("user", f"the-{role}", name, role, None), "test", None).text
        return tokens[role]

    def call(method: str, path: str, body: Any = None, *, role: str | None = "admin", query: dict[str, Any] | None = None) -> Answer:
        headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {token_of(role)}"} if role else {})
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
        return Answer(answer["statusCode"], json.loads(answer["body"]))

    # Signed in before anything is counted.
    token_of("admin")
    return call
