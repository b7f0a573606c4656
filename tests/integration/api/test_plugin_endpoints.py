"""Plugins' own endpoints through the whole API: who may call them, what the function is sent, what goes out."""

from __future__ import annotations

import base64

import pytest

from chalicelib import accounts, plugins
from chalicelib.accounts import Caller
from chalicelib.runtime import active
from tests.integration.runtime.conftest import _functions_without_docker
from tests.unit.api.conftest import ask

__all__ = ["_functions_without_docker"]

ADMIN = Caller("user", "ann", "Ann", "admin", None)
ENDPOINTS = [
    {"method": "GET", "path": "/items/:id", "permissions": []},
    {"method": "POST", "path": "/items/:id", "permissions": ["manager"]},
    {"method": "GET", "path": "/", "permissions": []},
    {"method": "POST", "path": "/hook", "permissions": [], "public": True},
    {"method": "GET", "path": "/own", "permissions": ["shop.view"]},
    {"method": "GET", "path": "/both", "permissions": ["admin"], "public": True},
]


@pytest.fixture
def shop(plugin_queue, functions):
    """An active plugin whose endpoints answer with what their function was sent."""
    plugin_queue("shop", endpoints=ENDPOINTS, permissions=[{"name": "shop.view", "default_roles": ["user"]}], settings_version=3)

    def answer(response):
        functions.answer("test-plugin-shop", response if callable(response) else lambda event: {"ok": True, "response": response})

    answer({"status": 200, "headers": {}, "text": "fine"})
    return answer


@pytest.fixture
def people(aws):
    def token(name, role="user", scopes=None):
        accounts.create_user(username=name, full_name=name, email=f"{name}@example.com", role=role, by=None)
        return accounts.create_token(Caller("user", name, name, role, None), "t", scopes).text

    return token


def sent(functions):
    return functions.calls[-1][1]


def test_an_endpoint_gets_the_request_and_its_answer_goes_out_as_it_is(call, shop, functions):
    shop({"status": 201, "headers": {"content-type": "application/json; charset=utf-8", "x-total": "1"}, "text": '{"made": true}'})

    answer = call("GET", "/plugins/shop/items/a%2Fb/", "x=1&y=ü", headers={"X-Sig": "s", "Cookie": "secret", "X-B": "b"}, query={"q": "1"})

    assert (answer.status, answer.text) == (201, '{"made": true}')
    assert answer.headers["X-Total"] == "1"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Security-Policy"].startswith("sandbox")
    told = sent(functions)
    assert told["endpoint"] == {"method": "GET", "path": "/items/:id"}
    assert told["settings_version"] == 3
    request = told["request"]
    assert base64.b64decode(request.pop("body")).decode() == "x=1&y=ü"
    assert request == {
        "method": "GET",
        "path": "/items/a%2Fb",
        "params": {"id": "a/b"},
        "query": {"q": "1"},
        "headers": {"content-type": "application/json", "x-sig": "s", "x-b": "b"},
        "user": {"username": "ann", "role": "admin"},
        "ip": "192.0.2.1",
    }


def test_bytes_go_out_as_base64_for_api_gateway_whatever_the_caller_accepts(whole_app, shop, token):
    shop({"status": 200, "headers": {"content-type": "image/png"}, "base64": base64.b64encode(b"\x89PNG\xff").decode()})

    for accept in ({}, {"accept": "text/html"}, {"accept": "image/png"}):
        headers = {"authorization": f"Bearer {token}", **accept}
        answer = whole_app(
            {
                "httpMethod": "GET",
                "path": "/api/v1/plugins/shop/items/1",
                "headers": headers,
                "multiValueHeaders": {name: [value] for name, value in headers.items()},
                "multiValueQueryStringParameters": None,
                "body": None,
                "isBase64Encoded": False,
                "requestContext": {"identity": {"sourceIp": "192.0.2.1"}},
                "stageVariables": None,
            },
            None,
        )

        assert (answer["statusCode"], answer["isBase64Encoded"]) == (200, True)
        assert base64.b64decode(answer["body"]) == b"\x89PNG\xff"


def test_a_body_of_bytes_arrives_as_bytes(whole_app, shop, functions):
    body = base64.b64encode(b"\x00\xffraw").decode()

    ask(whole_app, "POST", "/api/v1/plugins/shop/hook", body, base64_encoded=True)

    assert sent(functions)["request"]["body"] == body


def test_head_is_served_by_get_without_its_body_and_options_by_the_platform(call, shop, functions):
    head = call("HEAD", "/plugins/shop/items/1")
    options = call("OPTIONS", "/plugins/shop/items/1", token=None)

    assert (head.status, head.text, sent(functions)["request"]["method"]) == (200, "", "HEAD")
    assert (options.status, options.headers["Allow"]) == (204, "GET, HEAD, OPTIONS, POST")
    assert len(functions.calls) == 1


def test_the_plugins_root_is_an_endpoint_too(call, shop, functions):
    for path in ("/plugins/shop", "/plugins/shop/"):
        assert call("GET", path).text == "fine"
        assert sent(functions)["request"]["path"] == "/"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/plugins/shop/nothing", 404, "NOT_FOUND"),
        ("DELETE", "/plugins/shop/items/1", 405, "METHOD_NOT_ALLOWED"),
        ("GET", "/plugins/none/items/1", 404, "PLUGIN_NOT_FOUND"),
        ("GET", "/plugins/shop/items/1/../../x", 404, "NOT_FOUND"),
    ],
)
def test_what_nobody_serves_is_refused_and_no_function_runs(call, shop, functions, method, path, status, code):
    answer = call(method, path)

    assert (answer.status, answer.error["code"]) == (status, code)
    assert "items" not in answer.error["message"] + str(answer.error["details"])
    assert functions.calls == []
    if status == 405:
        assert answer.headers["Allow"] == "GET, HEAD, OPTIONS, POST"


