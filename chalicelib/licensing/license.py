"""A licence as a value, and how it stands at a moment. Pure: no clock, no AWS, no network.

| status | means | is valid |
| --- | --- | --- |
| active | confirmed, and not over | yes |
| grace | the service could not be asked; it goes on until its grace is over | yes |
| expired | over by its date, or not confirmed for longer than the grace | no |
| revoked | its vendor took it back | no |
| invalid | the service refuses it for another reason: its seat is somebody else's, the key is gone | no |
| missing | the plugin needs one and has none | no |
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from chalicelib.core import clock
from chalicelib.licensing.keys import SealedKey

Status = Literal["active", "grace", "expired", "revoked", "invalid", "missing"]

VALID = ("active", "grace")
# How often the service is asked about a licence with which all is well.
ASKED_EVERY = timedelta(days=1)


@dataclass(frozen=True)
class Terms:
    """What was signed. ``expires_at`` None: it does not expire. ``seats`` None: any number of installations."""

    id: str
    type: str
    features: tuple[str, ...] = ()
    starts_at: datetime | None = None
    expires_at: datetime | None = None
    seats: int | None = None
    seats_used: int | None = None

    def grants_other_than(self, before: Terms) -> bool:
        """Whether the holder has something else than before; how many others use it is not theirs."""
        return replace(self, seats_used=None) != replace(before, seats_used=None)


@dataclass(frozen=True)
class Confirmation:
    """What the service has just said: a signed licence, and what is in it."""

    token: str
    terms: Terms


@dataclass(frozen=True)
class License:
    """A plugin's licence as it is kept. ``refused``: why the service says that it is none any more. ``told``: of what administrators were
    told already. ``unreachable_since``: since when the service could not be asked."""

    key: SealedKey
    token: str
    terms: Terms
    activated_at: datetime
    confirmed_at: datetime
    asked_at: datetime
    refused: str | None = None
    unreachable_since: datetime | None = None
    told: tuple[str, ...] = ()

    @classmethod
    def fresh(cls, key: SealedKey, confirmation: Confirmation, at: datetime) -> License:
        return cls(key, confirmation.token, confirmation.terms, activated_at=at, confirmed_at=at, asked_at=at)

    def confirmed(self, by: Confirmation, at: datetime) -> License:
        """What was told of a state that has passed may have to be told again one day."""
        passed = by.terms.grants_other_than(self.terms) or self.refused is not None
        told = () if passed else tuple(mark for mark in self.told if mark.startswith(EXPIRY))
        return replace(self, token=by.token, terms=by.terms, confirmed_at=at, asked_at=at, refused=None, unreachable_since=None, told=told)

    def refused_for(self, reason: str, at: datetime) -> License:
        return replace(self, refused=reason, asked_at=at, unreachable_since=None)

    def unanswered(self, at: datetime) -> License:
        return replace(self, unreachable_since=self.unreachable_since or at)

    def having_told(self, marks: tuple[str, ...]) -> License:
        return replace(self, told=(*self.told, *(mark for mark in marks if mark not in self.told)))

    def is_to_be_asked_about(self, at: datetime) -> bool:
        """Once a day; at each check while the service is away, and while the end is near or was there: it may have been paid for."""
        ends = self.terms.expires_at
        is_ending = ends is not None and ends - at <= ASKED_EVERY and self.refused in (None, "expired")
        return self.unreachable_since is not None or is_ending or at - self.asked_at >= ASKED_EVERY

    def as_json(self) -> dict[str, Any]:
        return _with_texts(asdict(self))

    @classmethod
    def of_json(cls, kept: Mapping[str, Any]) -> License:
        values = _with_moments(kept)
        terms = _with_moments(values["terms"])
        terms["features"] = tuple(terms["features"])
        return cls(**{**values, "key": SealedKey(**values["key"]), "terms": Terms(**terms), "told": tuple(values["told"])})


@dataclass(frozen=True)
class Standing:
    """``valid_until``: when it ends if nobody is asked until then; ``reason`` is that of an end (``errors``)."""

    status: Status
    reason: str | None = None
    valid_until: datetime | None = None
    days_remaining: int | None = None

    @property
    def is_valid(self) -> bool:
        return self.status in VALID


# Marks of what was told (``License.told``): that it will expire, that the service is away, that it is over.
EXPIRY, AWAY, ENDED = "expires-", "away-", "ended"


def missing() -> Standing:
    return Standing("missing", "missing")


def standing_of(license: License, at: datetime, grace: timedelta) -> Standing:
    """How it stands. ``days_remaining`` counts to its expiry, a day that has begun as a whole one."""
    terms = license.terms
    confirmed_until = license.confirmed_at + grace
    days = None if terms.expires_at is None else max(0, math.ceil((terms.expires_at - at) / timedelta(days=1)))
    until = min(confirmed_until, terms.expires_at or confirmed_until)

    def standing(status: Status, reason: str | None = None) -> Standing:
        return Standing(status, reason, until, days)

    if license.refused == "revoked":
        return standing("revoked", "revoked")
    if license.refused == "expired" or (terms.expires_at is not None and at >= terms.expires_at):
        return standing("expired", "expired")
    if license.refused is not None:
        return standing("invalid", license.refused)
    if at >= confirmed_until:
        return standing("expired", "unconfirmed")
    return standing("grace" if license.unreachable_since is not None else "active")


_MOMENTS = ("starts_at", "expires_at", "activated_at", "confirmed_at", "asked_at", "unreachable_since")


def _with_texts(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: clock.rfc3339(value) if isinstance(value, datetime) else _with_texts(value) if isinstance(value, dict) else value
        for name, value in values.items()
    }


def _with_moments(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: clock.parse_rfc3339(value) if name in _MOMENTS and value else value for name, value in values.items()}
