"""The migrations in a package, ``migrations/NNNN_name.json``: read, checked against each other, and turned round. Pure functions.

All of them are played through on shapes of tables when the package is read, so an operation that cannot work is refused before anything
is made. The schema that editors and authors can use lies beside this file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from chalicelib.core import strict_json, validation
from chalicelib.core.errors import ValidationError
from chalicelib.plugins.errors import PackageInvalid
from chalicelib.runtime import tables
from chalicelib.runtime.errors import ValueTooLarge
from chalicelib.runtime.migrations import Migration
from chalicelib.runtime.table_keys import MOST_INDEXES, Key, Shape

FOLDER = "migrations/"
# Its record, with what undoes it, is one row.
LARGEST_BYTES = 300 * 1024
MOST_TABLES = 100

_FILE = re.compile(r"([0-9]{4})_([a-z0-9_-]{1,100})\.json")
_Shapes = dict[str, Shape]


class _Refused(Exception):
    """An operation that does not fit the tables as they are at that point."""


@cache
def schema() -> dict[str, Any]:
    """The published JSON Schema (draft 2020-12)."""
    loaded: dict[str, Any] = json.loads(Path(__file__).with_name("migration.schema.json").read_text())
    return loaded


def read(files: Mapping[str, bytes]) -> tuple[Migration, ...]:
    """In order. Raises PackageInvalid, naming the file and the operation: a name that is none, a number that is missing or there twice, a
    document that is none, an operation that does not fit what those before it made, one that is neither reversible nor said not to be."""
    paths = sorted(path for path in files if path.startswith(FOLDER))
    migrations = [_read(path, files[path]) for path in paths]
    for position, (path, migration) in enumerate(zip(paths, migrations, strict=True), start=1):
        if migration.number != position:
            raise _invalid(path, f"Migrations are numbered 0001, 0002 and so on, each once; this one should be {position:04d}")
    shapes: _Shapes = {}
    for path, migration in zip(paths, migrations, strict=True):
        before = shapes
        shapes = _played(path, "up", migration.up, shapes)
        if migration.down is not None and _played(path, "down", migration.down, shapes) != before:
            raise _invalid(path, 'Its "down" does not lead back to the tables and indexes that were there before')
    return tuple(migrations)


def tables_of(migrations: tuple[Migration, ...]) -> _Shapes:
    """The tables that are there when all were run, by name."""
    shapes: _Shapes = {}
    for migration in migrations:
        shapes = _played(migration.title, "up", migration.up, shapes)
    return shapes


def _read(path: str, content: bytes) -> Migration:
    name = _FILE.fullmatch(path.removeprefix(FOLDER))
    if name is None:
        raise _invalid(path, "A migration's file is called NNNN_name.json: four digits, then a-z, 0-9, _ and -")
    if len(content) > LARGEST_BYTES:
        raise _invalid(path, f"Must not exceed {LARGEST_BYTES // 1024} KB")
    try:
        document = strict_json.read(content)
    except ValueError as error:
        raise _invalid(path, f"Is not valid JSON: {error}") from error
    if isinstance(document, dict) and "down" in document and "irreversible" in document:
        raise _invalid(path, 'It has "down", and says that it is irreversible; leave one of the two out')
    faults = validation.faults_of(schema(), document)
    if faults:
        raise PackageInvalid({f"{path}: {field}": sentences for field, sentences in faults.items()})
    down = None if document.get("irreversible") else document.get("down") or _turned_round(path, document["up"])
    # Not of its layout or description: what counts is what it does.
    checksum = sha256(json.dumps([document["up"], down], sort_keys=True).encode()).hexdigest()
    return Migration(int(name[1]), name[2], checksum, tuple(document["up"]), None if down is None else tuple(down))


def _turned_round(path: str, up: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What undoes ``up``, last first."""
    down: list[dict[str, Any]] = []
    created: set[str] = {one["table"] for one in up if one["op"] == "create_table"}
    for position, one in reversed(list(enumerate(up))):
        if one["table"] in created and one["op"] != "create_table":
            # It goes with its table.
            continue
        match one["op"]:
            case "create_table":
                down.append({"op": "drop_table", "table": one["table"]})
            case "add_index":
                down.append({"op": "drop_index", "table": one["table"], "name": one["name"]})
            case "rename_attribute":
                down.append({"op": "rename_attribute", "table": one["table"], "from": one["to"], "to": one["from"]})
            case _:
                raise _invalid(f"{path}: up.{position}", f'{one["op"]} does not say how it is undone; add "down", or "irreversible": true')
    return down


def _played(path: str, direction: str, operations: tuple[Mapping[str, Any], ...], shapes: _Shapes) -> _Shapes:
    for position, operation in enumerate(operations):
        try:
            shapes = _after(operation, shapes)
        except _Refused as refused:
            raise _invalid(f"{path}: {direction}.{position}", str(refused)) from refused
        except (ValidationError, ValueTooLarge) as error:
            field, sentences = next(iter(error.details.items())) if isinstance(error, ValidationError) else ("item", [error.message])
            raise _invalid(f"{path}: {direction}.{position}.{field}", sentences[0]) from error
    return shapes


def _after(operation: Mapping[str, Any], shapes: _Shapes) -> _Shapes:
    name = operation["table"]
    if operation["op"] == "create_table":
        if name in shapes:
            raise _Refused(f"There is a table '{name}' already")
        if len(shapes) == MOST_TABLES:
            raise _Refused(f"A plugin has at most {MOST_TABLES} tables")
        shape = Shape.from_json({**operation, "name": name})
        indexes = [one["name"] for one in operation.get("indexes") or []]
        if len(set(indexes)) < len(indexes):
            raise _Refused("Two indexes have the same name")
        return {**shapes, name: shape}
    if name not in shapes:
        raise _Refused(f"There is no table '{name}' at this point; there are: {', '.join(sorted(shapes)) or 'none'}")
    shape = shapes[name]
    match operation["op"]:
        case "drop_table":
            return {other: one for other, one in shapes.items() if other != name}
        case "add_index":
            if operation["name"] in shape.indexes:
                raise _Refused(f"'{name}' has an index '{operation['name']}' already")
            if len(shape.indexes) == MOST_INDEXES:
                raise _Refused(f"A table has at most {MOST_INDEXES} indexes")
            key = Key(operation["partition"], operation.get("sort"))
            return {**shapes, name: Shape(name, shape.key, {**shape.indexes, operation["name"]: key})}
        case "drop_index":
            if operation["name"] not in shape.indexes:
                raise _Refused(f"'{name}' has no index '{operation['name']}' at this point")
            return {**shapes, name: Shape(name, shape.key, {n: key for n, key in shape.indexes.items() if n != operation["name"]})}
        case "put_items":
            for item in operation["items"]:
                tables.rows_of("", shape, item)
        case "delete_items":
            for key in operation["keys"]:
                shape.place_of(key)
        case "rename_attribute" | "set_default":
            touched = {operation.get("from"), operation.get("to"), operation.get("attribute")} & set(shape.key.attributes)
            if touched:
                raise _Refused(f"'{touched.pop()}' is of the table's key, which stays as it is; make a new table instead")
    return shapes


def _invalid(place: str, sentence: str) -> PackageInvalid:
    return PackageInvalid({place: [sentence]})
