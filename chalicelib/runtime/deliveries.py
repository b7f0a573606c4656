"""Events that a plugin has trouble with: counting attempts, pacing them, and setting aside what cannot be delivered.

Promises
    A poison event is set aside alone, after three attempts; the ones behind it in its group are delivered, in order.
    An attempt is counted when the plugin begins or reports it, never from SQS's receive count, which a failed message raises for the
    whole group. A dead letter keeps the event's place in the log, so it can be delivered again at any time while the log has it.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from chalicelib.core import aws, clock, log
from chalicelib.events import Event, Subscriber
from chalicelib.events import read as read_event
from chalicelib.events.dispatcher import send
from chalicelib.runtime import active, failures, provisioning
from chalicelib.runtime.errors import DeadLetterNotFound, EventNotFound
from chalicelib.runtime.models import RuntimeRow

RUN, RETRY, DEAD_LETTER = "run", "retry", "dead-letter"
ATTEMPTS = 3
# How long a failed event, and what is behind it in its group, waits for the next attempt.
_PAUSE_AFTER_S = {1: 2, 2: 10}
_COUNTED_FOR_S = 24 * 3600


@dataclass(frozen=True)
class DeadLetter:
    """``error`` is the failure as the plugin reported it (``docs/runtime-protocol.md``)."""

    event_id: int
    event_type: str
    aggregate: str
    sequence: int
    attempts: int
    error: dict[str, Any]
    died_at: str


def hook_of(event_type: str) -> str:
    """``onSessionCreated`` for ``session.created``: as the plugin API writes it."""
    return "on" + "".join(word.capitalize() for word in re.split(r"[._]", event_type))


def begin_attempt(slug: str, event_id: int, aggregate: str, sequence: int) -> str:
    """``run``, or ``dead-letter`` for an event that was begun too often: its earlier attempts killed the function, or were never reported.

    Raises EventNotFound when aggregate and sequence do not name this event.
    """
    event = _the_event(event_id, aggregate, sequence)
    attempts = _count(slug, event_id)
    if attempts <= ATTEMPTS:
        return RUN
    hook = hook_of(event.type)
    said = f"The plugin '{slug}' crashed or ran out of time or memory in {hook}, in each of {ATTEMPTS} attempts"
    error = {"name": "PluginCrashed", "message": said, "hook": hook}
    _set_aside(slug, event, ATTEMPTS, error)
    return DEAD_LETTER


def report_failure(
    slug: str, event_id: int, aggregate: str, sequence: int, *, begun: bool, error: dict[str, Any], receipt_handles: list[str]
) -> str:
    """``retry`` after a pause, or ``dead-letter`` when that was the last attempt. ``begun``: the attempt was counted when it began."""
    event = _the_event(event_id, aggregate, sequence)
    attempts = _counted(slug, event_id) if begun else _count(slug, event_id)
    if attempts >= ATTEMPTS:
        _set_aside(slug, event, attempts, error)
        return DEAD_LETTER
    _pause(slug, receipt_handles, _PAUSE_AFTER_S[max(attempts, 1)])
    return RETRY


def dead_letters(slug: str) -> list[DeadLetter]:
    """Newest first. Key condition: pk = DEAD#slug."""
    return [_dead_letter(row) for row in RuntimeRow.query(f"DEAD#{slug}", scan_index_forward=False)]


def record_undeliverable(slug: str, message: dict[str, Any]) -> None:
    """A message that the backstop queue caught: the function could not even report it."""
    event = read_event(message["aggregate"], int(message["sequence"]))
    if event is not None:
        error = {"name": "Undeliverable", "message": "The function never came so far as to report on this event"}
        _set_aside(slug, event, ATTEMPTS, error)


def replay(slug: str, event_id: int | None = None) -> int:
    """Deliver one dead letter again, or all of them, oldest first; how many. Raises DeadLetterNotFound."""
    letters = [letter for letter in reversed(dead_letters(slug)) if event_id in (None, letter.event_id)]
    if event_id is not None and not letters:
        raise DeadLetterNotFound(f"'{slug}' has no dead letter with the event id {event_id}", event_id=event_id)
    plugin = active.find(slug)
    url = plugin.queue_url if plugin else provisioning.queue_url(slug)
    sent = 0
    for letter in letters:
        event = read_event(letter.aggregate, letter.sequence)
        if event is not None and url is not None:
            RuntimeRow(f"ATTEMPTS#{slug}", _key(event.id)).delete()
            said = active.more(plugin or active.ActivePlugin(slug, url, 0))
            subscriber = Subscriber(slug, url, frozenset({event.type}), said)
            # SQS would drop the event's own id for five minutes after the first delivery.
            send(subscriber, [event], deduplicate=lambda one: f"{one.id}-{int(clock.timestamp() * 1000)}")
            sent += 1
        RuntimeRow(f"DEAD#{slug}", _key(letter.event_id)).delete()
    return sent


def _the_event(event_id: int, aggregate: str, sequence: int) -> Event:
    event = read_event(aggregate, sequence)
    if event is None or event.id != event_id:
        raise EventNotFound(event_id=event_id, aggregate=aggregate, sequence=sequence)
    return event


def _count(slug: str, event_id: int) -> int:
    row = RuntimeRow(f"ATTEMPTS#{slug}", _key(event_id))
    row.update(actions=[RuntimeRow.attempts.add(1), RuntimeRow.expires_at.set(int(clock.timestamp()) + _COUNTED_FOR_S)])
    return int(row.attempts)


def _counted(slug: str, event_id: int) -> int:
    try:
        return int(RuntimeRow.get(f"ATTEMPTS#{slug}", _key(event_id), consistent_read=True).attempts or 0)
    except RuntimeRow.DoesNotExist:
        return 0


def _set_aside(slug: str, event: Event, attempts: int, error: dict[str, Any]) -> None:
    told = failures.trimmed(error)
    letter = DeadLetter(event.id, event.type, event.aggregate, event.sequence, attempts, told, clock.rfc3339(clock.now()))
    RuntimeRow(f"DEAD#{slug}", _key(event.id), body=json.dumps(vars(letter))).save()
    RuntimeRow(f"ATTEMPTS#{slug}", _key(event.id)).delete()
    log.logger().warning("event set aside", extra={"plugin": slug, "event_id": event.id, "error": error})


def _pause(slug: str, receipt_handles: list[str], seconds: int) -> None:
    """Show the messages again after ``seconds``, not only after the queue's visibility time-out. If it fails, they come later: no harm."""
    plugin = active.find(slug)
    if plugin is None:
        return
    for handle in receipt_handles:
        try:
            aws.client("sqs").change_message_visibility(QueueUrl=plugin.queue_url, ReceiptHandle=handle, VisibilityTimeout=seconds)
        except Exception:  # noqa: BLE001 the queue's own time-out takes its place
            log.logger().warning("visibility not changed", extra={"plugin": slug})


def _dead_letter(row: RuntimeRow) -> DeadLetter:
    return DeadLetter(**json.loads(row.body))


def _key(event_id: int) -> str:
    return f"{event_id:016d}"
