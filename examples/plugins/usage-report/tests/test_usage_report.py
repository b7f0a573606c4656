"""The plugin on a fake ``streamspace`` that keeps what was stored and sent."""

import importlib.util
import random
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


class UserNotFoundError(Exception):
    pass


class EmailNotConfiguredError(Exception):
    pass


@pytest.fixture
def streamspace(monkeypatch):
    fake = types.ModuleType("streamspace")
    fake.storage, fake.notified, fake.emails, fake.registered = Storage(), [], [], {}
    fake.users = {name: {"username": name, "email": f"{name}@example.com"} for name in ("john", "jane")}
    fake.UserNotFoundError, fake.EmailNotConfiguredError = UserNotFoundError, EmailNotConfiguredError

    def get_user(name):
        if name not in fake.users:
            raise UserNotFoundError(name)
        return fake.users[name]

    fake.api = types.SimpleNamespace(get_user=get_user)

    def notify(user, **options):
        fake.notified.append((get_user(user)["username"], options))

    fake.notify = notify
    fake.notify_admins = lambda **options: fake.notified.append(("@admins", options))
    fake.email = types.SimpleNamespace(send=lambda **options: fake.emails.append(options))
    fake.ui = types.SimpleNamespace(register_widget=lambda *_, **__: None)
    fake.commands = types.SimpleNamespace(register=lambda **command: fake.registered.update({command["name"]: command}))
    fake.log = types.SimpleNamespace(info=lambda *_: None, warn=lambda *_: None)
    monkeypatch.setitem(sys.modules, "streamspace", fake)
    return fake


