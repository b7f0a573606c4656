"""Events reach their receivers; those that fail are tried again, and nobody waits for a slow one."""

import base64
import hashlib
import hmac
import json
import socket
import threading
import time

import pytest

from chalicelib import messaging, webhooks
from chalicelib.accounts import Caller
from chalicelib.core import clock, config
from chalicelib.webhooks import models, sending
from chalicelib.workers import webhooks as worker

ADMIN = Caller("user", "ann", "Ann", "admin", None)


def only_delivery(webhook):
    (one,) = webhooks.deliveries(webhook.id).deliveries
    return one


def deliver_all(queues, name="deliveries"):
    messages = queues.take(name)
    return webhooks.deliver(messages)


def test_an_event_arrives_as_the_document_shows_it_and_signed_both_ways(webhook, receiver, queues, happen):
    message = happen()

    assert deliver_all(queues) == [None]

    ((headers, content),) = receiver.got
    body = json.loads(content)
    signature = body.pop("signature")
    assert body == {
        "event": "plugin.installed",
        "timestamp": "2024-12-15T10:30:00Z",
        "data": {"plugin": {"slug": "invoice-manager", "name": "Invoice Manager", "version": "2.1.0"}},
    }
    unsigned = json.dumps(body, separators=(",", ":")).encode()
    assert signature == "sha256=" + hmac.new(b"your_webhook_secret", unsigned, hashlib.sha256).hexdigest()
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + content
    expected = base64.b64encode(hmac.new(b"your_webhook_secret", signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert headers["webhook-id"] == f"evt_{message['id']}"
    assert headers["content-type"] == "application/json"
    one = only_delivery(webhook)
    assert (one.status, one.attempts[0].status_code, one.next_attempt_at) == ("succeeded", 204, None)


def test_what_happens_to_sessions_and_users_is_named_in_the_data(webhook, receiver, queues, happen):
    happen("session.created", id="john-firefox", user="john")
    happen("user.login", username="john")

    deliver_all(queues)

    assert [body["data"] for body in sorted(receiver.bodies, key=lambda body: body["event"])] == [
        {"session": {"id": "john-firefox", "user": "john"}},
        {"user": {"username": "john"}},
    ]


def test_only_those_who_asked_are_sent_to(queues, receiver, happen):
    webhooks.create(receiver.url, ["plugin.activated"], by=ADMIN)
    other, _ = webhooks.create(receiver.url, ["plugin.installed"], by=ADMIN)

    happen("plugin.installed")

    assert [one["webhook_id"] for one in queues.take()] == [other.id]


def test_an_event_that_is_handed_in_twice_is_sent_once(webhook, receiver, queues, happen):
    message = happen()
    webhooks.fan_out(message)

    deliver_all(queues)
    deliver_all(queues)

    assert len(receiver.got) == 1


def test_two_workers_with_the_same_message_send_it_once(webhook, receiver, queues, happen):
    happen()
    (message,) = queues.take()
    receiver.answers = [lambda _: time.sleep(0.3) or (200, {})]

    webhooks.deliver([message, message, message])

    assert len(receiver.got) == 1


def test_a_failure_is_tried_again_with_the_same_id_and_its_own_timestamp(webhook, receiver, queues, happen):
    receiver.answers = [(500, {}), (503, {})]
    happen()
    (message,) = queues.take()

    webhooks.deliver([message])
    assert only_delivery(webhook).status == "pending"
    assert queues.waiting() == 1, "the second try waits on the queue, for five seconds"
    with clock.travel(10):
        webhooks.deliver([message])
    assert queues.waiting() == 2, "and the third for five minutes"
    with clock.travel(400):
        webhooks.deliver([message])

    assert only_delivery(webhook).status == "succeeded"
    sent = [headers for headers, _ in receiver.got]
    assert len({headers["webhook-id"] for headers in sent}) == 1
    assert len({headers["webhook-timestamp"] for headers in sent}) == 3
    assert models.find_webhook(webhook.id).failing_since is None


def test_what_waits_longer_than_a_queue_can_hold_is_found_by_the_sweep(webhook, receiver, queues, happen):
    receiver.answers = [(500, {})] * 4
    happen()
    (message,) = queues.take()
    ahead = 0
    for _ in range(4):
        with clock.travel(ahead):
            webhooks.deliver([message])
            ahead += (only_delivery(webhook).next_attempt_at - clock.now()).total_seconds() + 1
    queues.take()

    with clock.travel(ahead - 60):
        assert webhooks.requeue_due() == 0, "its time has not come"
    with clock.travel(ahead):
        assert webhooks.requeue_due() == 1
        assert webhooks.requeue_due() == 0, "it is on the queue now"
        deliver_all(queues)

    assert only_delivery(webhook).status == "succeeded"


def test_a_lost_message_is_found_by_the_sweep(webhook, receiver, queues, happen):
    happen()
    queues.take()

    with clock.travel(150):
        assert webhooks.requeue_due() == 1
        deliver_all(queues)

    assert only_delivery(webhook).status == "succeeded"


def test_a_worker_that_died_with_a_delivery_in_hand_loses_nothing(webhook, receiver, queues, happen):
    happen()
    (message,) = queues.take()
    assert models.lease_delivery(webhook.id, message["delivery_id"], 60) is not None

    webhooks.deliver([message])
    assert receiver.got == [], "somebody else has it in hand"
    with clock.travel(150):
        webhooks.requeue_due()
        deliver_all(queues)

    assert only_delivery(webhook).status == "succeeded"


def test_after_a_day_it_is_given_up_and_can_be_sent_again(webhook, receiver, queues, happen):
    receiver.answers = [(500, {})] * 8
    happen()
    (message,) = queues.take()
    ahead = 0
    for _ in range(8):
        with clock.travel(ahead):
            webhooks.deliver([message])
            one = only_delivery(webhook)
            if one.next_attempt_at:
                ahead += (one.next_attempt_at - clock.now()).total_seconds() + 1
    assert (one.status, len(one.attempts)) == ("failed", 8)
    assert ahead > 24 * 3600

    queues.take()
    with clock.travel(ahead):
        webhooks.redeliver(webhook.id, one.id)
        deliver_all(queues)

    again = only_delivery(webhook)
    assert (again.status, len(again.attempts)) == ("succeeded", 9)
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1


def test_all_failures_since_a_time_are_sent_again_in_one_call(webhook, receiver, queues, happen):
    since = clock.now()
    for _ in range(3):
        happen()
    receiver.answers = [(410, {}), (410, {}), (410, {})]
    messages = queues.take()
    webhooks.deliver(messages)
    assert {one.status for one in webhooks.deliveries(webhook.id).deliveries} == {"failed"}

    with pytest.raises(webhooks.WebhookNotActive):
        webhooks.redeliver_failures(webhook.id, since)
    webhooks.change(webhook.id, {"is_active": True})
    count, following = webhooks.redeliver_failures(webhook.id, since)
    deliver_all(queues)

    assert (count, following) == (3, None)
    assert {one.status for one in webhooks.deliveries(webhook.id).deliveries} == {"succeeded"}


def test_a_receiver_that_says_gone_is_switched_off_and_administrators_are_told(webhook, receiver, queues, happen):
    receiver.answers = [(410, {})]
    happen()

    deliver_all(queues)

    after = webhooks.get(webhook.id)
    assert (after.is_active, after.disabled_reason) == (False, "Its receiver answered 410 Gone")
    (told,) = messaging.inbox(ADMIN).notifications
    assert receiver.url in told.message
    happen()
    assert queues.waiting() == 0


def test_five_days_of_failure_switch_it_off_and_one_success_in_between_does_not(webhook, receiver, queues, happen):
    def fail(days):
        receiver.answers = [(500, {})]
        with clock.travel(days * 24 * 3600):
            happen()
            deliver_all(queues)
            return webhooks.get(webhook.id).is_active

    assert fail(0)
    assert fail(4.9)
    with clock.travel(4.95 * 24 * 3600):
        happen()
        deliver_all(queues)
    assert fail(5.1)
    assert not fail(10.2)
    assert len(messaging.inbox(ADMIN).notifications) == 1


def test_retry_after_is_honoured(webhook, receiver, queues, happen):
    receiver.answers = [(429, {"Retry-After": "600"})]
    happen()

    deliver_all(queues)

    assert (only_delivery(webhook).next_attempt_at - clock.now()).total_seconds() > 590


def test_no_redirect_is_followed(webhook, receiver, queues, happen):
    receiver.answers = [(302, {"Location": receiver.url + "/elsewhere"})]
    happen()

    deliver_all(queues)

    assert len(receiver.got) == 1
    assert only_delivery(webhook).attempts[0].status_code == 302
    assert only_delivery(webhook).status == "pending"


def test_a_slow_receiver_is_served_apart_from_then_on(webhook, receiver, queues, happen, monkeypatch):
    monkeypatch.setattr(sending, "SLOW_S", 0.2)
    receiver.answers = [lambda _: time.sleep(0.3) or (200, {})]
    happen()
    deliver_all(queues)

    happen()
    assert (queues.waiting(), queues.waiting("slow")) == (0, 1)
    deliver_all(queues, "slow")
    happen()
    assert (queues.waiting(), queues.waiting("slow")) == (1, 0), "it was quick, and is among the others again"


def test_a_receiver_that_sends_a_byte_now_and_then_is_cut_off_in_time(queues, aws):
    """Each byte comes well within any timeout of the socket."""
    listener = socket.create_server(("127.0.0.1", 0))

    def drip():
        connection, _ = listener.accept()
        try:
            connection.recv(65536)
            while True:
                connection.sendall(b"X")
                time.sleep(0.05)
        except OSError:
            connection.close()

    threading.Thread(target=drip, daemon=True).start()
    started = time.monotonic()

    tried = sending.post(f"http://127.0.0.1:{listener.getsockname()[1]}/", b"{}", {}, deadline_s=0.5)

    listener.close()
    assert tried.error == "No answer within 0.5 s"
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("answer", [b"", b"garbage\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n"])
def test_a_receiver_that_speaks_no_http_is_a_failed_attempt(aws, answer):
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        connection, _ = listener.accept()
        connection.recv(65536)
        connection.sendall(answer)
        connection.close()

    threading.Thread(target=serve, daemon=True).start()

    tried = sending.post(f"http://127.0.0.1:{listener.getsockname()[1]}/", b"{}", {}, deadline_s=5)

    listener.close()
    assert tried.status_code is None
    assert tried.error


def test_nobody_listening_and_no_such_host_are_failed_attempts(aws):
    free = socket.create_server(("127.0.0.1", 0))
    port = free.getsockname()[1]
    free.close()

    assert "refused" in sending.post(f"http://127.0.0.1:{port}/", b"{}", {}).error
    assert "no host" in sending.post("https://nobody.invalid/", b"{}", {}).error


def test_on_aws_nothing_is_sent_to_loopback_whatever_was_stored(webhook, receiver, queues, happen):
    happen()

    with config.overridden(ENVIRONMENT="aws"):
        deliver_all(queues)

    assert receiver.got == []
    assert "not an address on the public Internet" in only_delivery(webhook).attempts[0].error


def test_both_secrets_sign_while_one_is_replaced(webhook, receiver, queues, happen):
    _, fresh = webhooks.rotate_secret(webhook.id)
    happen()
    deliver_all(queues)
    with clock.travel(25 * 3600):
        happen()
        deliver_all(queues)

    counts = [len(headers["webhook-signature"].split(" ")) for headers, _ in receiver.got]
    assert counts == [2, 1]
    assert fresh.startswith("whsec_")


def test_a_test_says_at_once_what_came_of_it_and_has_no_consequences(webhook, receiver, queues):
    receiver.answers = [(500, {})]
    failed = webhooks.send_test(webhook.id)
    passed = webhooks.send_test(webhook.id)

    assert (failed.status, failed.attempts[0].status_code) == ("failed", 500)
    assert (passed.status, receiver.bodies[1]["event"]) == ("succeeded", "webhook.test")
    assert webhooks.get(webhook.id).failing_since is None
    assert queues.waiting() == 0
    with clock.travel(3600):
        assert webhooks.requeue_due() == 0


def test_a_removed_webhook_is_sent_nothing_and_leaves_nothing(webhook, receiver, queues, happen):
    happen()
    messages = queues.take()

    webhooks.delete(webhook.id)

    assert webhooks.deliver(messages) == [None]
    assert receiver.got == []
    assert models.deliveries_of(webhook.id, limit=10) == ([], None)
    with clock.travel(3600):
        assert webhooks.requeue_due() == 0


def test_the_history_is_filtered_and_paged_without_gaps(webhook, receiver, queues, happen):
    for number in range(7):
        happen("plugin.installed" if number % 2 else "plugin.activated")
    receiver.answers = [(500, {})]
    deliver_all(queues)

    seen, cursor = [], None
    while True:
        page = webhooks.deliveries(webhook.id, limit=3, cursor=cursor)
        seen += [one.id for one in page.deliveries]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == sorted(seen, reverse=True)
    assert len(set(seen)) == 7
    assert len(webhooks.deliveries(webhook.id, event="plugin.installed").deliveries) == 3
    assert len(webhooks.deliveries(webhook.id, status="pending").deliveries) == 1
    assert webhooks.deliveries(webhook.id, until=clock.parse_rfc3339("2025-01-01T00:00:00Z")).deliveries == []


def test_the_workers_give_back_just_what_they_could_not_do(webhook, queues, happen):
    good = {"messageId": "1", "body": json.dumps({"webhook_id": webhook.id, "delivery_id": "dlv_1"})}
    bad = {"messageId": "2", "body": json.dumps({"delivery_id": "dlv_1"})}

    assert worker.handle_deliveries({"Records": [good, bad]}) == {"batchItemFailures": [{"itemIdentifier": "2"}]}


def test_events_behind_one_that_failed_wait_for_it(webhook, queues, happen):
    def record(number, group, body):
        return {"messageId": str(number), "attributes": {"MessageGroupId": group}, "body": json.dumps(body)}

    fine = {"id": 5, "type": "plugin.installed", "time": "2024-12-15T10:30:00Z", "data": {}}
    batch = [record(1, "a", {}), record(2, "a", fine), record(3, "b", fine)]

    assert worker.handle_events({"Records": batch}) == {"batchItemFailures": [{"itemIdentifier": "1"}, {"itemIdentifier": "2"}]}
    assert len(queues.take()) == 1


def test_webhooks_subscribe_only_to_what_somebody_wants(queues, receiver):
    assert list(webhooks.subscribers()) == []

    made, _ = webhooks.create(receiver.url, ["plugin.failed", "user.login"], by=ADMIN)
    (subscriber,) = webhooks.subscribers()
    webhooks.change(made.id, {"is_active": False})

    assert subscriber.types == {"plugin.failed", "user.login"}
    assert list(webhooks.subscribers()) == []
