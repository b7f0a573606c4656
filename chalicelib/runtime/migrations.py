"""Which migrations a plugin's tables have seen, and taking them forward or back.

A migration is recorded when its first operation begins, with how many are done; so a run that died goes on with the operation that it died
in. What is needed to go back is recorded with it: the version that goes back does not know what a later one did.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from chalicelib.core import clock
from chalicelib.runtime import table_changes, tables
from chalicelib.runtime.errors import MigrationFailed
from chalicelib.runtime.models import RuntimeRow
from chalicelib.runtime.table_keys import Key, Shape

# What a table has whose name a manifest declares, and that no migration makes.
DEFAULT_KEY = Key("id")


@dataclass(frozen=True)
class Migration:
    """``down`` undoes ``up``, in its own order; None: it cannot be undone."""

    number: int
    name: str
    checksum: str
    up: tuple[Mapping[str, Any], ...]
    down: tuple[Mapping[str, Any], ...] | None

    @property
    def title(self) -> str:
        return f"{self.number:04d}_{self.name}"


@dataclass(frozen=True)
class Applied:
    """A migration as it is recorded. ``done``: of an unfinished one, how many of its operations; ``direction``: whether it is being run or
    undone."""

    number: int
    name: str
    checksum: str
    down: list[Mapping[str, Any]] | None
    done: int | None = None
    direction: str = "up"
    ran_at: str = ""

    @property
    def title(self) -> str:
        return f"{self.number:04d}_{self.name}"


@dataclass(frozen=True)
class Plan:
    """What is undone (latest first), and then what is run (in order)."""

    undo: tuple[Applied, ...]
    run: tuple[Migration, ...]


def plan(applied: Iterable[Applied], wanted: Iterable[Migration]) -> Plan:
    """From the migrations that were applied to those of a package.

    Raises MigrationFailed: one that was applied has another content now, or a later one cannot be undone.
    """
    by_number = {one.number: one for one in wanted}
    undo = []
    done = set()
    for one in sorted(applied, key=lambda one: -one.number):
        same = by_number.get(one.number)
        if same is None:
            if one.down is None:
                raise MigrationFailed(
                    f"The plugin's data is newer than this version: {one.title} was applied, and cannot be undone", migration=one.title
                )
            undo.append(one)
            continue
        if same.checksum != one.checksum:
            raise MigrationFailed(
                f"{same.title} was applied with another content; leave it as it was, and add a new migration", migration=same.title
            )
        if one.done is None:
            done.add(one.number)
    return Plan(tuple(undo), tuple(by_number[number] for number in sorted(by_number) if number not in done))


def applied(slug: str) -> list[Applied]:
    """What was applied, in order. One Query."""
    return [Applied(**json.loads(row.body)) for row in RuntimeRow.query(_partition(slug), consistent_read=True)]


def migrate(slug: str, wanted: Iterable[Migration], declared: Iterable[str] = ()) -> int:
    """Bring the plugin's tables to what these migrations make of them, forward or back; how many were run or undone.

    ``declared``: names of tables that must be there afterwards; those that no migration made have the key ``id``. May be done twice, and
    goes on where a run died. Raises MigrationFailed, naming the migration; what it did until then stays: the caller has a backup.
    """
    before = applied(slug)
    steps = plan(before, wanted)
    unfinished = {one.number: one for one in before if one.done is not None}
    for one in steps.undo:
        _run(slug, one, one.down or [], "down", unfinished.get(one.number))
    for migration in steps.run:
        _run(slug, _record_of(migration), migration.up, "up", unfinished.get(migration.number))
    there = {shape.name for shape in tables.shapes(slug)}
    for name in declared:
        if name not in there:
            tables.drop(slug, name)
            tables.define(slug, Shape(name, DEFAULT_KEY))
    return len(steps.undo) + len(steps.run)


def load(slug: str, records: Iterable[Mapping[str, Any]]) -> None:
    """Put back what :func:`applied` gave, as JSON, in the place of what is there."""
    forget(slug)
    for record in records:
        _save(slug, Applied(**record))


def forget(slug: str) -> None:
    with RuntimeRow.batch_write() as batch:
        for row in RuntimeRow.query(_partition(slug), attributes_to_get=["pk", "sk"], consistent_read=True):
            batch.delete(row)


def _run(slug: str, record: Applied, operations: Iterable[Mapping[str, Any]], direction: str, unfinished: Applied | None) -> None:
    done = unfinished.done or 0 if unfinished is not None and unfinished.direction == direction else 0
    record = Applied(**{**asdict(record), "direction": direction, "done": done})
    _save(slug, record)
    for position, operation in enumerate(operations):
        if position < done:
            continue
        try:
            table_changes.apply(slug, operation)
        except Exception as error:
            reason = getattr(error, "message", None) or f"{type(error).__name__}: {error}"
            details = getattr(error, "details", {})
            raise MigrationFailed(
                f"The migration {record.title} could not be {'run' if direction == 'up' else 'undone'}: {operation['op']}: {reason}",
                migration=record.title,
                operation=position + 1,
                cause=details,
            ) from error
        _save(slug, Applied(**{**asdict(record), "done": position + 1}))
    if direction == "up":
        _save(slug, Applied(**{**asdict(record), "done": None, "ran_at": clock.rfc3339(clock.now())}))
    else:
        RuntimeRow(_partition(slug), f"{record.number:04d}").delete()


def _record_of(migration: Migration) -> Applied:
    down = None if migration.down is None else list(migration.down)
    return Applied(migration.number, migration.name, migration.checksum, down)


def _save(slug: str, record: Applied) -> None:
    RuntimeRow(_partition(slug), f"{record.number:04d}", body=json.dumps(asdict(record))).save()


def _partition(slug: str) -> str:
    return f"MIGRATIONS#{slug}"
