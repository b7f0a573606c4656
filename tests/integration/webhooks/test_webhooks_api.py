"""``/admin/webhooks`` as the document has it."""

from __future__ import annotations

import json

import pytest

from chalicelib import accounts, webhooks
from chalicelib.accounts import Caller
from chalicelib.api import webhooks as resource
from chalicelib.api.http import Api
from tests.unit.api.conftest import ask

EXAMPLE = {
    "url": "https://your-server.com/webhook",
    "events": ["plugin.installed", "plugin.activated", "plugin.deactivated", "plugin.updated", "plugin.uninstalled"],
    "secret": "your_webhook_secret",
}


@pytest.fixture
def app():
    api = Api("test")
    api.include(resource.routes)
    return api


@pytest.fixture
def call(app, queues, aws_calls):
    """Answers, and holds each route to its budget."""

    def token(role):
        if accounts.find_user(role) is None:
            accounts.create_user(username=role, full_name=role, email=f"{role}@example.com", role=role, by=None)
        return accounts.create_token(Caller("user", role, role, role, None), "test", None).text

    def make(method, path, body=None, *, role="admin", pattern=None, query=None):
        headers = {"authorization": f"Bearer {token(role)}", "content-type": "application/json"}
        aws_calls.clear()
        answer = ask(app, method, f"/api/v1{path}", None if body is None else json.dumps(body), headers=headers, query=query)
        if pattern:
            assert len(aws_calls) <= app.declared[f"/api/v1{pattern}"][method].aws_calls, aws_calls
        return answer

    return make


def test_the_documents_example_is_accepted_and_its_secret_never_shown(call):
    made = call("POST", "/admin/webhooks", EXAMPLE, pattern="/admin/webhooks")
    one = made.body["data"]
    read = call("GET", f"/admin/webhooks/{one['id']}", pattern="/admin/webhooks/{id}")
    listed = call("GET", "/admin/webhooks", pattern="/admin/webhooks")

    assert made.status == 201
    assert (one["url"], one["events"], one["is_active"]) == (EXAMPLE["url"], EXAMPLE["events"], True)
    assert read.body["data"] == one == listed.body["data"][0]
    assert EXAMPLE["secret"] not in made.text + read.text + listed.text


def test_without_a_secret_one_is_made_and_shown_this_once(call):
    one = call("POST", "/admin/webhooks", EXAMPLE).body["data"]
    made = call("POST", "/admin/webhooks", {key: EXAMPLE[key] for key in ("url", "events")}).body["data"]

    assert "secret" not in one
    assert made["secret"].startswith("whsec_")
    assert "secret" not in call("GET", f"/admin/webhooks/{made['id']}").body["data"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"url": "http://example.com"}, "url"),
        ({"url": "https://169.254.169.254/latest"}, "url"),
        ({"url": "https://10.0.0.8/"}, "url"),
        ({"url": 5}, "url"),
        ({"url": ""}, "url"),
        ({"events": []}, "events"),
        ({"events": ["plugin.exploded"]}, "events"),
        ({"events": "plugin.installed"}, "events"),
        ({"secret": ""}, "secret"),
        ({"secret": "whsec_???"}, "secret"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_is_wrong_is_named_by_field_and_nothing_is_made(call, change, field):
    answer = call("POST", "/admin/webhooks", {**EXAMPLE, **change})

    assert (answer.status, answer.body["error"]["code"]) == (422, "VALIDATION_ERROR")
    assert field in answer.body["error"]["details"]
    assert webhooks.all_webhooks() == []


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/admin/webhooks", None),
        ("POST", "/admin/webhooks", EXAMPLE),
        ("GET", "/admin/webhooks/x", None),
        ("PATCH", "/admin/webhooks/x", {"is_active": False}),
        ("DELETE", "/admin/webhooks/x", None),
        ("POST", "/admin/webhooks/x/test", None),
        ("GET", "/admin/webhooks/x/deliveries", None),
        ("POST", "/admin/webhooks/x/deliveries/y/redeliver", None),
        ("POST", "/admin/webhooks/x/redeliver", {"since": "2026-01-01"}),
        ("POST", "/admin/webhooks/x/rotate-secret", None),
    ],
)
def test_only_those_who_manage_webhooks_get_in_and_they_learn_that_there_is_none(call, method, path, body):
    assert call(method, path, body, role="manager").status == 403
    if path != "/admin/webhooks":
        answer = call(method, path, body)
        assert (answer.status, answer.body["error"]["code"]) == (404, "WEBHOOK_NOT_FOUND")


def test_a_webhook_is_changed_switched_off_and_on_and_removed(call, webhook):
    path, pattern = f"/admin/webhooks/{webhook.id}", "/admin/webhooks/{id}"

    off = call("PATCH", path, {"is_active": False, "events": ["user.*"], "description": "ops"}, pattern=pattern).body["data"]
    on = call("PATCH", path, {"is_active": True}, pattern=pattern).body["data"]
    gone = call("DELETE", path, pattern=pattern)

    assert (off["is_active"], off["events"], off["description"]) == (False, ["user.*"], "ops")
    assert (on["is_active"], on["disabled_reason"]) == (True, None)
    assert gone.status == 200
    assert call("GET", path).status == 404
    assert call("PATCH", path, {}).status == 422


def test_the_history_shows_each_attempt_and_a_delivery_is_sent_again(call, webhook, receiver, queues, happen):
    receiver.answers = [(500, {})]
    happen()
    webhooks.deliver(queues.take())

    own = f"/admin/webhooks/{webhook.id}/deliveries"
    (one,) = call("GET", own, pattern="/admin/webhooks/{id}/deliveries").body["data"]
    again = call("POST", f"{own}/{one['id']}/redeliver", pattern="/admin/webhooks/{id}/deliveries/{delivery_id}/redeliver")

    assert (one["status"], one["status_code"], one["event"]) == ("pending", 500, "plugin.installed")
    assert [each["status_code"] for each in one["attempts"]] == [500]
    assert one["payload"]["data"]["plugin"]["slug"] == "invoice-manager"
    assert again.status == 202
    assert call("GET", f"{own}/{one['id']}", pattern="/admin/webhooks/{id}/deliveries/{delivery_id}").body["data"]["id"] == one["id"]
    assert call("GET", f"{own}/dlv_0").error["code"] == "DELIVERY_NOT_FOUND"
    assert call("GET", own, query={"from": "tomorrow"}).status == 422
    assert call("GET", own, query={"cursor": "x"}).status == 422


def test_a_test_answers_with_what_came_of_it(call, webhook, receiver):
    answer = call("POST", f"/admin/webhooks/{webhook.id}/test", pattern="/admin/webhooks/{id}/test")

    assert (answer.status, answer.body["data"]["status"], answer.body["data"]["status_code"]) == (200, "succeeded", 204)


def test_a_secret_is_replaced_and_both_are_valid_for_a_day(call, webhook):
    answer = call("POST", f"/admin/webhooks/{webhook.id}/rotate-secret", pattern="/admin/webhooks/{id}/rotate-secret").body["data"]

    assert answer["secret"].startswith("whsec_")
    assert answer["previous_secret_valid_until"] > answer["updated_at"]


def test_there_is_an_end_to_how_many_there_may_be(call, receiver, queues, monkeypatch):
    from chalicelib.webhooks import service

    monkeypatch.setattr(service, "MOST", 1)
    assert call("POST", "/admin/webhooks", EXAMPLE).status == 201

    assert call("POST", "/admin/webhooks", EXAMPLE).body["error"]["code"] == "TOO_MANY_WEBHOOKS"
