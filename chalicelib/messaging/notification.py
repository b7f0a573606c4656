"""A notification as a value. Nothing here touches AWS."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from chalicelib.accounts import Caller
from chalicelib.core.errors import ValidationError

EVERYONE, ADMINS = "*", "@admins"
KINDS = ("success", "info", "warning", "error")

# What persists stays for a quarter in one's own inbox. What was told to everyone is old news sooner, and everybody reads all of it.
KEPT = timedelta(days=90)
BROADCAST_KEPT = timedelta(days=30)
# A notification that does not persist waits this long, beside its time on the screen, for a page that polls.
WAITS = timedelta(minutes=5)

# A page of the console or the web. Never javascript:, and never another host written as a path (//host).
LINK = r"^(https?://[^\s\\]+|/(?![/\\])[^\s\\]*)$"
_LINK = re.compile(LINK)


@dataclass(frozen=True)
class Action:
    """A button. ``handler`` is the sending plugin's name for what it wants to do; opaque to the platform."""

    label: str
    url: str | None = None
    handler: str | None = None

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Action:
        """Raises ValidationError for a link that is neither a path nor http(s)."""
        url = given.get("url")
        if url is not None and _LINK.fullmatch(url) is None:
            raise ValidationError({"actions.url": ["Must be a path such as '/sessions', or an http or https URL"]})
        return cls(given["label"], url, given.get("handler"))


@dataclass(frozen=True)
class Sender:
    """``kind`` is ``user``, ``plugin`` or ``platform``."""

    kind: str
    id: str
    name: str

    @classmethod
    def of(cls, caller: Caller | None) -> Sender:
        return cls(caller.kind, caller.id, caller.name) if caller else cls("platform", "streamspace", "StreamSpace")


@dataclass(frozen=True)
class Notification:
    """``timeout_ms``: how long it stays on the screen; 0 until it is closed. ``read`` is the reader's own mark."""

    id: str
    title: str
    message: str
    type: str
    actions: Sequence[Action]
    dismissible: bool
    timeout_ms: int
    persistent: bool
    sender: Sender
    created_at: datetime
    read: bool = False


def lifetime(*, persistent: bool, timeout_ms: int, is_broadcast: bool) -> timedelta:
    """How long after its creation a notification is there to be read."""
    if persistent:
        return BROADCAST_KEPT if is_broadcast else KEPT
    return WAITS + timedelta(milliseconds=timeout_ms)
