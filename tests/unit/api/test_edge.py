"""What every request meets before and after its view, whichever route it asks for."""

import base64
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.accounts import Caller
from chalicelib.api.http import Api, Reply, Routes
from chalicelib.core.errors import PermissionDenied
from tests.unit.api.conftest import ask

JSON = {"content-type": "application/json"}
LOGIN = "/api/v1/auth/login"


@pytest.fixture(scope="module")
def small():
    """An API with routes that need no AWS."""
    routes = Routes()
    body = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": False}
    query = {"limit": {"type": "integer", "minimum": 1, "maximum": 9, "default": 5}, "all": {"type": "boolean", "default": False}}

    @routes.post("/echo", public=True, body=body, body_limit=200, aws_calls=0)
    def echo(request):
        return Reply(request.body)

    @routes.get("/echo", public=True, query=query, aws_calls=0)
    def asked(request):
        return Reply(request.query)

    @routes.get("/broken", public=True, aws_calls=0)
    def broken(request):
        raise RuntimeError("a secret of the inside")

    @routes.get("/words/{word}", public=True, aws_calls=0)
    def word(request, word):
        return Reply(word, status=201, message="said", meta={"n": 1}, links={"self": request.path}, headers={"X-More": "1"})

    api = Api("small")
    api.include(routes)
    return api


def post(small, body, **kwargs):
    return ask(small, "POST", "/api/v1/echo", body, headers=kwargs.pop("headers", JSON), **kwargs)


@pytest.mark.parametrize("path", ["/api/v1/nothing", "/", "", "/api/v1/users/a/b/c"])
def test_an_unknown_path_is_404_in_the_documented_form(call, path):
    answer = call("GET", path)

    assert answer.status == 404
    assert answer.body["success"] is False
    assert answer.error["code"] == "NOT_FOUND"
    assert answer.body["meta"]["request_id"] == answer.headers["X-Request-Id"] == "request-1"


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "HEAD", "TRACE"])
def test_a_method_that_the_path_does_not_take_is_405_and_says_which_it_takes(call, method):
    answer = call(method, LOGIN)

    assert answer.status == 405
    assert answer.headers["Allow"] == "POST"
    assert answer.error["code"] == "METHOD_NOT_ALLOWED"
    assert answer.error["details"] == {"allowed": ["POST"]}


@pytest.mark.parametrize(
    "body",
    ["{", "nonsense", '{"n": NaN}', '{"n": Infinity}', '{"n": 1e999}', '{"n": ' + "9" * 5000 + "}", "[" * 100_000, '{"n": 1}}'],
)
def test_what_is_not_json_is_a_fault_of_the_body(call, body):
    answer = call("POST", LOGIN, body, headers=JSON)

    assert answer.status == 422
    assert list(answer.error["details"]) == ["body"]
    assert answer.error["details"]["body"][0].startswith("The body is not valid JSON")


def test_bytes_that_are_no_text_are_a_fault_of_the_body(small):
    answer = post(small, base64.b64encode(b'{"n": "\xff"}').decode(), base64_encoded=True)

    assert answer.status == 422
    assert list(answer.error["details"]) == ["body"]


@pytest.mark.parametrize(
    ("body", "details"),
    [
        ("{}", {"n": ["This field is required"]}),
        ("", {"n": ["This field is required"]}),
        ('{"n": "1"}', {"n": ["Must be a whole number"]}),
        ('{"n": true}', {"n": ["Must be a whole number"]}),
        ('{"n": 1, "m": 2}', {"m": ["Unknown field; known are: n"]}),
        ("[]", {"body": ["Must be an object"]}),
        ("null", {"body": ["Must be an object"]}),
        ('{"n": 1.5, "m": 2}', {"m": ["Unknown field; known are: n"], "n": ["Must be a whole number"]}),
    ],
)
def test_all_faults_of_a_body_are_told_by_field(small, body, details):
    answer = post(small, body)

    assert (answer.status, answer.error["code"], answer.error["details"]) == (422, "VALIDATION_ERROR", details)


def test_a_body_in_base64_is_read_as_what_it_is(small):
    assert post(small, base64.b64encode(b'{"n": 7}').decode(), base64_encoded=True).body["data"] == {"n": 7}


def test_a_body_up_to_the_limit_is_taken_and_one_byte_more_is_413(small):
    filled = '{"n": 1' + " " * 192 + "}"
    assert len(filled) == 200

    assert post(small, filled).status == 200
    too_large = post(small, filled + " ")

    assert (too_large.status, too_large.error["code"], too_large.error["details"]) == (413, "PAYLOAD_TOO_LARGE", {"limit_bytes": 200})


@pytest.mark.parametrize(
    ("content_type", "status"), [("application/json; charset=utf-8", 200), ("APPLICATION/JSON", 200), ("text/plain", 422)]
)
def test_only_the_content_types_that_a_route_takes_are_read(small, content_type, status):
    answer = post(small, '{"n": 1}', headers={"Content-Type": content_type})

    assert answer.status == status
    if status == 422:
        assert answer.error["details"] == {"body": ["Content-Type must be application/json, not text/plain"]}


@pytest.mark.parametrize(
    ("query", "details"),
    [
        ({"limit": "0"}, {"limit": ["Must be at least 1"]}),
        ({"limit": "10"}, {"limit": ["Must be at most 9"]}),
        ({"limit": "²"}, {"limit": ["Must be a whole number"]}),
        ({"limit": "--5"}, {"limit": ["Must be a whole number"]}),
        ({"limit": "1.0"}, {"limit": ["Must be a whole number"]}),
        ({"limit": "9" * 5000}, {"limit": ["Must be a whole number"]}),
        ({"all": "perhaps"}, {"all": ["Must be true or false"]}),
    ],
)
def test_odd_query_parameters_are_refused_by_name(small, query, details):
    answer = ask(small, "GET", "/api/v1/echo", query=query)

    assert (answer.status, answer.error["details"]) == (422, details)


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=30), st.text(max_size=10))
def test_no_query_parameter_breaks_the_edge(small, limit, every):
    answer = ask(small, "GET", "/api/v1/echo", query={"limit": limit, "all": every})

    assert answer.status in (200, 422)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=60))
