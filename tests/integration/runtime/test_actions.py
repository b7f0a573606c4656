"""Buttons of notifications that run something of their plugin's: once for each person, and never in silence."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from chalicelib import accounts, messaging
from chalicelib.accounts import Caller
from chalicelib.core.errors import OperationInProgress
from chalicelib.events import unit_of_work
from chalicelib.messaging import NotificationActionUnavailable, NotificationAlreadyActed
from chalicelib.messaging.errors import NotificationNotFound
from chalicelib.runtime import active
from chalicelib.runtime.actions import Pressed, press
from chalicelib.runtime.errors import NotificationActionFailed, PluginCrashed

SENDER = Caller("plugin", "updater", "updater", "user", frozenset({"notifications"}))
ACTIONS = [{"label": "Go", "url": "/x"}, {"label": "Later", "handler": "fn:1"}, {"label": "Both", "handler": "named", "url": "/y"}]


@pytest.fixture
def jane(aws):
    return person("jane")


def person(name):
    accounts.create_user(username=name, full_name=name, email=f"{name}@example.com", by=None)
    return Caller("user", name, name, "user", None)


@pytest.fixture
def updater(plugin_queue, functions):
    """An active plugin; ``updater(answer)`` says what its function answers to a click."""
    plugin_queue("updater", settings_version=5)

    def answers(answer):
        functions.answer("test-plugin-updater", answer if callable(answer) else lambda event: answer)

    answers({"ok": True, "handled": "handler", "message": "Done"})
    return answers


def sent(to="jane", by=SENDER):
    return messaging.notify(to, "Update", "New", actions=ACTIONS, by=by).id


@pytest.mark.parametrize("to", ["jane", "*"])
def test_a_click_runs_the_plugins_function_once_for_each_person(jane, updater, functions, to):
    notification = sent(to)

    assert press(jane, notification, 1) == Pressed(None, "Done")

    name, told = functions.calls[-1]
    assert name == "test-plugin-updater"
    assert told.pop("deadline_ms")
    assert told == {
        "kind": "action",
        "handler_id": "fn:1",
        "notification": {"id": notification, "title": "Update", "message": "New", "type": "info"},
        "action": {"index": 1, "label": "Later"},
        "caller": {"username": "jane"},
        "settings_version": 5,
    }
    for again in (1, 2):
        with pytest.raises(NotificationAlreadyActed):
            press(jane, notification, again)
    assert len(functions.calls) == 1
    assert press(jane, notification, 0) == Pressed("/x")
    if to == "*":
        assert press(person("max"), notification, 2) == Pressed("/y", "Done")


@pytest.mark.parametrize("to", ["jane", "*"])
def test_of_many_clicks_at_once_one_runs(jane, updater, functions, to):
    notification = sent(to)

    def click(_):
        try:
            return press(jane, notification, 1).message
        except NotificationAlreadyActed as refused:
            return refused.code

    with ThreadPoolExecutor(4) as pool:
        outcomes = sorted(pool.map(click, range(4)))

    assert outcomes == ["Done"] + ["NOTIFICATION_ALREADY_ACTED"] * 3
    assert len(functions.calls) == 1


@pytest.mark.parametrize("to", ["jane", "*"])
@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        ({"ok": True, "handled": None}, NotificationActionUnavailable, "has no onNotificationAction"),
        ({"ok": False, "error": {"name": "E", "message": "no disk", "location": "index.js:2"}}, NotificationActionFailed, "no disk"),
        (None, PluginCrashed, "'updater'"),
    ],
)
def test_a_click_that_came_to_nothing_says_so_and_can_be_made_again(jane, updater, functions, answer, error, words, to):
    notification = sent(to)
    updater(answer)

    for _ in range(2):
        with pytest.raises(error) as told:
            press(jane, notification, 1)
        assert words in told.value.message

    updater({"ok": True, "handled": "hook", "message": 7})
    assert press(jane, notification, 1) == Pressed(None)


def test_without_its_plugin_a_button_says_why_nothing_runs(jane, functions):
    with pytest.raises(NotificationActionUnavailable) as away:
        press(jane, sent(), 1)
    with pytest.raises(NotificationActionUnavailable) as nobodys:
        press(jane, sent(by=jane), 1)

    assert "the plugin 'updater' is not active" in away.value.message
    assert "no plugin sent" in nobodys.value.message
    assert functions.calls == []


def test_while_its_plugin_is_updated_a_button_waits_for_another_press(jane, updater, functions):
    notification = sent()
    active.hold("updater")
    with pytest.raises(OperationInProgress):
        press(jane, notification, 1)
    assert functions.calls == []

    with unit_of_work() as work:
        active.put(work, replace(active.find("updater"), is_held=False))

    assert press(jane, notification, 1).message == "Done"


def test_only_who_got_the_notification_presses_its_buttons(jane, updater, functions):
    mine, theirs = sent(), person("max")

    with pytest.raises(NotificationNotFound):
        press(theirs, mine, 1)
    with pytest.raises(NotificationNotFound):
        press(theirs, messaging.notify("@admins", "t", "m", actions=ACTIONS, by=SENDER).id, 1)
    assert functions.calls == []
