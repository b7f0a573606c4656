"""Timers, schedules and declared methods of the Python runtime against docs/runtime-protocol.md."""

from __future__ import annotations

import json
import re
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


DOCUMENTED = """
    import streamspace

    class Plugin:
        def __init__(self):
            self.timers, self.ran = [], []

        def on_load(self):
            self.timers.append(streamspace.set_interval(lambda: self.ran.append(["sweep", self.config["apiKey"]]), 300))
            self.timers.append(streamspace.set_interval(self.report, 90, "now"))
            self.timers.append(streamspace.set_timeout(lambda: self.ran.append(["once"]), 7200))
            streamspace.commands.register(name="ran", description="d", handler=lambda args: self.ran)
            streamspace.commands.register(name="stop", description="d", handler=lambda args: streamspace.clear_interval(self.timers[0]))

        async def report(self, when):
            self.ran.append(["report", when])

        def on_unload(self):
            for timer in self.timers:
                streamspace.clear_interval(timer)
"""


def lines(capsys: pytest.CaptureFixture[str], level: str) -> list[str]:
    return [line["message"] for line in map(json.loads, capsys.readouterr().out.splitlines()) if line["level"] == level]


def test_timers_in_on_load_are_schedules_with_the_same_names_in_each_container(plugin: Start, capsys: pytest.CaptureFixture[str]) -> None:
    started = plugin(DOCUMENTED)

    answers = [started.load() for _ in range(2)]

    assert answers[0]["registered"]["schedules"] == [
        {"name": "interval-5m", "expression": "rate(5 minutes)"},
        {"name": "timer-report", "expression": "rate(2 minutes)"},
        {"name": "timeout-120m", "after_s": 7200},
    ]
    assert answers[1] == answers[0]
    assert "90 s runs every 2 minutes" in lines(capsys, "warn")[0]


def test_a_scheduled_run_reaches_the_function_in_a_cold_container_with_the_newest_settings(plugin: Start, platform: FakePlatform) -> None:
    started = plugin(DOCUMENTED)

    for name in ("interval-5m", "timer-report", "timeout-120m"):
        assert started.call({"kind": "schedule", "name": name, "scheduled_time": "2026-01-02T03:04:00Z"}) == {"ok": True}
    settings(platform, {"apiKey": "new"}, 2)
    started.call({"kind": "schedule", "name": "interval-5m"})

    assert started.command("ran")["result"] == [["sweep", "k"], ["report", "now"], ["once"], ["sweep", "new"]]


def test_clearing_in_on_unload_asks_for_nothing(plugin: Start, platform: FakePlatform) -> None:
    started = plugin(DOCUMENTED)
    started.load()

    assert started.call({"kind": "unload"}) == {"ok": True}
    assert platform.requests == []


def test_clearing_in_a_later_hook_stops_the_schedule_at_the_platform(plugin: Start, platform: FakePlatform) -> None:
    started = plugin(DOCUMENTED)
    started.load()
    platform.routes["*"] = {"data": None}

    assert started.command("stop")["ok"] is True

    assert [request["line"] for request in platform.requests] == ["DELETE /api/v1/runtime/schedules/interval-5m"]
    started.call({"kind": "schedule", "name": "interval-5m"})
    assert started.command("ran")["result"] == []


def test_a_timer_that_on_load_itself_clears_was_never_there(plugin: Start) -> None:
    started = plugin("""
        import streamspace
        def on_load():
            streamspace.clear_timeout(streamspace.set_timeout(print, 60))
            streamspace.clear_timeout(None)
    """)

    assert started.load()["registered"]["schedules"] == []


def test_a_timer_in_another_hook_is_refused_in_a_sentence(plugin: Start) -> None:
    started = plugin("""
        import streamspace
        def on_load():
            streamspace.commands.register(name="later", description="d", handler=lambda args: streamspace.set_timeout(print, 60))
    """)
    started.load()

    assert "set_timeout belongs into on_load" in started.command("later")["error"]["message"]


def test_schedules_without_a_name_do_not_replace_one_another(plugin: Start) -> None:
    started = plugin("""
        import streamspace
        def sweep(): ...
        def on_load():
            for handler in (sweep, sweep, lambda: 1, lambda: 2):
                streamspace.schedule("@daily", handler)
    """)

    assert [one["name"] for one in started.load()["registered"]["schedules"]] == ["sweep", "sweep-2", "schedule-3", "schedule-4"]


