"""The minute's sweep over time: ten sessions that are due, among a hundred and among a hundred thousand.

The calls must be the same, and the items that their queries read.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

from bench.aws_calls import account, items_read
from bench.report import Table
from bench.session_start import isolated_transactions

_DUE, _SIZES = 10, (100, 100_000)


def run() -> list[Table]:
    rows = []
    for size in _SIZES:
        calls: list[str] = []
        with account(calls), isolated_transactions():
            counted, items = _swept(calls, size)
        shown = ", ".join(f"{count} {name}" for name, count in sorted(counted.items()))
        rows.append((f"{size:,}", _DUE, sum(counted.values()), items, shown))
    note = "Each of the ten is warned: is its owner there, the notification, the note of it. moto in the place of AWS."
    return [Table("A sweep of ten due sessions", note, ("running sessions", "due", "AWS calls", "items read", "which"), rows)]


def _swept(calls: list[str], size: int) -> tuple[Counter[str], int]:
    """The calls of one sweep, and how many items its queries read."""
    from chalicelib import accounts, sessions
    from chalicelib.core import clock
    from chalicelib.sessions import models
    from chalicelib.sessions.models import SessionRow

    accounts.create_user(username="john", full_name="John", email="john@example.com", by=None)
    now = clock.now()
    values: dict[str, Any] = {
        "user": "john",
        "template": "firefox",
        "state": "running",
        "memory": "2Gi",
        "cpu": "1",
        "persistent_home": True,
        "idle_timeout": "30m",
        "max_session_duration": "8h",
        "created_at": now,
        "updated_at": now,
    }
    with SessionRow.batch_write() as batch:
        for number in range(size):
            since = now - timedelta(minutes=26 if number < _DUE else 5)
            batch.save(models.session_row(sessions.Session(id=f"session-{number}", running_since=since, **values)))
    calls.clear()
    done, items = items_read(sessions.end_due)
    if done != _DUE:
        raise SystemExit(f"the sweep found {done} of {_DUE} sessions")
    return Counter(calls), items
