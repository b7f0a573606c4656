"""Sessions and templates over HTTP, within their budgets of AWS calls."""

from typing import Any

import pytest

from chalicelib.api import sessions as session_routes
from chalicelib.api import templates as template_routes
from chalicelib.sessions import models

BUDGETS = {
    (route.method, route.pattern.removeprefix("/api/v1")): route.aws_calls
    for routes in (session_routes.routes, template_routes.routes)
    for route in routes.declared
}

TEMPLATE = {
    "name": "my-app",
    "displayName": "My Custom App",
    "description": "A custom application",
    "category": "Custom",
    "baseImage": "myregistry/myapp:latest",
    "defaultResources": {"memory": "4Gi", "cpu": "2000m"},
    "ports": [{"name": "vnc", "containerPort": 5900, "protocol": "TCP"}],
    "capabilities": ["Network"],
    "tags": ["custom", "productivity"],
}
YAML = """
apiVersion: stream.space/v1alpha1
kind: Template
metadata:
  name: librewolf
  namespace: workspaces
spec:
  displayName: LibreWolf
  description: A browser
  category: Web Browsers
  baseImage: lscr.io/linuxserver/librewolf:latest
  defaultResources: {memory: 2Gi, cpu: 1000m}
  ports: [{name: vnc, containerPort: 3000}]
  env: [{name: PUID, value: "1000"}]
  volumeMounts: [{name: user-home, mountPath: /config}]
  kasmvnc: {enabled: true, port: 3000}
  tags: [browser]
"""


@pytest.fixture
def token(platform: Any) -> str:
    platform.template()
    platform.user("john", role="admin")
    return platform.sign_in("john")


def test_the_life_of_a_session_stays_within_its_budgets(platform, token, aws_calls):
    def spent(method: str, path: str, pattern: str, body: Any = None, **query: Any) -> int:
        aws_calls.clear()
        answer = platform.call(method, path, body, token=token, query=query)
        assert answer.status in (200, 201), answer.body
        assert len(aws_calls) <= BUDGETS[method, pattern], aws_calls
        return len(aws_calls)

    new = {"user": "john", "template": "firefox"}
    costs = [
        spent("POST", "/sessions", "/sessions", new),
        spent("POST", "/sessions", "/sessions", new),
        spent("GET", "/sessions", "/sessions"),
        spent("GET", "/sessions", "/sessions", user="john", state="running", template="firefox"),
        spent("GET", "/sessions/john-firefox", "/sessions/{id}"),
        spent("PATCH", "/sessions/john-firefox", "/sessions/{id}", {"state": "hibernated"}),
        spent("PATCH", "/sessions/john-firefox", "/sessions/{id}", {"state": "running", "labels": {"a": "b"}}),
        spent("POST", "/sessions/john-firefox/activity", "/sessions/{id}/activity"),
        spent("GET", "/users/john/sessions", "/users/{username}/sessions"),
        spent("DELETE", "/sessions/john-firefox", "/sessions/{id}"),
    ]

    assert costs == [4, 5, 2, 2, 2, 3, 4, 3, 3, 3]


def test_templates_stay_within_their_budgets(platform, token, aws_calls):
    for method, path, pattern, body, query in (
        ("POST", "/templates", "/templates", TEMPLATE, {}),
        ("GET", "/templates", "/templates", None, {}),
        ("GET", "/templates", "/templates", None, {"tag": "custom", "category": "Custom"}),
        ("GET", "/templates/my-app", "/templates/{name}", None, {}),
        ("PUT", "/templates/my-app", "/templates/{name}", TEMPLATE, {}),
        ("DELETE", "/templates/my-app", "/templates/{name}", None, {}),
    ):
        aws_calls.clear()
        answer = platform.call(method, path, body, token=token, query=query)
        assert answer.status in (200, 201), answer.body
        assert len(aws_calls) <= BUDGETS[method, pattern], aws_calls


def test_removing_a_user_stays_within_its_budget(platform, token, aws_calls):
    platform.user("jane")
    aws_calls.clear()

    answer = platform.call("DELETE", "/users/jane", token=token, query={"deleteStorage": "true"})

    assert answer.status == 200
    assert len(aws_calls) <= BUDGETS["DELETE", "/users/{username}"], aws_calls


