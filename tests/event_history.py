"""All that happened to one aggregate, for tests: the product reads pages, or what came after an event."""

from __future__ import annotations

from chalicelib.events import Event
from chalicelib.events.records import EventRow


def history(aggregate: str, *, newest_first: bool = True) -> list[Event]:
    return [Event.of_row(row) for row in EventRow.query(aggregate, scan_index_forward=not newest_first, consistent_read=True)]
