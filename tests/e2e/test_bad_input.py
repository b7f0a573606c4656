"""Whatever is sent, the answer is the documented envelope with the right code, names what is wrong, shows nothing of the inside, and
nothing is written.

Source: REST, Error Response.
"""

from __future__ import annotations

import base64
import io
import json
import socket
import uuid
import zipfile
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.e2e.client import BASE_PATH, Answer, Api, Refused, eventually

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

JSON = {"Content-Type": "application/json"}
SIGNS_OF_THE_INSIDE = (
    "Traceback",
    'File "',
    ".py",
    "chalicelib",
    "<html",
    "<!DOCTYPE",
    "boto",
    "pynamodb",
    "dynamodb",
    "recursion",
    "sys.",
)
PERSON = {"username": "e2e-nobody", "fullName": "Nobody", "email": "nobody@example.com"}


def user_with(**fields: Any) -> bytes:
    return json.dumps({**PERSON, **fields}).encode()


def refused(answer: Answer, status: int, code: str) -> dict[str, Any]:
    """The details of a refusal that is well-formed."""
    assert answer.headers["Content-Type"].startswith("application/json"), answer.text[:500]
    body = answer.json
    assert (answer.status, body["error"]["code"]) == (status, code), body
    assert set(body) == {"success", "error", "meta"}
    assert body["success"] is False
    assert set(body["error"]) == {"code", "message", "details"}
    assert body["error"]["message"]
    assert body["meta"]["timestamp"].endswith("Z")
    assert not [sign for sign in SIGNS_OF_THE_INSIDE if sign in answer.text], answer.text
    return body["error"]["details"]


@pytest.fixture(scope="module", autouse=True)
def nothing_is_written(api: Api, account):
    """No user, session, template, notification or uploaded package is there after all this that was not there before."""

    def everything() -> dict[str, list[Any]]:
        return {
            "users": sorted(one["username"] for one in api.get("/users", limit=1000)),
            "sessions": sorted(one["id"] for one in api.get("/sessions", limit=1000)),
            "templates": sorted(one["name"] for one in api.get("/templates", limit=1000)),
            "notifications": sorted(one["id"] for one in api.get("/notifications")),
            "uploads": sorted(key for key in account.objects() if key.startswith("uploads/")),
        }

    before = everything()
    yield
    assert everything() == before


# The body

