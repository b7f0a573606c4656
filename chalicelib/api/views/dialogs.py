"""Dialogs as JSON. Source: plugin API, showDialog()."""

from typing import Any

from chalicelib.core import clock
from chalicelib.messaging import Dialog


def dialog(one: Dialog) -> dict[str, Any]:
    return {
        "id": one.id,
        "title": one.title,
        "message": one.message,
        "type": one.type,
        "buttons": list(one.buttons),
        "to": one.to,
        "from": {"kind": one.sender.kind, "id": one.sender.id, "name": one.sender.name},
        "status": one.status,
        "value": one.value,
        "createdAt": clock.rfc3339(one.created_at),
        "expiresAt": clock.rfc3339(one.expires_at),
    }
