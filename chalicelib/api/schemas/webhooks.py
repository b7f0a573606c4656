"""What ``views/webhooks.py`` makes, and what receivers get. Source: REST, Webhooks."""

from __future__ import annotations

from chalicelib.api.schemas.shapes import COUNT, FLAG, MOMENT, OBJECT, TEXT, Schema, many, nullable, one_of, record

_WEBHOOK: dict[str, Schema] = {
    "id": TEXT,
    "url": TEXT,
    "events": many(TEXT),
    "description": TEXT,
    "is_active": FLAG,
    "disabled_reason": nullable(TEXT),
    "failing_since": nullable(MOMENT),
    "has_secret": FLAG,
    "previous_secret_valid_until": nullable(MOMENT),
    "created_by": nullable(TEXT),
    "created_at": MOMENT,
    "updated_at": nullable(MOMENT),
    "links": record({"self": TEXT, "deliveries": TEXT}),
}
_ATTEMPT = record({"at": MOMENT, "status_code": nullable(COUNT), "error": nullable(TEXT), "duration_ms": COUNT, "response": nullable(TEXT)})

SCHEMAS: dict[str, Schema] = {
    "Webhook": record(_WEBHOOK),
    "NewWebhook": record(_WEBHOOK, {"secret": TEXT | {"description": "Shown this once, and only where it was made here"}}),
    "Delivery": record(
        {
            "id": TEXT,
            "webhook_id": TEXT,
            "message_id": TEXT,
            "event": TEXT,
            "status": one_of("pending", "succeeded", "failed"),
            "status_code": nullable(COUNT),
            "error": nullable(TEXT),
            "created_at": MOMENT,
            "next_attempt_at": nullable(MOMENT),
            "attempts": many(_ATTEMPT),
            "payload": OBJECT,
        }
    ),
    "Redelivery": record({"redelivered": COUNT, "next_since": nullable(MOMENT)}),
    "RemovedWebhook": record({"id": TEXT}),
    "WebhookPayload": record(
        {
            "event": TEXT,
            "timestamp": MOMENT,
            "data": OBJECT
            | {"description": "Of a plugin's event: {plugin: {slug, name, version}, …}; of a session's or user's: the object"},
            "signature": TEXT | {"description": "sha256=…, the HMAC of the payload without it: docs/webhooks.md"},
        }
    ),
}