BODIES = {
    "cut off": (b'{"username": "x', "body"),
    "no JSON": (b"username=x", "body"),
    "a list": (b"[1]", "body"),
    "a text": (b'"x"', "body"),
    "null": (b"null", "body"),
    "not UTF-8": (b'{"username": "e2e-\xff\xfe"', "body"),
    "NaN": (b'{"username": NaN}', "body"),
    "Infinity": (b'{"username": -Infinity}', "body"),
    "too large for a double": (user_with(quotas={"maxSessions": 1}).replace(b": 1}", b": 1e400}"), "body"),
    "six thousand digits": (user_with(quotas={"maxSessions": 1}).replace(b": 1}", b": " + b"9" * 6000 + b"}"), "body"),
    "too large for its field": (user_with(quotas={"maxSessions": 10**30}), "quotas.maxSessions"),
    "a thousand deep": (b'{"username":' + b"[" * 1000 + b"]" * 1000 + b"}", "body"),
    "a hundred thousand deep": (b'{"username":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "body"),
    "an unknown field": (user_with(isAdmin=True), "isAdmin"),
    "an unknown field inside": (user_with(quotas={"cpus": 2}), "quotas.cpus"),
    "a missing field": (b'{"username": "e2e-nobody", "fullName": "Nobody"}', "email"),
    "a number for a text": (user_with(fullName=7), "fullName"),
    "a text for a number": (user_with(quotas={"maxSessions": "5"}), "quotas.maxSessions"),
    "true for a number": (user_with(quotas={"maxSessions": True}), "quotas.maxSessions"),
    "null for a text": (user_with(fullName=None), "fullName"),
    "an unknown tier": (user_with(tier="platinum"), "tier"),
    "a quantity that is none": (user_with(quotas={"memory": "lots"}), "quotas.memory"),
    "a name with a slash": (user_with(username="../admin"), "username"),
    "a name with a NUL": (user_with(username="e2e\0x"), "username"),
    "an empty name": (user_with(username=""), "username"),
    "half an emoji in a name": (user_with(username="e2e-\ud83d"), "username"),
    "a short password": (user_with(password="short"), "password"),
}


@pytest.mark.parametrize("body", BODIES)
def test_a_wrong_body_is_refused_naming_the_field(api, body):
    content, field = BODIES[body]

    details = refused(api.raw("POST", f"{BASE_PATH}/users", body=content, headers=JSON), 422, "VALIDATION_ERROR")

    assert field in details
    assert all(isinstance(sentence, str) and sentence for sentence in details[field])


def test_all_faults_of_a_body_are_told_at_once(api):
    details = refused(
        api.raw("POST", f"{BASE_PATH}/users", body=b'{"username": 1, "tier": 2, "x": 3}', headers=JSON), 422, "VALIDATION_ERROR"
    )

    assert set(details) == {"username", "tier", "x", "fullName", "email"}


def test_half_an_emoji_is_taken_as_a_browser_takes_it(api, user):
    changed = api.patch(f"/users/{user.username}", {"fullName": "Ada \ud83d"})

    assert changed["fullName"] == "Ada \ufffd"


@pytest.mark.parametrize("kilobytes", [600, 7_000, 11_000])
def test_a_body_over_the_limit_is_refused(api, kilobytes):
    content = b'{"username": "' + b"x" * kilobytes * 1024 + b'"}'

    refused(api.raw("POST", f"{BASE_PATH}/users", body=content, headers=JSON), 413, "PAYLOAD_TOO_LARGE")


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/html"])
def test_another_content_type_is_refused_by_name(api, media_type):
    details = refused(
        api.raw("POST", f"{BASE_PATH}/users", body=user_with(), headers={"Content-Type": media_type}), 422, "VALIDATION_ERROR"
    )

    assert media_type.split(";")[0] in details["body"][0]


OTHER_BODIES = [
    ("POST", "/sessions", {"user": "admin", "template": "firefox-browser", "resources": {"memory": "-1Gi"}}, "resources.memory"),
    ("POST", "/sessions", {"user": "admin", "template": "firefox-browser", "resources": {"cpu": "many"}}, "resources.cpu"),
    ("POST", "/sessions", {"user": "admin", "template": "firefox-browser", "idleTimeout": "soon"}, "idleTimeout"),
    ("POST", "/sessions", {"user": "admin", "template": "firefox-browser", "state": "terminated"}, "state"),
    ("POST", "/sessions", {"user": "admin", "template": "firefox-browser", "env": {"A B": "x"}}, "env.A B"),
    ("POST", "/sessions", {"user": "admin", "template": "firefox-browser", "labels": {"kubernetes.io/x": "y"}}, "labels.kubernetes.io/x"),
    ("POST", "/sessions", {"user": "admin", "template": "firefox-browser", "env": {"A": 1}}, "env.A"),
    ("POST", "/sessions", {"user": ["admin"], "template": "firefox-browser"}, "user"),
    ("POST", "/notifications", {"to": "admin", "title": "x"}, "message"),
    ("POST", "/notifications", {"to": "admin", "title": "x", "message": "x", "type": "loud"}, "type"),
    ("POST", "/templates", {"name": "e2e"}, "displayName"),
    ("POST", "/admin/plugins/install", {"source": "thin air"}, "source"),
    ("POST", "/admin/plugins/install", {"source": "marketplace"}, "slug"),
    ("POST", "/admin/plugins/install", {"source": "upload"}, "package"),
    ("POST", "/admin/plugins/install", {"source": "upload", "package": "not base64!"}, "package"),
    ("POST", "/auth/tokens", {"name": "x", "scopes": ["everything"]}, "scopes.0"),
]


@pytest.mark.parametrize(("method", "path", "body", "field"), OTHER_BODIES)
def test_every_resource_names_its_own_fields(api, method, path, body, field):
    details = refused(api.raw(method, BASE_PATH + path, body=json.dumps(body).encode(), headers=JSON), 422, "VALIDATION_ERROR")

    assert field in details


MANIFEST = {"name": "e2e-hostile", "version": "1.0.0", "displayName": "X", "description": "X", "type": "extension", "author": "X"}


def zipped(**files: bytes) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return content.getvalue()


PACKAGES = {
    "no zip": b"hello",
    "an empty zip": zipped(),
    "a manifest that is no JSON": zipped(**{"manifest.json": b"{"}),
    "a manifest without a name": zipped(**{"manifest.json": json.dumps({**MANIFEST, "name": ""}).encode()}),
    "a name that climbs out": zipped(**{"manifest.json": json.dumps(MANIFEST).encode(), "index.js": b"", "../../../tmp/escaped.js": b""}),
    "an absolute name": zipped(**{"manifest.json": json.dumps(MANIFEST).encode(), "index.js": b"", "/etc/escaped": b""}),
    "a bomb": zipped(**{"manifest.json": json.dumps(MANIFEST).encode(), "index.js": b"0" * 300_000_000}),
}


@pytest.mark.parametrize("package", PACKAGES)
def test_a_hostile_package_is_refused(api, package):
    body = {"source": "upload", "package": base64.b64encode(PACKAGES[package]).decode()}

    refused(api.raw("POST", f"{BASE_PATH}/admin/plugins/install", body=json.dumps(body).encode(), headers=JSON), 422, "PACKAGE_INVALID")


# The request's line


@pytest.mark.parametrize("path", ["/nothing", "/users/admin/nothing", "/admin", "/admin/plugins/x/y/z", "/", "//users", "/../nothing"])
def test_an_unknown_path_is_not_found(api, path):
    refused(api.raw("GET", BASE_PATH + path), 404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("method", "path"), [("PUT", "/users"), ("DELETE", "/templates"), ("POST", "/users/admin"), ("PATCH", "/health"), ("OPTIONS", "/users")]
)
def test_a_wrong_method_is_told_which_are_right(api, method, path):
    answer = api.raw(method, BASE_PATH + path)

    details = refused(answer, 405, "METHOD_NOT_ALLOWED")

    assert answer.headers["Allow"] == ", ".join(details["allowed"])
    assert method not in details["allowed"]


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/users/..%2f..%2fetc%2fpasswd", "USER_NOT_FOUND"),
        ("/users/%00", "USER_NOT_FOUND"),
        ("/users/%ff%fe", "USER_NOT_FOUND"),
        ("/users/%ed%a0%80", "USER_NOT_FOUND"),
        ("/users/" + "x" * 3000, "NOT_FOUND"),
        ("/sessions/..%2fadmin", "SESSION_NOT_FOUND"),
        ("/sessions/" + "x" * 3000, "NOT_FOUND"),
        ("/templates/..%2f..%2fmanifest", "TEMPLATE_NOT_FOUND"),
        ("/admin/plugins/..%2f..%2fx", "PLUGIN_NOT_FOUND"),
        ("/admin/plugins/%00", "PLUGIN_NOT_FOUND"),
        ("/admin/plugins/marketplace/..%2findex", "PLUGIN_NOT_FOUND"),
        ("/admin/jobs/..%2f..%2fx", "JOB_NOT_FOUND"),
        ("/admin/jobs/" + "x" * 3000, "NOT_FOUND"),
        ("/templates/" + "%F0%9F%98%80" * 300, "NOT_FOUND"),
        ("/users/" + "x" * 800, "USER_NOT_FOUND"),
        ("/admin/plugins/install/nothing/progress", "JOB_NOT_FOUND"),
    ],
)
def test_a_name_that_can_be_none_is_not_found(api, path, code):
    refused(api.raw("GET", BASE_PATH + path), 404, code)


