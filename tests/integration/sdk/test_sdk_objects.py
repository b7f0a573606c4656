"""What calls give back has exactly the documented fields, and what an author leaves out has the documented defaults."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from chalicelib import accounts, messaging, sessions
from chalicelib.accounts import Caller
from chalicelib.sessions import models

ADMIN = Caller("user", "admin", "Admin", "admin", None)

Shape = dict[str, Any]

# Field -> type. Source: plugin API, interfaces Session, User and Template.
SESSION: Shape = {
    **dict.fromkeys(("id", "name", "user", "template", "state", "idleTimeout", "createdAt", "updatedAt"), str),
    "resources": {"memory": str, "cpu": str},
    "persistentHome": bool,
}
USER: Shape = {
    **dict.fromkeys(("username", "fullName", "email", "tier", "createdAt", "updatedAt"), str),
    "quotas": {"memory": str, "maxSessions": int, "storage": str, "maxSessionDuration": str},
}
TEMPLATE: Shape = {
    **dict.fromkeys(("name", "displayName", "description", "category", "baseImage", "createdAt", "updatedAt"), str),
    "defaultResources": {"memory": str, "cpu": str},
    "ports": [{"name": str, "containerPort": int, "protocol": str}],
    "env": [{"name": str, "value": str}],
    "capabilities": [str],
    "tags": [str],
}
_MORE_JS = "icon: 'i', env: [{name: 'A', value: 'b'}], capabilities: ['Audio'], tags: ['t']"
_MORE_PYTHON = "icon='i', env=[{'name': 'A', 'value': 'b'}], capabilities=['Audio'], tags=['t']"


def shape_of(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: shape_of(each) for name, each in value.items()}
    if isinstance(value, list):
        return [shape_of(value[0])] if value else []
    return type(value)


def call(js: str, python: str) -> dict[str, str]:
    return {"js": f"streamspace.{js}", "python": f"streamspace.{python}"}


_OPTIONS_JS = (
    "displayName: 'D', description: 'd', category: 'c', baseImage: 'example.com/d:1', defaultResources: {memory: '1Gi', cpu: '1'}, "
    "ports: [{name: 'web', containerPort: 80}]"
)
_OPTIONS_PYTHON = (
    "display_name='D', description='d', category='c', base_image='example.com/d:1', default_resources={'memory': '1Gi', 'cpu': '1'}, "
    "ports=[{'name': 'web', 'containerPort': 80}]"
)


@pytest.fixture
def returned(run: Any) -> Callable[..., list[Any]]:
    def make(*calls: dict[str, str]) -> list[Any]:
        outcomes = run(list(calls))
        assert all("returned" in outcome for outcome in outcomes), outcomes
        return [outcome["returned"] for outcome in outcomes]

    return make


@pytest.fixture
def john(aws: Any) -> None:
    accounts.create_user(username="john", full_name="John Doe", email="john@example.com", tier="pro", by=None)
    spec = {"displayName": "D", "description": "d", "category": "c", "baseImage": "example.com/d:1", "ports": []}
    sessions.create_template({"name": "desk", **spec, "defaultResources": {"memory": "1Gi", "cpu": "1"}}, by=ADMIN)


def test_a_session_has_exactly_the_documented_fields(returned: Any, john: Any) -> None:
    created, got, updated, listed, of_john = returned(
        call(
            "api.createSession({user: 'john', template: 'desk', labels: {a: 'b'}, env: {A: 'b'}})",
            "api.create_session('john', 'desk', labels={'a': 'b'}, env={'A': 'b'})",
        ),
        call("api.getSession('john-desk')", "api.get_session('john-desk')"),
        call("api.updateSession('john-desk', {idleTimeout: '1h'})", "api.update_session('john-desk', idle_timeout='1h')"),
        call("api.getSessions()", "api.get_sessions()"),
        call("api.getUserSessions('john')", "api.get_user_sessions('john')"),
    )

    for session in (created, got, updated, *listed, *of_john):
        assert shape_of(session) == SESSION
    session = models.session_of_id("john-desk").value()  # type: ignore[union-attr]
    models.touched(session, session.created_at)
    (active,) = returned(call("api.getSession('john-desk')", "api.get_session('john-desk')"))
    assert shape_of(active) == SESSION | {"lastActivity": str}
    assert shape_of(sessions.session_object(session_seen(session))) == SESSION | {"url": str, "podName": str}


def session_seen(session: Any) -> Any:
    """As when the worker has seen its pod."""
    return replace(session, url="https://john-desk.streamspace.local", pod_name="john-desk-1", status=None)


def test_a_user_has_exactly_the_documented_fields(returned: Any, john: Any) -> None:
    created, got, updated, listed = returned(
        call(
            "api.createUser({username: 'jane', fullName: 'Jane', email: 'jane@example.com'})",
            "api.create_user('jane', 'Jane', 'jane@example.com')",
        ),
        call("api.getUser('jane')", "api.get_user('jane')"),
        call("api.updateUser('jane', {fullName: 'Jane Smith'})", "api.update_user('jane', full_name='Jane Smith')"),
        call("api.getUsers()", "api.get_users()"),
    )

    for user in (created, got, updated, *listed):
        assert shape_of(user) == USER
    accounts.update_user("jane", password="a-long-password", by=ADMIN)
    accounts.login("jane", "a-long-password")
    (signed_in,) = returned(call("api.getUser('jane')", "api.get_user('jane')"))
    assert shape_of(signed_in) == USER | {"lastLogin": str}


def test_a_template_has_exactly_the_documented_fields(returned: Any, john: Any) -> None:
    plain, full, listed = returned(
        call(f"api.createTemplate({{name: 'plain', {_OPTIONS_JS}}})", f"api.create_template(name='plain', {_OPTIONS_PYTHON})"),
        call(
            f"api.createTemplate({{name: 'full', {_MORE_JS}, {_OPTIONS_JS}}})",
            f"api.create_template(name='full', {_MORE_PYTHON}, {_OPTIONS_PYTHON})",
        ),
        call("api.getTemplates({tag: 't'})", "api.get_templates(tag='t')"),
    )

    assert shape_of(plain) == TEMPLATE | {"env": [], "capabilities": [], "tags": []}
    assert shape_of(full) == TEMPLATE | {"icon": str}
    assert shape_of(listed) == [TEMPLATE | {"icon": str}]
    assert plain["ports"] == [{"name": "web", "containerPort": 80, "protocol": "TCP"}]


def test_what_is_left_out_has_the_documented_defaults(returned: Any, john: Any) -> None:
    session, user, *_ = returned(
        call("api.createSession({user: 'john', template: 'desk'})", "api.create_session('john', 'desk')"),
        call(
            "api.createUser({username: 'jane', fullName: 'Jane', email: 'jane@example.com'})",
            "api.create_user('jane', 'Jane', 'jane@example.com')",
        ),
        call("api.createSession({user: 'jane', template: 'desk'})", "api.create_session('jane', 'desk')"),
        call("notify('john', {title: 'T', message: 'M'})", "notify('john', title='T', message='M')"),
    )

    assert (session["state"], session["persistentHome"], session["idleTimeout"]) == ("running", True, "30m")
    assert session["resources"] == {"memory": "1Gi", "cpu": "1"}
    assert sessions.get_session("john-desk", by=ADMIN).max_session_duration == "8h"
    # A free user's sessions last four hours: a default is no wish that could be refused.
    assert sessions.get_session("jane-desk", by=ADMIN).max_session_duration == "4h"
    assert user["tier"] == "free"
    (told,) = inbox("john")
    assert (told.type, told.dismissible, told.timeout_ms, told.persistent) == ("info", True, 5000, True)


def inbox(username: str) -> Any:
    return messaging.inbox(Caller("user", username, username, "user", None), unread_only=False, limit=10, cursor=None).notifications


def test_a_list_has_a_hundred_by_default(returned: Any, john: Any) -> None:
    for number in range(101):
        accounts.create_user(username=f"u{number}", full_name="U", email=f"u{number}@example.com", by=None)

    first, rest = returned(
        call("api.getUsers()", "api.get_users()"),
        call("api.getUsers({offset: 100})", "api.get_users(offset=100)"),
    )

    assert (len(first), len(rest)) == (100, 2)


def test_a_deleted_users_sessions_go_and_the_home_stays_unless_it_is_asked_for(returned: Any, john: Any) -> None:
    accounts.create_user(username="jane", full_name="J", email="jane@example.com", by=None)
    for username in ("john", "jane"):
        sessions.create_session({"user": username, "template": "desk"}, by=ADMIN)

    returned(call("api.deleteUser('john')", "api.delete_user('john')"))
    returned(
        call(
            "api.deleteUser('jane', {deleteSessions: true, deleteStorage: true})",
            "api.delete_user('jane', delete_sessions=True, delete_storage=True)",
        )
    )

    assert sessions.list_sessions(by=ADMIN).sessions == []
    assert models.unwanted_home_of("john") is None
    assert models.unwanted_home_of("jane") is not None
