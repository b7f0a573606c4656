"""From an event to its receivers: one delivery for each webhook that wants it, tried until it succeeds or its day is over.

::

    events queue (FIFO) ─ fan_out ─► a delivery each ─► deliveries queue ─ deliver ─► the receiver
                                          │                     ▲
                                          └─ due index ─ sweep ─┘   (waits longer than a queue can hold, and messages that were lost)

A delivery is leased before it is tried, so that a message that SQS hands out twice is not sent twice at once; a worker that dies with the
lease leaves the delivery due, and the sweep finds it. Slow receivers have a queue of their own.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from chalicelib import messaging
from chalicelib.core import aws, clock, config, log, secrets
from chalicelib.webhooks import models, sending, signing
from chalicelib.webhooks.delivery import FAILED, PENDING, SUCCEEDED, Attempt, Delivery, next_attempt
from chalicelib.webhooks.webhook import PATIENCE, Webhook

# A queue holds a message back for at most so long; what waits longer waits in the table. Source: SQS, DelaySeconds.
_LONGEST_QUEUE_DELAY_S = 900
_LEASE_S = 60
# What is on a queue is looked for by the sweep only when it is this much overdue.
GRACE = timedelta(seconds=120)
_AT_ONCE = 10
_SWEPT_PER_SHARD = 250
_LONGEST_HISTORY = 50
_TEST_EVENT = "webhook.test"


def fan_out(message: dict[str, Any]) -> None:
    """An event, as the dispatcher sent it: a delivery for each active webhook that wants it. May be done twice."""
    now = clock.now()
    for webhook in models.webhooks():
        if not webhook.wants(message["type"]):
            continue
        delivery = Delivery(
            webhook_id=webhook.id,
            id=delivery_id(int(message["id"])),
            message_id=f"evt_{message['id']}",
            event=message["type"],
            payload=payload_of(message),
            status=PENDING,
            attempts=(),
            created_at=now,
        )
        # Sent also when the delivery is there already: a worker that died in between left it without its message.
        models.add_delivery(delivery, look_again_at=now + GRACE)
        enqueue(webhook, delivery.id)


def payload_of(message: dict[str, Any]) -> dict[str, Any]:
    """``{event, timestamp, data}``. Source: REST, Webhook Payload. What happened to a plugin says ``plugin`` already."""
    kind = str(message["type"]).partition(".")[0]
    data = message["data"] if kind == "plugin" else {kind: message["data"]}
    return {"event": message["type"], "timestamp": message["time"], "data": data}


def delivery_id(event_id: int) -> str:
    """Event ids sort by time; with leading zeros, their texts do too."""
    return f"dlv_{event_id:016d}"


def enqueue(webhook: Webhook, delivery: str, delay_s: float = 0) -> None:
    aws.client("sqs").send_message(
        QueueUrl=config.setting("WEBHOOK_SLOW_QUEUE_URL") if webhook.is_slow else config.setting("WEBHOOK_DELIVERIES_QUEUE_URL"),
        MessageBody=json.dumps({"webhook_id": webhook.id, "delivery_id": delivery}),
        DelaySeconds=min(round(delay_s), _LONGEST_QUEUE_DELAY_S),
    )


def deliver(messages: Sequence[dict[str, Any]]) -> list[Exception | None]:
    """Try each ``{webhook_id, delivery_id}``, all at once; for each what went wrong on our own side, or None."""

    def one(message: dict[str, Any]) -> Exception | None:
        try:
            _deliver(str(message["webhook_id"]), str(message["delivery_id"]))
        except Exception as error:  # noqa: BLE001 the message goes back to its queue, and the others are not held up
            log.logger().exception("delivery not tried", extra={"webhook_id": message.get("webhook_id")})
            return error
        return None

    with ThreadPoolExecutor(_AT_ONCE) as threads:
        return list(threads.map(one, messages))


def _deliver(webhook_id: str, delivery: str) -> None:
    webhook = models.find_webhook(webhook_id)
    leased = models.lease_delivery(webhook_id, delivery, _LEASE_S) if webhook else None
    if webhook is not None and leased is not None:
        attempt(webhook, leased)


def attempt(webhook: Webhook, delivery: Delivery, *, is_test: bool = False) -> Delivery:
    """Try once, write down what came of it, and see to the next try. ``is_test``: there is no next try, and no consequence."""
    now = clock.now()
    if not webhook.is_active and not is_test:
        tried = Attempt(clock.rfc3339(now), None, "The webhook is switched off", 0)
        return _conclude(delivery, tried, FAILED)
    tried = _send(webhook, delivery)
    if tried.has_succeeded:
        after = _conclude(delivery, tried, SUCCEEDED)
    else:
        following = None if is_test else next_attempt(delivery.attempts_in_round + 1, tried, now)
        after = _conclude(delivery, tried, PENDING if following else FAILED, following)
        if following is not None:
            _see_to_next(webhook, after, following)
    if not is_test:
        _judge(webhook, tried, now)
    return after


def _send(webhook: Webhook, delivery: Delivery) -> Attempt:
    now = clock.now()
    valid = [_opened(ciphertext, webhook.id) for ciphertext in webhook.secrets_at(now)]
    content = signing.body(delivery.payload, valid[0])
    headers = {
        "Content-Type": "application/json",
        "User-Agent": f"StreamSpace/{config.PLATFORM_VERSION}",
        "X-StreamSpace-Event": delivery.event,
        "X-StreamSpace-Delivery": delivery.id,
        **signing.headers(delivery.message_id, int(now.timestamp()), content, valid),
    }
    return sending.post(webhook.url, content, headers)


@lru_cache(maxsize=256)
def _opened(ciphertext: str, webhook_id: str) -> str:
    """Kept for the container's life: a ciphertext never changes its meaning, and KMS is paid by the call."""
    return secrets.opened(ciphertext, webhook=webhook_id)


