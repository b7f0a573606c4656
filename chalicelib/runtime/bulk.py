"""Many rows at once: written or removed in transactions, each with its part of what is counted.

A worker that dies between two of them leaves rows and count in step, and whoever does the work again begins with what is left.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from chalicelib.core.errors import ConcurrentChange
from chalicelib.events import retried, unit_of_work
from chalicelib.runtime import objects, usage
from chalicelib.runtime.models import RuntimeRow
from chalicelib.runtime.usage import UNBOUNDED, Change, Key

# A transaction takes 100 writes, of which one is the counter's, and 4 MB.
WRITES_AT_ONCE = 99
BYTES_AT_ONCE = 3_000_000

T = TypeVar("T")


def parts(things: Iterable[tuple[T, int, int]]) -> Iterator[list[T]]:
    """Things, each with its number of writes and their bytes, cut into what fits into one transaction."""
    part: list[T] = []
    writes = size = 0
    for thing, more_writes, more_bytes in things:
        if part and (writes + more_writes > WRITES_AT_ONCE or size + more_bytes > BYTES_AT_ONCE):
            yield part
            part, writes, size = [], 0, 0
        part.append(thing)
        writes, size = writes + more_writes, size + more_bytes
    if part:
        yield part


def removals(rows: Iterable[RuntimeRow]) -> Iterator[list[RuntimeRow]]:
    """Rows cut into what one transaction can remove; a large value takes a claim as well."""
    return parts((row, 2, 0) if row.object_id else (row, 1, int(row.size_bytes or 0)) for row in rows)


def remove(slug: str, rows: list[RuntimeRow]) -> int:
    """Remove what one of :func:`removals` holds; how many of them there still were. What was changed since it was read is read again."""
    try:
        _remove_as_read(slug, rows)
    except ConcurrentChange:
        return remove_at(slug, [(row.pk, row.sk) for row in rows])
    return len(rows)


@retried
def remove_at(slug: str, places: list[Key]) -> int:
    """Remove whatever is at these places; how many there were."""
    rows = list(usage.read(slug, places)[1].values())
    for part in removals(rows):
        _remove_as_read(slug, part)
    return len(rows)


def remove_partition(slug: str, partition: str) -> int:
    """Remove all rows of one partition; how many."""
    rows = RuntimeRow.query(partition, attributes_to_get=list(usage.COUNTED), consistent_read=True)
    return sum(remove(slug, part) for part in removals(rows))


def create(slug: str, rows: list[RuntimeRow]) -> None:
    """Write rows that are not there yet, as many as one transaction takes. The quota is not asked."""
    with unit_of_work() as work:
        change = Change()
        for row in rows:
            work.create(row)
            change += usage.change_of(None, None if row.size_bytes is None else int(row.size_bytes))
            if row.object_id:
                objects.point_at(work, slug, row.object_id)
        usage.count(work, slug, change, UNBOUNDED)


def _remove_as_read(slug: str, rows: list[RuntimeRow]) -> None:
    with unit_of_work() as work:
        change = Change()
        for row in rows:
            work.delete(RuntimeRow(row.pk, row.sk), usage.unchanged(row))
            change += usage.change_of(row, None)
            if row.object_id:
                objects.let_go(work, slug, row.object_id)
        usage.count(work, slug, change, UNBOUNDED)