@pytest.fixture
def plugin(streamspace):
    spec = importlib.util.spec_from_file_location("usage_report", Path(__file__).parents[1] / "plugin.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    plugin = module.Plugin()
    plugin.config = {"greet_users": True, "retention_days": 90, "recipients": " boss@example.com, ,it@example.com"}
    plugin.on_load()
    return plugin


def happened(plugin, number, kind, time, user="john", template="vscode"):
    session = {"id": f"{user}-{template}", "user": user, "template": template, "state": "running"}
    event = {"id": number, "type": f"session.{kind}", "time": time, "data": session}
    getattr(plugin, f"on_session_{kind}")(session, event)


def report(streamspace, **args):
    return streamspace.registered["usage-report"]["handler"](args)


DAY = {"from": "2026-01-02", "to": "2026-01-03"}
LIFE = [
    (1, "created", "2026-01-02T09:59:00Z"),
    (2, "started", "2026-01-02T10:00:00Z"),
    (3, "hibernated", "2026-01-02T10:30:00Z"),
    (4, "woken", "2026-01-02T11:00:00Z"),
    (5, "started", "2026-01-02T11:01:00Z"),
    (6, "stopped", "2026-01-02T12:00:00Z"),
    (7, "deleted", "2026-01-02T13:00:00Z"),
]


def test_minutes_are_those_between_start_or_wake_and_hibernation_or_stop(plugin, streamspace):
    for what in LIFE:
        happened(plugin, *what)

    assert report(streamspace, **DAY) == {
        "from": "2026-01-02T00:00:00Z",
        "to": "2026-01-03T00:00:00Z",
        "by": "user",
        "rows": [{"name": "john", "minutes": 90}],
        "total_minutes": 90,
    }
    assert report(streamspace, by="template", **DAY)["rows"] == [{"name": "vscode", "minutes": 90}]


@pytest.mark.parametrize("seed", range(20))
def test_duplicates_and_replays_in_any_order_count_once(plugin, streamspace, seed):
    deliveries = LIFE * 3
    random.Random(seed).shuffle(deliveries)
    for what in deliveries:
        happened(plugin, *what)

    assert report(streamspace, **DAY)["total_minutes"] == 90
    assert len(streamspace.emails) == 1
    assert sorted(options["title"] for _, options in streamspace.notified) == [
        "Session created",
        "Session started",
        "Session started",
    ]


def test_only_what_lies_in_the_asked_stretch_counts_and_most_comes_first(plugin, streamspace):
    happened(plugin, 1, "started", "2026-01-01T23:00:00Z")
    happened(plugin, 2, "started", "2026-01-02T23:50:00Z", user="jane")

    # Both run still: what is after the end of the stretch is not in it.
    assert report(streamspace, **DAY)["rows"] == [{"name": "john", "minutes": 1440}, {"name": "jane", "minutes": 10}]
    assert report(streamspace, user="jane", **DAY)["total_minutes"] == 10


def test_who_creates_a_session_is_told_what_was_used_this_month(plugin, streamspace):
    happened(plugin, 1, "started", "2026-01-02T10:00:00Z")
    happened(plugin, 2, "stopped", "2026-01-02T12:30:00Z")
    happened(plugin, 3, "created", "2026-01-03T10:00:00Z", template="firefox-browser")

    (email,) = streamspace.emails
    assert email["to"] == "john@example.com"
    assert "So far you used 2 h 30 min this month" in email["text"]
    assert streamspace.notified[-1][0] == "john"


def test_an_email_that_failed_is_sent_with_the_next_delivery_and_the_notification_is_not_repeated(plugin, streamspace):
    sent = streamspace.email.send

    def fail(**_):
        raise ConnectionError("no answer")

    streamspace.email.send = fail
    with pytest.raises(ConnectionError):
        happened(plugin, *LIFE[0])
    streamspace.email.send = sent
    happened(plugin, *LIFE[0])

    assert len(streamspace.emails) == len(streamspace.notified) == 1


def test_users_who_are_gone_and_a_platform_without_email_stop_nothing(plugin, streamspace):
    def fail(**_):
        raise EmailNotConfiguredError

    streamspace.email.send = fail
    happened(plugin, *LIFE[0])
    happened(plugin, 20, "created", "2026-01-02T10:00:00Z", user="gone")

    assert [user for user, _ in streamspace.notified] == ["john"]


def test_users_are_left_in_peace_if_the_setting_says_so(plugin, streamspace):
    plugin.config["greet_users"] = False
    for what in LIFE:
        happened(plugin, *what)

    assert (streamspace.emails, streamspace.notified) == ([], [])
    assert report(streamspace, **DAY)["total_minutes"] == 90


def test_the_daily_summary_is_sent_once_a_day_however_often_the_schedule_fires(plugin, streamspace):
    yesterday = (datetime.now(UTC) - timedelta(days=1)).date().isoformat()
    plugin.config["greet_users"] = False
    happened(plugin, 1, "started", f"{yesterday}T10:00:00Z")
    happened(plugin, 2, "stopped", f"{yesterday}T11:05:00Z")

    plugin.daily_summary()
    plugin.daily_summary()

    (email,) = streamspace.emails
    assert email["to"] == ["boss@example.com", "it@example.com"]
    assert "john: 1 h 5 min" in email["text"]
    assert [user for user, _ in streamspace.notified] == ["@admins"]


def test_old_measurements_go_and_running_sessions_stay(plugin, streamspace):
    happened(plugin, 1, "started", "2020-01-01T10:00:00Z", user="old")
    happened(plugin, 2, "stopped", "2020-01-01T11:00:00Z", user="old")
    happened(plugin, 3, "started", "2020-01-01T10:00:00Z", user="still-running")

    plugin.forget_old_measurements()

    assert list(streamspace.storage) == ["usage:still-running:vscode:still-running-vscode"]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"by": "day"}, "'user' or 'template'"),
        ({"from": "soon"}, "not a time"),
        ({"from": "2026-02-01", "to": "2026-01-01"}, "later"),
    ],
)
def test_wrong_arguments_say_what_is_right(plugin, streamspace, args, message):
    with pytest.raises(ValueError, match=message):
        report(streamspace, **args)
