"""The one clock. Tests move it with :func:`travel`; nothing else in the platform asks the operating system for the time of day."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

_offset_s: float = 0.0


def timestamp() -> float:
    """Seconds since the epoch."""
    return time.time() + _offset_s


def now() -> datetime:
    """The present moment, in UTC, to the millisecond: what the platform stores is no finer."""
    moment = datetime.fromtimestamp(timestamp(), UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def rfc3339(moment: datetime) -> str:
    """``2026-01-02T03:04:05Z``, with milliseconds only where there are any. Source: RFC 3339 §5.6."""
    spec = "milliseconds" if moment.microsecond else "seconds"
    return moment.astimezone(UTC).isoformat(timespec=spec).replace("+00:00", "Z")


def parse_rfc3339(text: str) -> datetime:
    """The moment that ``text`` names. Raises ValueError for anything without a UTC offset."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no UTC offset")
    return moment.astimezone(UTC)


@contextmanager
def travel(seconds: float) -> Iterator[None]:
    """Inside, the clock is ``seconds`` ahead of where it was (behind, when negative). For tests."""
    global _offset_s
    before = _offset_s
    _offset_s = before + seconds
    try:
        yield
    finally:
        _offset_s = before
