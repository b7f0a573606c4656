"""Delivering again: dead letters, by the event's place in the log."""

from __future__ import annotations

from chalicelib.core import clock
from chalicelib.events import Event, Subscriber
from chalicelib.events import read as read_event
from chalicelib.events.dispatcher import send
from chalicelib.runtime import active, attempts, dead_letters, provisioning
from chalicelib.runtime.active import ActivePlugin
from chalicelib.runtime.dead_letters import DeadLetter
from chalicelib.runtime.errors import DeadLetterNotFound


def replay_letters(slug: str, event_id: int | None = None) -> int:
    """Deliver one dead letter again, or all of them, oldest first; how many. Raises DeadLetterNotFound."""
    letters = _chosen(slug, event_id)
    plugin = active.with_queue(slug)
    url = plugin.queue_url if plugin else provisioning.queue_url(slug)
    sent = 0
    for letter in letters:
        event = read_event(letter.aggregate, letter.sequence)
        if event is not None and url is not None:
            attempts.forget(slug, event.id)
            # SQS would drop the event's own id for five minutes after the first delivery.
            _send(plugin or ActivePlugin(slug, url, 0), event, f"{event.id}-{int(clock.timestamp() * 1000)}")
            sent += 1
        dead_letters.remove(slug, letter.event_id)
    return sent


def _chosen(slug: str, event_id: int | None) -> list[DeadLetter]:
    if event_id is None:
        return dead_letters.of(slug)[0][::-1]
    letter = dead_letters.find(slug, event_id)
    if letter is None:
        raise DeadLetterNotFound(f"'{slug}' has no dead letter with the event id {event_id}", event_id=event_id)
    return [letter]


def _send(plugin: ActivePlugin, event: Event, deduplication_id: str) -> None:
    said = (*active.more(plugin), ("replayed", True))
    subscriber = Subscriber(plugin.slug, plugin.queue_url, frozenset({event.type}), said)
    send(subscriber, [event], deduplicate=lambda _: deduplication_id)
