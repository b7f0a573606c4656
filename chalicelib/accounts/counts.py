"""Counting callers' requests against what administrators allow of them (``allowed``). Rules: ``core.rate_limiter``.

Promises
    Of any number of requests at once, never one more than allowed is let through in a minute of the clock (or a plugin's day of UTC).
    A request is counted with one conditional UpdateItem: its minute and its day together. What is refused is not counted.
    In safe mode only core plugins' tokens open anything.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.accounts import allowed
from chalicelib.accounts.allowed import AllowedRow
from chalicelib.core import clock, config
from chalicelib.core.errors import DailyQuotaExceeded, RateLimited, ServiceUnavailable
from chalicelib.core.rate_limiter import Allowance, Rates, Window
from chalicelib.core.tables import connection
from chalicelib.events import Actor, UnitOfWork, retried, unit_of_work

# Counts of minutes gone by are dropped by the next write within so many minutes; the rest goes with the day's item.
_DROPPED = 10
_KEPT_AFTER_DAY_S = 24 * 3600


def are_on() -> bool:
    """A stack can be built without any limits (``RateLimits: "off"``), where something in front of it has its own."""
    return config.setting("RATE_LIMITS", "on") != "off"


def is_safe_mode() -> bool:
    """Whether the platform is in safe mode, for whoever has just read a token. One GetItem where nothing was read yet."""
    return allowed.spared() is not None


def is_paused(slug: str) -> bool:
    """Whether safe mode keeps this plugin off. Costs what :func:`is_safe_mode` does."""
    spared = allowed.spared()
    return spared is not None and slug not in spared


def put_safe_mode(work: UnitOfWork, spared: Iterable[str] | None) -> None:
    """From the transaction on, no plugin's token opens anything but those of ``spared``; None: all do again.

    Another container may have read the row up to ``FRESH_S`` before: whoever promises "at once" waits so long before saying it.
    """
    text = AllowedRow.on_in_safe_mode
    # The version grows too, so that a change of rates that was read before is not written over this.
    change = text.remove() if spared is None else text.set(json.dumps(sorted(spared)))
    work.update(AllowedRow(), [change, AllowedRow.version.add(1)])
    allowed.grow_old()


def count(kind: str, name: str, group: str) -> Allowance:
    """Count one request of a caller (``user``, ``plugin``, ``login``) in a group; a plugin's ``plugin`` group counts towards its day too.

    Raises: RateLimited, DailyQuotaExceeded; ServiceUnavailable where it cannot be counted.
    """
    window = Window.at(clock.timestamp())
    rates = allowed.known_rates()
    limit = rates.of_group(group)
    a_day = rates.a_day(name) if group == "plugin" else None
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
            TableName=AllowedRow.Meta.table_name,
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
    found = connection().client.get_item(TableName=AllowedRow.Meta.table_name, Key=key, ConsistentRead=True, ProjectionExpression="today")
    return int(found.get("Item", {}).get("today", {}).get("N", 0))


@retried
def change_rates(per_minute: dict[str, int | None], *, by: Actor) -> Rates:
    """Set some groups' rates; None gives one back to the default."""
    row = allowed.row()
    before = row.rates()
    kept = {group: rate for group, rate in {**before.per_minute, **per_minute}.items() if rate is not None}
    after = Rates(kept, before.daily_calls)
    with unit_of_work(by) as work:
        _save(work, row, after)
    allowed.grow_old()
    return after


def put_daily_calls(work: UnitOfWork, slug: str, calls: int | None) -> None:
    """How many calls a day a plugin's token has from now on; None: the default. With the transaction that records the change."""
    row = allowed.row()
    before = row.rates()
    if before.daily_calls.get(slug) != calls:
        others = {other: n for other, n in before.daily_calls.items() if other != slug}
        _save(work, row, Rates(before.per_minute, others if calls is None else {**others, slug: calls}))
    allowed.grow_old()


@retried
def forget_daily_calls(slug: str) -> None:
    """What a plugin was granted, and what was counted of it. Nothing there is fine."""
    with unit_of_work() as work:
        put_daily_calls(work, slug, None)
    today = Window.at(clock.timestamp()).day
    for day in (today - 1, today):
        key = {"pk": {"S": f"CALLS#plugin#{slug}"}, "sk": {"S": str(day)}}
        connection().client.delete_item(TableName=AllowedRow.Meta.table_name, Key=key)


def _save(work: UnitOfWork, read: AllowedRow, rates: Rates) -> None:
    body = json.dumps({"per_minute": dict(rates.per_minute), "daily_calls": dict(rates.daily_calls)})
    allowed.save(work, read, AllowedRow.body.set(body))