@pytest.mark.parametrize(
    "path", ["/api/v1/../../keys/administrator", "/marketplace/../keys/administrator", "/marketplace/..%2fkeys%2fadministrator"]
)
def test_no_path_leads_out_of_what_is_served(stack, path):
    # As it stands: a client library would tidy the path up before sending it.
    place = urlsplit(stack.api_url)
    with socket.create_connection((place.hostname, place.port), timeout=30) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {place.netloc}\r\nConnection: close\r\n\r\n".encode())
        answer = connection.makefile("rb").read().decode()

    assert answer.startswith("HTTP/1.1 404")
    assert json.loads(answer.partition("\r\n\r\n")[2])["error"]["code"] == "NOT_FOUND"
    assert stack.admin["password"] not in answer


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/users?limit=0", "limit"),
        ("/users?limit=many", "limit"),
        ("/users?limit=99999999999999999999", "limit"),
        ("/users?limit=%C2%B2", "limit"),
        ("/users?limit=--5", "limit"),
        ("/users?offset=-1", "offset"),
        ("/users?tier=platinum", "tier"),
        ("/users?cursor=zzz", "cursor"),
        ("/sessions?state=flying", "state"),
        ("/sessions?cursor=" + base64.b64encode(b'{"pk": "x"}').decode(), "cursor"),
        ("/sessions?limit=1e3", "limit"),
        ("/admin/plugins?page=0", "page"),
        ("/admin/plugins?per_page=101", "per_page"),
        ("/admin/plugins?order=sideways", "order"),
        ("/admin/plugins?with_update=maybe", "with_update"),
    ],
)
def test_a_wrong_query_is_refused_naming_the_parameter(api, path, field):
    assert field in refused(api.raw("GET", BASE_PATH + path), 422, "VALIDATION_ERROR")


