"""Counting callers' requests, and what administrators allow of them: how many, in safe mode also whose. Rules: ``core.rate_limiter``.

Promises
    Of any number of requests at once, never one more than allowed is let through in a minute of the clock (or a plugin's day of UTC).
    A request is counted with one conditional UpdateItem: its minute and its day together. What is refused is not counted.
    What an administrator changes holds for requests that begin a second later, everywhere: the rates are read along with a token, in one
    BatchGetItem, by any container that has not read them within the last second. So does safe mode, in which only core plugins' tokens open
    anything.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from pynamodb.attributes import NumberAttribute, UnicodeAttribute

from chalicelib.accounts.models import TokenRow, find_token
from chalicelib.core import clock, config
from chalicelib.core.errors import DailyQuotaExceeded, RateLimited, ServiceUnavailable
from chalicelib.core.rate_limiter import Allowance, Rates, Window
from chalicelib.core.tables import Row, TableMeta, connection, table
from chalicelib.events import Actor, UnitOfWork, retried, unit_of_work

_RATES = ("PLATFORM", "RATES")
# At full load every container reads the one item of rates once a second, instead of with each request.
FRESH_S = 1.0
# Counts of minutes gone by are dropped by the next write within so many minutes; the rest goes with the day's item.
_DROPPED = 10
_KEPT_AFTER_DAY_S = 24 * 3600


class RatesRow(Row):
    """What administrators allow: pk PLATFORM, sk RATES. ``version`` grows with each change."""

    class Meta(TableMeta):
        table_name = table("ACCOUNTS_TABLE")

    pk = UnicodeAttribute(hash_key=True, default=_RATES[0])
    sk = UnicodeAttribute(range_key=True, default=_RATES[1])
    version = NumberAttribute(default=0)
    # A JSON text: {"per_minute": {group: n}, "daily_calls": {slug: n}}
    body = UnicodeAttribute(default="{}")
    # In safe mode only: a JSON list of the plugins that are on all the same.
    on_in_safe_mode = UnicodeAttribute(null=True)

    def rates(self) -> Rates:
        return Rates(**json.loads(self.body or "{}"))

    def spared(self) -> frozenset[str] | None:
        return None if self.on_in_safe_mode is None else frozenset(json.loads(self.on_in_safe_mode))


class _Known:
    """What this container read last, and when."""

    rates = Rates()
    # The plugins that are on in safe mode; None outside of it.
    spared: frozenset[str] | None = None
    read_at = -math.inf

    @classmethod
    def learn(cls, row: RatesRow) -> None:
        cls.rates, cls.spared, cls.read_at = row.rates(), row.spared(), clock.timestamp()

    @classmethod
    def is_fresh(cls) -> bool:
        return 0 <= clock.timestamp() - cls.read_at < FRESH_S


def forget() -> None:
    """Read the rates anew when they are next needed. For tests."""
    _Known.rates, _Known.spared, _Known.read_at = Rates(), None, -math.inf


def are_on() -> bool:
    """A stack can be built without any limits (``RateLimits: "off"``), where something in front of it has its own."""
    return config.setting("RATE_LIMITS", "on") != "off"


def find_token_and_rates(token_id: str) -> TokenRow | None:
    """The token; and the rates, where those that are known are not fresh. One strongly consistent read of one or two items."""
    if _Known.is_fresh():
        return find_token(token_id)
    name = RatesRow.Meta.table_name
    keys: Any = [{"pk": {"S": pk}, "sk": {"S": sk}} for pk, sk in ((f"TOKEN#{token_id}", "TOKEN"), _RATES)]
    wanted = {name: {"Keys": keys, "ConsistentRead": True}}
    answer = connection().client.batch_get_item(RequestItems=wanted)
    if answer.get("UnprocessedKeys"):
        # The table is busy. The token alone will do: the rates come with the next request.
        return find_token(token_id)
    found = {item["sk"]["S"]: item for item in answer["Responses"][name]}
    _Known.learn(RatesRow.from_raw_data(found[_RATES[1]]) if _RATES[1] in found else RatesRow(*_RATES))
    return TokenRow.from_raw_data(found["TOKEN"]) if "TOKEN" in found else None


def rates() -> Rates:
    """What holds now. One GetItem where it is not known yet, or not fresh: for those who ask without a token."""
    _read()
    return _Known.rates


def is_safe_mode() -> bool:
    """Whether the platform is in safe mode. Costs what :func:`rates` does."""
    _read()
    return _Known.spared is not None


def is_paused(slug: str) -> bool:
    """Whether safe mode keeps this plugin off. Costs what :func:`rates` does."""
    _read()
    return _Known.spared is not None and slug not in _Known.spared


def _read() -> None:
    if not _Known.is_fresh():
        _Known.learn(_row())


def put_safe_mode(work: UnitOfWork, spared: Iterable[str] | None) -> None:
    """From the transaction on, no plugin's token opens anything but those of ``spared``; None: all do again.

    Another container may have read the row up to ``FRESH_S`` before: whoever promises "at once" waits so long before saying it.
    """
    text = RatesRow.on_in_safe_mode
    # The version grows too, so that a change of rates that was read before is not written over this.
    change = text.remove() if spared is None else text.set(json.dumps(sorted(spared)))
    work.update(RatesRow(*_RATES), [change, RatesRow.version.add(1)])
    _Known.read_at = -math.inf


def count(kind: str, name: str, group: str) -> Allowance:
    """Count one request of a caller (``user``, ``plugin``, ``login``) in a group; a plugin's ``plugin`` group counts towards its day too.

    Raises: RateLimited, DailyQuotaExceeded; ServiceUnavailable where it cannot be counted.
    """
    window = Window.at(clock.timestamp())
    limit = _Known.rates.of_group(group)
    a_day = _Known.rates.a_day(name) if group == "plugin" else None
    if a_day == 0:
        raise DailyQuotaExceeded(name, a_day, window)
    now, today = f"{group}{window.minute}", "today"
    names = {"#n": now, "#e": "expires_at", **{f"#o{ago}": f"{group}{window.minute - ago}" for ago in range(1, _DROPPED + 1)}}
    values = {":1": {"N": "1"}, ":limit": {"N": str(limit)}, ":e": {"N": str(window.day_ends_at + _KEPT_AFTER_DAY_S)}}
    add, condition = "#n :1", "(attribute_not_exists(#n) OR #n < :limit)"
    if a_day is not None:
        names["#t"] = today
        values[":day"] = {"N": str(a_day)}
        add += ", #t :1"
        condition += " AND (attribute_not_exists(#t) OR #t < :day)"
    olds = ", ".join(f"#o{ago}" for ago in range(1, _DROPPED + 1))
    try:
        answer = connection().client.update_item(
            TableName=RatesRow.Meta.table_name,
            Key={"pk": {"S": f"CALLS#{kind}#{name}"}, "sk": {"S": str(window.day)}},
            UpdateExpression=f"SET #e = :e ADD {add} REMOVE {olds}",
            ConditionExpression=condition,
            ExpressionAttributeNames=names,
            ExpressionAttributeValues=values,
            ReturnValues="UPDATED_NEW",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise ServiceUnavailable("Requests cannot be counted at the moment; try again shortly") from error
        used: Any = error.response.get("Item") or {}
        if a_day is not None and int(used.get(today, {}).get("N", 0)) >= a_day:
            raise DailyQuotaExceeded(name, a_day, window) from error
        raise RateLimited(group, limit, window) from error
    except BotoCoreError as error:
        raise ServiceUnavailable("Requests cannot be counted at the moment; try again shortly") from error
    return Allowance(limit, limit - int(answer["Attributes"][now]["N"]), window.ends_at)


def calls_today(slug: str) -> int:
    """How many calls of a plugin's token were let through since midnight UTC. One GetItem."""
    key = {"pk": {"S": f"CALLS#plugin#{slug}"}, "sk": {"S": str(Window.at(clock.timestamp()).day)}}
    found = connection().client.get_item(TableName=RatesRow.Meta.table_name, Key=key, ConsistentRead=True, ProjectionExpression="today")
    return int(found.get("Item", {}).get("today", {}).get("N", 0))


