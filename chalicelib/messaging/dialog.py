"""A dialog as a value: a plugin's question to a person. Nothing here touches AWS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chalicelib.messaging.notification import Sender

DIALOG_KINDS = ("info", "warning", "error", "confirm")
PENDING, ANSWERED, WITHDRAWN, EXPIRED = "pending", "answered", "withdrawn", "expired"

_OK = {"label": "OK", "value": True}
_CANCEL = {"label": "Cancel", "value": False}


@dataclass(frozen=True)
class Dialog:
    """``buttons`` as the plugin API has them; ``value`` is that of the pressed one, None for a dialog that was closed without."""

    id: str
    to: str
    title: str
    message: str
    type: str
    buttons: Sequence[dict[str, Any]]
    sender: Sender
    created_at: datetime
    expires_at: datetime
    status: str = PENDING
    value: Any = None


def default_buttons(type: str) -> list[dict[str, Any]]:
    return [_CANCEL, _OK] if type == "confirm" else [_OK]


def offered(buttons: Sequence[dict[str, Any]], value: Any) -> bool:
    """Whether one of the buttons has that value. Everybody may close a dialog, which is null."""
    return value is None or any(is_same(button["value"], value) for button in buttons)


def is_same(one: Any, other: Any) -> bool:
    """Whether two JSON values are equal: 1 and 1.0 are, 1 and true are not, and an object's keys have no order."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(is_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(is_same, one, other))
    return bool(one == other)
