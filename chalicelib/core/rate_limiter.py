"""How often who may ask: what the groups of requests are, how many of each a caller has, and when the next ones come.

A window is a minute of the clock, and a day is UTC's: so a count has a name, and one conditional write is enough to count exactly, however
many ask at once. Pure; ``accounts.counts`` keeps the counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

# Requests a minute of one caller. The first four are the document's, for plugin management (REST, Rate Limiting); ``general`` is the rest
# of what people do, ``plugin`` and ``runtime`` are what a plugin's token does, ``login`` attempts to sign in under one name.
DEFAULT_PER_MINUTE: dict[str, int] = {
    "read": 100,
    "write": 30,
    "installation": 5,
    "marketplace": 60,
    "general": 600,
    "plugin": 3000,
    "runtime": 3000,
    "login": 20,
}
MOST_PER_MINUTE = 1_000_000
# Of a plugin's token in a day, until an administrator says otherwise.
DEFAULT_DAILY_CALLS = 100_000

_MINUTE_S = 60
_DAY_S = 24 * 3600


@dataclass(frozen=True)
class Rates:
    """What administrators set: by group, and by plugin. What they did not set is the default."""

    per_minute: Mapping[str, int] = field(default_factory=dict)
    daily_calls: Mapping[str, int] = field(default_factory=dict)

    def of_group(self, group: str) -> int:
        return self.per_minute.get(group, DEFAULT_PER_MINUTE[group])

    def a_day(self, slug: str) -> int:
        return self.daily_calls.get(slug, DEFAULT_DAILY_CALLS)

    def shown(self) -> dict[str, int]:
        """Every group with what holds for it."""
        return {group: self.of_group(group) for group in DEFAULT_PER_MINUTE}


@dataclass(frozen=True)
class Window:
    """The minute, and the day around it, that a moment lies in."""

    minute: int
    day: int
    ends_at: int
    day_ends_at: int

    @classmethod
    def at(cls, timestamp: float) -> Window:
        minute, day = int(timestamp // _MINUTE_S), int(timestamp // _DAY_S)
        return cls(minute, day, (minute + 1) * _MINUTE_S, (day + 1) * _DAY_S)


@dataclass(frozen=True)
class Allowance:
    """What a caller has of a group: ``remaining`` more until ``resets_at`` (seconds since the epoch)."""

    limit: int
    remaining: int
    resets_at: int

    def headers(self) -> dict[str, str]:
        """Reset is in seconds since the epoch, as with most APIs that have these headers."""
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(self.resets_at),
        }
