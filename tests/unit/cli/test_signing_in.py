"""Signing in on the command line, and what administrators do about people."""

from __future__ import annotations

import threading
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import urllib3

from chalicelib.accounts.oidc import challenge_of

USER = {"username": "jane", "fullName": "Jane", "email": "j@example.com", "tier": "pro", "quotas": {}}


@pytest.fixture
def browser(monkeypatch):
    """Signs in at whatever address it is sent to: comes back to loopback with a code, after somebody else called that port."""
    sent_to: list[str] = []

    def launch(address: str) -> int:
        sent_to.append(address)
        given = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}

        def come_back() -> None:
            for answer in ({"code": "forged", "state": "wrong"}, {}, {"code": "c0de", "state": given["state"]}):
                urllib3.request("GET", f"{given['redirect_uri']}?{urlencode(answer)}", retries=False)

        threading.Thread(target=come_back, daemon=True).start()
        return 0

    monkeypatch.setattr("click.launch", launch)
    return sent_to


def test_the_browser_signs_the_command_line_in(streamspace, platform, browser):
    platform.answers("POST /auth/sso/token", {"token": "ss_1", "username": "jane", "role": "user"})
    platform.answers("GET /auth/me", USER)

    result = streamspace("login", "--sso", "--api-url", platform.url)

    assert result.exit_code == 0, result.stderr
    assert "as jane" in result.stdout
    asked = {name: values[0] for name, values in parse_qs(urlsplit(browser[0]).query).items()}
    assert browser[0].startswith(f"{platform.url}/api/v1/auth/sso/login?")
    assert asked["redirect_uri"].startswith("http://127.0.0.1:")
    sent = platform.received[0].body
    assert sent["code"] == "c0de"
    assert asked["code_challenge"] == challenge_of(sent["code_verifier"])


def test_a_new_password_is_asked_for_where_one_is_wanted(streamspace, platform, monkeypatch):
    platform.refuses("POST /auth/login", "PASSWORD_CHANGE_REQUIRED", "Set a new one", status=403)
    platform.answers("POST /auth/login", {"token": "ss_2"})
    answers = iter(["old password", "new password"])
    monkeypatch.setattr("click.prompt", lambda *_, **__: next(answers))

    result = streamspace("login", "--username", "jane", "--api-url", platform.url)

    assert result.exit_code == 0, result.stderr
    assert [one.body for one in platform.received] == [
        {"username": "jane", "password": "old password"},
        {"username": "jane", "password": "old password", "new_password": "new password"},
    ]


def test_a_user_is_changed_in_what_is_given(streamspace, platform):
    platform.answers("PATCH /users/jane", USER)

    streamspace("users", "update", "jane", "--tier", "pro", "--max-sessions", "3", "--memory", "tier", "--must-change-password")

    assert platform.received[0].body == {"tier": "pro", "quotas": {"maxSessions": 3, "memory": None}, "mustChangePassword": True}
    assert streamspace("users", "update", "jane").exit_code == 2
    assert streamspace("users", "update", "jane", "--max-sessions", "many").exit_code == 2


def test_a_deletion_that_goes_on_says_so(streamspace, platform):
    platform.answers("DELETE /users/jane", {"username": "jane", "status": "deleting"}, status=202)

    assert "goes on by itself" in streamspace("users", "delete", "jane", "--yes").stdout


def test_single_sign_on_is_configured_shown_and_turned_off(streamspace, platform):
    settings = {"issuer": "https://id.example", "client_id": "c", "roles": {"ops": "admin"}, "creates_users": True}
    platform.answers("PUT /platform/sso", settings)
    platform.answers("GET /platform/sso", settings)
    platform.answers("DELETE /platform/sso")
    configure = ("sso", "configure", "--issuer", "https://id.example", "--client-id", "c", "--client-secret", "s", "--role", "ops=admin")

    assert streamspace(*configure).exit_code == 0
    assert platform.received[0].body == {
        "issuer": "https://id.example",
        "client_id": "c",
        "client_secret": "s",
        "roles": {"ops": "admin"},
        "creates_users": True,
        "link_by_verified_email": False,
    }
    assert "ops=admin" in streamspace("sso", "show").stdout
    assert streamspace("sso", "off", "--yes").exit_code == 0
