"""The events table's stream → the queues of its subscribers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from chalicelib import runtime, webhooks
from chalicelib.core import config
from chalicelib.events import SESSION_EVENTS, Dispatcher, Subscriber, queue_subscriber
from chalicelib.events.types import SESSION_CHANGED


def handle(event: dict[str, Any]) -> dict[str, Any]:
    """A DynamoDB stream batch."""
    Dispatcher(_session_worker, runtime.active.subscribers, webhooks.subscribers, on_withheld=runtime.loops.note).handle(event["Records"])
    return {}


def _session_worker() -> Iterable[Subscriber]:
    yield queue_subscriber("session-worker", config.setting("SESSIONS_QUEUE_URL"), (*SESSION_EVENTS, SESSION_CHANGED, "user.deleted"))
