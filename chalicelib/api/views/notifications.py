"""Notifications as JSON. Source: plugin API, Notification API."""

from typing import Any

from chalicelib.core import clock
from chalicelib.messaging import Notification


def notification(one: Notification) -> dict[str, Any]:
    """An action's handler is left out: it means something to the plugin that sent it only."""
    return {
        "id": one.id,
        "title": one.title,
        "message": one.message,
        "type": one.type,
        "actions": [{"label": action.label} | ({"url": action.url} if action.url is not None else {}) for action in one.actions],
        "dismissible": one.dismissible,
        "timeout": one.timeout_ms,
        "persistent": one.persistent,
        "from": {"kind": one.sender.kind, "id": one.sender.id, "name": one.sender.name},
        "createdAt": clock.rfc3339(one.created_at),
        "read": one.read,
    }
