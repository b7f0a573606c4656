"""The plugin on a fake ``streamspace`` that keeps what was stored."""

import importlib.util
import sys
import types
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest


class Storage(dict):
    def set(self, key, value):
        self[key] = value

    def delete(self, key):
        self.pop(key, None)

    def keys(self, prefix=""):
        return [key for key in list(self) if key.startswith(prefix)]


@pytest.fixture
def streamspace(monkeypatch):
    fake = types.ModuleType("streamspace")
    fake.storage, fake.registered = Storage(), {}
    fake.commands = types.SimpleNamespace(register=lambda **command: fake.registered.update({command["name"]: command}))
    monkeypatch.setitem(sys.modules, "streamspace", fake)
    return fake


@pytest.fixture
def plugin(streamspace):
    spec = importlib.util.spec_from_file_location("session_insights", Path(__file__).parents[1] / "plugin.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    plugin = module.Plugin()
    plugin.config = {"retention_days": 90}
    plugin.on_load()
    return plugin


def started(plugin, number, hour, template="vscode", days_ago=0):
    day = (datetime.now(UTC) - timedelta(days=days_ago)).date()
    plugin.on_session_started({"id": f"s{number}", "template": template}, {"id": number, "time": f"{day}T{hour:02}:30:00Z"})


def insights(streamspace, **args):
    return streamspace.registered["session-insights"]["handler"](args)


def test_it_counts_starts_by_hour_and_template(plugin, streamspace):
    for number, (hour, template) in enumerate([(9, "vscode"), (9, "firefox"), (14, "vscode")]):
        started(plugin, number, hour, template)

    found = insights(streamspace)

    assert (found["starts"], found["busiest_hour"]) == (3, 9)
    assert found["by_hour"] == [{"hour": 9, "starts": 2}, {"hour": 14, "starts": 1}]
    assert found["by_template"] == [{"template": "vscode", "starts": 2}, {"template": "firefox", "starts": 1}]
    assert insights(streamspace, template="firefox")["starts"] == 1


def test_an_event_that_comes_twice_counts_once(plugin, streamspace):
    started(plugin, 1, 9)
    started(plugin, 1, 9)

    assert insights(streamspace)["starts"] == 1


def test_another_time_zone_is_the_same_moment(plugin, streamspace):
    today = datetime.now(UTC).date()
    plugin.on_session_started({"id": "s", "template": "vscode"}, {"id": 1, "time": f"{today}T12:30:00+02:00"})

    assert insights(streamspace)["busiest_hour"] == 10


def test_only_the_last_days_count(plugin, streamspace):
    started(plugin, 1, 9, days_ago=6)
    started(plugin, 2, 9, days_ago=7)

    assert insights(streamspace)["starts"] == 1
    assert insights(streamspace, days=8)["starts"] == 2
    assert insights(streamspace, days=1) | {"from": ""} == {"from": "", "starts": 0, "busiest_hour": None, "by_hour": [], "by_template": []}


@pytest.mark.parametrize("days", [0, 731, "7", True, 1.5])
def test_days_that_make_no_sense_are_refused(plugin, streamspace, days):
    with pytest.raises(ValueError, match="'days' must be a whole number"):
        insights(streamspace, days=days)


def test_old_starts_are_forgotten(plugin, streamspace):
    started(plugin, 1, 9, days_ago=90)
    started(plugin, 2, 9, days_ago=91)

    plugin.forget_old_starts()

    assert [key.rpartition(":")[2] for key in streamspace.storage] == ["1"]


def test_who_may_see_sessions_may_see_this(plugin, streamspace):
    assert streamspace.registered["session-insights"]["permissions"] == ["sessions.view"]
