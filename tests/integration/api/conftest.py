"""The whole API on a platform whose jobs run."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from chalicelib import accounts
from chalicelib.accounts import Caller
from chalicelib.api import application
from tests.integration.jobs.conftest import platform, repository
from tests.integration.runtime.conftest import plugin_queue
from tests.unit.api.conftest import Answer, ask

__all__ = ["platform", "plugin_queue", "repository"]


@pytest.fixture(scope="session")
def whole_app() -> Any:
    return application.build().include_everything()


@pytest.fixture
def token(aws: Any) -> str:
    """An administrator's."""
    accounts.create_user(username="ann", full_name="Ann", email="ann@example.com", role="admin", by=None)
    return accounts.create_token(Caller("user", "ann", "Ann", "admin", None), "test", None).text


@pytest.fixture
def call(whole_app: Any, token: str) -> Callable[..., Answer]:
    """``call("POST", "/commands/x/execute", {…}, token=…, query={…})``; without a token, as an administrator."""

    def make(method: str, path: str, body: Any = None, *, token: str | None = token, headers: Any = None, query: Any = None) -> Answer:
        given = {"content-type": "application/json", **(headers or {})} | ({"authorization": f"Bearer {token}"} if token else {})
        text = body if body is None or isinstance(body, str) else json.dumps(body)
        return ask(whole_app, method, f"/api/v1{path}", text, headers=given, query=query)

    return make