def test_a_scheduled_run_that_fails_is_logged_and_raised(plugin: Start, capsys: pytest.CaptureFixture[str]) -> None:
    started = plugin("""
        import streamspace
        def sweep(): raise ValueError("no")
        def on_load(): streamspace.schedule("rate(1 hour)", sweep)
    """)
    started.load()
    time = {"scheduled_time": "2026-01-02T03:04:00Z"}

    with pytest.raises(Exception, match="no"):
        started.call({"kind": "schedule", "name": "sweep", **time})
    with pytest.raises(Exception, match="no scheduled task 'nothing'"):
        started.call({"kind": "schedule", "name": "nothing", **time})
    answered = started.call({"kind": "schedule", "name": "sweep"})

    assert (answered["ok"], answered["error"]["hook"]) == (False, "schedule sweep")
    told = lines(capsys, "error")
    assert [message[:35] for message in told] == [
        "schedule sweep failed: no",
        "The scheduled task 'nothing' failed",
        "schedule sweep failed: no",
    ]


def test_a_handler_is_told_the_time_that_it_was_scheduled_for(plugin: Start) -> None:
    started = plugin("""
        import streamspace
        tasks = []
        def on_load():
            streamspace.schedule("@daily", tasks.append, name="day")
            streamspace.commands.register(name="tasks", description="d", handler=lambda args: tasks)
    """)
    started.load()

    started.call({"kind": "schedule", "name": "day", "scheduled_time": "2026-01-02T03:04:00Z"})
    started.call({"kind": "schedule", "name": "day", "scheduled_time": "<aws.scheduler.scheduled-time>"})

    first, second = started.command("tasks")["result"]
    assert first == {"name": "day", "scheduled_time": "2026-01-02T03:04:00Z"}
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", second["scheduled_time"])


MAPPED = {
    "events": {
        "session.created": "OnSessionCreated",
        "session.terminated": "session_is_over",
        "user.created": "missing",
        "user.login": False,
    },
    "lifecycle": {"onLoad": True, "onUnload": "TidyUp"},
    "scheduler": {
        "jobs": [
            {"name": "close-month", "schedule": "@monthly"},
            {"name": "count", "schedule": "@daily", "handler": "CountUsage"},
            {"name": "idle", "schedule": "@daily"},
        ]
    },
    "api": {"endpoints": ["/usage", "GET /reports"]},
}


def test_events_lifecycle_and_jobs_call_the_methods_that_the_manifest_names(
    plugin: Start, record: Record, capsys: pytest.CaptureFixture[str]
) -> None:
    started = plugin(
        """
        import streamspace
        class Plugin:
            heard = []
            def on_load(self):
                streamspace.commands.register(name="heard", description="d", handler=lambda args: self.heard)
                streamspace.api.register_endpoint(path="/usage", handler=lambda req: 1)
            def on_session_created(self): self.heard.append("on_session_created")
            def OnSessionCreated(self, session): self.heard.append("OnSessionCreated " + session["id"])
            def session_is_over(self): self.heard.append("over")
            def on_user_created(self): self.heard.append("documented")
            def on_user_login(self): self.heard.append("never")
            def close_month(self): self.heard.append("closed")
            def count_usage(self): self.heard.append("counted")
            def tidy_up(self): print("tidied")
        """,
        manifest=MAPPED,
    )
    registered = started.load()["registered"]

    started.deliver(record(), *(record({}, type=type_) for type_ in ("session.stopped", "user.created", "user.login")))
    started.call({"kind": "schedule", "name": "close-month"})
    started.call({"kind": "schedule", "name": "count"})

    assert registered["hooks"] == ["session.created", "session.stopped", "user.created"]
    assert started.command("heard")["result"] == ["OnSessionCreated john-firefox", "over", "documented", "closed", "counted"]
    assert lines(capsys, "warn") == [
        "manifest.json names the method 'missing' for 'user.created', and there is none",
        "the scheduled task 'idle' has no handler: write a method 'idle', or streamspace.schedule in on_load",
        "manifest.json declares the endpoint '/reports', and nothing serves it: streamspace.api.register_endpoint does",
    ]
    started.call({"kind": "unload"})
    assert "tidied" in capsys.readouterr().out


def test_a_themes_module_answers_its_tokens_and_what_json_would_lose_is_refused(plugin: Start) -> None:
    theme = {"manifest": {"type": "theme"}}

    assert plugin("theme = {'palette': {'a': '#123456'}}", **theme).load()["registered"]["theme"] == {"palette": {"a": "#123456"}}
    assert "must be JSON" in plugin("theme = {'spacing': lambda factor: 8}", **theme).load()["error"]["message"]
    assert "theme" not in plugin("theme = {'a': 1}").load()["registered"]
