"""Sessions: what people and plugins can do with them.

Everyone acts on their own sessions; on others' only with ``sessions.view`` (look) or ``sessions.manage`` (everything else). A plugin
acts by its scopes. Nothing here waits for the cluster: the record says what is wanted, the worker makes it so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import ceil
from typing import Any

from chalicelib import accounts
from chalicelib.accounts import Caller, User
from chalicelib.core import clock, config, ids
from chalicelib.core.errors import ConcurrentChange, ValidationError
from chalicelib.core.pagination import decode_cursor, encode_cursor
from chalicelib.core.quantities import parse_cpu, parse_duration, parse_memory
from chalicelib.events import retried, unit_of_work
from chalicelib.events.types import SESSION_CHANGED
from chalicelib.sessions import models, names, options, quotas, timing
from chalicelib.sessions.errors import InsufficientResources, InvalidStateTransition, QuotaExceeded, SessionNotFound, TemplateNotFound
from chalicelib.sessions.models import Capacity, LaunchRow, SessionRow
from chalicelib.sessions.quotas import Usage
from chalicelib.sessions.session import (
    DEFAULT_IDLE_TIMEOUT,
    DEFAULT_MAX_SESSION_DURATION,
    PLATFORM,
    Claim,
    Launch,
    Session,
    session_object,
)
from chalicelib.sessions.states import HIBERNATED, RUNNING, TERMINATED
from chalicelib.sessions.timing import EndKind, in_words

DEFAULT_LIMIT, MOST_AT_ONCE = 100, 1000
# Beyond this a cursor must be used: reading past so many costs more than the answer is worth.
DEEPEST_OFFSET = 10_000
# What "Keep it running" adds to a lifetime that is about to end, where the quota allows it.
_MORE_LIFETIME = timedelta(hours=1)
_RETRY_AFTER_S = 30
_TRIES_TO_REMOVE = 8


@dataclass(frozen=True)
class Listed:
    """A part of a list. ``next_cursor`` is where it goes on; None at its end."""

    sessions: list[Session]
    next_cursor: str | None


class _IdTaken(ConcurrentChange):
    """Two sessions cannot share an id: the second one gets a suffix, and another one should that be taken too."""


@retried
def create_session(wanted: Mapping[str, Any], *, by: Caller) -> Session:
    """A new session as CreateSessionOptions asks, in state ``running`` unless it says ``hibernated``.

    Its id is ``{user}-{template}`` where that is free. ``maxSessionDuration`` is 8 h by default, or what the user's quota allows if that
    is less.

    Raises: ValidationError, PermissionDenied, UserNotFound, TemplateNotFound, QuotaExceeded, InsufficientResources.
    """
    options.check_create(wanted)
    username, template_name = wanted["user"], wanted["template"]
    by.require_self_or(username, "sessions.manage")
    user = accounts.get_user(username, anew=True)
    template, capacity = models.template_and_capacity(template_name)
    if template is None:
        raise TemplateNotFound(f"There is no template '{template_name}'", template=template_name)
    resources = {**template.spec["defaultResources"], **{key: text for key, text in (wanted.get("resources") or {}).items() if text}}
    now = clock.now()
    session = Session(
        id=names.session_id(username, template_name),
        user=username,
        template=template_name,
        state=wanted.get("state") or RUNNING,
        memory=resources["memory"],
        cpu=resources["cpu"],
        persistent_home=bool(wanted.get("persistentHome", True)),
        idle_timeout=wanted.get("idleTimeout") or DEFAULT_IDLE_TIMEOUT,
        max_session_duration=_duration_within(user, wanted.get("maxSessionDuration")),
        created_at=now,
        updated_at=now,
        running_since=now if (wanted.get("state") or RUNNING) == RUNNING else None,
    )
    if session.state == RUNNING:
        _require_room(capacity, session.memory, session.cpu)
    launch = Launch(
        template.spec, user.quotas.storage, quotas.life_of(user), dict(wanted.get("env") or {}), dict(wanted.get("labels") or {})
    )
    try:
        return _create(session, launch, user, by)
    except _IdTaken:
        return _create(replace(session, id=names.suffixed(session.id, ids.suffix())), launch, user, by)


def _create(session: Session, launch: Launch, user: User, by: Caller) -> Session:
    limits = quotas.limits_of(user)
    row = models.session_row(session)
    try:
        with unit_of_work(by.actor) as work:
            work.create(row, otherwise=_IdTaken())
            work.create(models.launch_row(session.id, launch))
            work.emit("session.created", row, session_object(session))
            quotas.take(work, session.claim, limits, with_home=session.persistent_home)
    except quotas.NoRoom as refused:
        raise quotas.explain(session.claim, limits, with_home=session.persistent_home) from refused
    return session


def get_session(session_id: str, *, by: Caller) -> Session:
    """Raises SessionNotFound, PermissionDenied."""
    session = _existing(models.session_of_id(session_id), session_id).value()
    by.require_self_or(session.user, "sessions.view")
    return session


def list_sessions(
    *,
    by: Caller,
    user: str | None = None,
    state: str | None = None,
    template: str | None = None,
    limit: int = DEFAULT_LIMIT,
    offset: int = 0,
    cursor: str | None = None,
) -> Listed:
    """Sessions in the order of their creation; all conditions hold. Who may not see others' sees their own.

    Raises: PermissionDenied for another user's sessions, ValidationError for a cursor that is none.
    """
    if user is not None:
        by.require_self_or(user, "sessions.view")
    elif not by.may("sessions.view"):
        user = by.id
    after = _position(cursor)
    rows = models.sessions(user=user, template=template, state=state, after=after, limit=offset + limit + 1)
    shown = rows[offset : offset + limit]
    has_more = len(rows) > offset + limit
    return Listed([row.value() for row in shown], encode_cursor({"after": shown[-1].position}) if has_more else None)


def sessions_of(username: str, *, by: Caller) -> list[Session]:
    """All sessions of one user. Raises UserNotFound, PermissionDenied."""
    by.require_self_or(username, "sessions.view")
    accounts.get_user(username)
    return [row.value() for row in models.sessions(user=username, limit=MOST_AT_ONCE)]


def usage_of(username: str, *, by: Caller) -> Usage:
    """What the user has taken of the quotas, and what is allowed now. Raises UserNotFound, PermissionDenied."""
    by.require_self_or(username, "users.view")
    return quotas.usage_of(username)


@retried
def update_session(session_id: str, updates: Mapping[str, Any], *, by: Caller) -> Session:
    """Change a session's state, resources, idle timeout or labels, in one transaction.

    The present state again is no change. Other resources restart a running session's pod. Labels replace those that it had. A user's
    quotas are asked when a session wakes or grows.

    Raises: ValidationError, SessionNotFound, PermissionDenied, InvalidStateTransition, QuotaExceeded, InsufficientResources, UserNotFound.
    """
    options.check_update(updates)
    row, capacity = models.session_and_capacity(session_id)
    row = _existing(row, session_id)
    before = row.value()
    by.require_self_or(before.user, "sessions.manage")
    now = clock.now()
    after, event = before.moved(updates.get("state") or before.state, now)
    resources = updates.get("resources") or {}
    after = replace(
        after,
        memory=resources.get("memory") or before.memory,
        cpu=resources.get("cpu") or before.cpu,
        idle_timeout=updates.get("idleTimeout") or before.idle_timeout,
    )
    labels = updates.get("labels")
    is_for_cluster = labels is not None or (after.memory, after.cpu) != (before.memory, before.cpu)
    if after == before and not is_for_cluster:
        return before
    after = replace(after, updated_at=now)
    more = after.claim - before.claim
    limits = None
    if more.sessions > 0 or more.memory_bytes > 0:
        # What a running session has already is room for its next pod, which no look at the nodes counts as free.
        _require_room(Capacity(capacity.shortage, None) if before.state == RUNNING else capacity, after.memory, after.cpu)
        limits = quotas.limits_of(accounts.get_user(before.user, anew=True))
    try:
        with unit_of_work(by.actor) as work:
            work.save(row.take(after), row.next_revision())
            if event is not None:
                work.emit(event, row, session_object(after))
            if is_for_cluster and event is None:
                work.emit(SESSION_CHANGED, row, session_object(after))
            if labels is not None:
                work.update(LaunchRow(row.pk, "launch"), [LaunchRow.labels.set(dict(labels))], LaunchRow.pk.exists())
            if limits is not None:
                quotas.take(work, more, limits)
            else:
                quotas.give_back(work, before.user, Claim() - more)
    except quotas.NoRoom as refused:
        assert limits is not None
        raise quotas.explain(more, limits) from refused
    return after


@retried
def delete_session(session_id: str, *, by: Caller) -> None:
    """Stop a session for good and forget it. It is gone from every answer at once; its id is free when its objects have left the cluster.

    Raises: SessionNotFound, PermissionDenied.
    """
    row = _existing(models.session_of_id(session_id), session_id)
    by.require_self_or(row.user, "sessions.manage")
    _delete(row, by)


def _delete(row: SessionRow, by: Caller) -> None:
    before, now = row.value(), clock.now()
    stopped, event = before.moved(TERMINATED, now)
    gone = replace(stopped, deleted_at=now, updated_at=now, url=None, status=None)
    with unit_of_work(by.actor) as work:
        work.save(row.take(gone), row.next_revision())
        if event is not None:
            work.emit(event, row, session_object(stopped))
        work.emit("session.deleted", row, session_object(gone))
        quotas.give_back(work, before.user, before.claim)


def record_activity(session_id: str, *, by: Caller) -> Session:
    """Somebody uses the session: it is not idle. Noted at most once a minute (more often for short idle times), and only while it runs.

    Raises: SessionNotFound, PermissionDenied.
    """
    row = _existing(models.session_of_id(session_id), session_id)
    by.require_self_or(row.user, "sessions.manage")
    return note_activity(row.value())


def note_activity(session: Session) -> Session:
    """:func:`record_activity`, for whoever has looked at the session and at who asks."""
    now = clock.now()
    if session.state != RUNNING or (session.last_activity and now - session.last_activity < timing.activity_step(session)):
        return session
    return models.touched(session, now)


@retried
def extend_session(session_id: str, duration: str | None = None, *, by: Caller) -> Session:
    """Keep a running session from ending by itself.

    Without a duration: as if somebody used it now; where it is the end of its lifetime that comes next, that is an hour later, or as much
    later as the user's quota allows. With one: it does not end within that time, used or not, and lives longer if it must; an earlier
    extension that reaches farther stays. ``0`` takes an extension back.

    Raises: SessionNotFound, PermissionDenied, ValidationError, InvalidStateTransition when it does not run, QuotaExceeded when its lifetime
    cannot be made long enough.
    """
    options.check_extension(duration)
    row = _existing(models.session_of_id(session_id), session_id)
    before = row.value()
    by.require_self_or(before.user, "sessions.manage")
    if before.state != RUNNING:
        raise InvalidStateTransition(
            f"The session is {before.state}: only one that runs can be kept running", **{"from": before.state, "to": RUNNING, "allowed": []}
        )
    now = clock.now()
    after = replace(before, last_activity=now, updated_at=now)
    if duration is None:
        coming = timing.next_end(after)
        wanted = now + _MORE_LIFETIME if coming and coming.kind == "lifetime" else None
    else:
        until = now + timedelta(seconds=parse_duration(duration))
        wanted = until
        keeps = until > now and not (before.awake_until and before.awake_until > until)
        after = replace(after, awake_until=until if keeps else before.awake_until if until > now else None)
    ends = timing.lifetime_ends_at(after)
    if wanted is not None and ends is not None and ends < wanted:
        user = accounts.get_user(before.user, anew=True)
        after = replace(after, max_session_duration=_longer_life(after, wanted, user, as_much_as_possible=duration is None))
    with unit_of_work(by.actor) as work:
        work.save(row.take(after), row.next_revision())
    return after


def _longer_life(session: Session, until: datetime, user: User, *, as_much_as_possible: bool) -> str:
    """The maxSessionDuration with which the session may run until then. Raises QuotaExceeded."""
    ran_s = session.ran_s - (session.running_since or session.created_at).timestamp()
    needed_s, allowed_s = ceil(until.timestamp() + ran_s), user.quotas.max_session_duration_s
    if needed_s <= allowed_s:
        return f"{needed_s}s"
    if as_much_as_possible and parse_duration(session.max_session_duration) < allowed_s:
        return user.quotas.max_session_duration
    raise QuotaExceeded(
        f"{user.username}'s sessions may last {user.quotas.max_session_duration}, and this one has run for "
        f"{in_words(clock.timestamp() + ran_s)} of that",
        quota="maxSessionDuration",
        used=in_words(clock.timestamp() + ran_s),
        allowed=user.quotas.max_session_duration,
        requested=in_words(needed_s),
    )


def end_by_itself(row: SessionRow, kind: EndKind) -> None:
    """Idle: the session hibernates. Its lifetime is over: it is terminated. Raises ConcurrentChange when the row is not the newest one."""
    before, now = row.value(), clock.now()
    after, event = before.moved(HIBERNATED if kind == "idle" else TERMINATED, now, ended_by=kind)
    assert event is not None
    with unit_of_work(PLATFORM) as work:
        work.save(row.take(after), row.next_revision())
        work.emit(event, row, session_object(after))
        quotas.give_back(work, before.user, before.claim - after.claim)


def _existing(row: SessionRow | None, session_id: str) -> SessionRow:
    if row is None or row.deleted_at:
        raise SessionNotFound(f"There is no session '{session_id}'", session=session_id)
    return row


def _require_room(capacity: Capacity, memory: str, cpu: str) -> None:
    if not config.cluster_grows() and capacity.refuses(parse_memory(memory), parse_cpu(cpu)):
        raise InsufficientResources(
            f"The cluster has no room for {memory} memory and {cpu} CPU at the moment; ask for less, or try again shortly",
            retry_after_s=_RETRY_AFTER_S,
        )


def _duration_within(user: User, wanted: str | None) -> str:
    allowed = user.quotas.max_session_duration
    if parse_duration(wanted or DEFAULT_MAX_SESSION_DURATION) <= user.quotas.max_session_duration_s:
        return wanted or DEFAULT_MAX_SESSION_DURATION
    if wanted is None:
        return allowed
    raise QuotaExceeded(
        f"{user.username}'s sessions may last {allowed}, and this asks for {wanted}",
        quota="maxSessionDuration",
        used=None,
        allowed=allowed,
        requested=wanted,
    )


def _position(cursor: str | None) -> str | None:
    if not cursor:
        return None
    after = decode_cursor(cursor).get("after")
    if not isinstance(after, str):
        raise ValidationError({"cursor": ["The cursor is not one that this API gave out"]})
    return after
