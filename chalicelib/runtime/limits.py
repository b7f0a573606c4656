"""What a plugin may use: memory, time, parallel deliveries, calls of the API in a day, storage.

A limit is what an administrator set; else what the manifest's ``limits`` wish for (of those that an author may wish for); else the default.
What an administrator set survives updates, and an uninstall that keeps the plugin's data; a new version's wish counts at once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from chalicelib import accounts
from chalicelib.core.rate_limiter import DEFAULT_DAILY_CALLS
from chalicelib.events import UnitOfWork
from chalicelib.runtime.models import RuntimeRow


@dataclass(frozen=True)
class Limits:
    """A call may take ``timeout_s``; at most ``concurrency`` batches of events are with the plugin at once; its token makes ``daily_calls``
    of the API in a day of UTC; its storage holds ``storage_bytes`` in ``storage_keys``."""

    memory_mb: int = 256
    timeout_s: int = 30
    concurrency: int = 10
    daily_calls: int = DEFAULT_DAILY_CALLS
    storage_bytes: int = 100 * 1024 * 1024
    storage_keys: int = 100_000


DEFAULT = Limits()

# What an administrator may set each to. Lambda's memory; the queue's patience; Lambda's bounds of an SQS mapping's concurrency.
BOUNDS: dict[str, tuple[int, int]] = {
    "memory_mb": (128, 3008),
    "timeout_s": (1, 120),
    "concurrency": (2, 1000),
    "daily_calls": (0, 1_000_000_000),
    "storage_bytes": (0, 1024**4),
    "storage_keys": (0, 1_000_000_000),
}
# What an author may wish for in the manifest; the rest is the administrator's alone.
WISHES = ("memory_mb", "timeout_s", "concurrency")


def effective(wished: Mapping[str, int], administered: Mapping[str, int]) -> Limits:
    """The limits that hold. What is outside its bounds is brought to the nearest one, so that an old wish cannot stop a plugin."""
    wanted = {**{name: value for name, value in wished.items() if name in WISHES}, **administered}
    return Limits(**{**asdict(DEFAULT), **{name: _within(value, *BOUNDS[name]) for name, value in wanted.items() if name in BOUNDS}})


def of(slug: str, wished: Mapping[str, int] | None = None) -> Limits:
    """The plugin's limits; ``wished`` is its manifest's ``limits``, which have no say in storage and calls. One GetItem."""
    return effective(wished or {}, administered(slug))


def administered(slug: str) -> dict[str, int]:
    """What an administrator set, by name. One strongly consistent GetItem."""
    try:
        return dict(json.loads(RuntimeRow.get(*key(slug), consistent_read=True).body))
    except RuntimeRow.DoesNotExist:
        return {}


def changed(before: Mapping[str, int], changes: Mapping[str, int | None]) -> dict[str, int]:
    """What is administered after ``changes``; None gives a limit back to the author's wish or the default."""
    return {name: value for name, value in {**before, **changes}.items() if value is not None}


def put(work: UnitOfWork, slug: str, administered: Mapping[str, int]) -> None:
    """Set all that is administered, with the transaction that tells of it."""
    work.save(RuntimeRow(*key(slug), body=json.dumps(dict(administered))))


def forget(slug: str) -> None:
    """Nothing there is fine."""
    accounts.counts.forget_daily_calls(slug)
    RuntimeRow(*key(slug)).delete()


def key(slug: str) -> tuple[str, str]:
    """Where what an administrator set is kept; its ``body`` is JSON."""
    return f"LIMITS#{slug}", "ADMINISTERED"


def _within(value: int, lowest: int, highest: int) -> int:
    return max(lowest, min(highest, int(value)))
