"""The plugin on a fake ``streamspace``: storage is a dict, commands are kept by name."""

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
        return [key for key in self if key.startswith(prefix)]


@pytest.fixture
def streamspace(monkeypatch):
    fake = types.ModuleType("streamspace")
    fake.storage = Storage()
    fake.registered = {}
    fake.commands = types.SimpleNamespace(register=lambda **command: fake.registered.update({command["name"]: command}))
    fake.log = types.SimpleNamespace(info=lambda *_: None)
    monkeypatch.setitem(sys.modules, "streamspace", fake)
    return fake


@pytest.fixture
def plugin(streamspace):
    spec = importlib.util.spec_from_file_location("audit_trail", Path(__file__).parents[1] / "plugin.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    plugin = module.Plugin()
    plugin.config = {"retention_days": 30, "record_sign_ins": True}
    plugin.on_load()
    return plugin


def session_event(number, kind="session.created", time="2026-01-02T03:04:05Z", user="john"):
    session = {"id": f"{user}-vscode", "user": user, "template": "vscode", "state": "running"}
    event = {"id": number, "type": kind, "time": time, "aggregate": f"session#{user}-vscode", "data": session}
    return session, event


def search(streamspace, **args):
    return streamspace.registered["audit-search"]["handler"](args)


def test_an_event_delivered_twice_is_one_entry(plugin, streamspace):
    for _ in range(2):
        plugin.on_session_created(*session_event(7301))

    assert search(streamspace) == {
        "entries": [
            {
                "id": "7301",
                "time": "2026-01-02T03:04:05Z",
                "action": "session.created",
                "user": "john",
                "detail": {"session": "john-vscode", "template": "vscode", "state": "running"},
            }
        ],
        "more": False,
    }


def test_entries_are_found_by_user_action_and_time_newest_first(plugin, streamspace):
    plugin.on_session_created(*session_event(1, time="2026-01-01T10:00:00Z"))
    plugin.on_session_woken(*session_event(2, "session.woken", time="2026-01-03T10:00:00.500Z"))
    plugin.on_session_created(*session_event(3, time="2026-01-02T23:59:59Z", user="jane"))
    plugin.on_user_created({"username": "a:b"}, {"id": 4, "type": "user.created", "time": "2026-01-04T00:00:00Z"})

    def ids(**args):
        return [entry["id"] for entry in search(streamspace, **args)["entries"]]

    assert ids() == ["4", "2", "3", "1"]
    assert ids(user="john") == ["2", "1"]
    assert ids(user="a:b") == ["4"]
    assert ids(action="session") == ["2", "3", "1"]
    assert ids(action="session.woken") == ["2"]
    assert ids(**{"from": "2026-01-02", "to": "2026-01-02"}) == ["3"]
    assert ids(**{"from": "2026-01-02T23:59:59Z"}) == ["4", "2", "3"]
    assert search(streamspace, limit=1)["more"] is True


def test_what_happened_in_the_same_second_stays_in_order(plugin, streamspace):
    for number, kind in ((9, "created"), (10, "started"), (11, "deleted")):
        getattr(plugin, f"on_session_{kind}")(*session_event(number, f"session.{kind}"))

    assert [entry["id"] for entry in search(streamspace)["entries"]] == ["11", "10", "9"]


def test_a_wrong_time_says_what_to_write_instead(plugin, streamspace):
    with pytest.raises(ValueError, match="not a time such as '2026-01-02T03:04:05Z'"):
        search(streamspace, **{"from": "yesterday"})


def test_another_plugin_may_record_twice_and_is_told_what_is_missing(plugin, streamspace):
    record = streamspace.registered["audit-record"]["handler"]
    entry = {"action": "mail.sent", "user": "john", "time": "2026-01-02T03:04:05Z", "id": "9-mail"}

    record(entry)
    record(entry)

    assert len(streamspace.storage) == 1
    with pytest.raises(ValueError, match="needs 'action'"):
        record({"user": "john"})


def test_only_what_is_older_than_the_retention_is_purged(plugin, streamspace):
    now = datetime.now(UTC)
    for number, days in enumerate((29, 31, 400)):
        plugin.on_session_created(*session_event(number, time=(now - timedelta(days=days)).isoformat()))

    plugin.purge_old_entries()

    assert [entry["id"] for entry in search(streamspace)["entries"]] == ["0"]


def test_signing_in_is_recorded_only_if_wanted(plugin, streamspace):
    plugin.config["record_sign_ins"] = False
    plugin.on_user_login({"username": "john"}, {"id": 5, "type": "user.login", "time": "2026-01-02T03:04:05Z"})
    assert not streamspace.storage

    plugin.config["record_sign_ins"] = True
    plugin.on_user_logout({"username": "john"}, {"id": 6, "type": "user.logout", "time": "2026-01-02T03:04:05Z"})
    assert len(streamspace.storage) == 1


HOOKS = {
    "session": ["created", "started", "stopped", "hibernated", "woken", "deleted"],
    "user": ["created", "updated", "deleted", "login", "logout"],
}


@pytest.mark.parametrize("name", [f"on_{what}_{change}" for what, changes in HOOKS.items() for change in changes])
def test_every_event_of_the_platform_has_a_hook(plugin, name):
    assert callable(getattr(plugin, name))
