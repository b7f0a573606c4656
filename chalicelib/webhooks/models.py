"""The webhooks table.

    what                          pk                      sk       index
    a webhook                     WEBHOOKS                {id}
    a delivery                    DELIVERIES#{webhook}    {id}     gsi1, while pending: DUE#{0…7}, when to look at it again

A delivery's id holds its event's, so that one event makes one delivery however often it is handed in, and ids sort by time. The index of
what is due has eight partitions, so that no burst of events meets DynamoDB's limit for one.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from typing import Any

from pynamodb.attributes import BooleanAttribute, NumberAttribute, UnicodeAttribute
from pynamodb.exceptions import DeleteError, PutError, UpdateError
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action
from pynamodb.indexes import GlobalSecondaryIndex, KeysOnlyProjection

from chalicelib.core import clock
from chalicelib.core.tables import Row, TableMeta, condition_failed, table
from chalicelib.webhooks.delivery import PENDING, Attempt, Delivery
from chalicelib.webhooks.webhook import Webhook

_WEBHOOKS = "WEBHOOKS"
_SHARDS = 8
_KEPT_S = 30 * 24 * 3600


class _Meta(TableMeta):
    table_name = table("WEBHOOKS_TABLE")


class WebhookRow(Row):
    class Meta(_Meta):
        pass

    pk = UnicodeAttribute(hash_key=True, default=_WEBHOOKS)
    sk = UnicodeAttribute(range_key=True)
    url = UnicodeAttribute()
    # JSON text
    events = UnicodeAttribute()
    description = UnicodeAttribute(null=True)
    is_active = BooleanAttribute()
    disabled_reason = UnicodeAttribute(null=True)
    secret = UnicodeAttribute()
    previous_secret = UnicodeAttribute(null=True)
    previous_secret_until = UnicodeAttribute(null=True)
    failing_since = UnicodeAttribute(null=True)
    is_slow = BooleanAttribute(default=False)
    created_by = UnicodeAttribute()
    created_at = UnicodeAttribute()
    updated_at = UnicodeAttribute()


class _Due(GlobalSecondaryIndex["DeliveryRow"]):
    class Meta(TableMeta):
        index_name = "gsi1"
        projection = KeysOnlyProjection()

    gsi1pk = UnicodeAttribute(hash_key=True)
    gsi1sk = UnicodeAttribute(range_key=True)


class DeliveryRow(Row):
    class Meta(_Meta):
        pass

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    due = _Due()
    gsi1pk = UnicodeAttribute(null=True)
    gsi1sk = UnicodeAttribute(null=True)
    event = UnicodeAttribute()
    message_id = UnicodeAttribute()
    # JSON texts
    payload = UnicodeAttribute()
    attempts = UnicodeAttribute(default="[]")
    round_start = NumberAttribute(default=0)
    status = UnicodeAttribute()
    # Until when (epoch seconds) somebody is at it.
    lease_until = NumberAttribute(default=0)
    created_at = UnicodeAttribute()
    next_attempt_at = UnicodeAttribute(null=True)
    expires_at = NumberAttribute()


def webhooks() -> list[Webhook]:
    """All of them, by age. Key condition: pk = WEBHOOKS; there are a hundred at most."""
    return [_webhook(row) for row in WebhookRow.query(_WEBHOOKS, consistent_read=True)]


def find_webhook(webhook_id: str) -> Webhook | None:
    try:
        return _webhook(WebhookRow.get(_WEBHOOKS, webhook_id, consistent_read=True))
    except WebhookRow.DoesNotExist:
        return None


def add_webhook(webhook: Webhook) -> None:
    _row(webhook).save(WebhookRow.pk.does_not_exist())


def replace_webhook(webhook: Webhook, read: Webhook) -> bool:
    """Write it if nobody changed or removed it since ``read`` was; whether it was written."""
    return _succeeds(lambda: _row(webhook).save(WebhookRow.updated_at == clock.rfc3339(read.updated_at)))


def remove_webhook(webhook_id: str) -> bool:
    return _succeeds(lambda: WebhookRow(_WEBHOOKS, webhook_id).delete(condition=WebhookRow.pk.exists()))


def note_health(webhook: Webhook, *, failing_since: datetime | None, is_slow: bool) -> None:
    """What the last attempt showed, where it is news. One UpdateItem or none."""
    if (webhook.failing_since is None) == (failing_since is None) and webhook.is_slow == is_slow:
        return
    since: Action = WebhookRow.failing_since.set(clock.rfc3339(failing_since)) if failing_since else WebhookRow.failing_since.remove()
    actions: list[Action] = [since, WebhookRow.is_slow.set(is_slow)]
    _update_webhook(webhook.id, actions, WebhookRow.pk.exists())


def disable_webhook(webhook_id: str, reason: str, now: datetime) -> bool:
    """Whether it was this call that switched it off."""
    actions: list[Action] = [
        WebhookRow.is_active.set(False),
        WebhookRow.disabled_reason.set(reason),
        WebhookRow.updated_at.set(clock.rfc3339(now)),
    ]
    return _update_webhook(webhook_id, actions, WebhookRow.is_active == True)  # noqa: E712 a condition of DynamoDB


def _update_webhook(webhook_id: str, actions: list[Action], condition: Condition) -> bool:
    return _succeeds(lambda: WebhookRow(_WEBHOOKS, webhook_id).update(actions=actions, condition=condition))


def add_delivery(delivery: Delivery, *, look_again_at: datetime) -> bool:
    """False when this event has its delivery already."""
    row = DeliveryRow(
        _partition(delivery.webhook_id),
        delivery.id,
        event=delivery.event,
        message_id=delivery.message_id,
        payload=json.dumps(delivery.payload),
        status=delivery.status,
        created_at=clock.rfc3339(delivery.created_at),
        next_attempt_at=clock.rfc3339(delivery.created_at),
        expires_at=int(clock.timestamp()) + _KEPT_S,
        gsi1pk=_shard(delivery.id),
        gsi1sk=clock.rfc3339(look_again_at),
    )
    return _succeeds(lambda: row.save(DeliveryRow.pk.does_not_exist()))


def find_delivery(webhook_id: str, delivery_id: str) -> Delivery | None:
    try:
        return _delivery(DeliveryRow.get(_partition(webhook_id), delivery_id, consistent_read=True))
    except DeliveryRow.DoesNotExist:
        return None


def lease_delivery(webhook_id: str, delivery_id: str, seconds: int) -> Delivery | None:
    """The pending delivery, nobody else's for so long; None when it is not pending (any more) or somebody is at it. One UpdateItem."""
    now_s = int(clock.timestamp())
    row = DeliveryRow(_partition(webhook_id), delivery_id)
    free = (DeliveryRow.status == PENDING) & (DeliveryRow.lease_until < now_s)
    if not _succeeds(lambda: row.update(actions=[DeliveryRow.lease_until.set(now_s + seconds)], condition=free)):
        return None
    return _delivery(row)


