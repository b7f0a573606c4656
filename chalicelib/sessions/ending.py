"""The minute's sweep over time: sessions whose owners must be told that they end, and those that end.

It asks an index for what is due, so that what it costs depends on how many sessions are due, and not on how many there are.

Promises
    A session ends by itself only after its owner was told (see :mod:`~chalicelib.sessions.timing`).
    Told at least once for each end: a sweep that dies between telling and noting it tells again.
    What happens to a session meanwhile wins: the sweep writes under the condition that the record is the one that it read.
    A session that cannot be handled keeps none of the others, and is tried again a minute later.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from itertools import repeat

from chalicelib import messaging
from chalicelib.accounts import UserNotFound
from chalicelib.core import clock, log
from chalicelib.core.errors import ConcurrentChange
from chalicelib.events import unit_of_work
from chalicelib.sessions import models, service, timing
from chalicelib.sessions.models import SessionRow
from chalicelib.sessions.session import Session
from chalicelib.sessions.timing import End

# The next minute goes on where this one stopped. Eight at a time, which DynamoDB's connections serve at once.
MOST_A_RUN = 5000
_PAGE = 500
_AT_ONCE = 8
_LONGEST_RUN_S = 25

KEEP_RUNNING = "sessions.extend"


def end_due() -> int:
    """Warn and end what is due; the number of sessions that something was done about. A Query for each five hundred that are due, a
    BatchGetItem for each hundred, and two or three writes for each that is warned or ended."""
    until, done = time.monotonic() + _LONGEST_RUN_S, 0
    looked_at: set[str] = set()
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="ending") as pool:
        while len(looked_at) < MOST_A_RUN and time.monotonic() < until:
            now = clock.now()
            page = models.due(now, _PAGE)
            # The index shows a write a moment late: what was handled just now may still stand there.
            news = [one for one in page if one not in looked_at]
            looked_at.update(news)
            rows = models.rows_of_ids(news)
            done += sum(pool.map(_handled, rows.values(), repeat(now)))
            if len(page) < _PAGE or not news:
                break
    return done


def _handled(row: SessionRow, now: datetime) -> bool:
    try:
        return _handle(row, now)
    except ConcurrentChange:
        # It has changed just now; should it still be due, the next sweep sees it.
        return False
    except Exception:  # noqa: BLE001 one session's trouble is not the others'
        log.logger().exception("a session could not be ended or warned", extra={"session": row.id})
        return False


def _handle(row: SessionRow, now: datetime) -> bool:
    session = row.value()
    step = None if session.is_deleted else timing.step(session, now)
    if step is None or step.act == "wait":
        # Used meanwhile, so that it ends later than the index says; saving the row brings the index up to date.
        if row.gsi5pk is not None:
            _save(row, session)
        return False
    if step.act == "warn":
        _tell(session, step.end, now)
        unended = timing.idle_ends_at(session) if step.end.kind == "idle" else timing.lifetime_ends_at(session)
        _save(row, replace(session, warned_of=unended, ends_no_sooner_than=step.end.at))
    else:
        service.end_by_itself(row, step.end.kind)
    return True


def _save(row: SessionRow, session: Session) -> None:
    with unit_of_work() as work:
        work.save(row.take(session), row.next_revision())


def _tell(session: Session, end: End, now: datetime) -> None:
    left = timing.in_words((end.at - now).total_seconds())
    what, then = (
        ("goes to sleep", f"nobody has used it; it can be woken, but what runs in it and is not saved by {_at(end)} is lost")
        if end.kind == "idle"
        else (
            "ends",
            f"it has run for the {session.max_session_duration} that it may; what is not saved in your home by {_at(end)} is lost",
        )
    )
    try:
        messaging.notify(
            session.user,
            f"{session.id} {what} in {left}",
            f"Your session {session.id} ({session.template}) {what} in {left}: {then}.",
            type="warning",
            actions=[{"label": "Keep it running", "handler": f"{KEEP_RUNNING}:{session.id}"}],
            timeout_ms=0,
        )
    except UserNotFound:
        # Whose owner was removed has nobody to be told.
        log.logger().info("a session ends whose owner is gone", extra={"session": session.id})


def _at(end: End) -> str:
    return f"{end.at:%H:%M} UTC"