def test_no_body_breaks_the_edge(small, body):
    answer = post(small, base64.b64encode(body).decode(), base64_encoded=True)

    assert answer.status in (200, 422)


def test_query_parameters_have_their_defaults_and_undeclared_ones_are_passed_over(small):
    assert ask(small, "GET", "/api/v1/echo", query={"all": "TRUE", "other": "x", "limit": ""}).body["data"] == {"limit": 5, "all": True}


def test_an_unexpected_exception_is_500_with_the_request_id_and_nothing_of_the_inside(small):
    answer = ask(small, "GET", "/api/v1/broken")

    assert answer.status == 500
    assert answer.error["code"] == "INTERNAL_ERROR"
    assert "request-1" in answer.error["message"]
    assert answer.body["meta"]["request_id"] == "request-1"
    assert not {"secret", "Traceback", "RuntimeError"} & set(answer.text.replace('"', " ").split())


def test_a_function_without_its_settings_answers_500_in_the_documented_form(call):
    answer = call("GET", "/api/v1/health")

    assert answer.status == 500
    assert "STREAMSPACE" not in answer.text


def test_a_reply_is_wrapped_in_the_documented_envelope(small):
    answer = ask(small, "GET", "/api/v1/words/a%20b/")

    assert answer.status == 201
    assert {**answer.body, "meta": {**answer.body["meta"], "timestamp": ""}} == {
        "success": True,
        "data": "a b",
        "message": "said",
        "meta": {"timestamp": "", "n": 1},
        "links": {"self": "/api/v1/words/a%20b/"},
    }
    assert (answer.headers["X-Request-Id"], answer.headers["Cache-Control"], answer.headers["X-More"]) == ("request-1", "no-store", "1")


@pytest.mark.parametrize("header", ["Basic abc", "Bearer", "Bearer ", "nonsense"])
def test_an_authorization_that_is_none_is_401_with_a_challenge(call, header):
    answer = call("GET", "/api/v1/auth/me", headers={"Authorization": header})

    assert (answer.status, answer.error["code"]) == (401, "UNAUTHENTICATED")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_stranger_learns_nothing_of_a_bodys_rules(call):
    assert call("POST", "/api/v1/users", "{", headers=JSON).status == 401


def test_a_public_route_passes_over_a_token_that_is_no_good(call):
    answer = call("POST", LOGIN, "{}", headers={**JSON, "Authorization": "Bearer stale"})

    # Not 401: what is missing is what it takes to sign in.
    assert answer.status == 422


# ── Who may ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def person(role, *scopes):
    return Caller("user", "jane", "Jane", role, frozenset(scopes) if scopes else None)


def plugin(*scopes):
    return Caller("plugin", "helper", "helper", "user", frozenset(scopes))


def permitted(caller, **rule):
    from chalicelib.api.http import _permit

    routes = Routes()
    routes.get("/x", aws_calls=0, **rule)(lambda request: Reply())
    try:
        _permit(routes.declared[0], caller)
    except PermissionDenied as refused:
        return refused.details or False
    return True


@pytest.mark.parametrize(
    ("caller", "rule", "answer"),
    [
        (person("user"), {}, True),
        (person("user"), {"scope": "read:sessions"}, True),
        (person("user"), {"permission": "users.view"}, {"permission": "users.view"}),
        (person("manager"), {"permission": "users.view"}, True),
        # A personal token may do what its scopes say, and never more than its owner.
        (person("user", "read:sessions"), {"scope": "read:sessions"}, True),
        (person("user", "read:sessions"), {"scope": "write:sessions"}, {"scope": "write:sessions"}),
        (person("user", "admin"), {"scope": "write:sessions"}, True),
        (person("user", "admin"), {"permission": "users.view"}, {"permission": "users.view"}),
        (person("admin", "read:users"), {"scope": "read:users", "permission": "users.view"}, True),
        # A route that names no scope is for those who signed in, and for the scope admin.
        (person("admin", "read:users"), {"permission": "users.view"}, {"scope": "admin"}),
        (person("admin", "admin"), {"permission": "users.view"}, True),
        (plugin("read:sessions"), {"scope": "read:sessions"}, True),
        (plugin("read:sessions"), {"scope": "email"}, {"scope": "email"}),
        (plugin("admin"), {"scope": "email"}, True),
        (plugin("read:sessions"), {}, {"scope": "admin"}),
        (plugin("read:sessions"), {"plugin_only": True}, True),
        (person("admin"), {"plugin_only": True}, False),
        (person("admin", "admin"), {"plugin_only": True}, False),
    ],
)
def test_who_may_call_what(caller, rule, answer):
    assert permitted(caller, **rule) == answer


def test_a_plugin_without_the_scope_is_kept_from_its_own_storage_too():
    assert permitted(plugin("storage"), plugin_only=True, scope="storage") is True
    assert permitted(plugin("email"), plugin_only=True, scope="storage") == {"scope": "storage"}
    assert permitted(plugin("admin"), plugin_only=True, scope="storage") is True


def test_answers_are_json_that_any_parser_reads(small):
    answer = post(small, '{"n": 9007199254740991}')

    assert json.loads(answer.text, parse_constant=pytest.fail)["data"] == {"n": 9007199254740991}