CURSORS = [
    {},
    {"pk": "x"},
    {"pk": 1, "sk": []},
    {"pk": "x", "sk": {}},
    {"after": 7},
    [1],
    "x",
    {"pk": {"S": "x"}, "sk": {"S": "x"}},
    {"after": "x" * 900},
]


@pytest.mark.parametrize("cursor", CURSORS, ids=lambda cursor: json.dumps(cursor)[:30])
@pytest.mark.parametrize("path", ["/users", "/sessions", "/templates", "/notifications", "/admin/plugins/{slug}/events", "/storage"])
def test_a_cursor_that_somebody_made_up_opens_nothing(api, listener, path, cursor):
    encoded = base64.urlsafe_b64encode(json.dumps(cursor).encode()).decode()
    caller = listener.api if path == "/storage" else api

    answer = caller.raw("GET", f"{BASE_PATH}{path.format(slug=listener.slug)}?cursor={encoded}")

    # A list may understand a part of what was made up; it must not break on it.
    if answer.status != 200:
        assert "cursor" in refused(answer, 422, "VALIDATION_ERROR")


# What only plugins call


TELLS_ITS_TOKEN = """
module.exports = {
  onLoad() {
    const name = `${this.manifest.name}-token`;
    streamspace.commands.register({ name, description: 'Its token', permissions: [], handler: () => process.env.STREAMSPACE_TOKEN });
  },
};
"""


@dataclass(frozen=True)
class Listener:
    slug: str
    api: Api


@pytest.fixture(scope="module")
def listener(api, stack, module_plugin) -> Listener:
    """A plugin, and its token in the hands of a test."""
    written = module_plugin.install(TELLS_ITS_TOKEN, permissions=("storage", "commands"))
    return Listener(written.slug, Api(stack.api_url, api.run(f"{written.slug}-token")))


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("PUT", "/storage/k", b'{"value": 1e400}', 422, "VALIDATION_ERROR"),
        ("PUT", "/storage/k", b'{"value": NaN}', 422, "VALIDATION_ERROR"),
        ("PUT", "/storage/k", b"{}", 422, "VALIDATION_ERROR"),
        ("PUT", "/storage/k", b'{"value": ' + b"[" * 500 + b"]" * 500 + b"}", 422, "VALIDATION_ERROR"),
        ("PUT", "/storage/k", b'{"value": "' + b"x" * 5_300_000 + b'"}', 413, "VALUE_TOO_LARGE"),
        ("PUT", "/storage/" + "k" * 600, b'{"value": 1}', 422, "VALIDATION_ERROR"),
        ("PUT", "/storage/" + "k" * 3000, b'{"value": 1}', 404, "NOT_FOUND"),
        ("POST", "/runtime/events/%C2%B2/attempts", b'{"aggregate": "user#x", "sequence": 1}', 422, "VALIDATION_ERROR"),
        ("POST", "/runtime/events/1/attempts", b'{"aggregate": "user#x", "sequence": ' + b"9" * 60 + b"}", 422, "VALIDATION_ERROR"),
        ("POST", "/runtime/events/1/failures", b'{"aggregate": "user#x", "sequence":1, "attempt":1, "error":{}}', 404, "EVENT_NOT_FOUND"),
    ],
)  # fmt: skip
def test_a_plugins_own_requests_are_checked_as_well(listener, method, path, body, status, code):
    refused(listener.api.raw(method, BASE_PATH + path, body=body, headers=JSON), status, code)


def test_no_key_begins_with_more_than_a_key_has(listener):
    assert listener.api.get("/storage", prefix="k" * 1500) == []


def test_what_a_plugin_throws_may_hold_half_an_emoji(api, module_plugin, user):
    code = "module.exports = { onUserUpdated() { throw new Error('half \\ud83d of it'); } };"
    thrower = module_plugin.install(code, permissions=("read:users",))
    api.patch(f"/users/{user.username}", {"fullName": "Somebody"})

    (letter,) = eventually(lambda: api.dead_letters(thrower.slug), 60, "no dead letter")

    assert letter["error"]["message"] == "half \ufffd of it"


# Who asks

TOKENS = {
    "garbage": "Bearer garbage",
    "a token with a wrong checksum": "Bearer ss_" + "a" * 40,
    "no token": "Bearer",
    "another scheme": "Basic YWRtaW46YWRtaW4=",
    "injection": "Bearer ' OR 1=1 --",
    "enormous": "Bearer ss_" + "x" * 4000,
}


