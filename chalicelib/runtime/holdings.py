"""All that the runtime keeps of a plugin beside its running parts: what it stored, and what was noted about it."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.runtime import circuit, limits, migrations, objects, storage, tables, usage
from chalicelib.runtime.models import RuntimeRow


@dataclass(frozen=True)
class Holdings:
    """``tables``: name -> number of items. ``bytes`` are those of keys, values and items together."""

    keys: int
    tables: dict[str, int]
    bytes: int


def of(slug: str) -> Holdings:
    """What the plugin keeps at this moment. One Query for its tables, one at least for each of them, and a BatchGetItem."""
    allowance, _ = usage.read(slug)
    items = {shape.name: tables.count_items(slug, shape.name) for shape in tables.shapes(slug)}
    return Holdings(max(0, allowance.used_entries - sum(items.values())), items, allowance.used_bytes)


def are_kept(slug: str) -> bool:
    """Whether an earlier life of the plugin left something that was kept on purpose."""
    return not storage.is_empty(slug) or bool(tables.shapes(slug)) or bool(limits.administered(slug))


def forget(slug: str, *, keep_data: bool = False) -> None:
    """Remove every trace of a plugin, but its data and limits where those are kept. May be done twice."""
    for partition in (f"ATTEMPTS#{slug}", f"DEAD#{slug}", f"FAILURES#{slug}", f"RESOURCES#{slug}"):
        _clear(partition)
    circuit.settle(slug)
    if keep_data:
        return
    tables.drop_all(slug)
    migrations.forget(slug)
    _clear(f"STORAGE#{slug}")
    objects.delete_all(slug)
    usage.forget(slug)
    limits.forget(slug)


def _clear(partition: str) -> None:
    with RuntimeRow.batch_write() as batch:
        for row in RuntimeRow.query(partition, attributes_to_get=["pk", "sk"], consistent_read=True):
            batch.delete(row)