@retried
def change_rates(per_minute: dict[str, int | None], *, by: Actor) -> Rates:
    """Set some groups' rates; None gives one back to the default."""
    row = _row()
    after = row.rates()
    kept = {group: rate for group, rate in {**after.per_minute, **per_minute}.items() if rate is not None}
    with unit_of_work(by) as work:
        _save(work, row, Rates(kept, after.daily_calls))
    _Known.read_at = -math.inf
    return Rates(kept, after.daily_calls)


def put_daily_calls(work: UnitOfWork, slug: str, calls: int | None) -> None:
    """How many calls a day a plugin's token has from now on; None: the default. With the transaction that records the change."""
    row = _row()
    before = row.rates()
    if before.daily_calls.get(slug) != calls:
        others = {other: n for other, n in before.daily_calls.items() if other != slug}
        _save(work, row, Rates(before.per_minute, others if calls is None else {**others, slug: calls}))
    _Known.read_at = -math.inf


@retried
def forget_daily_calls(slug: str) -> None:
    """What a plugin was granted, and what was counted of it. Nothing there is fine."""
    with unit_of_work() as work:
        put_daily_calls(work, slug, None)
    today = Window.at(clock.timestamp()).day
    for day in (today - 1, today):
        key = {"pk": {"S": f"CALLS#plugin#{slug}"}, "sk": {"S": str(day)}}
        connection().client.delete_item(TableName=RatesRow.Meta.table_name, Key=key)


def _row() -> RatesRow:
    try:
        return RatesRow.get(*_RATES, consistent_read=True)
    except RatesRow.DoesNotExist:
        return RatesRow(*_RATES)


def _save(work: UnitOfWork, row: RatesRow, rates: Rates) -> None:
    """Raises ConcurrentChange at the commit where another change was faster."""
    read = int(row.version)
    unchanged = RatesRow.version == read if read else RatesRow.pk.does_not_exist()
    body = json.dumps({"per_minute": dict(rates.per_minute), "daily_calls": dict(rates.daily_calls)})
    work.save(RatesRow(*_RATES, version=read + 1, body=body, on_in_safe_mode=row.on_in_safe_mode), unchanged)
