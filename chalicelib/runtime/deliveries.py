"""Events that a plugin has trouble with: what it shall do with each, and setting aside what cannot be delivered.

Promises
    A poison event is set aside alone, after three attempts (``attempts``); the ones behind it in its group are delivered, in order.
    A plugin that takes nothing any more is noticed (``circuit``).
    A dead letter keeps the event's place in the log, so it can be delivered again at any time while the log has it (``replaying``).
"""

from __future__ import annotations

import re
from typing import Any

from chalicelib.core import aws, log
from chalicelib.events import Event
from chalicelib.events import read as read_event
from chalicelib.runtime import active, attempts, circuit, dead_letters
from chalicelib.runtime.attempts import ATTEMPTS, PAUSE_AFTER_S
from chalicelib.runtime.errors import EventNotFound

RUN, RETRY, DEAD_LETTER = "run", "retry", "dead-letter"


def hook_of(event_type: str) -> str:
    """``onSessionCreated`` for ``session.created``: as the plugin API writes it."""
    return "on" + "".join(word.capitalize() for word in re.split(r"[._]", event_type))


def begin_attempt(
    slug: str, event_id: int, aggregate: str, sequence: int, *, unreported: dict[str, Any] | None = None, has_delivered: bool = False
) -> str:
    """``run``, or ``dead-letter`` for an event that was begun too often: its earlier attempts killed the function, or were never reported.

    ``unreported`` is the failure of the attempt before, which the plugin could not tell then. ``has_delivered``: it has taken other events
    since it last said so. Raises EventNotFound when aggregate and sequence do not name this event.
    """
    event = _the_event(event_id, aggregate, sequence)
    if has_delivered:
        circuit.note_delivery(slug)
    if unreported is not None:
        attempts.excuse(slug, event, unreported, begun=True)
    count = attempts.begin(slug, event)
    if count <= ATTEMPTS:
        return RUN
    _set_aside(slug, event, unreported or _crashed(slug, event))
    return DEAD_LETTER


def report_failure(
    slug: str,
    event_id: int,
    aggregate: str,
    sequence: int,
    *,
    begun: bool,
    error: dict[str, Any],
    receipt_handles: list[str],
    has_delivered: bool = False,
) -> str:
    """``retry`` after a pause, or ``dead-letter`` when that was the last attempt. ``begun``: the attempt was counted when it began."""
    event = _the_event(event_id, aggregate, sequence)
    if has_delivered:
        circuit.note_delivery(slug)
    delay_s = attempts.excuse(slug, event, error, begun=begun)
    if delay_s is None:
        count = attempts.failed(slug, event, begun=begun)
        if count >= ATTEMPTS:
            _set_aside(slug, event, error)
            return DEAD_LETTER
        delay_s = PAUSE_AFTER_S[max(count, 1)]
    _pause(slug, receipt_handles, delay_s)
    return RETRY


def record_undeliverable(slug: str, message: dict[str, Any]) -> None:
    """A message that the backstop queue caught: for hours the function could not even report it. Whose fault that was, nobody knows."""
    event = read_event(message["aggregate"], int(message["sequence"]))
    if event is not None:
        error = {"name": "Undeliverable", "message": "The function never came so far as to report on this event"}
        dead_letters.record(slug, event, ATTEMPTS, error, counts=False)
        attempts.forget(slug, event.id)


def _the_event(event_id: int, aggregate: str, sequence: int) -> Event:
    event = read_event(aggregate, sequence)
    if event is None or event.id != event_id:
        raise EventNotFound(event_id=event_id, aggregate=aggregate, sequence=sequence)
    return event


def _crashed(slug: str, event: Event) -> dict[str, Any]:
    hook = hook_of(event.type)
    plugin = active.with_queue(slug)
    place = plugin.place_of(event.type) if plugin else None
    where = f" (begins at {place})" if place else ""
    said = f"The plugin '{slug}' crashed or ran out of time or memory in {hook}{where}, in each of {ATTEMPTS} attempts"
    return {"name": "PluginCrashed", "message": said, "hook": hook, **({"location": place} if place else {})}


def _set_aside(slug: str, event: Event, error: dict[str, Any]) -> None:
    dead_letters.record(slug, event, ATTEMPTS, error)
    attempts.forget(slug, event.id)
    circuit.note_dead_letter(slug)


def _pause(slug: str, receipt_handles: list[str], seconds: int) -> None:
    """Show the messages again after ``seconds``, not only after the queue's visibility time-out. If it fails, they come later: no harm."""
    plugin = active.with_queue(slug)
    if plugin is None:
        return
    for handle in receipt_handles:
        try:
            aws.client("sqs").change_message_visibility(QueueUrl=plugin.queue_url, ReceiptHandle=handle, VisibilityTimeout=seconds)
        except Exception:  # noqa: BLE001 the queue's own time-out takes its place
            log.logger().warning("visibility not changed", extra={"plugin": slug})
