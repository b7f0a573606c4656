"""The routes of messaging: bodies, codes, costs."""

import base64
from email import message_from_string
from email.policy import default

import pytest

from chalicelib import accounts, messaging
from chalicelib.api import email, notifications
from chalicelib.core import config

SENDER = "no-reply@streamspace.example"
MAIL = {"to": "jane@example.com", "subject": "Hello", "text": "Hi"}


def budget(method: str, pattern: str) -> int:
    return next(
        route.aws_calls
        for route in notifications.routes.declared + email.routes.declared
        if (route.method, route.pattern) == (method, f"/api/v1{pattern}")
    )


def test_a_plugin_tells_a_user_with_the_documented_object(messaging_api, reader, plugin_token, aws_calls):
    reader("jane")
    aws_calls.clear()

    status, body = messaging_api(
        "POST",
        "/notifications",
        {
            "to": "jane",
            "title": "Update",
            "message": "New",
            "actions": [{"label": "Now", "url": "/x"}, {"label": "Later", "handler": "h1"}],
        },
        token=plugin_token,
    )

    assert status == 201
    assert len(aws_calls) == budget("POST", "/notifications")
    assert body["data"].pop("id").startswith("ntf_")
    assert body["data"].pop("createdAt").endswith("Z")
    assert body["data"] == {
        "title": "Update",
        "message": "New",
        "type": "info",
        "actions": [{"label": "Now", "url": "/x"}, {"label": "Later"}],
        "dismissible": True,
        "timeout": 5000,
        "persistent": True,
        "from": {"kind": "plugin", "id": "report", "name": "report"},
        "read": False,
    }


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"to": "nobody"}, "USER_NOT_FOUND"),
        ({"title": ""}, "VALIDATION_ERROR"),
        ({"type": "alarm"}, "VALIDATION_ERROR"),
        ({"timeout": -1}, "VALIDATION_ERROR"),
        ({"actions": [{"label": "x", "url": "javascript:alert(1)"}]}, "VALIDATION_ERROR"),
        ({"icon": "x"}, "VALIDATION_ERROR"),
    ],
)
def test_a_faulty_notification_is_refused(messaging_api, plugin_token, change, code):
    _, body = messaging_api("POST", "/notifications", {"to": "*", "title": "t", "message": "m", **change}, token=plugin_token)

    assert body["error"]["code"] == code


def test_a_person_reads_marks_follows_and_dismisses(messaging_api, reader, personal_token, aws_calls):
    jane = reader("jane", role="admin")
    token = personal_token(jane)
    for to in ("jane", "*", "@admins"):
        messaging.notify(to, "t", "m", actions=[{"label": "Go", "url": "/x"}])
    aws_calls.clear()

    _, listed = messaging_api("GET", "/notifications", token=token)
    assert len(aws_calls) == budget("GET", "/notifications")
    assert (listed["meta"]["unread"], listed["meta"]["next_cursor"], len(listed["data"])) == (3, None, 3)

    for one in listed["data"]:
        for method, path, pattern, expected in (
            ("POST", f"/notifications/{one['id']}/read", "/notifications/{id}/read", None),
            ("POST", f"/notifications/{one['id']}/actions/0", "/notifications/{id}/actions/{n}", {"url": "/x", "message": None}),
            ("DELETE", f"/notifications/{one['id']}", "/notifications/{id}", None),
        ):
            aws_calls.clear()
            status, body = messaging_api(method, path, token=token)
            assert (status, body["data"]) == (200, expected)
            # A button with a link spends less than one that runs something.
            assert len(aws_calls) == (2 if "actions" in path else budget(method, pattern))

    _, after = messaging_api("GET", "/notifications", token=token, query={"unread": "true"})
    assert (after["data"], after["meta"]["unread"]) == ([], 0)


def test_the_codes_of_what_cannot_be_done(messaging_api, reader, personal_token):
    token = personal_token(reader("jane"))
    fixed = messaging.notify("jane", "t", "m", dismissible=False, actions=[{"label": "Later", "handler": "h"}])

    for method, path, status, code in (
        ("DELETE", f"/notifications/{fixed.id}", 409, "NOTIFICATION_NOT_DISMISSIBLE"),
        ("POST", f"/notifications/{fixed.id}/actions/0", 409, "NOTIFICATION_ACTION_UNAVAILABLE"),
        ("POST", f"/notifications/{fixed.id}/actions/x", 404, "NOTIFICATION_ACTION_NOT_FOUND"),
        ("POST", "/notifications/ntf_nothing/read", 404, "NOTIFICATION_NOT_FOUND"),
    ):
        answered, body = messaging_api(method, path, token=token)
        assert (answered, body["error"]["code"]) == (status, code)