def record_attempts(delivery: Delivery, *, look_again_at: datetime | None) -> None:
    """What was tried and how it goes on; gives the lease back. A delivery that was removed with its webhook stays removed."""
    actions: list[Action] = [
        DeliveryRow.attempts.set(json.dumps([asdict(one) for one in delivery.attempts])),
        DeliveryRow.status.set(delivery.status),
        DeliveryRow.round_start.set(delivery.round_start),
        DeliveryRow.lease_until.set(0),
        DeliveryRow.next_attempt_at.set(clock.rfc3339(delivery.next_attempt_at))
        if delivery.next_attempt_at
        else DeliveryRow.next_attempt_at.remove(),
        DeliveryRow.expires_at.set(int(clock.timestamp()) + _KEPT_S),
    ]
    if look_again_at is not None:
        actions += [DeliveryRow.gsi1pk.set(_shard(delivery.id)), DeliveryRow.gsi1sk.set(clock.rfc3339(look_again_at))]
    else:
        actions += [DeliveryRow.gsi1pk.remove(), DeliveryRow.gsi1sk.remove()]
    row = DeliveryRow(_partition(delivery.webhook_id), delivery.id)
    _succeeds(lambda: row.update(actions=actions, condition=DeliveryRow.pk.exists()))


def due_before(moment: datetime, limit: int) -> Iterator[tuple[str, str, str]]:
    """``(webhook id, delivery id, when)`` of what should have been looked at. Key condition: gsi1pk, gsi1sk < moment; eight Queries."""
    for shard in range(_SHARDS):
        for row in DeliveryRow.due.query(f"DUE#{shard}", DeliveryRow.gsi1sk < clock.rfc3339(moment), limit=limit):
            yield row.pk.removeprefix(_partition("")), row.sk, row.gsi1sk


