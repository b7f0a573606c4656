"""The Python runtime against docs/runtime-protocol.md."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from sdk_fake_platform import FakePlatform

SELF = "GET /api/v1/runtime/self"
Start = Callable[..., Any]
Record = Callable[..., dict[str, Any]]


def settings(platform: FakePlatform, values: dict[str, Any], version: int = 1) -> None:
    platform.routes[SELF] = {"data": {"settings": values, "settings_version": version, "platform": {}}}


@pytest.fixture(autouse=True)
def _known_self(platform: FakePlatform) -> None:
    settings(platform, {"apiKey": "k"})


KEEPS_WHAT_IT_SAW = """
    import streamspace

    class Plugin:
        def __init__(self):
            self.seen = []

        def on_load(self):
            self.seen.append(["load", self.config, self.manifest["name"]])
            streamspace.commands.register(name="seen", description="d", handler=lambda args: self.seen)

        async def on_session_created(self, session, event):
            self.seen.append([session["id"], event["type"], self.config])
            if session.get("fails"):
                raise ValueError(f"no {session['id']}")
"""


def test_load_runs_on_load_with_the_settings_and_answers_what_was_registered(plugin: Start) -> None:
    started = plugin("""
        import streamspace
        streamspace.ui.add_menu_item(label="L", path="/l", component="./l.jsx")

        class Plugin:
            async def on_load(self):
                assert self.config == {"apiKey": "k"} and self.manifest["permissions"] == ["read:sessions"]
                streamspace.schedule("rate(1 hour)", self.sweep)
            def sweep(self): ...
            def on_user_login(self, user): ...
            def on_session_created(self, session): ...
    """)

    answers = [started.load({"apiKey": "k"}) for _ in range(2)]

    assert answers[0] == answers[1]
    assert answers[0] == {
        "ok": True,
        "registered": {
            "hooks": ["session.created", "user.login"],
            "widgets": [],
            "menuItems": [{"label": "L", "path": "/l", "component": "./l.jsx"}],
            "settingsPages": [],
            "commands": [],
            "schedules": [{"name": "sweep", "expression": "rate(1 hour)"}],
            "endpoints": [],
            "places": {"session.created": "plugin.py:11", "user.login": "plugin.py:10", "schedule sweep": "plugin.py:9"},
        },
    }


def test_load_tells_where_each_function_begins_in_whichever_of_the_files(plugin: Start) -> None:
    started = plugin(
        """
        import functools
        import streamspace
        from greetings import greet

        def on_load():
            streamspace.commands.register(name="greet", description="d", handler=greet)
            streamspace.commands.register(name="partly", description="d", handler=functools.partial(greet, 1))
            streamspace.api.register_endpoint(method="GET", path="/x",
                handler=lambda request: 1)

        @functools.wraps(on_load)
        def on_user_login(user): ...
        """,
        greetings="\n\ndef greet(args): ...\n",
    )

    places = started.load()["registered"]["places"]

    assert places == {"command greet": "greetings.py:3", "endpoint GET /x": "plugin.py:10", "user.login": "plugin.py:6"}


def test_a_throw_in_on_load_is_an_answer_with_its_place(plugin: Start) -> None:
    answer = plugin("""
        import streamspace
        class Plugin:
            def on_load(self):
                raise streamspace.StreamSpaceError("API key is required", code="X", details={"field": "apiKey"})
    """).load()

    error = answer["error"]
    assert answer["ok"] is False
    assert {name: error[name] for name in ("name", "message", "code", "details", "hook", "location")} == {
        "name": "StreamSpaceError",
        "message": "API key is required",
        "code": "X",
        "details": {"field": "apiKey"},
        "hook": "on_load",
        "location": "plugin.py:5",
    }
    assert "site-packages" not in error["stack"]
    assert "streamspace/hooks.py" not in error["stack"]


@pytest.mark.parametrize(
    ("source", "name", "location"),
    [
        ("import nothing_of_that_name", "ModuleNotFoundError", "plugin.py:1"),
        ("x = 1\ndef broken(:\n", "SyntaxError", "plugin.py:2"),
        ("raise SystemExit(3)", "RuntimeError", "plugin.py:1"),
    ],
)
def test_a_module_that_does_not_load_is_an_answer_too(plugin: Start, source: str, name: str, location: str) -> None:
    started = plugin(source)

    for answer in (started.load(), started.load()):
        assert (answer["error"]["name"], answer["error"]["location"]) == (name, location)


def test_functions_of_the_module_are_hooks_too(plugin: Start) -> None:
    started = plugin("""
        import streamspace
        seen = []

        async def on_load():
            streamspace.commands.register(name="seen", description="d", handler=told)

        def told(args, context):
            return [seen, config, manifest["name"], args, context]

        def on_session_created(session): ...
    """)

    assert started.load({"a": 1})["registered"]["hooks"] == ["session.created"]
    assert started.command("seen", {"x": 1})["result"] == [
        [], {"a": 1}, "my-plugin", {"x": 1}, {"caller": {"username": "ann"}},
    ]  # fmt: skip


def test_a_global_config_of_the_modules_own_stays(plugin: Start) -> None:
    started = plugin("""
        import streamspace
        config = "mine"
        streamspace.commands.register(name="config", description="d", handler=lambda args: config)
    """)
    started.load({"a": 1})

    assert started.command("config")["result"] == "mine"


def test_the_entrypoint_may_lie_in_a_folder_and_import_its_neighbours(plugin: Start) -> None:
    started = plugin(
        "from neighbour import greet\nclass Plugin:\n    def on_load(self): greet()\n",
        manifest={"entrypoints": {"main": "src/main.py"}},
        neighbour="def greet(): raise ValueError('hello')",
    )

    assert started.load()["error"]["location"] == "neighbour.py:1"


def test_a_cold_container_fetches_its_settings_and_runs_on_load_once(plugin: Start, platform: FakePlatform, record: Record) -> None:
    started = plugin(KEEPS_WHAT_IT_SAW)

    assert started.deliver(record({"id": "a"}), record({"id": "b"})) == []

    seen = started.command("seen")["result"]
    assert seen == [
        ["load", {"apiKey": "k"}, "my-plugin"],
        ["a", "session.created", {"apiKey": "k"}],
        ["b", "session.created", {"apiKey": "k"}],
    ]
    assert [request["line"] for request in platform.requests] == [SELF]


def test_newer_settings_are_fetched_without_on_load(plugin: Start, platform: FakePlatform, record: Record) -> None:
    started = plugin(KEEPS_WHAT_IT_SAW)
    started.load({"apiKey": "old"})
    settings(platform, {"apiKey": "new"}, 2)

    started.deliver(record(settings_version=1), record(settings_version=2), record(settings_version=2))

    seen = started.command("seen", version=2)["result"]
    assert [entry[-1] for entry in seen[1:]] == [{"apiKey": "old"}, {"apiKey": "new"}, {"apiKey": "new"}]
    assert len(platform.requests) == 1


def test_a_commands_failures(plugin: Start) -> None:
    started = plugin("""
        import streamspace
        class Plugin:
            def on_load(self):
                register = streamspace.commands.register
                register(name="fails", description="d", handler=self.fails)
                register(name="odd", description="d", handler=lambda args: object())
            async def fails(self, args):
                raise KeyError(args["x"])
    """)

    fails, odd, none = started.command("fails", {"x": "y"}), started.command("odd"), started.command("none")

    assert (fails["error"]["name"], fails["error"]["hook"]) == ("KeyError", "command fails")
    assert "JSON" in odd["error"]["message"]
    assert none["error"]["code"] == "COMMAND_NOT_FOUND"
    assert "streamspace.commands.register" in none["error"]["message"]


def test_scheduled_tasks_are_handlers_or_methods(plugin: Start) -> None:
    tasks = [{"name": "nightly", "schedule": "rate(1 day)", "handler": "tidy"}, {"name": "daily-sync", "schedule": "x"}]
    started = plugin(
        """
        import streamspace
        class Plugin:
            def on_load(self):
                self.ran = []
                streamspace.schedule("rate(1 hour)", lambda: self.ran.append("given"), name="given")
                streamspace.commands.register(name="ran", description="d", handler=lambda args: self.ran)
            def tidy(self): self.ran.append("tidy")
            async def daily_sync(self, task): self.ran.append(task["name"])
        """,
        manifest={"contributes": {"scheduled_tasks": tasks}},
    )

    answers = [started.call({"kind": "schedule", "name": name}) for name in ("given", "nightly", "daily-sync", "none")]

    assert [answer["ok"] for answer in answers] == [True, True, True, False]
    assert started.command("ran")["result"] == ["given", "tidy", "daily-sync"]


def test_unload_runs_on_unload_and_makes_the_container_cold(plugin: Start, platform: FakePlatform) -> None:
    started = plugin("""
        import streamspace
        class Plugin:
            def on_load(self): print("loading")
            def on_unload(self): raise ValueError("open files")
    """)
    started.load()

    assert started.call({"kind": "unload"})["error"]["hook"] == "on_unload"

    started.call({"kind": "unload"})
    assert [request["line"] for request in platform.requests] == [SELF]


def test_an_unknown_kind_is_an_answer(plugin: Start) -> None:
    assert "'dance'" in plugin("").call({"kind": "dance"})["error"]["message"]


def test_a_failed_event_is_reported_with_the_handles_of_its_group(plugin: Start, platform: FakePlatform, record: Record) -> None:
    started = plugin(KEEPS_WHAT_IT_SAW)
    started.load()
    platform.routes["*"] = {"data": {"verdict": "retry"}}

    given_back = started.deliver(record({"id": "a", "fails": True}), record({"id": "b"}, group="other"), record({"id": "c"}))

    [report] = platform.requests
    assert given_back == ["m1", "m3"]
    assert report["line"] == "POST /api/v1/runtime/events/7301001/failures"
    error = report["body"].pop("error")
    assert report["body"] == {
        "aggregate": "session#john-firefox", "sequence": 1, "attempt": 1, "receipt_handles": ["r1", "r3"],
    }  # fmt: skip
    assert (error["name"], error["message"], error["hook"]) == ("ValueError", "no a", "on_session_created")
    assert [entry[0] for entry in started.command("seen")["result"]] == ["load", "a", "b"]


def test_a_dead_letter_lets_its_group_go_on(plugin: Start, platform: FakePlatform, record: Record) -> None:
    started = plugin(KEEPS_WHAT_IT_SAW)
    started.load()
    platform.routes["*"] = {"data": {"verdict": "dead-letter"}}

    assert started.deliver(record({"id": "a", "fails": True}), record({"id": "b"})) == []

    assert [entry[0] for entry in started.command("seen")["result"]] == ["load", "a", "b"]


@pytest.mark.parametrize(("verdict", "ran"), [("run", ["load", "a"]), ("dead-letter", ["load"])])
def test_an_event_received_again_begins_an_attempt(
    plugin: Start, platform: FakePlatform, record: Record, verdict: str, ran: list[str]
) -> None:
    started = plugin(KEEPS_WHAT_IT_SAW)
    started.load()
    platform.routes["*"] = {"data": {"verdict": verdict}}

    assert started.deliver(record({"id": "a"}, received=2)) == []

    [begun] = platform.requests
    assert begun["line"] == "POST /api/v1/runtime/events/7301001/attempts"
    assert begun["body"] == {"aggregate": "session#john-firefox", "sequence": 1}
    assert [entry[0] for entry in started.command("seen")["result"]] == ran


WRAPPED = """
            try:
                streamspace.api.get_session("x")
            except Exception as error:
                raise ValueError("wrapped") from error