def test_who_may_call_is_decided_as_for_commands(call, shop, people, functions):
    manager, user = people("max", "manager"), people("jane")
    narrow, wide = people("nora", "manager", ["read:sessions"]), people("will", "manager", ["commands"])
    plugin = accounts.issue_plugin_token("other", frozenset({"commands"}))
    mute = accounts.issue_plugin_token("mute", frozenset({"storage"}))

    def may(bearer, method="POST", path="/items/1"):
        return call(method, f"/plugins/shop{path}", {}, token=bearer).status

    assert [may(one) for one in (None, "stale", user, manager, narrow, wide, plugin, mute)] == [401, 401, 403, 200, 403, 200, 403, 403]
    assert [may(one, "GET") for one in (None, user, plugin, mute)] == [401, 200, 200, 403]
    assert sent(functions)["request"]["user"] is None
    assert may(user, "GET", "/own") == 200
    refused = call("POST", "/plugins/shop/items/1", {}, token=user)
    assert refused.error["details"] == {"permissions": ["manager"]}


def test_a_public_endpoint_takes_strangers_with_credentials_of_their_own_and_never_sees_ours(call, shop, people, functions, token):
    jane = people("jane")
    seen = {}
    for name, bearer in {"nobody": None, "stale": "ss_" + "x" * 38, "known": jane, "theirs": "their-secret"}.items():
        assert call("POST", "/plugins/shop/hook", "{not json", token=bearer).status == 200
        request = sent(functions)["request"]
        seen[name] = (request["user"], request["headers"].get("authorization"))

    assert seen == {
        "nobody": (None, None),
        "stale": (None, None),
        "known": ({"username": "jane", "role": "user"}, None),
        "theirs": (None, "Bearer their-secret"),
    }
    assert call("GET", "/plugins/shop/both", token=None).status == 401


def test_a_body_that_is_too_large_is_refused(call, shop, functions):
    answer = call("POST", "/plugins/shop/hook", "x" * (4 * 1024 * 1024 + 1))

    assert (answer.status, answer.error["details"]) == (413, {"limit_bytes": 4 * 1024 * 1024})
    assert functions.calls == []


def test_a_handler_that_throws_is_a_bad_gateway_whose_reason_strangers_do_not_learn(call, shop):
    shop(lambda event: {"ok": False, "error": {"name": "RangeError", "message": "secret reason", "location": "index.js:3", "stack": "s"}})

    known = call("GET", "/plugins/shop/items/1")
    stranger = call("POST", "/plugins/shop/hook", {}, token=None)

    assert (known.status, known.error["code"]) == (502, "ENDPOINT_FAILED")
    assert known.error["message"] == "The endpoint 'GET /items/:id' of 'shop' failed: secret reason"
    assert known.error["details"]["location"] == "index.js:3"
    assert (stranger.status, stranger.error["code"]) == (502, "ENDPOINT_FAILED")
    assert "shop" in stranger.error["message"]
    assert "secret" not in stranger.text


def test_a_function_that_dies_is_a_bad_gateway_that_names_the_plugin(call, shop):
    def dies(event):
        raise MemoryError("out of memory")

    shop(dies)

    answer = call("GET", "/plugins/shop/items/1")

    assert (answer.status, answer.error["code"]) == (502, "PLUGIN_CRASHED")
    assert "'shop'" in answer.error["message"]


def test_an_inactive_plugin_says_so(call, platform, repository):
    from tests.integration.jobs.conftest import package

    repository.publish(package("quiet"))
    platform.install("quiet", activate=False)

    answer = call("GET", "/plugins/quiet/x")

    assert (answer.status, answer.error["code"]) == (409, "PLUGIN_NOT_ACTIVE")


def test_a_plugin_that_is_being_updated_says_so(call, shop, functions):
    active.hold("shop")

    answer = call("GET", "/plugins/shop/items/1")

    assert (answer.status, answer.error["code"]) == (409, "OPERATION_IN_PROGRESS")
    assert functions.calls == []


def test_an_activation_makes_the_registered_endpoints_known(call, platform, repository):
    from tests.integration.jobs.conftest import package

    repository.publish(package("shop"))
    platform.loads["shop"] = {"ok": True, "registered": {"endpoints": ENDPOINTS}}
    platform.install("shop")

    assert call("GET", "/plugins/shop/nothing").status == 404
    assert call("GET", "/plugins/shop/items/1").status == 502
    plugins.deactivate("shop", by=ADMIN)
    assert call("GET", "/plugins/shop/items/1").error["code"] == "PLUGIN_NOT_ACTIVE"


def test_a_call_costs_what_it_says(call, whole_app, shop, aws_calls):
    budget = whole_app.declared["/api/v1/plugins/{slug}/{path+}"]["GET"].aws_calls
    for path in ("/plugins/shop/items/1", "/plugins/shop/nothing", "/plugins/none/x"):
        aws_calls.clear()
        call("GET", path)
        assert len(aws_calls) <= budget, (path, aws_calls)
