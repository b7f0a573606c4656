"""The events table: one item for each event, under the key of the aggregate that it happened to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from pynamodb.attributes import NumberAttribute, UnicodeAttribute

from chalicelib.core import clock
from chalicelib.core.tables import Row, TableMeta, table

# Long enough for an audit of the last quarter; the log of plugins is kept for good.
_KEPT_S = 120 * 24 * 3600


class EventSourced:
    """What a row needs so that events can be told of it: the sequence number of its latest event.

    A row class adds ``event_sequence = NumberAttribute(default=0)``, and says its aggregate's name, such as ``session#john-firefox``.
    """

    event_sequence: Any
    aggregate: ClassVar[Any]


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
    expires_at = NumberAttribute(null=True)


@dataclass(frozen=True)
class Event:
    """One event. ``previous`` is the sequence of the aggregate's event before it, 0 for the first of its life."""

    id: int
    type: str
    aggregate: str
    sequence: int
    previous: int
    time: datetime
    data: dict[str, Any]
    actor: dict[str, Any] | None = field(default=None)

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
            expires_at=expiry(self.aggregate),
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
            **more,
        }


def expiry(aggregate: str) -> int | None:
    """When (epoch seconds) an item of this aggregate that is written now may go; None for never."""
    return None if aggregate.startswith("plugin#") else int(clock.timestamp()) + _KEPT_S


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


def history(aggregate: str, *, newest_first: bool = True) -> Iterator[Event]:
    """All events of one aggregate, read page by page as the caller goes on. Key condition: aggregate."""
    return (Event.of_row(row) for row in EventRow.query(aggregate, scan_index_forward=not newest_first))
