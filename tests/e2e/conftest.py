"""The platform on the local stack, and what tests need around it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from local import settings
from tests.e2e.aws import Account
from tests.e2e.client import Api, Refused
from tests.e2e.plugins import Workshop, workshop

_START_S = 600
# The first worker takes the checkout's own stack, each further one makes another: nobody else's events, quotas or safe mode are in it.
_WORKER = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
if _WORKER != "gw0":
    os.environ["STREAMSPACE_LOCAL"] = str(settings.layout().root / _WORKER)


@dataclass(frozen=True)
class RunningStack:
    """What ``stack.json`` says. ``api_url`` is what ``/api/v1/…`` is appended to."""

    api_url: str
    console_url: str
    aws_endpoint_url: str
    marketplace_url: str
    kubernetes_url: str
    admin: dict[str, str]


@dataclass(frozen=True)
class Person:
    username: str
    password: str
    email: str
    api: Api


def _running() -> RunningStack | None:
    """The stack that runs from this checkout, if one does and answers."""
    try:
        found = RunningStack(**json.loads(settings.layout().description.read_text()))
        with urllib.request.urlopen(f"{found.api_url}/api/v1/health", timeout=30):
            return found
    except (OSError, ValueError):
        return None


def _launcher(command: str, **environment: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "local.stack", command],
        cwd=settings.CHECKOUT,
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_START_S,
    )
    assert done.returncode == 0, f"local.stack {command} failed:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"


def _lift_rate_limits(stack: RunningStack) -> None:
    """A suite installs more plugins in a minute than the document's five. The limits themselves are tests/integration/api's."""
    administrator = Api(stack.api_url).log_in(stack.admin["username"], stack.admin["password"])
    groups = administrator.get("/platform/settings")["rate_limits"]
    administrator.patch("/platform/settings", {"rate_limits": dict.fromkeys(groups, 1_000_000)})


@pytest.fixture(scope="session")
def stack() -> Iterator[RunningStack]:
    """The stack that runs from this checkout; else one of our own, which is stopped at the end. Nobody is slowed on it."""
    if found := _running():
        _lift_rate_limits(found)
        yield found
        return
    with socket.socket() as probe:
        probe.bind((settings.HOST, 0))
        port = probe.getsockname()[1]
    _launcher("up", PORT=str(port))
    try:
        started = _running()
        assert started is not None, "the stack came up, and does not answer"
        _lift_rate_limits(started)
        yield started
    finally:
        _launcher("down")


@pytest.fixture(scope="session")
def api(stack: RunningStack) -> Api:
    """The administrator."""
    return Api(stack.api_url).log_in(stack.admin["username"], stack.admin["password"])


@pytest.fixture(scope="session")
def account(stack: RunningStack) -> Account:
    """The AWS account of the stack, seen as its root."""
    return Account(stack.aws_endpoint_url)


def _person(api: Api) -> Iterator[Person]:
    username, password = f"e2e-{uuid.uuid4().hex[:10]}", f"secret-{uuid.uuid4().hex}"
    email = f"{username}@example.com"
    quotas = {"maxSessions": 20, "memory": "100Gi"}
    body = {"username": username, "fullName": "Ada Example", "email": email, "password": password, "quotas": quotas}
    api.post("/users", body)
    yield Person(username, password, email, api.log_in(username, password))
    try:
        api.delete(f"/users/{username}", deleteSessions="true", deleteStorage="true")
    except Refused as refused:
        # The test deleted the user itself.
        if refused.code != "USER_NOT_FOUND":
            raise


@pytest.fixture
def user(api: Api) -> Iterator[Person]:
    """A fresh person with room for many sessions."""
    yield from _person(api)


@pytest.fixture(scope="module")
def module_user(api: Api) -> Iterator[Person]:
    yield from _person(api)


@pytest.fixture
def plugin(api: Api, tmp_path) -> Iterator[Workshop]:
    """Where a test makes its plugins."""
    with workshop(api, tmp_path) as opened:
        yield opened


@pytest.fixture(scope="module")
def module_plugin(api: Api, tmp_path_factory) -> Iterator[Workshop]:
    """The same, for plugins that all tests of a module share."""
    with workshop(api, tmp_path_factory.mktemp("plugins")) as opened:
        yield opened


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Lets a story know how its step went."""
    report = yield
    if call.when == "call":
        item.told = report
    return report
