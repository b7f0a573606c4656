"""A plugin's token reaches what its scopes name, and its own things. The routes are all that the platform has, by its own table."""

from __future__ import annotations

import re

import pytest

from chalicelib import accounts, runtime
from chalicelib.accounts import SCOPES, Caller
from chalicelib.api import application

ROUTES = [
    (method, pattern.removeprefix("/api/v1"), route)
    for pattern, methods in application.build().include_everything().declared.items()
    for method, route in sorted(methods.items())
]
# What a plugin's token needs a scope for: everything but what is public, or comes with being a plugin.
CLOSED = [
    (method, pattern, route.scope or "admin")
    for method, pattern, route in ROUTES
    if not route.public and (route.scope or not route.plugin_only)
]


def path_of(pattern):
    return re.sub(r"\{[^}]+\}", "x", pattern)


@pytest.fixture
def token_with(aws):
    """``token_with("storage")``: of an active plugin with just these scopes."""
    return lambda *scopes, slug="hostile": accounts.issue_plugin_token(slug, frozenset(scopes))


@pytest.mark.parametrize(("method", "pattern", "needed"), CLOSED, ids=[f"{method} {pattern}" for method, pattern, _ in CLOSED])
def test_every_route_is_closed_to_a_plugin_without_its_scope(call, token_with, method, pattern, needed):
    token = token_with(*(SCOPES - {needed, "admin"}))

    answer = call(method, path_of(pattern), "not even JSON" if method != "GET" else None, token=token)

    assert (answer.status, answer.error["code"], answer.error["details"]) == (403, "PERMISSION_DENIED", {"scope": needed})


def test_administration_is_closed_to_a_plugin_with_every_other_scope():
    assert {needed for _, pattern, needed in CLOSED if pattern.startswith(("/admin", "/platform", "/auth/tokens"))} == {"admin"}


@pytest.mark.parametrize(("method", "pattern", "_needed"), CLOSED, ids=[f"{method} {pattern}" for method, pattern, _ in CLOSED])
def test_a_revoked_token_opens_nothing(call, token_with, method, pattern, _needed):
    token = token_with(*SCOPES)
    accounts.revoke_plugin_token("hostile")

    assert call(method, path_of(pattern), token=token).status == 401


@pytest.fixture
def people(aws, token):
    accounts.create_user(username="jane", full_name="Jane", email="jane@example.com", by=None)


@pytest.mark.usefixtures("people")
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/users", {"username": "evil", "fullName": "E", "email": "e@example.com", "role": "admin"}),
        ("POST", "/users", {"username": "evil", "fullName": "E", "email": "e@example.com", "role": "manager"}),
        ("POST", "/users", {"username": "evil", "fullName": "E", "email": "e@example.com", "password": "known-to-me"}),
        ("PATCH", "/users/jane", {"role": "admin"}),
        ("PATCH", "/users/jane", {"password": "known-to-me"}),
        ("PATCH", "/users/ann", {"email": "me@evil.example"}),
        ("PATCH", "/users/ann", {"fullName": "Nobody"}),
        ("PATCH", "/users/ann", {"role": "user"}),
        ("DELETE", "/users/ann", None),
    ],
)
def test_who_may_write_users_can_make_no_administrator_and_unmake_none(call, token_with, method, path, body):
    answer = call(method, path, body, token=token_with("read:users", "write:users"))

    assert (answer.status, answer.error["details"]) == (403, {"scope": "admin"})
    assert accounts.find_user("evil") is None
    assert (accounts.get_user("ann").role, accounts.get_user("ann").email) == ("admin", "ann@example.com")
    assert accounts.get_user("jane").role == "user"


@pytest.mark.usefixtures("people")
def test_an_administrators_own_token_without_the_scope_is_held_to_the_same(call):
    limited = accounts.create_token(Caller("user", "ann", "Ann", "admin", None), "ci", ["write:users"]).text
    accounts.create_user(username="root", full_name="R", email="r@example.com", role="admin", by=None)

    assert call("DELETE", "/users/root", token=limited).status == 403
    assert call("PATCH", "/users/ann", {"fullName": "Ann B."}, token=limited).status == 200


@pytest.mark.parametrize(
    "path",
    [
        "..%2fother",
        "..%2F..%2FSTORAGE%23other%2Fsecret",
        "%2e%2e/other/secret",
        "STORAGE%23other",
        "../other/secret",
        "secret%00",
        "secret?slug=other",
    ],
)
def test_no_path_leads_to_anothers_storage(call, token_with, path):
    runtime.storage.put("other", "secret", "hers")
    mine = token_with("storage")

    found = call("GET", f"/storage/{path}", token=mine)
    call("PUT", f"/storage/{path}", {"value": "mine"}, token=mine)
    call("DELETE", f"/storage/{path}", token=mine)

    assert "hers" not in found.text
    assert runtime.storage.get("other", "secret") == "hers"


@pytest.mark.parametrize(
    "headers",
    [
        {"X-StreamSpace-Plugin": "other"},
        {"X-StreamSpace-Caller": "ann"},
        {"X-Forwarded-User": "ann"},
        {"X-Forwarded-For": "127.0.0.1"},
        {"X-Original-URL": "/api/v1/users"},
        {"X-HTTP-Method-Override": "DELETE"},
        {"Cookie": "token=ss_x"},
    ],
)
def test_no_header_makes_a_plugin_somebody_else(call, token_with, headers):
    runtime.storage.put("other", "secret", "hers")
    runtime.storage.put("hostile", "secret", "mine")
    mine = token_with("storage")

    assert call("GET", "/storage/secret", token=mine, headers=headers).body["data"] == "mine"
    assert call("GET", "/users", token=mine, headers=headers).status == 403
    assert runtime.storage.get("hostile", "secret") == "mine"


def test_a_cursor_of_anothers_storage_is_refused(call, token_with):
    from chalicelib.core.pagination import encode_cursor

    runtime.storage.put("other", "secret", "hers")
    forged = encode_cursor({"pk": "STORAGE#other", "sk": "a"})

    assert call("GET", "/storage", token=token_with("storage"), query={"cursor": forged}).status == 422


def test_a_plugin_has_no_personal_tokens_and_signs_nobody_out(call, token_with):
    everything = token_with(*SCOPES)

    for method, path, body in (("GET", "/auth/me", None), ("GET", "/auth/tokens", None), ("POST", "/auth/logout", None)):
        assert call(method, path, body, token=everything).status == 403
    assert call("POST", "/auth/tokens", {"name": "mine"}, token=everything).status == 403
    assert call("GET", "/storage", token=everything).status == 200
