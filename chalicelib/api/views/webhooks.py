"""Webhooks and their deliveries as JSON. A secret is never among it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from chalicelib.api.routing import BASE_PATH
from chalicelib.core import clock
from chalicelib.webhooks import Delivery, Webhook


def webhook(one: Webhook) -> dict[str, Any]:
    own = f"{BASE_PATH}/admin/webhooks/{one.id}"
    return {
        "id": one.id,
        "url": one.url,
        "events": list(one.events),
        "description": one.description,
        "is_active": one.is_active,
        "disabled_reason": one.disabled_reason,
        "failing_since": _time(one.failing_since),
        "has_secret": True,
        "previous_secret_valid_until": _time(one.previous_secret_until),
        "created_by": one.created_by,
        "created_at": _time(one.created_at),
        "updated_at": _time(one.updated_at),
        "links": {"self": own, "deliveries": f"{own}/deliveries"},
    }


def delivery(one: Delivery) -> dict[str, Any]:
    """``attempts`` oldest first."""
    last = one.attempts[-1] if one.attempts else None
    return {
        "id": one.id,
        "webhook_id": one.webhook_id,
        "message_id": one.message_id,
        "event": one.event,
        "status": one.status,
        "status_code": last.status_code if last else None,
        "error": last.error if last else None,
        "created_at": _time(one.created_at),
        "next_attempt_at": _time(one.next_attempt_at),
        "attempts": [
            {
                "at": each.at,
                "status_code": each.status_code,
                "error": each.error,
                "duration_ms": each.duration_ms,
                "response": each.response,
            }
            for each in one.attempts
        ],
        "payload": one.payload,
    }


def _time(moment: datetime | None) -> str | None:
    return clock.rfc3339(moment) if moment else None
