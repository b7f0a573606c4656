"""Identifiers: time-ordered, made without a shared counter."""

import secrets
import threading
from datetime import UTC, datetime

from chalicelib.core import clock

_EPOCH_MS = 1_704_067_200_000  # 2024-01-01T00:00:00Z
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base32: no letter looks like a digit

_last = 0
_lock = threading.Lock()


def number() -> int:
    """An integer below 2^53 (safe in JavaScript), larger than any that this process made before.

    41 bits of milliseconds since 2024, then 12 random bits: two processes collide once in 4096 pairs made within the same
    millisecond, so a writer that needs uniqueness puts it in its write's condition.
    """
    global _last
    fresh = (int(clock.timestamp() * 1000) - _EPOCH_MS) << 12 | secrets.randbits(12)
    with _lock:
        _last = max(fresh, _last + 1)
        return _last


def number_at(moment: datetime, *, last: bool = False) -> int:
    """The first (or last) number that :func:`number` can make in that millisecond."""
    return max(0, int(moment.timestamp() * 1000) - _EPOCH_MS) << 12 | (0xFFF if last else 0)


def moment_of(number: int) -> datetime:
    """The millisecond in which :func:`number` made it, or a little later where it made many."""
    return datetime.fromtimestamp(((number >> 12) + _EPOCH_MS) / 1000, UTC)


def text(prefix: str) -> str:
    """``{prefix}_`` and 20 characters, which sort by time to the millisecond: 48 bits of time and 52 random ones."""
    value = int(clock.timestamp() * 1000) << 52 | secrets.randbits(52)
    return f"{prefix}_" + "".join(_ALPHABET[value >> shift & 31] for shift in range(95, -1, -5))


def suffix(length: int = 5) -> str:
    """Random lower-case letters and digits, for a name that must be made unique."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))
