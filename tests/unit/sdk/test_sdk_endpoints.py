"""Endpoints, notifications' actions and dialogs as a Python container runs them (docs/runtime-protocol.md)."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from sdk_fake_platform import FakePlatform

Start = Callable[..., Any]
JSON_TYPE = {"content-type": "application/json; charset=utf-8"}
TEXT_TYPE = {"content-type": "text/plain; charset=utf-8"}
HTML_TYPE = {"content-type": "text/html; charset=utf-8"}


@pytest.fixture
def endpoint(plugin: Start) -> Callable[..., Callable[..., dict[str, Any]]]:
    """``endpoint("return 1")``: asks a plugin whose handler has that body, and gives the response, or the failure."""

    def start(body: str, *, method: str = "GET", is_async: bool = False) -> Callable[..., dict[str, Any]]:
        container = plugin(f"""
            import asyncio, json, streamspace

            class Plugin:
                name = "me"

                def on_load(self):
                    streamspace.api.register_endpoint(method="{method}", path="/a", handler=self.handle)

                {"async " if is_async else ""}def handle(self, req, res):
                    {body}
        """)
        container.load()

        def ask(left_ms: int = 30_000, **request: Any) -> dict[str, Any]:
            travelling = {"method": method, "path": "/a", "params": {}, "query": {}, "headers": {}, "body": "", "user": None, "ip": "::1"}
            call = {"kind": "endpoint", "endpoint": {"method": method, "path": "/a"}, "request": {**travelling, **request}}
            answer = container.call({**call, "settings_version": 1}, left_ms)
            found: dict[str, Any] = answer["response"] if answer["ok"] else answer["error"]
            return found

        return ask

    return start


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize(
    ("body", "response"),
    [
        ("return {'ok': [1]}", {"status": 200, "headers": JSON_TYPE, "text": '{"ok": [1]}'}),
        ("return 'hü'", {"status": 200, "headers": JSON_TYPE, "text": '"hü"'}),
        ("return b'\\x00\\xff'", {"status": 200, "headers": {"content-type": "application/octet-stream"}, "base64": "AP8="}),
        ("return {'id': 1}, 201", {"status": 201, "headers": JSON_TYPE, "text": '{"id": 1}'}),
        ("return None, 204", {"status": 204, "headers": {}, "text": ""}),
        ("return [1], 200, {'X-A': 7}", {"status": 200, "headers": {"x-a": "7", **JSON_TYPE}, "text": "[1]"}),
        ("return res.status(201).set('X-A', 7).json(None)", {"status": 201, "headers": {"x-a": "7", **JSON_TYPE}, "text": "null"}),
        ("res.send('<h1>')", {"status": 200, "headers": HTML_TYPE, "text": "<h1>"}),
        ("res.type('csv').send('a,b')", {"status": 200, "headers": {"content-type": "text/csv; charset=utf-8"}, "text": "a,b"}),
        ("res.type('png').send(bytearray([1]))", {"status": 200, "headers": {"content-type": "image/png"}, "base64": "AQ=="}),
        ("res.send_status(404)", {"status": 404, "headers": TEXT_TYPE, "text": "Not Found"}),
        (
            "res.redirect('/h\u00e1?a=%20b')",
            {"status": 302, "headers": {"location": "/h%C3%A1?a=%20b", **TEXT_TYPE}, "text": "Found: /há?a=%20b"},
        ),
        ("res.redirect(301, '/b')", {"status": 301, "headers": {"location": "/b", **TEXT_TYPE}, "text": "Moved Permanently: /b"}),
        (
            "res.set({'ETag': 'x'}).append('Link', '<a>').append('Link', '<b>').end('x')",
            {"status": 200, "headers": {"etag": "x", "link": ["<a>", "<b>"]}, "text": "x"},
        ),
        ("res.json(1); res.status(500).json(2)", {"status": 200, "headers": JSON_TYPE, "text": "1"}),
        ("res.json(1); raise ValueError('late')", {"status": 200, "headers": JSON_TYPE, "text": "1"}),
        ("res.type('text').send(chr(0xd83d))", {"status": 200, "headers": TEXT_TYPE, "text": "\ufffd"}),
    ],
)
def test_an_answer_is_what_the_handler_returns_or_says_to_res(endpoint: Any, body: str, response: dict[str, Any], is_async: bool) -> None:
    assert endpoint(body, is_async=is_async)() == response


def test_a_request_is_as_its_readers_know_it(endpoint: Any) -> None:
    ask = endpoint("return {**vars(req), 'raw_body': req.raw_body.decode(), 'body': req.body, '_body': 0, 'sig': req.get('X-Sig')}")
    request = {
        "params": {"id": "7"},
        "query": {"q": ["1", "2"]},
        "headers": {"x-sig": "s"},
        "user": {"username": "ann", "role": "admin"},
        "ip": "::1",
    }

    answer = json.loads(ask(**request, body=base64.b64encode("plain ü".encode()).decode())["text"])

    wanted = {"method": "GET", "path": "/a", **request, "body": "plain ü", "raw_body": "plain ü", "sig": "s", "_body": 0}
    assert answer == wanted


@pytest.mark.parametrize(
    ("media_type", "text", "body"),
    [
        ("application/json; charset=utf-8", '{"a":[1]}', {"a": [1]}),
        ("application/cloudevents+json", '{"a":1}', {"a": 1}),
        ("application/x-www-form-urlencoded", "a=1&b=x+y&b=%C3%BC&c=", {"a": "1", "b": ["x y", "ü"], "c": ""}),
        ("text/plain", '{"a":1}', '{"a":1}'),
        ("application/json", "", None),
    ],
)
def test_a_body_is_read_as_what_it_says_it_is(endpoint: Any, media_type: str, text: str, body: Any) -> None:
    ask = endpoint("return [req.body]", method="POST")

    answer = ask(headers={"content-type": media_type}, body=base64.b64encode(text.encode()).decode())

    assert json.loads(answer["text"]) == [body]


def test_a_body_that_is_no_json_is_its_senders_fault_and_the_raw_bytes_can_be_read_all_the_same(endpoint: Any) -> None:
    ask = endpoint("return len(req.raw_body) if req.query else req.json()", method="POST")
    request = {"headers": {"content-type": "text/plain"}, "body": base64.b64encode(b'{"a":').decode()}

    refused = ask(**request)

    assert refused["status"] == 400
    assert json.loads(refused["text"])["error"]["code"] == "BAD_REQUEST"
    assert ask(**request, query={"raw": "1"})["text"] == "5"


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("pass", "'GET /a' of the plugin 'my-plugin' answered nothing"),
        ("return res", "'GET /a' of the plugin 'my-plugin' answered nothing"),
        ("res.send('x' * (5 * 1024 * 1024))", "'GET /a' of the plugin 'my-plugin' has 52"),
        ("res.status(99).end()", "200 to 599"),
        ("return {}, 'created'", "200 to 599"),
        ("return 1, 2, 3, 4", "(body, status, headers)"),
        ("res.set('x-a', 'b\\r\\nc: d').end()", "'x-a'"),
        ("return object()", "JSON"),
    ],
)
def test_what_is_no_answer_is_a_failure_that_says_whose(endpoint: Any, body: str, words: str, is_async: bool) -> None:
    failure = endpoint(body, is_async=is_async)()

    assert failure["hook"] == "endpoint GET /a"
    assert words in failure["message"]


def test_a_handler_that_does_not_end_in_time_is_a_failure(endpoint: Any) -> None:
    failure = endpoint("await asyncio.sleep(60)", is_async=True)(left_ms=1500)

    assert "endpoint GET /a of the plugin 'my-plugin' did not finish in time" in failure["message"]


def test_functions_of_every_kind_are_handlers(plugin: Start) -> None:
    container = plugin("""
        import functools, streamspace

        class Plugin:
            name = "me"

            def on_load(self):
                kinds = {
                    "bound": self.bound, "coroutine": self.coroutine, "static": self.static, "lambda": lambda req: self.name,
                    "partial": functools.partial(self.named, "partial"), "callable": self,
                }
                for name, handler in kinds.items():
                    streamspace.api.register_endpoint(path=f"/{name}", handler=handler)
                    streamspace.commands.register(name=name, description="d", handler=handler)

            def bound(self): return self.name
            async def coroutine(self, req): return self.name
            @staticmethod
            def static(req, res): return "me"
            def named(self, name, req): return self.name
            def __call__(self, req): return self.name
    """)
    container.load()

    for name in ("bound", "coroutine", "static", "lambda", "partial", "callable"):
        call = {"kind": "endpoint", "endpoint": {"method": "GET", "path": f"/{name}"}, "request": {"method": "GET", "path": f"/{name}"}}
        assert container.call({**call, "settings_version": 1})["response"]["text"] == '"me"'
        assert container.command(name)["result"] == "me"


def test_head_gets_no_body_and_an_endpoint_that_nobody_registered_is_a_failure(endpoint: Any) -> None:
    ask = endpoint("return 1")

    assert ask(method="HEAD") == {"status": 200, "headers": JSON_TYPE, "text": ""}


def test_what_the_manifest_declares_with_a_handler_is_registered_unless_the_codes_own_is_there(plugin: Start) -> None:
    declared = [
        {"method": "GET", "path": "/a", "handler": "from_manifest", "permissions": ["admin"]},
        {"path": "/own/:id", "handler": "from_manifest"},
        {"path": "/unknown", "handler": "nothing"},
        "/text",
    ]
    container = plugin(
        """
        import streamspace

        class Plugin:
            def on_load(self):
                streamspace.api.register_endpoint(path="/own/:key", handler=lambda: "code")
            def from_manifest(self): return "manifest"
        """,
        manifest={"contributes": {"api_endpoints": declared}},
    )

    assert container.load()["registered"]["endpoints"] == [
        {"method": "GET", "path": "/own/:key", "permissions": []},
        {"method": "GET", "path": "/a", "permissions": ["admin"]},
    ]
    call = {"kind": "endpoint", "endpoint": {"method": "PUT", "path": "/b"}, "request": {"method": "PUT", "path": "/b"}}
    assert "register_endpoint" in container.call({**call, "settings_version": 1})["error"]["message"]


NOTIFICATION = {"id": "ntf_1", "title": "T", "message": "M", "type": "info"}


def click(handler_id: str, label: str = "Later") -> dict[str, Any]:
    action = {"index": 1, "label": label}
    call = {"kind": "action", "handler_id": handler_id, "notification": NOTIFICATION, "action": action}
    return {**call, "caller": {"username": "ann"}, "settings_version": 1}


NOTIFIES = """
    import streamspace

    class Plugin:
        pressed = None

        def on_load(self):
            streamspace.commands.register(name="notify", description="d", handler=self.notify)
            streamspace.commands.register(name="pressed", description="d", handler=lambda args: self.pressed)

        def notify(self, args):
            named = {"label": "Named", "handler": "snooze"}
            actions = [{"label": "Later", "handler": self.later}, named, {"label": "Fail", "handler": lambda: 1 / 0}]
            streamspace.notify("ann", title="T", message="M", actions=actions)

        async def later(self):
            self.pressed = "closure"
            return "I will"