def postpone(webhook_id: str, delivery_id: str, read: str, until: datetime) -> bool:
    """Whether it was this call that moved the next look at it; one UpdateItem."""
    row = DeliveryRow(_partition(webhook_id), delivery_id)
    return _succeeds(lambda: row.update(actions=[DeliveryRow.gsi1sk.set(clock.rfc3339(until))], condition=DeliveryRow.gsi1sk == read))


def deliveries_of(
    webhook_id: str,
    *,
    since: str | None = None,
    until: str | None = None,
    status: str | None = None,
    event: str | None = None,
    limit: int,
    before: str | None = None,
    newest_first: bool = True,
) -> tuple[list[Delivery], str | None]:
    """A page, and where the next one starts (``before``). Key condition: pk, sk between ``since`` and ``until`` (delivery ids)."""
    narrowed: Condition | None = None
    if status:
        narrowed = DeliveryRow.status == status
    if event:
        narrowed = (DeliveryRow.event == event) if narrowed is None else narrowed & (DeliveryRow.event == event)
    low, high = since or " ", until or "~"
    found = DeliveryRow.query(
        _partition(webhook_id),
        DeliveryRow.sk.between(low, high),
        filter_condition=narrowed,
        scan_index_forward=not newest_first,
        limit=limit,
        last_evaluated_key={"pk": {"S": _partition(webhook_id)}, "sk": {"S": before}} if before else None,
    )
    page = [_delivery(row) for row in found]
    following = found.last_evaluated_key
    return page, following["sk"]["S"] if following else None


def remove_deliveries(webhook_id: str) -> None:
    with DeliveryRow.batch_write() as batch:
        for row in DeliveryRow.query(_partition(webhook_id), attributes_to_get=["pk", "sk"]):
            batch.delete(row)


def _succeeds(write: Any) -> bool:
    """Whether the write's condition held."""
    try:
        write()
    except (PutError, UpdateError, DeleteError) as error:
        if not condition_failed(error):
            raise
        return False
    return True


def _partition(webhook_id: str) -> str:
    return f"DELIVERIES#{webhook_id}"


def _shard(delivery_id: str) -> str:
    return f"DUE#{zlib.crc32(delivery_id.encode()) % _SHARDS}"


def _row(webhook: Webhook) -> WebhookRow:
    return WebhookRow(
        _WEBHOOKS,
        webhook.id,
        url=webhook.url,
        events=json.dumps(webhook.events),
        description=webhook.description or None,
        is_active=webhook.is_active,
        disabled_reason=webhook.disabled_reason,
        secret=webhook.secret,
        previous_secret=webhook.previous_secret,
        previous_secret_until=_told(webhook.previous_secret_until),
        failing_since=_told(webhook.failing_since),
        is_slow=webhook.is_slow,
        created_by=webhook.created_by,
        created_at=_told(webhook.created_at),
        updated_at=_told(webhook.updated_at),
    )


def _webhook(row: WebhookRow) -> Webhook:
    return Webhook(
        id=row.sk,
        url=row.url,
        events=tuple(json.loads(row.events)),
        secret=row.secret,
        created_at=clock.parse_rfc3339(row.created_at),
        updated_at=clock.parse_rfc3339(row.updated_at),
        created_by=row.created_by,
        description=row.description or "",
        is_active=row.is_active,
        disabled_reason=row.disabled_reason,
        previous_secret=row.previous_secret,
        previous_secret_until=_read(row.previous_secret_until),
        failing_since=_read(row.failing_since),
        is_slow=bool(row.is_slow),
    )


def _delivery(row: DeliveryRow) -> Delivery:
    return Delivery(
        webhook_id=row.pk.removeprefix(_partition("")),
        id=row.sk,
        message_id=row.message_id,
        event=row.event,
        payload=json.loads(row.payload),
        status=row.status,
        attempts=tuple(Attempt(**one) for one in json.loads(row.attempts)),
        created_at=clock.parse_rfc3339(row.created_at),
        next_attempt_at=_read(row.next_attempt_at),
        round_start=int(row.round_start),
    )


def _told(moment: datetime | None) -> str | None:
    return clock.rfc3339(moment) if moment else None


def _read(text: str | None) -> datetime | None:
    return clock.parse_rfc3339(text) if text else None
