"""Dialogs: asked in a plugin's name, answered once, by the person they are for, while somebody waits."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from chalicelib import accounts, messaging
from chalicelib.accounts import Caller, UserNotFound
from chalicelib.core import clock
from chalicelib.core.errors import PermissionDenied, ValidationError
from chalicelib.messaging import DialogClosed, DialogNotFound

CLEANER = Caller("plugin", "cleaner", "cleaner", "user", frozenset({"ui"}))
OTHER = Caller("plugin", "other", "other", "user", frozenset({"ui", "admin"}))
# A plugin may be called as a person is.
NAMESAKE = Caller("plugin", "jane", "jane", "user", frozenset({"ui"}))
BUTTONS = [{"label": "Cancel", "value": False}, {"label": "Delete", "value": {"ids": [1, 2]}, "color": "error"}]


@pytest.fixture
def jane(reader):
    return reader("jane")


def asked(**options):
    return messaging.ask("jane", "Delete", "Sure?", by=CLEANER, **{"type": "confirm", "buttons": BUTTONS, "timeout_ms": 20_000, **options})


def test_the_person_sees_the_dialog_answers_it_and_the_plugin_learns_the_buttons_value(jane):
    dialog = asked()

    assert [one.id for one in messaging.asked_of(jane)] == [dialog.id]
    messaging.answer(jane, dialog.id, {"ids": [1, 2]})

    seen = messaging.dialog_of(CLEANER, dialog.id)
    assert (seen.status, seen.value) == ("answered", {"ids": [1, 2]})
    assert messaging.asked_of(jane) == []


def test_a_look_at_an_open_dialog_is_answered_at_once_with_one_read(jane, aws_calls):
    """However long a plugin waits, none of the platform's functions waits with it."""
    dialog = asked()
    aws_calls.clear()

    assert messaging.dialog_of(CLEANER, dialog.id).status == "pending"

    assert aws_calls == ["GetItem"]


@pytest.mark.parametrize(
    ("value", "ok"),
    [(None, True), (False, True), ({"ids": [1, 2.0]}, True), (True, False), (0, False), ({"ids": [1]}, False), ("Delete", False)],
)
def test_only_what_a_button_means_is_an_answer(jane, value, ok):
    dialog = asked()

    if ok:
        assert messaging.answer(jane, dialog.id, value).status == "answered"
        return
    with pytest.raises(ValidationError) as refused:
        messaging.answer(jane, dialog.id, value)
    assert "Cancel, Delete" in refused.value.details["value"][0]
    assert messaging.dialog_of(CLEANER, dialog.id).status == "pending"


def test_of_many_answers_at_once_one_counts(jane):
    dialog = asked()

    def press(value):
        try:
            messaging.answer(jane, dialog.id, value)
        except DialogClosed as closed:
            return closed.message
        return value

    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(press, [False, None, False, {"ids": [1, 2]}]))

    assert sum(outcome == "You have answered this dialog already" for outcome in outcomes) == 3
    assert messaging.dialog_of(CLEANER, dialog.id).value in outcomes


@pytest.mark.parametrize("kind", ["withdrawn", "expired"])
def test_nobody_answers_into_the_void(jane, kind):
    dialog = asked()
    if kind == "withdrawn":
        assert messaging.withdraw(CLEANER, dialog.id).status == "withdrawn"

    with clock.travel(21 if kind == "expired" else 0):
        assert messaging.asked_of(jane) == []
        with pytest.raises(DialogClosed) as closed:
            messaging.answer(jane, dialog.id, False)
        assert closed.value.message == "The plugin does not wait for the answer any more"
        assert messaging.dialog_of(jane, dialog.id).status == kind


def test_withdrawing_what_was_answered_tells_the_answer(jane):
    dialog = asked()
    messaging.answer(jane, dialog.id, False)

    late = messaging.withdraw(CLEANER, dialog.id)

    assert (late.status, late.value) == ("answered", False)


def test_a_dialog_is_nobody_elses(jane, reader):
    dialog, admin = asked(), reader("root", role="admin")

    for stranger in (admin, OTHER, NAMESAKE):
        with pytest.raises(DialogNotFound):
            messaging.dialog_of(stranger, dialog.id)
    with pytest.raises(DialogNotFound):
        messaging.answer(admin, dialog.id, False)
    with pytest.raises(DialogNotFound):
        messaging.withdraw(OTHER, dialog.id)
    with pytest.raises(PermissionDenied):
        messaging.answer(CLEANER, dialog.id, False)
    with pytest.raises(PermissionDenied):
        messaging.withdraw(jane, dialog.id)
    with pytest.raises(PermissionDenied):
        messaging.asked_of(NAMESAKE)
    assert messaging.asked_of(admin) == []
    assert messaging.dialog_of(CLEANER, dialog.id).status == "pending"


