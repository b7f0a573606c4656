"""The log of an aggregate, by pages, newest first.

Promises
    The last page costs what the first does: at most two reads that find where it is, and one of just its events.
    ``total`` is exact, also of one type, of a stretch of time, and of the log as it was at some event (``as_of``).
    Going on by cursor, or by pages of one ``as_of``, shows each event once, whatever happens meanwhile.

An event of an aggregate that has a log is written under three keys, in the transaction of its change: under its sequence, as every event;
under its number among those of its type; and under its id, which says the time. Each carries the tally up to it, so positions are computed
and not counted. A plugin that comes back after an uninstall goes on with the log of its earlier lives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from chalicelib.core import ids
from chalicelib.core.pagination import Page
from chalicelib.events.records import Event, EventRow
from chalicelib.events.tally import Tally

PREFIX = "log#"


@dataclass(frozen=True)
class LogPage:
    """``next_position`` is that of the first event behind the page (None at the end); ``as_of`` the id of the newest event looked at."""

    page: Page[Event]
    next_position: int | None
    as_of: int | None


def copies_of(event: Event) -> list[EventRow]:
    """The event under its number among its type, and under its id. Nothing for an aggregate without a log."""
    if event.tally is None:
        return []
    number = event.tally.count(event.type)
    return [_copy(event, _of_type(event.aggregate, event.type), number), _copy(event, _by_id(event.aggregate), event.id)]


def latest(aggregate: str) -> Event | None:
    """The newest event. Key condition: aggregate; one item, strongly consistent."""
    found = _read(EventRow.query(aggregate, scan_index_forward=False, consistent_read=True, limit=1))
    return found[0] if found else None


def newest(aggregate: str, limit: int) -> list[Event]:
    """The newest events, newest first. Key condition: aggregate."""
    return _read(EventRow.query(aggregate, scan_index_forward=False, consistent_read=True, limit=limit))


def page(
    aggregate: str,
    number: int,
    size: int,
    *,
    type: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    as_of: int | None = None,
    position: int | None = None,
) -> LogPage:
    """One page of the events of ``type`` between two moments, both included, and up to the event with the id ``as_of``.

    ``position`` (a ``next_position``) begins the page there instead of at ``number``. Two calls; one more with ``since``.
    """
    end = _tally_before(aggregate, _first_behind(until, as_of))
    if end is None:
        return LogPage(Page([], number, size, 0), None, None)
    start = _tally_before(aggregate, ids.number_at(since)) if since else None
    newest_at, passed_over = end.count(type), start.count(type) if start else 0
    total = max(0, newest_at - passed_over)
    at = newest_at - (number - 1) * size if position is None else min(position, newest_at)
    last = max(passed_over + 1, at - size + 1)
    events = _stretch(aggregate, type, end, last, at) if at >= last else []
    if position is not None:
        number = (newest_at - at) // size + 1
    return LogPage(Page(events, number, size, total), last - 1 if events and last - 1 > passed_over else None, end.last_id)


# ── Where things are ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _stretch(aggregate: str, type: str | None, end: Tally, first: int, last: int) -> list[Event]:
    """The events at these positions, newest first. Key condition: aggregate (of the type), sequence BETWEEN."""
    key = aggregate if type is None else _of_type(aggregate, type)
    span = (first, last) if type is not None else (end.sequence_at(first), end.sequence_at(last))
    return _read(EventRow.query(key, EventRow.sequence.between(*span), scan_index_forward=False, consistent_read=True))


def _tally_before(aggregate: str, id: int | None) -> Tally | None:
    """The tally up to the last event whose id is less (the newest of all, for None). Key condition: log of the aggregate, id."""
    condition = EventRow.sequence < id if id is not None else None
    found = _read(EventRow.query(_by_id(aggregate), condition, scan_index_forward=False, consistent_read=True, limit=1))
    return found[0].tally if found else None


def _first_behind(until: datetime | None, as_of: int | None) -> int | None:
    bounds = []
    if until is not None:
        # What is shown has milliseconds: so much of the last one counts.
        bounds.append(ids.number_at(until + timedelta(milliseconds=1)))
    if as_of is not None:
        bounds.append(as_of + 1)
    return min(bounds, default=None)


def _read(rows: object) -> list[Event]:
    return [Event.of_row(row) for row in rows]  # type: ignore[attr-defined]


def _copy(event: Event, key: str, number: int) -> EventRow:
    return replace(event, aggregate=key, sequence=number).row()


def _of_type(aggregate: str, type: str) -> str:
    return f"{PREFIX}{aggregate}#{type}"


def _by_id(aggregate: str) -> str:
    return f"{PREFIX}{aggregate}"


__all__: Sequence[str] = ("LogPage", "copies_of", "latest", "newest", "page")
