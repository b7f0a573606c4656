"""Delivering again: dead letters, and stretches of history.

Promises
    What is delivered again says so (``replayed``), has the id that it had, and comes in its order for each session and user, behind what
    waits.
    A stretch has the events that the plugin hooks and that happened in it, also those that were withheld for their hops. What is too much
    for a request goes on in the background, and a worker that dies on the way is followed by the next: at least once.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta

from chalicelib.core import clock, ids, log
from chalicelib.core.errors import ValidationError
from chalicelib.events import Event, Subscriber, hour_of, of_hour
from chalicelib.events import read as read_event
from chalicelib.events.dispatcher import send
from chalicelib.events.records import KEPT_S
from chalicelib.runtime import active, attempts, dead_letters, provisioning
from chalicelib.runtime.active import ActivePlugin
from chalicelib.runtime.dead_letters import DeadLetter
from chalicelib.runtime.errors import DeadLetterNotFound, PluginReceivesNothing
from chalicelib.runtime.models import RuntimeRow

# What one request delivers again by itself; more is for the next request (dead letters), or for the background (history).
LETTERS_AT_ONCE = 50
EVENTS_AT_ONCE = 50
HOURS_AT_ONCE = 24
_PAGE = 100
_REPLAYS = "REPLAYS"


@dataclass(frozen=True)
class Replay:
    """A stretch on its way: what happened from ``since`` to ``until`` (RFC 3339), read up to ``hour`` and ``after_id``; ``sent`` so far."""

    id: str
    slug: str
    since: str
    until: str
    hour: str
    after_id: int = 0
    sent: int = 0

    @property
    def is_done(self) -> bool:
        return self.hour > hour_of(clock.parse_rfc3339(self.until))


def replay_letters(slug: str, event_id: int | None = None) -> tuple[int, bool]:
    """Deliver one dead letter again, or the oldest fifty; how many, and whether there are more. Raises DeadLetterNotFound."""
    letters, has_more = _chosen(slug, event_id)
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
    return sent, has_more


def replay_stretch(slug: str, since: datetime, until: datetime | None) -> Replay:
    """Deliver what happened in that time again; what is too much for a request is left to :func:`go_on`.

    Raises: PluginReceivesNothing for a plugin that is off; ValidationError.
    """
    plugin = active.with_queue(slug)
    if plugin is None:
        raise PluginReceivesNothing(f"'{slug}' is not active: activate it first", slug=slug)
    now = clock.now()
    last = min(until or now, now)
    first = max(since, now - timedelta(seconds=KEPT_S))
    if since >= (until or now):
        raise ValidationError({"from": ["Must be before 'to', and in the past"]})
    replay = Replay(ids.text("replay"), slug, clock.rfc3339(first), clock.rfc3339(last), hour_of(first))
    for done in _advanced(plugin, replay, HOURS_AT_ONCE):
        replay = done
        if replay.sent >= EVENTS_AT_ONCE:
            break
    if not replay.is_done:
        RuntimeRow(_REPLAYS, f"{slug}#{replay.id}", body=json.dumps(asdict(replay))).save()
    return replay


def under_way(slug: str) -> list[Replay]:
    """Stretches that go on in the background. Key condition: pk = REPLAYS, sk begins with the slug."""
    return [_replay(row) for row in RuntimeRow.query(_REPLAYS, RuntimeRow.sk.startswith(f"{slug}#"), consistent_read=True)]


def go_on(patience_s: float = 20.0) -> int:
    """Go on with all stretches, each for its part of the time; how many events were sent."""
    rows = list(RuntimeRow.query(_REPLAYS, consistent_read=True))
    sent = 0
    for row in rows:
        try:
            sent += _go_on(row, patience_s / len(rows))
        except Exception:  # noqa: BLE001 it goes on from where it was noted; the others are not to wait for it
            log.logger().exception("replay not continued", extra={"replay": row.sk})
    return sent


def forget(slug: str) -> None:
    for replay in under_way(slug):
        RuntimeRow(_REPLAYS, f"{slug}#{replay.id}").delete()


def _go_on(row: RuntimeRow, patience_s: float) -> int:
    deadline = time.monotonic() + patience_s
    before = replay = _replay(row)
    plugin = active.with_queue(replay.slug)
    if plugin is None:
        # It was switched off meanwhile: it receives nothing.
        row.delete()
        return 0
    for done in _advanced(plugin, replay, None):
        replay = done
        RuntimeRow(_REPLAYS, row.sk, body=json.dumps(asdict(replay))).save()
        if time.monotonic() > deadline:
            break
    if replay.is_done:
        row.delete()
    return replay.sent - before.sent


def _advanced(plugin: ActivePlugin, replay: Replay, most_hours: int | None) -> Iterator[Replay]:
    """Send page after page, and say after each how far that is."""
    hooks = frozenset(plugin.registered.get("hooks") or ())
    since, until = clock.parse_rfc3339(replay.since), clock.parse_rfc3339(replay.until)
    hours = 0
    while not replay.is_done and (most_hours is None or hours < most_hours):
        page = of_hour(replay.hour, after_id=replay.after_id, limit=_PAGE)
        wanted = [event for event in page if event.type in hooks and since <= event.time <= until]
        for event in wanted:
            _send(plugin, event, f"{replay.id}-{event.id}")
        if len(page) == _PAGE:
            replay = replace(replay, after_id=max(event.id for event in page), sent=replay.sent + len(wanted))
        else:
            hours += 1
            replay = replace(replay, hour=_hour_after(replay.hour), after_id=0, sent=replay.sent + len(wanted))
        yield replay


def _hour_after(hour: str) -> str:
    return hour_of(datetime.strptime(hour, "%Y-%m-%dT%H").replace(tzinfo=UTC) + timedelta(hours=1))


def _chosen(slug: str, event_id: int | None) -> tuple[list[DeadLetter], bool]:
    if event_id is None:
        letters = dead_letters.oldest(slug, LETTERS_AT_ONCE + 1)
        return letters[:LETTERS_AT_ONCE], len(letters) > LETTERS_AT_ONCE
    letter = dead_letters.find(slug, event_id)
    if letter is None:
        raise DeadLetterNotFound(f"'{slug}' has no dead letter with the event id {event_id}", event_id=event_id)
    return [letter], False


def _send(plugin: ActivePlugin, event: Event, deduplication_id: str) -> None:
    said = (*active.more(plugin), ("replayed", True))
    subscriber = Subscriber(plugin.slug, plugin.queue_url, frozenset({event.type}), said)
    send(subscriber, [event], deduplicate=lambda _: deduplication_id)


def _replay(row: RuntimeRow) -> Replay:
    return Replay(**json.loads(row.body))
