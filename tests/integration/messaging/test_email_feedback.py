"""Bounces and complaints are recorded, keep further email away from their addresses, and are an administrator's to clear."""

from __future__ import annotations

import json

import pytest

from chalicelib.workers import email_feedback

MAIL = {"to": "max@example.com", "bcc": "jane@example.com", "subject": "Report", "text": "Hi"}


def bounce(address="jane@example.com", kind="Permanent", at="2026-01-02T03:04:05.000Z", sender="report"):
    """As SES publishes it to SNS."""
    return {
        "eventType": "Bounce",
        "bounce": {
            "bounceType": kind,
            "bounceSubType": "General",
            "bouncedRecipients": [
                {"emailAddress": address, "action": "failed", "status": "5.1.1", "diagnosticCode": "smtp; 550 5.1.1 user unknown"}
            ],
            "timestamp": at,
            "feedbackId": "0100017",
        },
        "mail": {"messageId": "m-1", "destination": [address], "tags": {"ses:source-ip": ["192.0.2.1"], "sender": [sender]}},
    }


def complaint(address="jane@example.com", said="abuse"):
    return {
        "eventType": "Complaint",
        "complaint": {
            "complainedRecipients": [{"emailAddress": address}],
            "timestamp": "2026-01-02T03:04:06.000Z",
            "complaintFeedbackType": said,
        },
        "mail": {"messageId": "m-2", "destination": [address], "tags": {}},
    }


def tell(*events):
    """Through SNS and SQS: the ids of the messages that are given back."""
    records = [
        {"messageId": str(number), "body": json.dumps({"Type": "Notification", "Message": json.dumps(event)})}
        for number, event in enumerate(events)
    ]
    return [one["itemIdentifier"] for one in email_feedback.handle({"Records": records})["batchItemFailures"]]


@pytest.fixture
def admin(messaging_api, reader, personal_token):
    token = personal_token(reader("ann", role="admin"))
    return lambda method, path, **query: messaging_api(method, path, token=token, query=query)


def test_an_address_that_bounced_is_left_out_with_a_reason(messaging_api, plugin_token, outbox):
    assert tell(bounce()) == []

    status, body = messaging_api("POST", "/email", MAIL, token=plugin_token)

    assert status == 202
    assert set(outbox[0].destinations) == {"max@example.com"}  # moto adds those of the headers
    assert body["data"]["skipped"] == [
        {"address": "jane@example.com", "reason": "Mail to it came back (Permanent: General, 2026-01-02T03:04:05Z)"}
    ]


def test_where_nobody_is_left_the_email_is_refused_and_says_why(messaging_api, plugin_token, outbox):
    tell(bounce(), complaint("max@example.com"))

    status, body = messaging_api(
        "POST", "/email", {**MAIL, "to": "Jane@Example.com", "cc": "max@example.com", "bcc": []}, token=plugin_token
    )

    assert (status, body["error"]["code"], outbox) == (422, "INVALID_EMAIL_ADDRESS", [])
    assert "came back" in body["error"]["details"]["to"][0]
    assert "unwanted" in body["error"]["details"]["cc"][0]


@pytest.mark.parametrize("event", [bounce(kind="Transient"), bounce(kind="Undetermined"), complaint(said="not-spam")])
def test_what_may_pass_is_recorded_and_keeps_nothing_away(messaging_api, plugin_token, outbox, admin, event):
    tell(event)

    assert len(admin("GET", "/admin/email/bounces")[1]["data"]) == 1
    assert messaging_api("POST", "/email", MAIL, token=plugin_token)[1]["data"]["skipped"] == []


def test_an_administrator_reads_what_came_back_newest_first_and_who_sent_it(admin, aws_calls):
    tell(*[bounce(f"u{number}@example.com", at=f"2026-01-02T03:04:0{number}.000Z") for number in range(5)])
    aws_calls.clear()

    status, body = admin("GET", "/admin/email/bounces", limit=2)

    assert status == 200
    assert len(aws_calls) <= 3
    assert body["data"][0] == {
        "address": "u4@example.com",
        "kind": "bounce",
        "reason": "Permanent: General",
        "diagnostic": "smtp; 550 5.1.1 user unknown",
        "messageId": "m-1",
        "sender": "report",
        "occurredAt": "2026-01-02T03:04:04Z",
        "suppressed": True,
    }
    _, more = admin("GET", "/admin/email/bounces", limit=10, cursor=body["meta"]["next_cursor"])
    assert [one["address"][:2] for one in body["data"] + more["data"]] == ["u4", "u3", "u2", "u1", "u0"]
    assert more["meta"]["next_cursor"] is None
    assert [one["address"] for one in admin("GET", "/admin/email/bounces", address="U1@example.com")[1]["data"]] == ["u1@example.com"]


def test_a_cleared_address_gets_email_again_and_its_history_stays(messaging_api, plugin_token, outbox, admin):
    tell(bounce())

    assert admin("DELETE", "/admin/email/bounces/jane%40example.com")[0] == 200

    assert messaging_api("POST", "/email", MAIL, token=plugin_token)[1]["data"]["skipped"] == []
    assert [one["suppressed"] for one in admin("GET", "/admin/email/bounces")[1]["data"]] == [False]
    assert admin("DELETE", "/admin/email/bounces/jane%40example.com")[0] == 404


def test_the_same_event_twice_is_one_and_a_strange_one_holds_up_nobody(admin):
    strange = {"eventType": "Bounce", "bounce": {"bouncedRecipients": [{"emailAddress": "x@example.com"}]}}

    assert tell(bounce(), strange, bounce(), {"eventType": "Delivery", "mail": {}}) == ["1"]

    assert len(admin("GET", "/admin/email/bounces")[1]["data"]) == 1


def test_only_administrators_read_and_clear(messaging_api, reader, personal_token, plugin_token):
    manager = personal_token(reader("max", role="manager"))

    for token in (manager, plugin_token):
        assert messaging_api("GET", "/admin/email/bounces", token=token)[0] == 403
        assert messaging_api("DELETE", "/admin/email/bounces/a%40example.com", token=token)[0] == 403