@pytest.mark.parametrize("header", TOKENS)
def test_a_wrong_token_opens_nothing(stack, header):
    answer = Api(stack.api_url).raw("GET", f"{BASE_PATH}/users", headers={"Authorization": TOKENS[header]})

    refused(answer, 401, "UNAUTHENTICATED")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_nobody_learns_nothing_not_even_that_the_body_is_wrong(stack):
    refused(Api(stack.api_url).raw("POST", f"{BASE_PATH}/users", body=b"{", headers=JSON), 401, "UNAUTHENTICATED")


def test_a_token_that_was_changed_by_one_letter_is_none(stack, user):
    token = user.api.token
    forged = token[:-1] + ("A" if token[-1] != "A" else "B")

    refused(Api(stack.api_url, forged).raw("GET", f"{BASE_PATH}/auth/me"), 401, "UNAUTHENTICATED")


def test_after_logging_out_the_token_is_dead(stack, user):
    token = Api(stack.api_url).log_in(user.username, user.password)
    token.post("/auth/logout")

    refused(token.raw("GET", f"{BASE_PATH}/auth/me"), 401, "UNAUTHENTICATED")


def test_an_expired_token_is_dead(account, user, stack):
    token = user.api.post("/auth/tokens", {"name": "short", "scopes": ["read:users"], "expires_in_days": 1})
    short = Api(stack.api_url, token["token"])
    assert short.get("/auth/me")["username"] == user.username
    # A test cannot wait for a day: the rows of the user's tokens are made older.
    database = account.client("dynamodb")
    (table,) = [name for name in account.tables() if "Accounts" in name]
    rows = [row for page in database.get_paginator("scan").paginate(TableName=table) for row in page["Items"]]
    for row in rows:
        if row.get("owner", {}).get("S") == user.username:
            older = {"ExpressionAttributeValues": {":then": {"N": "1000000000"}}, "UpdateExpression": "SET expires_at = :then"}
            database.update_item(TableName=table, Key={name: row[name] for name in ("pk", "sk")}, **older)

    refused(short.raw("GET", f"{BASE_PATH}/auth/me"), 401, "UNAUTHENTICATED")


@pytest.mark.parametrize("password", ["wrong-password", "", "x" * 1025, "\ud83d", "\0"])
def test_a_wrong_password_and_a_wrong_name_look_alike(stack, user, password):
    def answer(username: str) -> tuple[int, str, str]:
        with pytest.raises(Refused) as found:
            Api(stack.api_url).post("/auth/login", {"username": username, "password": password})
        return found.value.status, found.value.code, found.value.message

    assert answer(user.username) == answer(f"e2e-{uuid.uuid4().hex[:8]}")
    assert answer(user.username)[0] in (401, 422)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/users"),
        ("POST", "/users"),
        ("GET", "/users/admin"),
        ("PATCH", "/users/admin"),
        ("DELETE", "/users/admin"),
        ("GET", "/users/admin/sessions"),
        ("GET", "/admin/plugins"),
        ("POST", "/admin/plugins/install"),
        ("POST", "/notifications"),
        ("POST", "/email"),
        ("POST", "/templates"),
        ("GET", "/storage"),
        ("GET", "/runtime/self"),
    ],
)
def test_a_user_may_not_do_what_administrators_and_plugins_may(user, method, path):
    body = {
        "/users": PERSON,
        "/users/admin": {"fullName": "Me"},
        "/admin/plugins/install": {"source": "marketplace", "slug": "x"},
        "/notifications": {"to": "admin", "title": "x", "message": "x"},
        "/email": {"to": "a@example.com", "subject": "x", "text": "x"},
        "/templates": {
            "name": "e2e",
            "displayName": "x",
            "description": "x",
            "category": "x",
            "baseImage": "x",
            "defaultResources": {"memory": "1Gi", "cpu": "1"},
            "ports": [],
        },
    }.get(path)
    content = json.dumps(body).encode() if body and method != "GET" else None

    refused(user.api.raw(method, BASE_PATH + path, body=content, headers=JSON), 403, "PERMISSION_DENIED")


def test_a_personal_token_is_held_to_its_scopes(stack, user):
    narrow = Api(stack.api_url, user.api.post("/auth/tokens", {"name": "narrow", "scopes": ["read:sessions"]})["token"])

    assert narrow.get("/sessions") == []
    assert refused(narrow.raw("GET", f"{BASE_PATH}/templates"), 403, "PERMISSION_DENIED")["scope"] == "read:templates"
