"""How much a plugin keeps, in its storage and its tables together: counted in the very transaction that changes it.

So two writers never share the last byte of a quota, and whatever dies half-way has changed neither the data nor the count.

    A: reads used = 90 of 100       B: reads used = 90 of 100
    A: writes 8, if used <= 92      B: writes 8, if used <= 92
    A: done, used = 98              B: refused by the condition; reads 98; STORAGE_QUOTA_EXCEEDED
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from operator import and_
from typing import Any

from chalicelib.events import UnitOfWork
from chalicelib.runtime import limits
from chalicelib.runtime.errors import StorageQuotaExceeded
from chalicelib.runtime.models import RuntimeRow

Key = tuple[str, str]

# What deciding needs of a row: not its value, which may have 400 KB.
COUNTED = ("pk", "sk", "size_bytes", "object_id", "used_bytes", "used_entries", "body")


@dataclass(frozen=True)
class Change:
    """What a write adds to what is kept; negative where it gives back. An entry is a key of the storage, or an item of a table."""

    bytes: int = 0
    entries: int = 0

    def __add__(self, other: Change) -> Change:
        return Change(self.bytes + other.bytes, self.entries + other.entries)


@dataclass(frozen=True)
class Allowance:
    """What is used, and what may be."""

    used_bytes: int
    used_entries: int
    allowed_bytes: int
    allowed_entries: int

    def refuse_beyond(self, change: Change) -> None:
        """Raises StorageQuotaExceeded. What does not grow is never refused: a quota that was lowered must not lock data in."""
        too_large = change.bytes > 0 and self.used_bytes + change.bytes > self.allowed_bytes
        too_many = change.entries > 0 and self.used_entries + change.entries > self.allowed_entries
        if not (too_large or too_many):
            return
        if too_large:
            what = f"it holds {self.used_bytes} of {self.allowed_bytes} bytes, and this would add {change.bytes}"
        else:
            what = f"it holds {self.used_entries} of {self.allowed_entries} keys and items"
        raise StorageQuotaExceeded(
            f"The plugin's storage is full: {what}",
            used_bytes=self.used_bytes,
            allowed_bytes=self.allowed_bytes,
            used_keys=self.used_entries,
            allowed_keys=self.allowed_entries,
        )


# For what must not fail half-way: giving back, and putting back.
UNBOUNDED = Allowance(0, 0, 2**62, 2**62)


def change_of(before: RuntimeRow | None, after_bytes: int | None) -> Change:
    """From the row as it was read (None: there was none) to one of ``after_bytes`` (None: there will be none)."""
    was_bytes = before.size_bytes if before is not None else None
    return Change((after_bytes or 0) - int(was_bytes or 0), int(after_bytes is not None) - int(was_bytes is not None))


def unchanged(before: RuntimeRow | None) -> Any:
    """The condition that a row is still as it was read, as far as its size, its object and its notes go."""
    if before is None:
        return RuntimeRow.pk.does_not_exist()
    condition = RuntimeRow.pk.exists()
    for attribute, was in (
        (RuntimeRow.size_bytes, before.size_bytes),
        (RuntimeRow.object_id, before.object_id),
        (RuntimeRow.body, before.body),
    ):
        condition &= attribute.does_not_exist() if was is None else attribute == was
    return condition


def read(slug: str, rows: Iterable[Key] = ()) -> tuple[Allowance, dict[Key, RuntimeRow]]:
    """What is used and allowed, and those of ``rows`` that exist, without their values. One BatchGetItem."""
    counter, administered = _key(slug), limits.key(slug)
    wanted = [counter, administered, *rows]
    found = {(row.pk, row.sk): row for row in RuntimeRow.batch_get(wanted, consistent_read=True, attributes_to_get=list(COUNTED))}
    used, limit_row = found.pop(counter, None), found.pop(administered, None)
    allowed = limits.effective({}, json.loads(limit_row.body) if limit_row else {})
    allowance = Allowance(
        int(used.used_bytes or 0) if used else 0, int(used.used_entries or 0) if used else 0, allowed.storage_bytes, allowed.storage_keys
    )
    return allowance, found


def count(work: UnitOfWork, slug: str, change: Change, allowance: Allowance) -> None:
    """Count ``change`` with the transaction that makes it. Where there is no room any more, the transaction fails and is tried again from
    its reads, which then say so."""
    conditions: list[Any] = []
    actions: list[Any] = []
    for attribute, delta, allowed in (
        (RuntimeRow.used_bytes, change.bytes, allowance.allowed_bytes),
        (RuntimeRow.used_entries, change.entries, allowance.allowed_entries),
    ):
        if delta:
            actions.append(attribute.add(delta))
        if delta > 0:
            conditions.append(attribute.does_not_exist() | (attribute <= allowed - delta))
    if actions:
        work.update(RuntimeRow(*_key(slug)), actions, reduce(and_, conditions) if conditions else None)


def forget(slug: str) -> None:
    RuntimeRow(*_key(slug)).delete()


def _key(slug: str) -> Key:
    return f"USAGE#{slug}", "TOTAL"