"""


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ("streamspace.api.get_session('x')", "platform"),
        (WRAPPED.strip(), "platform"),
        ("streamspace.api.delete_session('x')", None),
        ("raise ValueError('own')", None),
    ],
    ids=["503", "its cause", "an answer", "its own"],
)
def test_a_failure_says_whether_it_is_the_platforms(
    plugin: Start, platform: FakePlatform, record: Record, code: str, fault: str | None
) -> None:
    started = plugin(f"""
    import streamspace
    class Plugin:
        def on_session_created(self, session):
            {code}
    """)
    started.load()
    platform.routes["GET /api/v1/sessions/x"] = {"status": 503, "headers": {"retry-after": "60"}}
    platform.routes["DELETE /api/v1/sessions/x"] = {"status": 404, "error": {"code": "SESSION_NOT_FOUND", "message": "No session"}}
    platform.routes["*"] = {"data": {"verdict": "retry"}}

    started.deliver(record())

    [report] = platform.asked("/failures")
    assert report["body"]["error"].get("fault") == fault


def test_a_failure_that_could_not_be_told_is_told_with_the_next_attempt_once(plugin: Start, platform: FakePlatform, record: Record) -> None:
    started = plugin(KEEPS_WHAT_IT_SAW)
    started.load()
    platform.routes["*"] = {"status": 500}
    troubled = record({"id": "a", "fails": True})
    started.deliver(troubled)
    platform.routes["*"] = {"data": {"verdict": "run"}}
    troubled["attributes"]["ApproximateReceiveCount"] = "2"

    started.deliver(troubled)
    started.deliver(troubled)

    assert [begun["body"].get("unreported", {}).get("message") for begun in platform.asked("/attempts")] == ["no a", None]


def asking(record: dict[str, Any]) -> dict[str, Any]:
    return {**record, "body": record["body"].replace("{", '{"report_delivery": true, ', 1)}


def test_a_delivery_is_reported_only_when_its_message_asks_for_it_or_with_the_next_failure(
    plugin: Start, platform: FakePlatform, record: Record
) -> None:
    started = plugin(KEEPS_WHAT_IT_SAW)
    started.load()
    platform.routes["*"] = {"data": {"verdict": "retry"}}

    started.deliver(record({"id": "a"}))
    started.deliver(record({"id": "x", "fails": True}))
    started.deliver(record({"id": "y", "fails": True}))
    started.deliver(asking(record({"id": "b"})))
    started.deliver(record({"id": "z", "fails": True}))

    told = [(request["line"].split("/")[-1], request["body"].get("has_delivered")) for request in platform.requests]
    assert told == [("failures", True), ("failures", None), ("deliveries", None), ("failures", None)]


def test_a_delivery_that_cannot_be_reported_is_a_delivery(plugin: Start, platform: FakePlatform, record: Record) -> None:
    started = plugin(KEEPS_WHAT_IT_SAW)
    started.load()
    platform.routes["*"] = {"status": 500}

    assert started.deliver(asking(record({"id": "a"}))) == []


def test_each_call_says_how_many_hooks_led_to_it(plugin: Start, platform: FakePlatform, record: Record) -> None:
    started = plugin("""
    import streamspace
    class Plugin:
        def on_load(self):
            streamspace.commands.register(name="look", description="d", handler=lambda args: streamspace.api.get_sessions())
        def on_session_created(self, session):
            streamspace.api.get_sessions()
    """)
    started.load()
    platform.routes["*"] = {"data": []}
    caused = record()
    caused["body"] = caused["body"].replace("{", '{"hops": 3, ', 1)

    started.deliver(record(), caused)
    started.command("look")
    started.call({"kind": "command", "name": "look", "args": {}, "caller": {"username": "ann"}, "settings_version": 1, "hops": 2})

    assert [request["headers"]["x-streamspace-hops"] for request in platform.requests] == ["0", "3", "0", "2"]


def test_an_attempt_that_cannot_be_begun_is_not_run(plugin: Start, platform: FakePlatform, record: Record) -> None:
    started = plugin(KEEPS_WHAT_IT_SAW)
    started.load()
    platform.routes["*"] = {"status": 500}

    assert started.deliver(record({"id": "a"}, received=2), record({"id": "b"})) == ["m1", "m2"]

    assert [entry[0] for entry in started.command("seen")["result"]] == ["load"]


def test_an_on_load_that_fails_fails_the_events_and_is_run_once(plugin: Start, platform: FakePlatform, record: Record) -> None:
    started = plugin("""
        import streamspace
        class Plugin:
            def on_load(self):
                streamspace.storage.set("tried", 1)
                raise ValueError("no connection")
            def on_session_created(self, session): ...
    """)
    platform.routes["*"] = {"data": {"verdict": "retry"}}

    assert started.deliver(record(group="a"), record(group="b")) == ["m1", "m2"]

    assert len(platform.asked("storage/tried")) == 1
    assert [report["body"]["error"]["hook"] for report in platform.asked("/failures")] == ["on_load", "on_load"]


def test_a_module_that_fails_fails_the_events(plugin: Start, platform: FakePlatform, record: Record) -> None:
    started = plugin("import nothing_of_that_name")
    platform.routes["*"] = {"data": {"verdict": "dead-letter"}}

    assert started.deliver(record(group="a"), record(group="b")) == []

    assert [report["body"]["error"]["name"] for report in platform.asked("/failures")] == ["ModuleNotFoundError"] * 2


def test_settings_that_cannot_be_had_are_no_attempt(plugin: Start, platform: FakePlatform, record: Record) -> None:
    platform.routes[SELF] = {"status": 500}

    assert plugin(KEEPS_WHAT_IT_SAW).deliver(record()) == ["m1"]

    assert platform.asked("/failures") == []


def test_what_nobody_hears_is_done_without_a_request(plugin: Start, platform: FakePlatform, record: Record) -> None:
    assert plugin(KEEPS_WHAT_IT_SAW).deliver(record(type="user.login", received=3), record(type="new.kind")) == []

    assert platform.requests == []


def test_a_body_that_is_no_event_is_given_back(plugin: Start, record: Record) -> None:
    broken = {**record(), "body": "{"}

    assert plugin(KEEPS_WHAT_IT_SAW).deliver(broken) == ["m1"]


def test_with_a_tenth_of_the_time_left_the_rest_is_given_back(plugin: Start, platform: FakePlatform, record: Record) -> None:
    started = plugin("""
        import time
        class Plugin:
            def on_session_created(self, session):
                time.sleep(session["seconds"])
    """)
    started.load()

    platform.routes["*"] = {"data": {"verdict": "dead-letter"}}

    given_back = started.deliver(record({"seconds": 60}), record({"seconds": 0}, group="b"), left_ms=1000)

    assert given_back == ["m2"]


def test_a_coroutine_that_does_not_end_fails_in_time_to_be_reported(plugin: Start, platform: FakePlatform, record: Record) -> None:
    started = plugin("""
        import asyncio
        class Plugin:
            async def on_session_created(self, session):
                await asyncio.sleep(60)
    """)
    started.load()
    platform.routes["*"] = {"data": {"verdict": "retry"}}

    assert started.deliver(record(), left_ms=2000) == ["m1"]

    [report] = platform.requests
    assert "did not finish in time" in report["body"]["error"]["message"]


def test_sys_exit_is_a_failure_that_names_plugin_and_hook(plugin: Start, record: Record, platform: FakePlatform) -> None:
    started = plugin("""
        import sys
        class Plugin:
            async def on_session_created(self, session):
                sys.exit(3)
    """)
    started.load()
    platform.routes["*"] = {"data": {"verdict": "dead-letter"}}

    assert started.deliver(record(), record()) == []

    messages = {report["body"]["error"]["message"] for report in platform.requests}
    assert messages == {"on_session_created of the plugin 'my-plugin' called sys.exit(3); raise an error instead"}


def test_a_hook_that_cancels_itself_fails(plugin: Start) -> None:
    answer = plugin("""
        import asyncio
        class Plugin:
            async def on_load(self):
                asyncio.current_task().cancel()
                await asyncio.sleep(1)
    """).load()

    assert answer["error"]["message"] == "on_load of the plugin 'my-plugin' was cancelled"


def test_an_async_hook_uses_the_api_both_ways_and_shares_one_loop(plugin: Start, platform: FakePlatform, record: Record) -> None:
    started = plugin("""
        import asyncio, streamspace
        class Plugin:
            async def on_load(self):
                self.loop = asyncio.get_running_loop()
            async def on_session_created(self, session):
                assert self.loop is asyncio.get_running_loop()
                user = streamspace.api.get_user("john")
                assert user["fullName"] == (await streamspace.api.get_user("john"))["fullName"] == "John Doe"
                assert await streamspace.storage.get("missing") is None
                try:
                    await streamspace.api.get_session("gone")
                except streamspace.errors.SessionNotFoundError as error:
                    assert error.name == "SessionNotFoundError"
                await streamspace.notify("john", title="T", message="M")
    """)
    platform.routes["GET /api/v1/users/john"] = {"data": {"fullName": "John Doe"}}
    platform.routes["GET /api/v1/sessions/gone"] = {
        "status": 404,
        "error": {"code": "SESSION_NOT_FOUND", "message": ""},
    }

    assert started.deliver(record()) == []

    assert len(platform.asked("/notifications")) == 1


def test_prints_and_logs_are_lines_of_json(plugin: Start, record: Record, capsys: pytest.CaptureFixture[str]) -> None:
    started = plugin("""
        import streamspace
        print("top", "level")
        class Plugin:
            def on_load(self): ...
            def on_session_created(self, session):
                print("two\\nlines")
                print("begun", end="")
                streamspace.log.warn("High", {"usage": "85%", "odd": {1, 2}, "error": ValueError("x")})
                circular = []
                circular.append(circular)
                streamspace.log.log("fatal", "circular", circular)
    """)
    started.load()

    started.deliver(record())

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    told = [(line["level"], line["message"], line.get("hook"), line.get("event_id")) for line in lines]
    hook = ("on_session_created", 7301001)
    assert told == [
        ("info", "top level", "module", None),
        ("info", "two\nlines", *hook),
        ("warn", "High", *hook),
        ("fatal", "circular", *hook),
        ("info", "begun", *hook),
    ]
    assert lines[2]["data"]["usage"] == "85%"
    assert all(line["plugin"] == "my-plugin" and line["timestamp"].endswith("Z") for line in lines)
