"""What administrators allow: rates, safe mode and tiers. One item, which is read along with what a request reads anyway.

Promises
    It costs no call of its own: whoever reads a token or a user reads it in the same BatchGetItem, where what this container knows is
    older than a second.
    A change holds everywhere for what begins a second later; and at once for whoever reads anew (:func:`read_along` with ``anew``).
    Of two changes at once neither is lost: each is written on condition that the item is as it was read.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

from pynamodb.attributes import NumberAttribute, UnicodeAttribute
from pynamodb.expressions.update import Action

from chalicelib.accounts.user import OF_TIER, Quotas
from chalicelib.core import clock
from chalicelib.core.rate_limiter import Rates
from chalicelib.core.tables import Row, TableMeta, connection, table
from chalicelib.events import UnitOfWork

_KEY = ("PLATFORM", "RATES")
# At full load every container reads the one item once a second, instead of with each request.
FRESH_S = 1.0


class AllowedRow(Row):
    """pk PLATFORM, sk RATES. ``version`` grows with each change."""

    class Meta(TableMeta):
        table_name = table("ACCOUNTS_TABLE")

    pk = UnicodeAttribute(hash_key=True, default=_KEY[0])
    sk = UnicodeAttribute(range_key=True, default=_KEY[1])
    version = NumberAttribute(default=0)
    # A JSON text: {"per_minute": {group: n}, "daily_calls": {slug: n}}
    body = UnicodeAttribute(default="{}")
    # In safe mode only: a JSON list of the plugins that are on all the same.
    on_in_safe_mode = UnicodeAttribute(null=True)
    # A JSON text: {tier: its quotas}, of those tiers that are not as shipped.
    tiers = UnicodeAttribute(null=True)

    def rates(self) -> Rates:
        return Rates(**json.loads(self.body or "{}"))

    def spared(self) -> frozenset[str] | None:
        return None if self.on_in_safe_mode is None else frozenset(json.loads(self.on_in_safe_mode))

    def changed_tiers(self) -> dict[str, Quotas]:
        return {name: Quotas(**quotas) for name, quotas in json.loads(self.tiers or "{}").items()}


class _Known:
    """What this container read last, and when."""

    rates = Rates()
    # The plugins that are on in safe mode; None outside of it.
    spared: frozenset[str] | None = None
    tiers: Mapping[str, Quotas] = OF_TIER
    read_at = -math.inf

    @classmethod
    def learn(cls, row: AllowedRow) -> None:
        cls.rates, cls.spared, cls.read_at = row.rates(), row.spared(), clock.timestamp()
        cls.tiers = {**OF_TIER, **row.changed_tiers()}

    @classmethod
    def is_fresh(cls) -> bool:
        return 0 <= clock.timestamp() - cls.read_at < FRESH_S


def forget() -> None:
    """Read it anew when it is next needed. For tests."""
    _Known.rates, _Known.spared, _Known.tiers, _Known.read_at = Rates(), None, OF_TIER, -math.inf


def grow_old() -> None:
    """This container has changed it: what it knows is not fresh any more."""
    _Known.read_at = -math.inf


def read_along(pk: str, sk: str, *, anew: bool = False) -> dict[str, Any] | None:
    """An item of the accounts table, raw; and what is allowed, where what is known is not fresh, or in any case with ``anew``.

    One strongly consistent read of one or two items.
    """
    if anew or not _Known.is_fresh():
        return read_many_along([(pk, sk)], anew=anew).get((pk, sk))
    key: Any = {"pk": {"S": pk}, "sk": {"S": sk}}
    return connection().client.get_item(TableName=AllowedRow.Meta.table_name, Key=key, ConsistentRead=True).get("Item")


def read_many_along(keys: Iterable[tuple[str, str]], *, anew: bool = False) -> dict[tuple[str, str], dict[str, Any]]:
    """The same, of several items: those that there are. One BatchGetItem, where the table is not too busy to answer it at once."""
    name, is_wanted = AllowedRow.Meta.table_name, anew or not _Known.is_fresh()
    wanted: Any = [{"pk": {"S": pk}, "sk": {"S": sk}} for pk, sk in (*keys, *([_KEY] if is_wanted else []))]
    found: dict[tuple[str, str], dict[str, Any]] = {}
    while wanted:
        answer = connection().client.batch_get_item(RequestItems={name: {"Keys": wanted, "ConsistentRead": True}})
        found.update({(item["pk"]["S"], item["sk"]["S"]): item for item in answer["Responses"].get(name, [])})
        wanted = answer.get("UnprocessedKeys", {}).get(name, {}).get("Keys", [])
    if is_wanted:
        allowed = found.pop(_KEY, None)
        _Known.learn(AllowedRow.from_raw_data(allowed) if allowed else AllowedRow(*_KEY))
    return found


def rates() -> Rates:
    """One GetItem where it is not known yet, or not fresh: for those who ask without a token."""
    if not _Known.is_fresh():
        _Known.learn(row())
    return _Known.rates


def known_rates() -> Rates:
    """What this container read last, without a call: for whoever has just read a token."""
    return _Known.rates


def spared() -> frozenset[str] | None:
    """The plugins that are on in safe mode; None outside of it. As read along with the token; one GetItem where nothing was read yet."""
    _read_once()
    return _Known.spared


def tiers() -> Mapping[str, Quotas]:
    """Each tier's quotas. As read along with the token or user; one GetItem where nothing was read yet."""
    _read_once()
    return _Known.tiers


def known_tiers() -> Mapping[str, Quotas]:
    """What this container read last, without a call: for whoever has just read a user."""
    return _Known.tiers


def _read_once() -> None:
    # Not where it is merely old: a request whose token was read in time would pay for a second that ends half-way.
    if _Known.read_at == -math.inf:
        _Known.learn(row())


def row() -> AllowedRow:
    """As it is stored now. One strongly consistent GetItem."""
    try:
        return AllowedRow.get(*_KEY, consistent_read=True)
    except AllowedRow.DoesNotExist:
        return AllowedRow(*_KEY)


def save(work: UnitOfWork, read: AllowedRow, *actions: Action) -> None:
    """Change it as ``actions`` say. Raises ConcurrentChange at the commit where another change was faster than since ``read``."""
    version = int(read.version)
    unchanged = AllowedRow.version == version if version else AllowedRow.pk.does_not_exist()
    work.update(AllowedRow(*_KEY), [*actions, AllowedRow.version.set(version + 1)], unchanged)