def _conclude(delivery: Delivery, tried: Attempt, status: str, following: datetime | None = None) -> Delivery:
    attempts = (*delivery.attempts, tried)
    dropped = max(0, len(attempts) - _LONGEST_HISTORY)
    after = replace(
        delivery,
        attempts=attempts[dropped:],
        round_start=max(0, delivery.round_start - dropped),
        status=status,
        next_attempt_at=following,
    )
    # One that waits on a queue is looked for only when its message must have been lost.
    waits_on_queue = following is not None and _fits_a_queue(following)
    models.record_attempts(after, look_again_at=following + GRACE if following and waits_on_queue else following)
    return after


def _fits_a_queue(moment: datetime) -> bool:
    return (moment - clock.now()).total_seconds() <= _LONGEST_QUEUE_DELAY_S


def _see_to_next(webhook: Webhook, delivery: Delivery, following: datetime) -> None:
    if _fits_a_queue(following):
        delay_s = max(0.0, (following - clock.now()).total_seconds())
        enqueue(replace(webhook, is_slow=_was_slow(delivery.attempts[-1])), delivery.id, delay_s)


def _judge(webhook: Webhook, tried: Attempt, now: datetime) -> None:
    """What the attempt says of the receiver: whether it is well, slow, gone, or has failed for too long."""
    since = None if tried.has_succeeded else (webhook.failing_since or now)
    models.note_health(webhook, failing_since=since, is_slow=_was_slow(tried))
    if tried.is_gone:
        _switch_off(webhook, "Its receiver answered 410 Gone", now)
    elif since is not None and now - since >= PATIENCE:
        _switch_off(webhook, f"Its receiver has failed since {clock.rfc3339(since)}", now)


def _was_slow(tried: Attempt) -> bool:
    return tried.duration_ms >= sending.SLOW_S * 1000


def _switch_off(webhook: Webhook, reason: str, now: datetime) -> None:
    if models.disable_webhook(webhook.id, reason, now):
        messaging.notify(
            "@admins",
            "A webhook was switched off",
            f"{webhook.url}: {reason}. Switch it on again when its receiver is well; its failed deliveries can be sent again.",
            type="warning",
        )


def requeue_due() -> int:
    """Put on their queues the deliveries whose time has come, or whose message was lost; how many. Eight Queries, two calls for each."""
    now = clock.now()
    known: dict[str, Webhook | None] = {}
    count = 0
    for webhook_id, delivery, read in models.due_before(now, _SWEPT_PER_SHARD):
        if webhook_id not in known:
            known[webhook_id] = models.find_webhook(webhook_id)
        webhook = known[webhook_id]
        if webhook is not None and models.postpone(webhook_id, delivery, read, now + GRACE):
            enqueue(webhook, delivery)
            count += 1
    return count


def test_delivery(webhook: Webhook, event_id: int) -> Delivery:
    """A delivery that says nothing but that it is one."""
    now = clock.now()
    data = {"webhook": {"id": webhook.id, "url": webhook.url}, "message": "This is a test"}
    payload = {"event": _TEST_EVENT, "timestamp": clock.rfc3339(now), "data": data}
    return Delivery(webhook.id, delivery_id(event_id), f"evt_{event_id}", _TEST_EVENT, payload, PENDING, (), now)
