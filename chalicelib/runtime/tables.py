"""Plugins' own tables: items with a key, found by key, by ranges of it, and by indexes.

All tables of all plugins lie in the runtime table: a table is a partition, an index another one that holds each item once more in its own
order. An item and its places in indexes change in one transaction, so an index is never behind its table. Which tables there are, only
migrations decide (``table_changes``); a transaction that writes an item also checks that the table is still as it was read.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.core.errors import ValidationError
from chalicelib.core.pagination import decode_cursor, encode_cursor
from chalicelib.core.tables import first_page
from chalicelib.events import UnitOfWork, retried, unit_of_work
from chalicelib.runtime import bulk, usage
from chalicelib.runtime.errors import ItemAlreadyExists, TableNotFound, ValueTooLarge
from chalicelib.runtime.models import RuntimeRow
from chalicelib.runtime.table_keys import Shape, bounds
from chalicelib.runtime.usage import Change

# DynamoDB takes items of 409,600 bytes; the rest is for the keys.
LARGEST_ITEM_BYTES = 390_000
LONGEST_PAGE = 1000

Item = dict[str, Any]


@dataclass(frozen=True)
class Definition:
    """A table as it is defined at this moment; ``text`` is what the row says, for conditions."""

    shape: Shape
    text: str


# ── What there is ────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def shapes(slug: str) -> list[Shape]:
    """The plugin's tables, by name. One Query."""
    rows = RuntimeRow.query(f"TABLES#{slug}", consistent_read=True)
    return [Shape.from_json(document) for document in (json.loads(row.body) for row in rows) if not document.get("is_dropped")]


def definition(slug: str, table: str) -> Definition:
    """Raises TableNotFound, with the names of those that there are. One GetItem."""
    try:
        row = RuntimeRow.get(*definition_key(slug, table), consistent_read=True)
    except RuntimeRow.DoesNotExist:
        row = None
    document = json.loads(row.body) if row else {"is_dropped": True}
    if row is None or document.get("is_dropped"):
        names = [shape.name for shape in shapes(slug)]
        there = f"it has {', '.join(names)}" if names else "it has none"
        raise TableNotFound(f"The plugin has no table '{table}': {there}. Migrations make tables", table=table, tables=names)
    return Definition(Shape.from_json(document), row.body)


def count_items(slug: str, table: str) -> int:
    """One Query for each megabyte."""
    return RuntimeRow.count(partition_of(slug, table), consistent_read=True)


# ── What plugins do ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def get(slug: str, table: str, key: Any) -> Item | None:
    """The item with that key, or None. Raises TableNotFound, ValidationError. Two GetItems."""
    place = definition(slug, table).shape.place_of(key)
    try:
        item: Item = json.loads(RuntimeRow.get(partition_of(slug, table), place, consistent_read=True).value)
    except RuntimeRow.DoesNotExist:
        return None
    return item


@retried
def put(slug: str, table: str, item: Item, *, if_not_exists: bool = False) -> None:
    """Put the item in the place of the one with its key, whole.

    Raises: TableNotFound, ValidationError, ValueTooLarge, StorageQuotaExceeded; ItemAlreadyExists with ``if_not_exists``.
    """
    defined = definition(slug, table)
    rows = rows_of(slug, defined.shape, item)
    place = (rows[0].pk, rows[0].sk)
    allowance, found = usage.read(slug, [place])
    before = found.get(place)
    if if_not_exists and before is not None:
        raise ItemAlreadyExists(f"'{table}' has an item with this key already", table=table)
    with unit_of_work() as work:
        _check(work, slug, defined)
        change = exchange(work, slug, table, before, rows)
        allowance.refuse_beyond(change)
        usage.count(work, slug, change, allowance)


@retried
def delete(slug: str, table: str, key: Any) -> None:
    """Nothing there is fine. Raises TableNotFound, ValidationError."""
    defined = definition(slug, table)
    place = (partition_of(slug, table), defined.shape.place_of(key))
    allowance, found = usage.read(slug, [place])
    before = found.get(place)
    if before is None:
        return
    with unit_of_work() as work:
        _check(work, slug, defined)
        usage.count(work, slug, exchange(work, slug, table, before, []), allowance)


def query(
    slug: str,
    table: str,
    where: Mapping[str, Any],
    *,
    index: str | None = None,
    limit: int = 100,
    descending: bool = False,
    cursor: str | None = None,
) -> tuple[list[Item], str | None]:
    """Items in the order of the table's key, or of the index's; and the cursor of what follows, None at the end.

    A page ends at ``limit`` items, or earlier, at a megabyte. Raises TableNotFound, ValidationError. One GetItem and one Query; key
    condition: pk, sk between.
    """
    shape = definition(slug, table).shape
    chosen, key = shape.fitting(where, index)
    partition = partition_of(slug, table) if chosen is None else index_partition(slug, table, chosen)
    between = bounds(key, where)
    if between is not None and between[0].encode() > between[1].encode():
        return [], None
    found = RuntimeRow.query(
        partition,
        RuntimeRow.sk.between(*between) if between else None,
        attributes_to_get=["pk", "sk", "value"],
        page_size=min(limit, LONGEST_PAGE),
        scan_index_forward=not descending,
        last_evaluated_key=_start(cursor, partition, between),
        consistent_read=True,
    )
    rows, following = first_page(found)
    return [json.loads(row.value) for row in rows], encode_cursor({"after": following["sk"]["S"]}) if following else None


