"""What the operations of migrations do to a plugin's tables.

Each may be done twice: a worker that died in the middle of one is followed by another that does it again. Nobody else writes meanwhile,
since a plugin is switched off while its migrations run; what a late request of it still writes is refused or carried along.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from chalicelib.events import retried, unit_of_work
from chalicelib.runtime import bulk, tables, usage
from chalicelib.runtime.errors import MigrationFailed, TableNotFound
from chalicelib.runtime.models import RuntimeRow
from chalicelib.runtime.table_keys import MOST_INDEXES, Key, Shape
from chalicelib.runtime.usage import UNBOUNDED

Operation = Mapping[str, Any]


def apply(slug: str, operation: Operation) -> None:
    """Raises MigrationFailed (the operation does not fit what is there), ValidationError, ValueTooLarge, StorageQuotaExceeded."""
    try:
        _OPERATIONS[operation["op"]](slug, operation)
    except TableNotFound as error:
        raise MigrationFailed(error.message, **error.details) from error


def _create_table(slug: str, operation: Operation) -> None:
    wanted = Shape.from_json({**operation, "name": operation["table"]})
    there = {shape.name: shape for shape in tables.shapes(slug)}.get(wanted.name)
    if there is not None and there != wanted:
        raise MigrationFailed(f"There is a table '{wanted.name}' already, of another shape", table=wanted.name)
    # A dropping that died half-way is finished first.
    if there is None:
        tables.drop(slug, wanted.name)
        tables.define(slug, wanted)


def _drop_table(slug: str, operation: Operation) -> None:
    tables.drop(slug, operation["table"])


def _add_index(slug: str, operation: Operation) -> None:
    shape = tables.definition(slug, operation["table"]).shape
    key = Key(operation["partition"], operation.get("sort"))
    if shape.indexes.get(operation["name"], key) != key:
        raise MigrationFailed(f"'{shape.name}' has an index '{operation['name']}' already, of another key", table=shape.name)
    changed = Shape(shape.name, shape.key, {**shape.indexes, operation["name"]: key})
    tables.define(slug, changed)
    _rewrite(slug, changed, lambda item: item)


def _drop_index(slug: str, operation: Operation) -> None:
    shape = tables.definition(slug, operation["table"]).shape
    left = {name: key for name, key in shape.indexes.items() if name != operation["name"]}
    tables.define(slug, Shape(shape.name, shape.key, left))
    bulk.remove_partition(slug, tables.index_partition(slug, shape.name, operation["name"]))
    _rewrite(slug, Shape(shape.name, shape.key, left), lambda item: item)


def _put_items(slug: str, operation: Operation) -> None:
    for item in operation["items"]:
        tables.put(slug, operation["table"], item)


def _delete_items(slug: str, operation: Operation) -> None:
    for key in operation["keys"]:
        tables.delete(slug, operation["table"], key)


def _rename_attribute(slug: str, operation: Operation) -> None:
    old, new = operation["from"], operation["to"]
    shape = tables.definition(slug, operation["table"]).shape
    _rewrite(slug, shape, lambda item: {new if name == old else name: value for name, value in item.items()} if old in item else item)


def _set_default(slug: str, operation: Operation) -> None:
    shape = tables.definition(slug, operation["table"]).shape
    _rewrite(slug, shape, lambda item: {operation["attribute"]: operation["value"]} | item)


_OPERATIONS: dict[str, Callable[[str, Operation], None]] = {
    "create_table": _create_table,
    "drop_table": _drop_table,
    "add_index": _add_index,
    "drop_index": _drop_index,
    "put_items": _put_items,
    "delete_items": _delete_items,
    "rename_attribute": _rename_attribute,
    "set_default": _set_default,
}


def _rewrite(slug: str, shape: Shape, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Bring each item, and its places in indexes, to what ``change`` makes of it. The key must stay."""
    found = RuntimeRow.query(tables.partition_of(slug, shape.name), consistent_read=True)
    # At most an item leaves all indexes, and is entered in as many.
    weighed = ((row, 1 + 2 * MOST_INDEXES, len(row.value) * (1 + MOST_INDEXES)) for row in found)
    for part in bulk.parts(weighed):
        _rewrite_at(slug, shape, [(row.pk, row.sk) for row in part], change)


@retried
def _rewrite_at(slug: str, shape: Shape, places: list[usage.Key], change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    with unit_of_work() as work:
        total = usage.Change()
        for before in RuntimeRow.batch_get(places, consistent_read=True):
            item = json.loads(before.value)
            rows = tables.rows_of(slug, shape, change(item))
            if rows[0].value == before.value and rows[0].body == before.body:
                continue
            total += tables.exchange(work, slug, shape.name, before, rows)
        usage.count(work, slug, total, UNBOUNDED)
