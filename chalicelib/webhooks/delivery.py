"""One event on its way to one webhook, and when it is tried again."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

PENDING, SUCCEEDED, FAILED = "pending", "succeeded", "failed"

# Before each attempt; together a little over a day. Source: Standard Webhooks, Retry schedule.
DELAYS_S = (0, 5, 300, 1800, 7200, 18_000, 36_000, 36_000)
# Receivers that went down together shall not all be called together again.
_JITTER = 0.2
_LONGEST_RETRY_AFTER_S = 24 * 3600


@dataclass(frozen=True)
class Attempt:
    """``status_code`` None: no answer came, and ``error`` says why."""

    at: str
    status_code: int | None
    error: str | None
    duration_ms: int
    response: str = ""
    retry_after_s: int | None = None

    @property
    def has_succeeded(self) -> bool:
        """Any 2xx counts. Source: Standard Webhooks, Delivery."""
        return self.status_code is not None and 200 <= self.status_code < 300

    @property
    def is_gone(self) -> bool:
        """The receiver wants no more. Source: Standard Webhooks; RFC 9110 §15.5.11."""
        return self.status_code == 410


@dataclass(frozen=True)
class Delivery:
    """``message_id`` is the same in all attempts. ``round_start``: how many of ``attempts`` belong to earlier rounds (a redelivery begins
    a new one)."""

    webhook_id: str
    id: str
    message_id: str
    event: str
    payload: dict[str, Any]
    status: str
    attempts: tuple[Attempt, ...]
    created_at: datetime
    next_attempt_at: datetime | None = None
    round_start: int = 0

    @property
    def attempts_in_round(self) -> int:
        return len(self.attempts) - self.round_start


def next_attempt(made: int, last: Attempt, now: datetime) -> datetime | None:
    """When to try again after ``made`` attempts of this round; None when that was the last. The receiver's Retry-After is honoured."""
    if made >= len(DELAYS_S) or last.is_gone:
        return None
    delay_s = DELAYS_S[made] * random.uniform(1, 1 + _JITTER)  # noqa: S311
    if last.retry_after_s is not None:
        delay_s = max(delay_s, min(last.retry_after_s, _LONGEST_RETRY_AFTER_S))
    return now + timedelta(seconds=delay_s)