# ── What backups need ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def everything(slug: str, table: str) -> Iterator[str]:
    """Each item's JSON, in the order of the key."""
    for row in RuntimeRow.query(partition_of(slug, table), consistent_read=True):
        yield row.value


def define(slug: str, shape: Shape) -> None:
    """Make the table, or say anew what it looks like. What is in it is not touched."""
    RuntimeRow(*definition_key(slug, shape.name), body=json.dumps(shape.as_json())).save()


def load(slug: str, shape: Shape, items: Iterable[str]) -> int:
    """Fill an empty table; how many. The quota does not count here."""
    count = 0
    rows = (rows_of(slug, shape, json.loads(text)) for text in items)
    for part in bulk.parts((group, len(group), len(group) * len(group[0].value)) for group in rows):
        bulk.create(slug, [row for group in part for row in group])
        count += len(part)
    return count


def drop(slug: str, table: str) -> None:
    """Remove the table and all that is in it; nothing there is fine. May be done twice, and finishes one that died half-way."""
    try:
        row = RuntimeRow.get(*definition_key(slug, table), consistent_read=True)
    except RuntimeRow.DoesNotExist:
        return
    document = json.loads(row.body)
    # Marked first: what would write into it fails from here on.
    row.update(actions=[RuntimeRow.body.set(json.dumps({**document, "is_dropped": True}))])
    for index in Shape.from_json(document).indexes:
        bulk.remove_partition(slug, index_partition(slug, table, index))
    bulk.remove_partition(slug, partition_of(slug, table))
    row.delete()


def drop_all(slug: str) -> None:
    """Also those whose dropping died half-way."""
    for row in RuntimeRow.query(f"TABLES#{slug}", attributes_to_get=["pk", "sk"], consistent_read=True):
        drop(slug, row.sk)


# ── Rows ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def rows_of(slug: str, shape: Shape, item: Item) -> list[RuntimeRow]:
    """The item's row, and one for each index that it is in. Raises ValidationError, ValueTooLarge."""
    place = shape.place_of_item(item)
    try:
        text = json.dumps(item, separators=(",", ":"), ensure_ascii=False)
        size = len(text.encode())
    except UnicodeEncodeError:
        text = json.dumps(item, separators=(",", ":"))
        size = len(text)
    if size > LARGEST_ITEM_BYTES:
        raise ValueTooLarge(
            f"The item has {size} bytes; at most {LARGEST_ITEM_BYTES} can be stored", size_bytes=size, limit_bytes=LARGEST_ITEM_BYTES
        )
    places = shape.index_places(item, place)
    noted = json.dumps(places) if places else None
    row = RuntimeRow(partition_of(slug, shape.name), place, value=text, body=noted, size_bytes=len(place.encode()) + size)
    return [row, *(RuntimeRow(index_partition(slug, shape.name, index), at, value=text) for index, at in places.items())]


def exchange(work: UnitOfWork, slug: str, table: str, before: RuntimeRow | None, rows: list[RuntimeRow]) -> Change:
    """Put ``rows`` (of one item) in the place of the item that was read as ``before``, or remove it where there are none; what to count."""
    unchanged = usage.unchanged(before)
    if rows:
        work.save(rows[0], unchanged)
    elif before is not None:
        work.delete(RuntimeRow(before.pk, before.sk), unchanged)
    written = {(row.pk, row.sk) for row in rows[1:]}
    for row in rows[1:]:
        work.save(row)
    for index, at in json.loads(before.body if before is not None and before.body else "{}").items():
        left = (index_partition(slug, table, index), at)
        if left not in written:
            work.delete(RuntimeRow(*left))
    return usage.change_of(before, int(rows[0].size_bytes) if rows else None)


def partition_of(slug: str, table: str) -> str:
    return f"TABLE#{slug}#{table}"


def index_partition(slug: str, table: str, index: str) -> str:
    return f"INDEX#{slug}#{table}#{index}"


def definition_key(slug: str, table: str) -> tuple[str, str]:
    return f"TABLES#{slug}", table


def _check(work: UnitOfWork, slug: str, defined: Definition) -> None:
    """The table is still as it was read; where it is not, the use case is run again and sees what it is now."""
    row = RuntimeRow(*definition_key(slug, defined.shape.name))
    work.check(row, RuntimeRow.body == defined.text)


def _start(cursor: str | None, partition: str, between: tuple[str, str] | None) -> dict[str, Any] | None:
    if not cursor:
        return None
    after = decode_cursor(cursor).get("after")
    low, high = between or ("", "\U0010ffff")
    try:
        is_ours = isinstance(after, str) and 0 < len(after.encode()) <= 1024 and low.encode() <= after.encode() <= high.encode()
    except UnicodeEncodeError:
        is_ours = False
    if not is_ours:
        raise ValidationError({"cursor": ["The cursor is not one that this API gave out for this query"]})
    return {"pk": {"S": partition}, "sk": {"S": after}}