def test_a_session_over_http(platform, token):
    made = platform.call("POST", "/sessions", {"user": "john", "template": "firefox", "idleTimeout": "1h"}, token=token)
    platform.worker.reconcile("john-firefox")
    found = platform.call("GET", "/sessions/john-firefox", token=token)
    gone = platform.call("DELETE", "/sessions/john-firefox", token=token)
    missing = platform.call("GET", "/sessions/john-firefox", token=token)

    assert (made.status, made.data["state"], made.data["idleTimeout"]) == (201, "running", "1h")
    assert found.data["url"] == "https://john-firefox.streamspace.local"
    assert (gone.status, gone.data) == (200, None)
    assert (missing.status, missing.error["code"]) == (404, "SESSION_NOT_FOUND")


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"colour": "red"}, "colour"),
        ({"resources": {"gpu": "1"}}, "resources.gpu"),
        ({"resources": {"memory": 4}}, "resources.memory"),
        ({"resources": {"memory": "4 Gigabytes"}}, "resources.memory"),
        ({"idleTimeout": "30"}, "idleTimeout"),
        ({"env": {"1A": "x"}}, "env.1A"),
        ({"env": {"A": 1}}, "env.A"),
        ({"labels": {"a": "x" * 64}}, "labels.a"),
        ({"state": "paused"}, "state"),
    ],
)
def test_a_wrong_body_is_refused_by_its_fields_name_and_nothing_is_created(platform, token, more, field):
    answer = platform.call("POST", "/sessions", {"user": "john", "template": "firefox", **more}, token=token)

    assert (answer.status, answer.error["code"]) == (422, "VALIDATION_ERROR")
    assert list(answer.error["details"]) == [field]
    assert platform.call("GET", "/sessions", token=token).data == []


def test_a_refused_transition_says_what_is_allowed(platform, token):
    platform.call("POST", "/sessions", {"user": "john", "template": "firefox"}, token=token)
    platform.call("PATCH", "/sessions/john-firefox", {"state": "terminated"}, token=token)

    answer = platform.call("PATCH", "/sessions/john-firefox", {"state": "running"}, token=token)

    assert (answer.status, answer.error["code"]) == (409, "INVALID_STATE_TRANSITION")
    assert answer.error["details"] == {"from": "terminated", "to": "running", "allowed": []}


def test_pages_of_sessions_say_where_they_go_on(platform, token):
    for _ in range(3):
        platform.call("POST", "/sessions", {"user": "john", "template": "firefox"}, token=token)

    first = platform.call("GET", "/sessions", token=token, query={"limit": 2})
    second = platform.call("GET", "/sessions", token=token, query={"limit": 2, "cursor": first.body["meta"]["next_cursor"]})
    wrong = platform.call("GET", "/sessions", token=token, query={"limit": 1001})

    assert (len(first.data), len(second.data), second.body["meta"]["next_cursor"]) == (2, 1, None)
    assert (wrong.status, list(wrong.error["details"])) == (422, ["limit"])


def test_a_user_is_removed_with_sessions(platform, token):
    platform.user("jane")
    platform.session("jane")

    answer = platform.call("DELETE", "/users/jane", token=token)

    assert answer.status == 200
    assert platform.call("GET", "/sessions", token=token).data == []
    assert platform.call("DELETE", "/users/jane", token=token).error["code"] == "USER_NOT_FOUND"


# ── Templates ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_template_is_shown_with_exactly_the_documented_fields(platform, token):
    answer = platform.call("POST", "/templates", TEMPLATE, token=token)

    shown = dict(answer.data)
    assert answer.status == 201
    assert shown.pop("createdAt") == shown.pop("updatedAt")
    assert shown == {**TEMPLATE, "env": []}
    assert platform.call("GET", "/templates/my-app", token=token).data == answer.data


def test_a_yaml_document_is_a_template_too(platform, token):
    answer = platform.call("POST", "/templates", YAML, token=token, content_type="application/yaml")

    assert answer.status == 201
    assert answer.data["ports"] == [{"name": "vnc", "containerPort": 3000, "protocol": "TCP"}]
    assert "kasmvnc" not in answer.data
    assert models.template_of_name("librewolf").spec["kasmvnc"] == {"enabled": True, "port": 3000}


@pytest.mark.parametrize(
    ("before", "after", "field"),
    [
        ("memory: 2Gi", "memory: lots", "spec.defaultResources.memory"),
        ("displayName: LibreWolf", "colour: red", "spec.displayName"),
        ("containerPort: 3000", "containerPort: 70000", "spec.ports.0.containerPort"),
        ("name: librewolf", "name: Libre Wolf", "metadata.name"),
        ("kind: Template", "kind: Pod", "kind"),
        ('value: "1000"', "value: [1000]", "spec.env.0.value"),
        ("mountPath: /config", "mountPath: ../etc", "spec.volumeMounts.0.mountPath"),
    ],
)
def test_a_wrong_document_is_refused_by_its_fields_name(platform, token, before, after, field):
    assert before in YAML

    answer = platform.call("POST", "/templates", YAML.replace(before, after), token=token, content_type="application/yaml")

    assert (answer.status, answer.error["code"]) == (422, "VALIDATION_ERROR")
    assert list(answer.error["details"]) == [field]