"""
HEARS_CLICKS = """
        def on_notification_action(self, action, context):
            self.pressed = [action, context]
            return {"no": "text"}
"""


def test_a_buttons_function_runs_in_its_container_and_a_name_goes_to_on_notification_action(plugin: Start, platform: FakePlatform) -> None:
    container = plugin(NOTIFIES + HEARS_CLICKS)
    container.load()
    container.command("notify")
    kept, named, fails = platform.asked("/notifications")[0]["body"]["actions"]

    assert kept["handler"].startswith("fn:")
    assert named == {"label": "Named", "handler": "snooze"}
    assert container.call(click(kept["handler"])) == {"ok": True, "handled": "handler", "message": "I will"}
    assert container.command("pressed")["result"] == "closure"
    assert container.call(click("snooze", "Named")) == {"ok": True, "handled": "hook", "message": None}
    pressed = {"index": 1, "label": "Named", "handler": "snooze"}
    assert container.command("pressed")["result"] == [pressed, {"notification": NOTIFICATION, "user": {"username": "ann"}}]
    failed = container.call(click(fails["handler"], "Fail"))["error"]
    assert (failed["name"], failed["hook"]) == ("ZeroDivisionError", "action Fail")


def test_a_function_that_is_not_here_is_left_to_on_notification_action_or_to_nobody(plugin: Start, platform: FakePlatform) -> None:
    platform.routes["GET /api/v1/runtime/self"] = {"data": {"settings": {}, "settings_version": 1}}

    assert plugin(NOTIFIES + HEARS_CLICKS).call(click("fn:other"))["handled"] == "hook"
    assert plugin(NOTIFIES).call(click("fn:other")) == {"ok": True, "handled": None}


ASKS = """
    import streamspace

    class Plugin:
        def on_load(self):
            streamspace.commands.register(name="ask", description="d", handler=self.ask)

        async def ask(self, args):
            try:
                return {"answered": await streamspace.ui.show_dialog(title="Sure?", message="M", **args)}
            except streamspace.StreamSpaceError as error:
                return {"name": error.name, "code": error.code, "message": str(error)}

        def on_session_created(self, session):
            streamspace.ui.show_dialog(title="T", message="M")

        on_user_login = on_session_created
