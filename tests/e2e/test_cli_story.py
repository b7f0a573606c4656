"""The first ten minutes with the platform, with the command line alone."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.client import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

COMMAND = Path(sys.executable).parent / "streamspace"


@dataclass(frozen=True)
class Terminal:
    """A shell in which the command finds the stack by an address and a token; nothing of the tester's own logins is seen or changed."""

    environment: dict[str, str]

    def run(self, *arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
        done = subprocess.run([COMMAND, *arguments], env=self.environment, input=typed, capture_output=True, text=True, timeout=150)
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def __call__(self, *arguments: str, typed: str = "") -> str:
        """What it prints when it succeeds."""
        done = self.run(*arguments, typed=typed)
        assert done.returncode == 0, f"{' '.join(arguments)}: {done.returncode} {done.stderr}"
        return done.stdout

    def json(self, *arguments: str) -> Any:
        return json.loads(self(*arguments, "--json"))

    def signed_in_as(self, username: str, password: str, home: Path) -> Terminal:
        other = Terminal({**self.environment, "HOME": str(home), "XDG_CONFIG_HOME": str(home)})
        del other.environment["STREAMSPACE_TOKEN"]
        other("login", "--username", username, "--password-stdin", typed=f"{password}\n")
        return other


@pytest.fixture(scope="module")
def streamspace(stack, tmp_path_factory) -> Terminal:
    home = str(tmp_path_factory.mktemp("home"))
    about = {"STREAMSPACE_API_URL": stack.api_url, "STREAMSPACE_TOKEN": stack.admin["token"]}
    return Terminal({"PATH": "/usr/bin:/bin", "HOME": home, "XDG_CONFIG_HOME": home, "LC_ALL": "C.UTF-8", **about})


@pytest.fixture
def without_demo_plugins(api):
    """The story installs them itself."""

    def remove() -> None:
        for slug in ("welcome-mailer", "audit-trail"):
            if api.is_installed(slug):
                api.uninstall(slug)

    remove()
    yield
    remove()


def test_ten_minutes(streamspace, without_demo_plugins, api, tmp_path):
    username, password = f"e2e-{uuid.uuid4().hex[:10]}", uuid.uuid4().hex

    # Find and install
    found = streamspace.json("marketplace", "search", "mail")
    assert "welcome-mailer" in [one["slug"] for one in found]
    installed = streamspace.run("plugins", "install", "welcome-mailer")
    assert installed.returncode == 0, installed.stderr
    assert installed.stdout.splitlines()[-1] == "Installed welcome-mailer 1.0.0, active; with audit-trail"
    assert {"welcome-mailer", "audit-trail"} <= {one["slug"] for one in streamspace.json("plugins", "list", "--status", "active")}

    # Configure
    streamspace("plugins", "settings", "welcome-mailer", "greeting=Good day, {name}!", "enabled=true")
    values = streamspace.json("plugins", "settings", "welcome-mailer")["values"]
    assert (values["greeting"], values["enabled"]) == ("Good day, {name}!", True)

    # A user, a session
    about = ("--full-name", "Ada Example", "--email", "ada@example.com", "--password", password)
    streamspace("users", "create", username, *about)
    try:
        session = streamspace.json("sessions", "create", "--user", username, "--template", "firefox-browser")
        in_state(streamspace, username, lambda one: one["state"] == "running" and one.get("url"))
        assert session["id"] in streamspace("sessions", "list", "--user", username)
        streamspace("sessions", "hibernate", session["id"])
        in_state(streamspace, username, lambda one: one["state"] == "hibernated")
        streamspace("sessions", "wake", session["id"])
        in_state(streamspace, username, lambda one: one["state"] == "running" and one.get("podName"))

        # What the plugins did
        person = streamspace.signed_in_as(username, password, tmp_path)
        assert eventually(lambda: "Good day, Ada Example!" in person("notifications", "list"), 60, "no notification")
        wanted = {"session.created", "session.hibernated", "session.woken", "mail.sent"}
        eventually(lambda: wanted <= actions(streamspace, username), 60, lambda: f"audited: {actions(streamspace, username)}")
        assert streamspace.json("plugins", "dead-letters", "welcome-mailer") == []

        # Away with it
        streamspace("sessions", "delete", session["id"], "--yes")
        eventually(lambda: streamspace.json("sessions", "list", "--user", username) == [], 60, "the session is still listed")
        streamspace("plugins", "deactivate", "welcome-mailer")
        assert {one["slug"]: one["status"] for one in streamspace.json("plugins", "list")}["welcome-mailer"] == "inactive"
        assert "backups/" in streamspace("plugins", "uninstall", "welcome-mailer", "--yes")
        assert "welcome-mailer" not in {one["slug"] for one in streamspace.json("plugins", "list")}
    finally:
        streamspace("users", "delete", username, "--delete-storage", "--yes")


READING = [
    ("marketplace", "search"),
    ("plugins", "list"),
    ("sessions", "list"),
    ("users", "list"),
    ("templates", "list"),
    ("commands", "list"),
    ("notifications", "list"),
]


@pytest.mark.parametrize("arguments", READING, ids=" ".join)
def test_json_is_json_and_holds_what_the_api_says(streamspace, arguments):
    assert isinstance(streamspace.json(*arguments), list)


FAILING = {
    "PLUGIN_NOT_FOUND": ("plugins", "show", "no-such-plugin"),
    "SESSION_NOT_FOUND": ("sessions", "show", "no-such-session"),
    "USER_NOT_FOUND": ("users", "show", "no-such-user"),
    "TEMPLATE_NOT_FOUND": ("sessions", "create", "--user", "admin", "--template", "no-such-template"),
    "COMMAND_NOT_FOUND": ("commands", "run", "no-such-command"),
    "JOB_NOT_FOUND": ("jobs", "show", "no-such-job"),
    "VALIDATION_ERROR": ("sessions", "create", "--user", "admin", "--template", "firefox-browser", "--memory", "lots"),
}


@pytest.mark.parametrize("code", FAILING)
def test_a_failure_is_1_with_the_platforms_own_code_on_stderr(streamspace, code):
    failed = streamspace.run(*FAILING[code])

    assert failed.returncode == 1
    assert code in failed.stderr
    assert failed.stdout == ""


@pytest.mark.parametrize(
    "arguments",
    [("sessions", "fly"), ("sessions", "create"), ("plugins", "list", "--status", "odd"), ("plugins", "show"), ("--frobnicate",)],
)
def test_a_wrong_use_is_2(streamspace, arguments):
    wrong = streamspace.run(*arguments)

    assert wrong.returncode == 2
    assert wrong.stderr


def test_a_dead_token_says_what_to_do(streamspace):
    stale = Terminal({**streamspace.environment, "STREAMSPACE_TOKEN": "ss_gone"}).run("plugins", "list")

    assert stale.returncode == 1
    assert "UNAUTHENTICATED" in stale.stderr


def test_no_platform_is_named_as_such(streamspace):
    nowhere = Terminal({**streamspace.environment, "STREAMSPACE_API_URL": "http://127.0.0.1:9"}).run("plugins", "list")

    assert nowhere.returncode == 1
    assert "http://127.0.0.1:9" in nowhere.stderr


def in_state(streamspace: Terminal, username: str, wanted: Callable[[dict[str, Any]], Any]) -> None:
    def listed() -> list[dict[str, Any]]:
        return streamspace.json("sessions", "list", "--user", username)

    eventually(lambda: all(wanted(one) for one in listed()), 60, lambda: f"the sessions are {listed()}")


def actions(streamspace: Terminal, username: str) -> set[str]:
    found = streamspace.json("commands", "run", "audit-search", f"user={username}")
    return {entry["action"] for entry in found["entries"]}