def test_an_image_that_cannot_be_one_is_refused(platform, token):
    answer = platform.call("POST", "/templates", {**TEMPLATE, "baseImage": "My App"}, token=token)

    assert (answer.status, answer.error["code"]) == (422, "INVALID_IMAGE")


def test_a_name_is_taken_once(platform, token):
    platform.call("POST", "/templates", TEMPLATE, token=token)

    answer = platform.call("POST", "/templates", TEMPLATE, token=token)

    assert (answer.status, answer.error["code"]) == (409, "TEMPLATE_ALREADY_EXISTS")


def test_templates_are_found_by_category_and_tag(platform, token):
    for name, category, tags in (("b", "X", ["one", "two"]), ("a", "X", ["two"]), ("c", "Y, Z", ["two", "two"])):
        platform.template(name, category=category, tags=tags)

    def found(**query: Any) -> list[str]:
        return [one["name"] for one in platform.call("GET", "/templates", token=token, query=query).data]

    assert found() == ["a", "b", "c", "firefox"]
    assert found(category="X") == ["a", "b"]
    assert found(category="Y, Z") == ["c"]
    assert found(tag="two") == ["a", "b", "c"]
    assert found(tag="two", category="X") == ["a", "b"]
    assert found(tag="two", limit=1, offset=1) == ["b"]
    assert found(tag="three") == []


def test_a_replaced_template_is_found_by_its_new_tags_and_category_only(platform, token):
    platform.call("POST", "/templates", TEMPLATE, token=token)

    answer = platform.call("PUT", "/templates/my-app", {**TEMPLATE, "tags": ["productivity", "new"], "category": "Other"}, token=token)

    def found(**query: Any) -> int:
        return len(platform.call("GET", "/templates", token=token, query=query).data)

    assert (answer.status, answer.data["category"]) == (200, "Other")
    assert [found(tag=tag) for tag in ("custom", "productivity", "new")] == [0, 1, 1]
    assert [found(category=one) for one in ("Custom", "Other")] == [0, 1]
    assert found(tag="new", category="Other") == 1


def test_editing_the_documented_fields_keeps_the_others(platform, token):
    platform.call("POST", "/templates", YAML, token=token, content_type="application/yaml")
    options = {name: TEMPLATE[name] for name in TEMPLATE if name != "name"}

    assert platform.call("PUT", "/templates/librewolf", options, token=token).data["displayName"] == "My Custom App"

    row = models.template_of_name("librewolf")
    assert row.spec["kasmvnc"] == {"enabled": True, "port": 3000}
    assert row.metadata == {"name": "librewolf", "namespace": "workspaces"}


def test_a_template_keeps_its_name(platform, token):
    platform.call("POST", "/templates", TEMPLATE, token=token)

    answer = platform.call("PUT", "/templates/my-app", {**TEMPLATE, "name": "other"}, token=token)

    assert (answer.status, list(answer.error["details"])) == (422, ["name"])


def test_a_deleted_template_is_gone_from_every_list_and_its_sessions_stay(platform, token):
    platform.template("short-lived", tags=["brief"])
    session = platform.session("john", "short-lived")

    assert platform.call("DELETE", "/templates/short-lived", token=token).status == 200

    assert platform.call("GET", "/templates/short-lived", token=token).error["code"] == "TEMPLATE_NOT_FOUND"
    assert platform.call("GET", "/templates", token=token, query={"tag": "brief"}).data == []
    assert platform.worker.reconcile(session.id)


def test_everyone_sees_templates_and_only_managers_change_them(platform, token):
    platform.user("jane")
    jane = platform.sign_in("jane")

    assert platform.call("GET", "/templates", token=jane).status == 200
    assert platform.call("POST", "/templates", TEMPLATE, token=jane).error["code"] == "PERMISSION_DENIED"
    assert platform.call("PUT", "/templates/firefox", TEMPLATE, token=jane).error["code"] == "PERMISSION_DENIED"
    assert platform.call("DELETE", "/templates/firefox", token=jane).error["code"] == "PERMISSION_DENIED"
