"""All that the runtime keeps of a plugin beside its running parts: what it stored, and what was noted about it."""

from __future__ import annotations

from chalicelib.runtime import circuit, limits, loops, objects, replaying, storage, usage
from chalicelib.runtime.models import RuntimeRow


def are_kept(slug: str) -> bool:
    """Whether an earlier life of the plugin left something that was kept on purpose."""
    return not storage.is_empty(slug) or bool(limits.administered(slug))


def forget(slug: str, *, keep_data: bool = False) -> None:
    """Remove every trace of a plugin, but its data and limits where those are kept. May be done twice."""
    for partition in (f"ATTEMPTS#{slug}", f"DEAD#{slug}", f"FAILURES#{slug}", f"RESOURCES#{slug}"):
        _clear(partition)
    circuit.settle(slug)
    loops.forget(slug)
    replaying.forget(slug)
    if keep_data:
        return
    _clear(f"STORAGE#{slug}")
    objects.delete_all(slug)
    usage.forget(slug)
    limits.forget(slug)


def _clear(partition: str) -> None:
    with RuntimeRow.batch_write() as batch:
        for row in RuntimeRow.query(partition, attributes_to_get=["pk", "sk"], consistent_read=True):
            batch.delete(row)
