"""Tiers: what the users of each may use, changed while the platform runs.

Promises
    A session that is asked for after a change was answered is created under the new quotas, or refused by them: whoever creates one reads
    user and tiers together, at that moment (``users.get_user`` with ``anew``), and the transaction holds the counters to what was read.
    A creation that had read them before the change may still be committed after it, under the old ones: as if it had come a moment earlier.
    A user's own quota stands in place of the tier's, one by one. What runs already goes on, whatever a tier has become.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.accounts import allowed
from chalicelib.accounts.allowed import AllowedRow
from chalicelib.accounts.caller import Caller
from chalicelib.accounts.errors import TierNotFound
from chalicelib.accounts.user import OF_TIER, TIERS, Quotas, check_user
from chalicelib.events import retried, unit_of_work


@dataclass(frozen=True)
class Tier:
    """``shipped``: what the tier has when no administrator says otherwise."""

    name: str
    quotas: Quotas
    shipped: Quotas


def all_tiers() -> list[Tier]:
    """As they are now, the smallest first. One strongly consistent GetItem."""
    changed = allowed.row().changed_tiers()
    return [_tier(name, changed) for name in TIERS]


def set_quotas(name: str, quotas: Mapping[str, Any], *, by: Caller) -> Tier:
    """Give a tier ``quotas``, all of them (keys as in Quotas). Raises: TierNotFound, ValidationError, PermissionDenied."""
    check_user(quotas=quotas)
    return _change(name, Quotas(**quotas), by)


def reset(name: str, *, by: Caller) -> Tier:
    """Give a tier what it had as shipped. Has it already is fine. Raises: TierNotFound, PermissionDenied."""
    return _change(name, None, by)


@retried
def _change(name: str, quotas: Quotas | None, by: Caller) -> Tier:
    by.require("platform.configure")
    if name not in TIERS:
        raise TierNotFound(name, TIERS)
    read = allowed.row()
    changed = {tier: of_tier for tier, of_tier in read.changed_tiers().items() if tier != name}
    if quotas is not None and quotas != OF_TIER[name]:
        changed[name] = quotas
    body = json.dumps({tier: vars(of_tier) for tier, of_tier in changed.items()})
    with unit_of_work(by.actor) as work:
        allowed.save(work, read, AllowedRow.tiers.set(body))
    allowed.grow_old()
    return _tier(name, changed)


def _tier(name: str, changed: Mapping[str, Quotas]) -> Tier:
    return Tier(name, changed.get(name, OF_TIER[name]), OF_TIER[name])