def test_somebody_who_is_not_there_cannot_be_asked_and_who_goes_leaves_no_dialog(jane):
    with pytest.raises(UserNotFound):
        messaging.ask("nobody", "t", "m", timeout_ms=1000, by=CLEANER)
    dialog = asked()

    messaging.forget_user("jane")

    assert messaging.asked_of(jane) == []
    with pytest.raises(DialogNotFound):
        messaging.dialog_of(CLEANER, dialog.id)


@pytest.fixture
def tokens(jane, personal_token):
    return accounts.issue_plugin_token("cleaner", frozenset({"ui"})), personal_token(jane)


def test_the_routes(messaging_api, tokens, aws_calls):
    from chalicelib.api.dialogs import routes

    budgets = {(route.method, route.pattern.removeprefix("/api/v1")): route.aws_calls for route in routes.declared}
    plugin, person = tokens
    new = {"to": "jane", "title": "Delete", "message": "Sure?", "type": "confirm", "timeout": 20_000}

    def spend(method, path, body=None, *, token, pattern=None, **query):
        aws_calls.clear()
        status, answer = messaging_api(method, path, body, token=token, query=query)
        assert len(aws_calls) <= budgets[method, pattern or path]
        return status, answer

    status, made = spend("POST", "/dialogs", new, token=plugin)
    assert (status, made["data"]["status"]) == (201, "pending")
    assert made["data"]["buttons"] == [{"label": "Cancel", "value": False}, {"label": "OK", "value": True}]
    key = made["data"]["id"]
    _, listed = spend("GET", "/dialogs", token=person)
    assert [one["id"] for one in listed["data"]] == [key]
    assert listed["data"][0]["from"] == {"kind": "plugin", "id": "cleaner", "name": "cleaner"}
    assert spend("GET", f"/dialogs/{key}", token=plugin, pattern="/dialogs/{id}")[1]["data"]["status"] == "pending"
    answer = f"/dialogs/{key}/answer"
    assert spend("POST", answer, {"value": "x"}, token=person, pattern="/dialogs/{id}/answer")[0] == 422
    assert spend("POST", answer, {}, token=person, pattern="/dialogs/{id}/answer")[0] == 422
    assert spend("POST", answer, {"value": True}, token=person, pattern="/dialogs/{id}/answer")[0] == 200
    status, again = spend("POST", answer, {"value": True}, token=person, pattern="/dialogs/{id}/answer")
    assert (status, again["error"]["code"], again["error"]["details"]) == (409, "DIALOG_CLOSED", {"status": "answered"})
    assert spend("DELETE", f"/dialogs/{key}", token=plugin, pattern="/dialogs/{id}")[1]["data"]["value"] is True
    assert spend("GET", "/dialogs/dlg_none", token=person, pattern="/dialogs/{id}")[1]["error"]["code"] == "DIALOG_NOT_FOUND"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"buttons": []}, "buttons"),
        ({"buttons": [{"label": "x"}]}, "buttons.0.value"),
        ({"buttons": [{"label": "x", "value": "y" * 5000}]}, "buttons.0.value"),
        ({"type": "question"}, "type"),
        ({"timeout": 0}, "timeout"),
        ({"title": ""}, "title"),
        ({"icon": "x"}, "icon"),
    ],
)
def test_a_faulty_dialog_is_refused(messaging_api, tokens, change, field):
    status, body = messaging_api("POST", "/dialogs", {"to": "jane", "title": "t", "message": "m", **change}, token=tokens[0])

    assert (status, list(body["error"]["details"])) == (422, [field])


def test_only_plugins_with_the_scope_ask(messaging_api, tokens):
    new = {"to": "jane", "title": "t", "message": "m"}
    mute = accounts.issue_plugin_token("mute", frozenset({"notifications"}))

    assert messaging_api("POST", "/dialogs", new, token=tokens[1])[0] == 403
    assert messaging_api("POST", "/dialogs", new, token=mute)[1]["error"]["details"] == {"scope": "ui"}