def test_a_plugin_sends_mail_to_many_with_one_call_beside_its_token(messaging_api, plugin_token, outbox, aws_calls):
    aws_calls.clear()

    status, body = messaging_api(
        "POST",
        "/email",
        {
            **MAIL,
            "html": "<p>Hi</p>",
            "from": f"Reports <{SENDER}>",
            "cc": ["max@example.com"],
            "bcc": "secret@example.com",
            "attachments": [{"filename": "a.log", "content": base64.b64encode(b"\x00log").decode(), "contentType": "text/plain"}],
        },
        token=plugin_token,
    )

    assert status == 202
    # The token is read along with what is allowed, where that was not read within the last second.
    assert [one.removeprefix("Batch") for one in aws_calls] == ["GetItem", "GetItem", "SendRawEmail"]
    assert body["data"] == {"message_id": outbox[0].id, "skipped": []}
    assert set(outbox[0].destinations) == {"jane@example.com", "max@example.com", "secret@example.com"}
    assert "secret" not in outbox[0].raw_data
    message = message_from_string(outbox[0].raw_data, policy=default)
    assert message["From"] == f"Reports <{SENDER}>"
    assert [part.get_payload(decode=True) for part in message.iter_attachments()] == [b"\x00log"]


def test_a_template_is_sent(messaging_api, plugin_token, outbox):
    status, _ = messaging_api(
        "POST",
        "/email",
        {"to": "jane@example.com", "subject": "Welcome", "template": "welcome", "data": {"username": "jane"}},
        token=plugin_token,
    )

    assert status == 202
    assert "Welcome to StreamSpace, jane!" in outbox[0].raw_data


@pytest.mark.parametrize(
    ("change", "status", "code", "field"),
    [
        ({"to": ["jane@example.com", "jane"]}, 422, "INVALID_EMAIL_ADDRESS", "to"),
        ({"from": "ceo@streamspace.example"}, 422, "VALIDATION_ERROR", "from"),
        ({"subject": "Hello\nBcc: x@example.com"}, 422, "VALIDATION_ERROR", "subject"),
        ({"attachments": [{"filename": "a", "content": "no base64!"}]}, 422, "VALIDATION_ERROR", "attachments.0.content"),
        ({"template": "welcome"}, 422, "VALIDATION_ERROR", "template"),
        ({"text": None}, 422, "VALIDATION_ERROR", "text"),
    ],
)
def test_a_faulty_email_is_refused_and_not_sent(messaging_api, plugin_token, outbox, change, status, code, field):
    answered, body = messaging_api("POST", "/email", {**MAIL, **change}, token=plugin_token)

    assert (answered, body["error"]["code"], list(body["error"]["details"])) == (status, code, [field])
    assert outbox == []


def test_an_unknown_template_is_not_found(messaging_api, plugin_token, outbox):
    status, body = messaging_api("POST", "/email", {"to": "jane@example.com", "subject": "x", "template": "bye"}, token=plugin_token)

    assert (status, body["error"]["code"]) == (404, "TEMPLATE_NOT_FOUND")
    assert "welcome" in body["error"]["message"]


def test_without_a_sender_no_email_is_configured(messaging_api, plugin_token, aws):
    status, body = messaging_api("POST", "/email", MAIL, token=plugin_token)

    assert (status, body["error"]["code"]) == (503, "EMAIL_NOT_CONFIGURED")


def test_a_sender_that_ses_does_not_know_is_not_configured_either(messaging_api, plugin_token, aws):
    with config.overridden(EMAIL_SENDER="stranger@example.com"):
        status, body = messaging_api("POST", "/email", MAIL, token=plugin_token)

    assert (status, body["error"]["code"]) == (503, "EMAIL_NOT_CONFIGURED")
    assert "stranger@example.com" in body["error"]["message"] or "not verified" in body["error"]["message"]


def test_who_may_send_email(messaging_api, reader, personal_token, outbox):
    for role, expected in (("user", 403), ("manager", 403), ("admin", 202)):
        status, _ = messaging_api("POST", "/email", MAIL, token=personal_token(reader(role, role=role)))
        assert status == expected
    without_scope = accounts.issue_plugin_token("quiet", frozenset({"notifications"}))

    status, body = messaging_api("POST", "/email", MAIL, token=without_scope)

    assert (status, body["error"]["details"]) == (403, {"scope": "email"})
