"""What a user may use, enforced by a condition in the very transaction that takes it.

The counters (one item for each user) change only together with the sessions that they count, so they equal what exists, and of racing
requests exactly as many win as there are places::

    A: reads limit 3            B: reads limit 3
    A: +1 if sessions <= 2      B: +1 if sessions <= 2      DynamoDB runs one after the other;
    2 -> 3, committed           refused: QuotaExceeded      no read of the counter is trusted

A running session counts and uses its memory; a hibernated one counts, but its memory is free for others; a terminated one counts for
nothing.

Storage is the user's home, whether or not sessions use it. The first session with a home asks for one as large as the quota, and counts it
in the transaction that creates the session; a larger quota makes the next session's home larger. A home never shrinks: under a quota that
has become smaller than it, no session with that home is created any more. It is counted off with the wish that it be deleted: from then on
no session of that user can ask for it again.
"""

from __future__ import annotations

from dataclasses import dataclass

from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from chalicelib import accounts
from chalicelib.accounts import User, UserNotFound
from chalicelib.core.errors import ConcurrentChange, StreamSpaceError
from chalicelib.events import UnitOfWork
from chalicelib.sessions import models
from chalicelib.sessions.errors import QuotaExceeded
from chalicelib.sessions.models import UsageRow
from chalicelib.sessions.session import Claim


@dataclass(frozen=True)
class Limits:
    """A user's quotas at this moment. ``life`` tells one life of a username from the next."""

    username: str
    sessions: int
    memory_bytes: int
    storage_bytes: int
    life: str


@dataclass(frozen=True)
class Usage:
    """What a user has taken, and what is allowed now."""

    used: Claim
    home_bytes: int
    limits: Limits


class NoRoom(ConcurrentChange):
    """The condition on the counters did not hold; :func:`explain` says why."""


def limits_of(user: User) -> Limits:
    return Limits(user.username, user.quotas.max_sessions, user.quotas.memory_bytes, user.quotas.storage_bytes, life_of(user))


def life_of(user: User) -> str:
    return user.created_at.isoformat()


def usage_of(username: str) -> Usage:
    """Two strongly consistent reads. Raises UserNotFound."""
    limits = limits_of(accounts.get_user(username, anew=True))
    usage = models.usage_of(username)
    return Usage(_counted(usage), int(usage.home_bytes or 0), limits)


def take(work: UnitOfWork, claim: Claim, limits: Limits, *, with_home: bool = False) -> None:
    """Count ``claim`` in this transaction, on condition that the limits allow it. Parts of it that are negative or zero need no room.

    ``with_home``: and a home, which is as large as the limits allow.

    The commit raises NoRoom where they do not: give it to :func:`explain`.
    """
    condition: Condition = UsageRow.closed_for.does_not_exist() | (UsageRow.closed_for != limits.life)
    if claim.sessions > 0:
        condition &= _at_most(UsageRow.sessions, limits.sessions - claim.sessions)
    if claim.memory_bytes > 0:
        condition &= _at_most(UsageRow.memory_bytes, limits.memory_bytes - claim.memory_bytes)
    actions = _added(claim)
    if with_home:
        condition &= UsageRow.home_bytes.does_not_exist() | (UsageRow.home_bytes <= limits.storage_bytes)
        actions.append(UsageRow.home_bytes.set(limits.storage_bytes))
    work.update(models.usage_row(limits.username), actions, condition, otherwise=NoRoom())


def give_back(work: UnitOfWork, username: str, claim: Claim) -> None:
    """Count ``claim`` off in this transaction. Needs no room."""
    if claim != Claim():
        work.update(models.usage_row(username), _added(Claim() - claim))


def free_home(work: UnitOfWork, username: str, life: str) -> None:
    """This life of the username gets no more sessions, and its home is not counted any more."""
    work.update(models.usage_row(username), [UsageRow.closed_for.set(life), UsageRow.home_bytes.remove()])


def explain(claim: Claim, limits: Limits, *, with_home: bool = False) -> StreamSpaceError:
    """Why there was no room: QuotaExceeded with what is used and allowed; ConcurrentChange when by now there is room, or the quotas are
    others."""
    usage = models.usage_of(limits.username)
    used = _counted(usage)
    if usage.closed_for == limits.life:
        return UserNotFound(limits.username)
    if limits_of(accounts.get_user(limits.username, anew=True)) != limits:
        return ConcurrentChange()
    if claim.sessions > 0 and used.sessions + claim.sessions > limits.sessions:
        return QuotaExceeded(
            f"{limits.username} has {used.sessions} of {limits.sessions} sessions; delete one first",
            quota="sessions",
            used=used.sessions,
            allowed=limits.sessions,
            requested=claim.sessions,
        )
    if claim.memory_bytes > 0 and used.memory_bytes + claim.memory_bytes > limits.memory_bytes:
        return QuotaExceeded(
            f"{limits.username}'s running sessions use {_shown(used.memory_bytes)} of {_shown(limits.memory_bytes)} memory, and this "
            f"asks for {_shown(claim.memory_bytes)}; hibernate a session, or ask for less",
            quota="memory",
            used=used.memory_bytes,
            allowed=limits.memory_bytes,
            requested=claim.memory_bytes,
        )
    home_bytes = int(usage.home_bytes or 0)
    if with_home and home_bytes > limits.storage_bytes:
        return QuotaExceeded(
            f"{limits.username}'s home has {_shown(home_bytes)} of {_shown(limits.storage_bytes)} storage, and homes do not shrink; ask "
            "for a session without it (persistentHome: false), or an administrator for more storage",
            quota="storage",
            used=home_bytes,
            allowed=limits.storage_bytes,
            requested=0,
        )
    return ConcurrentChange()


def _counted(usage: UsageRow) -> Claim:
    return Claim(int(usage.sessions or 0), int(usage.memory_bytes or 0))


def _added(claim: Claim) -> list[Action]:
    return [UsageRow.sessions.add(claim.sessions), UsageRow.memory_bytes.add(claim.memory_bytes)]


def _at_most(counter: object, most: int) -> Condition:
    # A counter that does not exist yet is zero.
    fits: Condition = counter <= most  # type: ignore[operator, assignment]
    return fits | counter.does_not_exist() if most >= 0 else fits & counter.exists()  # type: ignore[attr-defined]


def _shown(amount: int) -> str:
    for unit, size in (("Gi", 1024**3), ("Mi", 1024**2), ("Ki", 1024)):
        if amount >= size:
            return f"{amount / size:.4g}{unit}"
    return str(amount)
