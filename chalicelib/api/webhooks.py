"""``/admin/webhooks``: where events are sent to, and what was sent. Source: REST, Webhooks."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from chalicelib import webhooks
from chalicelib.api.http import Reply, Request, Routes
from chalicelib.api.parameters import moment
from chalicelib.api.views import webhooks as views
from chalicelib.core import clock
from chalicelib.core.errors import ValidationError

routes = Routes()

_FIELDS = {
    "url": {"type": "string", "minLength": 1, "maxLength": 2000, "description": "https"},
    "events": {
        "type": "array",
        "items": {"type": "string", "maxLength": 100},
        "minItems": 1,
        "maxItems": 50,
        "description": "Types of events, or '*', 'plugin.*', 'session.*', 'user.*'",
    },
    "secret": {"type": "string", "minLength": 1, "maxLength": 500, "description": "What signs; made for you when it is left out"},
    "description": {"type": "string", "maxLength": 500},
}
_NEW = {"type": "object", "properties": _FIELDS, "required": ["url", "events"], "additionalProperties": False}
_CHANGES = {
    "type": "object",
    "properties": {**_FIELDS, "is_active": {"type": "boolean"}},
    "minProperties": 1,
    "additionalProperties": False,
}
_SINCE = {
    "type": "object",
    "properties": {"since": {"type": "string", "maxLength": 40}},
    "required": ["since"],
    "additionalProperties": False,
}
_HISTORY = {
    "status": {"enum": ["pending", "succeeded", "failed"]},
    "event": {"type": "string", "maxLength": 100},
    "from": {"type": "string", "maxLength": 40},
    "to": {"type": "string", "maxLength": 40},
    "limit": {"type": "integer", "minimum": 1, "maximum": 200, "default": 50},
    "cursor": {"type": "string", "maxLength": 1000},
}


@routes.get("/admin/webhooks", permission="webhooks.manage", returns="[Webhook]", aws_calls=2)
def all_webhooks(_request: Request) -> Reply:
    """All of them, by age; there are a hundred at most."""
    return Reply([views.webhook(one) for one in webhooks.all_webhooks()])


@routes.post("/admin/webhooks", permission="webhooks.manage", body=_NEW, returns={201: "NewWebhook"}, aws_calls=4)
def create(request: Request) -> Reply:
    """``secret`` is in the answer only where it was made here, and only this once. 422 VALIDATION_ERROR, TOO_MANY_WEBHOOKS."""
    given = request.body
    webhook, made = webhooks.create(
        given["url"], given["events"], secret=given.get("secret"), description=given.get("description", ""), by=request.caller
    )
    return Reply({**views.webhook(webhook), **({"secret": made} if made else {})}, status=201, message="Webhook created successfully")


@routes.get("/admin/webhooks/{id}", permission="webhooks.manage", returns="Webhook", aws_calls=2)
def one_webhook(_request: Request, id: str) -> Reply:
    """404 WEBHOOK_NOT_FOUND."""
    return Reply(views.webhook(webhooks.get(id)))


@routes.patch("/admin/webhooks/{id}", permission="webhooks.manage", body=_CHANGES, returns="Webhook", aws_calls=4)
def change(request: Request, id: str) -> Reply:
    """A new ``secret`` replaces the old one as ``rotate-secret`` does. 404 WEBHOOK_NOT_FOUND, 422 VALIDATION_ERROR."""
    return Reply(views.webhook(webhooks.change(id, request.body)), message="Webhook updated successfully")


@routes.delete("/admin/webhooks/{id}", permission="webhooks.manage", returns="RemovedWebhook", aws_calls=40)
def delete(_request: Request, id: str) -> Reply:
    """It and its history. 404 WEBHOOK_NOT_FOUND. One AWS call more for each 25 deliveries that were kept."""
    webhooks.delete(id)
    return Reply({"id": id}, message="Webhook removed")


@routes.post("/admin/webhooks/{id}/rotate-secret", permission="webhooks.manage", returns="NewWebhook", aws_calls=4)
def rotate_secret(_request: Request, id: str) -> Reply:
    """A new secret, shown this once; the old one signs beside it for a day. 404 WEBHOOK_NOT_FOUND."""
    webhook, secret = webhooks.rotate_secret(id)
    return Reply({**views.webhook(webhook), "secret": secret}, message="Both secrets sign until the old one expires")


@routes.post("/admin/webhooks/{id}/test", permission="webhooks.manage", returns="Delivery", aws_calls=6)
def test(_request: Request, id: str) -> Reply:
    """Sends ``webhook.test`` now and answers with what came of it; there are no further attempts. 404 WEBHOOK_NOT_FOUND."""
    return Reply(views.delivery(webhooks.send_test(id)))


@routes.get(
    "/admin/webhooks/{id}/deliveries", permission="webhooks.manage", query=_HISTORY, returns="[Delivery]", meta="CursorMeta", aws_calls=6
)
def deliveries(request: Request, id: str) -> Reply:
    """What was sent, newest first; kept for 30 days. 404 WEBHOOK_NOT_FOUND."""
    query = request.query
    found = webhooks.deliveries(
        id,
        status=query["status"],
        event=query["event"],
        since=moment(query, "from"),
        until=moment(query, "to"),
        limit=query["limit"],
        cursor=query["cursor"],
    )
    return Reply([views.delivery(one) for one in found.deliveries], meta={"next_cursor": found.next_cursor})


@routes.get("/admin/webhooks/{id}/deliveries/{delivery_id}", permission="webhooks.manage", returns="Delivery", aws_calls=3)
def one_delivery(_request: Request, id: str, delivery_id: str) -> Reply:
    """404 WEBHOOK_NOT_FOUND, DELIVERY_NOT_FOUND."""
    return Reply(views.delivery(webhooks.get_delivery(id, delivery_id)))


@routes.post(
    "/admin/webhooks/{id}/deliveries/{delivery_id}/redeliver", permission="webhooks.manage", returns={202: "Delivery"}, aws_calls=5
)
def redeliver(_request: Request, id: str, delivery_id: str) -> Reply:
    """Sent again soon, with the same id. 404 WEBHOOK_NOT_FOUND, DELIVERY_NOT_FOUND; 409 WEBHOOK_NOT_ACTIVE."""
    return Reply(views.delivery(webhooks.redeliver(id, delivery_id)), status=202, message="It will be sent again")


@routes.post("/admin/webhooks/{id}/redeliver", permission="webhooks.manage", body=_SINCE, returns={202: "Redelivery"}, aws_calls=420)
def redeliver_failures(request: Request, id: str) -> Reply:
    """All that failed since a time, up to 200 in one call; ``next_since`` says from where to go on. 404 WEBHOOK_NOT_FOUND; 409
    WEBHOOK_NOT_ACTIVE. Two AWS calls for each."""
    since: datetime | None = moment(request.body, "since")
    if since is None:
        raise ValidationError({"since": ["This field is required"]})
    count, following = webhooks.redeliver_failures(id, since)
    data: dict[str, Any] = {"redelivered": count, "next_since": clock.rfc3339(following) if following else None}
    return Reply(data, status=202, message=f"{count} deliveries will be sent again")
