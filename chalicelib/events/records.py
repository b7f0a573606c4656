"""The events table: one item for each event, under the key of the aggregate that it happened to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar

from pynamodb.attributes import NumberAttribute, UnicodeAttribute
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex

from chalicelib.core import clock
from chalicelib.core.tables import Row, TableMeta, table
from chalicelib.events.tally import Tally
from chalicelib.events.types import SESSION_EVENTS, USER_EVENTS

# Long enough for an audit of the last quarter; the log of plugins is kept for good.
KEPT_S = 120 * 24 * 3600
_HOOKABLE = frozenset({*SESSION_EVENTS, *USER_EVENTS})


class EventSourced:
    """What a row needs so that events can be told of it: the sequence number of its latest event.

    A row class adds ``event_sequence = NumberAttribute(default=0)``, and says its aggregate's name, such as ``session#john-firefox``. One
    whose events plugins can hear adds ``event_cause = UnicodeAttribute(null=True)`` too (``causes``); one whose events people read as a log
    adds ``event_tally = UnicodeAttribute(null=True)`` (``log``).
    """

    event_sequence: Any
    aggregate: ClassVar[Any]


class _ByHour(GlobalSecondaryIndex["EventRow"]):
    """The events that plugins can hook, by the hour and in it by their ids, which grow with time."""

    class Meta:
        index_name = "by-hour"
        projection = AllProjection()

    hour = UnicodeAttribute(hash_key=True)
    id = NumberAttribute(range_key=True)


class EventRow(Row):
    class Meta(TableMeta):
        table_name = table("EVENTS_TABLE")

    aggregate = UnicodeAttribute(hash_key=True)
    sequence = NumberAttribute(range_key=True)
    id = NumberAttribute()
    type = UnicodeAttribute()
    time = UnicodeAttribute()
    previous = NumberAttribute()
    # JSON texts: numbers and empty strings come back exactly as they went in.
    body = UnicodeAttribute()
    actor = UnicodeAttribute(null=True)
    hops = NumberAttribute(null=True)
    caused_by = UnicodeAttribute(null=True)
    expires_at = NumberAttribute(null=True)
    # Only of what has a log (``log``).
    tally = UnicodeAttribute(null=True)
    # Only of what plugins can hook: ``2026-01-02T03``.
    hour = UnicodeAttribute(null=True)
    by_hour = _ByHour()


@dataclass(frozen=True)
class Event:
    """One event. ``previous`` is the sequence of the aggregate's event before it, 0 for the first of its life.

    ``hops``: how many plugins' hooks, one causing the next, led to it, the last of them in the plugin ``caused_by``.
    """

    id: int
    type: str
    aggregate: str
    sequence: int
    previous: int
    time: datetime
    data: dict[str, Any]
    actor: dict[str, Any] | None = field(default=None)
    hops: int = 0
    caused_by: str | None = None
    tally: Tally | None = None

    def row(self) -> EventRow:
        return EventRow(
            self.aggregate,
            self.sequence,
            id=self.id,
            type=self.type,
            time=clock.rfc3339(self.time),
            previous=self.previous,
            body=json.dumps(self.data),
            actor=json.dumps(self.actor) if self.actor else None,
            hops=self.hops or None,
            caused_by=self.caused_by,
            expires_at=expiry(self.aggregate),
            tally=self.tally.text() if self.tally else None,
            hour=hour_of(self.time) if self.type in _HOOKABLE else None,
        )

    @classmethod
    def of_row(cls, row: EventRow) -> Event:
        return cls(
            id=int(row.id),
            type=row.type,
            aggregate=row.aggregate,
            sequence=int(row.sequence),
            previous=int(row.previous),
            time=clock.parse_rfc3339(row.time),
            data=json.loads(row.body),
            actor=json.loads(row.actor) if row.actor else None,
            hops=int(row.hops or 0),
            caused_by=row.caused_by,
            tally=Tally.of_text(row.tally),
        )

    def message(self, **more: Any) -> dict[str, Any]:
        """The event as its subscribers receive it (``docs/runtime-protocol.md``, Events)."""
        return {
            "id": self.id,
            "type": self.type,
            "aggregate": self.aggregate,
            "sequence": self.sequence,
            "time": clock.rfc3339(self.time),
            "data": self.data,
            **({"hops": self.hops} if self.hops else {}),
            **more,
        }


def expiry(aggregate: str) -> int | None:
    """When (epoch seconds) an item of this aggregate that is written now may go; None for never."""
    return None if aggregate.startswith(("plugin#", "log#")) else int(clock.timestamp()) + KEPT_S


def read(aggregate: str, sequence: int) -> Event | None:
    """That one event; None when there is no such event (any more). Costs one GetItem."""
    try:
        return Event.of_row(EventRow.get(aggregate, sequence, consistent_read=True))
    except EventRow.DoesNotExist:
        return None


def between(aggregate: str, after: int, up_to: int) -> list[Event]:
    """The aggregate's events with ``after < sequence <= up_to``, in order. Key condition: aggregate, sequence BETWEEN."""
    rows = EventRow.query(aggregate, EventRow.sequence.between(after + 1, up_to), consistent_read=True)
    return [Event.of_row(row) for row in rows]


def hour_of(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H")


def of_hour(hour: str, *, after_id: int, limit: int) -> list[Event]:
    """The next events of that hour that plugins can hook: by time, those of one session or user in their order.

    Key condition of the index by-hour: hour, id > after_id. An index may lag behind its table by a moment.
    """
    found = [Event.of_row(row) for row in EventRow.by_hour.query(hour, EventRow.id > after_id, limit=limit, page_size=limit)]
    # Ids come from the clocks of many machines; within an aggregate the sequence is right.
    own: dict[str, Iterator[Event]] = {}
    for event in found:
        if event.aggregate not in own:
            mine = [one for one in found if one.aggregate == event.aggregate]
            own[event.aggregate] = iter(sorted(mine, key=lambda one: one.sequence))
    return [next(own[event.aggregate]) for event in found]