"""


def dialog(**more: Any) -> dict[str, Any]:
    return {"data": {"id": "dlg_1", "status": "pending", "value": None, **more}}


def test_a_dialog_asks_who_runs_the_command_and_waits_for_the_answer(plugin: Start, platform: FakePlatform) -> None:
    container = plugin(ASKS)
    container.load()
    platform.script += [dialog(), dialog(), dialog(status="answered", value={"deep": [1]})]

    assert container.command("ask", {"type": "confirm"})["result"] == {"answered": {"deep": [1]}}

    asked, *looks = platform.requests
    assert 26_000 < asked["body"].pop("timeout") <= 27_500
    assert asked["body"] == {"to": "ann", "title": "Sure?", "message": "M", "type": "confirm"}
    assert [look["line"] for look in looks] == ["GET /api/v1/dialogs/dlg_1"] * 2


def test_when_the_call_must_end_the_dialog_is_withdrawn_and_who_answers_in_that_moment_is_heard(
    plugin: Start, platform: FakePlatform
) -> None:
    container = plugin(ASKS)
    container.load()
    platform.routes["POST /api/v1/dialogs"] = platform.routes["GET /api/v1/dialogs/dlg_1"] = dialog()
    platform.routes["DELETE /api/v1/dialogs/dlg_1"] = dialog(status="withdrawn")
    ask = {"kind": "command", "name": "ask", "args": {}, "caller": {"username": "ann"}, "settings_version": 1}

    told = container.call({**ask, "deadline_ms": time.time() * 1000 + 2500})["result"]

    assert (told["name"], told["code"]) == ("DialogTimeoutError", "DIALOG_TIMEOUT")
    assert "'ann' did not answer the dialog 'Sure?' of the plugin 'my-plugin'" in told["message"]
    assert 1 <= sum(one["line"].startswith("GET") for one in platform.asked("/dialogs/dlg_1")) <= 3, "looks in a second"
    platform.routes["DELETE /api/v1/dialogs/dlg_1"] = dialog(status="answered", value=False)
    assert container.call({**ask, "deadline_ms": time.time() * 1000 + 2500})["result"] == {"answered": False}


def test_in_a_hook_the_owner_is_asked_and_where_there_is_nobody_the_author_is_told(
    plugin: Start, platform: FakePlatform, record: Callable[..., dict[str, Any]]
) -> None:
    container = plugin(ASKS)
    container.load()
    platform.routes["POST /api/v1/dialogs"] = dialog(status="answered")
    by_plugin = {"kind": "command", "name": "ask", "caller": {"plugin": "other"}, "settings_version": 1}

    container.deliver(record({"id": "s", "user": "john"}), record({"username": "jane"}, type="user.login", group="user#jane"))
    named = container.call({**by_plugin, "args": {"user": "max"}})
    nobody = container.call({**by_plugin, "args": {}})

    assert [request["body"]["to"] for request in platform.asked("/dialogs")] == ["john", "jane", "max"]
    assert named["result"] == {"answered": None}
    assert nobody["result"]["code"] == "VALIDATION_ERROR"
    assert "'user': command ask runs for no person" in nobody["result"]["message"]
