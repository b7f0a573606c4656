"""When a running session ends by itself, and what is to be done about it now. Pure: no AWS, and the time is given.

Two clocks run while a session runs, and stand still while it hibernates::

    idle       from the last activity (or its start, or when it could first be used): after ``idleTimeout`` it hibernates
    lifetime   all its running together, since it was created: after ``maxSessionDuration`` it is terminated

Promises
    Nobody's session ends by itself unless its owner was told before: five minutes, or half of a period that is shorter than ten.
    A warning that comes late (no sweep ran) puts the end off; activity after a warning makes it void.
    An ``idleTimeout`` of ``0`` means never. Holding a session awake puts off idleness, not the end of its lifetime.

What counts as activity: a person's connection or input, as reported by ``POST sessions/{id}/activity``, and an extension. Reading a
session, or listing it, as a dashboard does every few seconds, does not.

``due_at`` is what the sweep's index holds. It may be too early (activity does not touch the index, so that a keystroke costs one small
write), never too late: the sweep looks, finds a later end, and writes that down.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from chalicelib.core.quantities import parse_duration
from chalicelib.sessions.states import RUNNING

if TYPE_CHECKING:
    from chalicelib.sessions.session import Session

EndKind = Literal["idle", "lifetime"]

WARNED_BEFORE = timedelta(minutes=5)
# Activity is noted no more often than this: a write for each keystroke would say nothing new.
_FINEST, _COARSEST = timedelta(seconds=20), timedelta(seconds=60)
# A lifetime that ends beyond the calendar's end does not end; a duration may be 292 years.
_LONGEST = timedelta(days=100 * 365)


@dataclass(frozen=True)
class End:
    """``at`` is when; ``idle`` leads to hibernation, ``lifetime`` to termination."""

    kind: EndKind
    at: datetime


@dataclass(frozen=True)
class Step:
    """What is to be done now: ``wait`` until ``end.at`` or its warning, ``warn`` that it ends at ``end.at``, or ``end`` it."""

    act: Literal["wait", "warn", "end"]
    end: End


def idle_since(session: Session) -> datetime | None:
    """The last thing that happened to a running session; None when it does not run."""
    if session.state != RUNNING:
        return None
    return max(at for at in (session.running_since or session.created_at, session.ready_since, session.last_activity) if at)


def lifetime_ends_at(session: Session) -> datetime | None:
    """When a running session has run as long as it may. None when it does not run, and for a lifetime without an end."""
    if session.state != RUNNING:
        return None
    left = _period(session.max_session_duration) - timedelta(seconds=session.ran_s)
    began = session.running_since or session.created_at
    return None if left > _LONGEST else began + max(left, timedelta())


def idle_ends_at(session: Session) -> datetime | None:
    """When a running session hibernates unless somebody uses it. None when it never does."""
    since, period = idle_since(session), _period(session.idle_timeout)
    if since is None or not period or period > _LONGEST:
        return None
    return max(since + period, session.awake_until or since)


def next_end(session: Session) -> End | None:
    """What ends a running session first, as things stand; a warning that came late puts it off."""
    idle, lifetime = idle_ends_at(session), lifetime_ends_at(session)
    if lifetime is not None and (idle is None or lifetime <= idle):
        return End("lifetime", _put_off(session, lifetime))
    return None if idle is None else End("idle", _put_off(session, idle))


def step(session: Session, now: datetime) -> Step | None:
    """What to do about a session's end now. None: it does not end by itself."""
    end = next_end(session)
    if end is None:
        return None
    if session.warned_of != _undelayed(session, end.kind):
        if now < end.at - notice(session, end.kind):
            return Step("wait", end)
        return Step("warn", End(end.kind, max(end.at, now + notice(session, end.kind))))
    return Step("end" if now >= end.at else "wait", end)


def due_at(session: Session) -> datetime | None:
    """When the sweep has to look at a session next: at its warning, and then at its end. None: never."""
    end = next_end(session)
    if end is None:
        return None
    is_warned = session.warned_of == _undelayed(session, end.kind)
    return end.at if is_warned else end.at - notice(session, end.kind)


def notice(session: Session, kind: EndKind) -> timedelta:
    """How long before its end the owner is told."""
    period = _period(session.idle_timeout if kind == "idle" else session.max_session_duration)
    return min(WARNED_BEFORE, period / 2)


def activity_step(session: Session) -> timedelta:
    """Activity this soon after the last one is not written down."""
    period = _period(session.idle_timeout)
    return min(max(period / 20, _FINEST), _COARSEST) if period else _COARSEST


def in_words(seconds: float) -> str:
    """``1h30m``, as durations are written; seconds only where there is no whole minute."""
    hours, minutes = divmod(round(seconds) // 60, 60)
    return (f"{hours}h" if hours else "") + (f"{minutes}m" if minutes else "") or f"{round(seconds)}s"


def _put_off(session: Session, end: datetime) -> datetime:
    if session.warned_of != end or session.ends_no_sooner_than is None:
        return end
    return max(end, session.ends_no_sooner_than)


def _undelayed(session: Session, kind: EndKind) -> datetime | None:
    return idle_ends_at(session) if kind == "idle" else lifetime_ends_at(session)


def _period(text: str) -> timedelta:
    return timedelta(seconds=min(parse_duration(text), 10**11))
