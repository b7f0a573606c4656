"""What was sent, and sending it again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from chalicelib.core import clock, ids
from chalicelib.core.errors import ValidationError
from chalicelib.core.pagination import decode_cursor, encode_cursor
from chalicelib.webhooks import delivering, models, service
from chalicelib.webhooks.delivery import FAILED, PENDING, Delivery
from chalicelib.webhooks.errors import DeliveryNotFound, WebhookNotActive
from chalicelib.webhooks.webhook import Webhook

_SENT_AGAIN_AT_ONCE = 200
_LOOKED_AT = 1000
_LONGEST_ID = 100


@dataclass(frozen=True)
class History:
    """A stretch of a webhook's deliveries, newest first."""

    deliveries: list[Delivery]
    next_cursor: str | None


def deliveries(
    webhook_id: str,
    *,
    status: str | None = None,
    event: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> History:
    """Those made between the two moments. Raises WebhookNotFound, ValidationError for a strange cursor."""
    service.get(webhook_id)
    before = decode_cursor(cursor).get("before") if cursor else None
    if cursor and not (isinstance(before, str) and before.startswith("dlv_") and len(before) < _LONGEST_ID):
        raise ValidationError({"cursor": ["The cursor is not one that this list gave out"]})
    page, following = models.deliveries_of(
        webhook_id,
        since=delivering.delivery_id(ids.number_at(since)) if since else None,
        until=delivering.delivery_id(ids.number_at(until, last=True)) if until else None,
        status=status,
        event=event,
        limit=limit,
        before=before,
    )
    return History(page, encode_cursor({"before": following}) if following else None)


def get_delivery(webhook_id: str, delivery_id: str) -> Delivery:
    """Raises WebhookNotFound, DeliveryNotFound."""
    service.get(webhook_id)
    return _delivery(webhook_id, delivery_id)


def redeliver(webhook_id: str, delivery_id: str) -> Delivery:
    """Begin a new round of attempts, with the same message id. One that is on its way is only hurried.

    Raises WebhookNotFound, DeliveryNotFound, WebhookNotActive.
    """
    webhook = service.get(webhook_id)
    return _begin_again(webhook, _delivery(webhook_id, delivery_id))


def redeliver_failures(webhook_id: str, since: datetime) -> tuple[int, datetime | None]:
    """Send again all that failed since then, oldest first: how many, and from where to go on when there are more.

    Raises WebhookNotFound, WebhookNotActive.
    """
    webhook = service.get(webhook_id)
    low, before, count = delivering.delivery_id(ids.number_at(since)), None, 0
    while True:
        page, before = models.deliveries_of(
            webhook_id, since=low, status=FAILED, limit=_SENT_AGAIN_AT_ONCE, before=before, newest_first=False
        )
        for one in page:
            if count >= _SENT_AGAIN_AT_ONCE:
                return count, ids.moment_of(int(one.id.removeprefix("dlv_")))
            _begin_again(webhook, one)
            count += 1
        if before is None:
            return count, None


def send_test(webhook_id: str) -> Delivery:
    """Send a test now, also to a webhook that is switched off, and say what came of it. Raises WebhookNotFound."""
    webhook = service.get(webhook_id)
    delivery = delivering.test_delivery(webhook, ids.number())
    models.add_delivery(delivery, look_again_at=delivery.created_at + delivering.GRACE)
    return delivering.attempt(webhook, delivery, is_test=True)


def _delivery(webhook_id: str, delivery_id: str) -> Delivery:
    found = models.find_delivery(webhook_id, delivery_id) if len(delivery_id.encode()) <= _LONGEST_ID else None
    if found is None:
        raise DeliveryNotFound(delivery_id=delivery_id)
    return found


def _begin_again(webhook: Webhook, delivery: Delivery) -> Delivery:
    if not webhook.is_active:
        raise WebhookNotActive(webhook_id=webhook.id, reason=webhook.disabled_reason)
    now = clock.now()
    again = delivery
    if delivery.status != PENDING:
        again = replace(delivery, status=PENDING, round_start=len(delivery.attempts), next_attempt_at=now)
        models.record_attempts(again, look_again_at=now + delivering.GRACE)
    delivering.enqueue(webhook, delivery.id)
    return again
