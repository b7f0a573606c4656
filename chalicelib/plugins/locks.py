"""One operation at a time on a plugin: a lock with an owner and an expiry, for jobs and for switching on and off alike.

Promises
    Of two operations on one plugin that begin at the same moment, one is refused with PluginBusy, and has done nothing.
    Only its owner gives a lock back. The lock of an owner that was killed ends by itself, after the time that the owner could have run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from pynamodb.attributes import NumberAttribute, UnicodeAttribute
from pynamodb.exceptions import DeleteError
from pynamodb.expressions.condition import Condition

from chalicelib.core import clock, ids
from chalicelib.core.tables import Row, TableMeta, condition_failed, table
from chalicelib.events import UnitOfWork, unit_of_work
from chalicelib.plugins.errors import PluginBusy

# Longer than any function runs that holds one outside of a job: the API's 29 s, the sweeper's 50 s.
_SHORT_S = 60


class LockRow(Row):
    """``pk`` LOCK#{slug}: who works on the plugin, at what, and until when at most."""

    class Meta(TableMeta):
        table_name = table("PLUGINS_TABLE")

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True, default="lock")
    owner = UnicodeAttribute()
    doing = UnicodeAttribute()
    expires_at = NumberAttribute()


def take(work: UnitOfWork, slugs: Iterable[str], *, owner: str, doing: str, for_s: int) -> None:
    """Lock all of these with the transaction, or none. The commit raises PluginBusy, naming the plugin that somebody works on."""
    expires_at = int(clock.timestamp()) + for_s
    for slug in sorted(set(slugs)):
        work.save(LockRow(_key(slug), owner=owner, doing=doing, expires_at=expires_at), _free_for(owner), otherwise=PluginBusy(slug))


def require_free(work: UnitOfWork, slugs: Iterable[str], *, owner: str) -> None:
    """Nobody else works on these at the moment of the transaction; they stay unlocked. The commit raises PluginBusy."""
    for slug in sorted(set(slugs)):
        work.check(LockRow(_key(slug)), _free_for(owner), otherwise=PluginBusy(slug))


def _free_for(owner: str) -> Condition:
    # TTL removes late: what has expired counts as gone. What the owner has already, it may take again.
    return LockRow.pk.does_not_exist() | (LockRow.expires_at < int(clock.timestamp())) | (LockRow.owner == owner)


def give_back(work: UnitOfWork, slugs: Iterable[str], *, owner: str) -> None:
    """Unlock with the transaction, whose commit raises ConcurrentChange where somebody else holds one of them, after its expiry."""
    for slug in sorted(set(slugs)):
        work.delete(LockRow(_key(slug)), LockRow.pk.does_not_exist() | (LockRow.owner == owner))


def release(owner: str, slugs: Iterable[str]) -> None:
    """Give back the locks that this owner holds; others' are left alone. May be done twice."""
    for slug in slugs:
        try:
            LockRow(_key(slug)).delete(condition=LockRow.owner == owner)
        except DeleteError as error:
            if not condition_failed(error):
                raise


@contextmanager
def held(slug: str, doing: str) -> Iterator[None]:
    """The block runs with the plugin locked. Raises PluginBusy. Costs two calls."""
    owner = ids.text("lock")
    with unit_of_work() as work:
        take(work, [slug], owner=owner, doing=doing, for_s=_SHORT_S)
    try:
        yield
    finally:
        release(owner, [slug])


def _key(slug: str) -> str:
    return f"LOCK#{slug}"
