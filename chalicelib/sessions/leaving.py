"""Removing a user: their sessions, their inbox, their account, and their home if asked.

Promises
    From the beginning on the user cannot sign in, nor begin a session; what tokens they had are dead.
    What does not fit into a request goes on by the minute's sweep, and so does what was killed half-way: a removal that was begun ends.
    The only administrator cannot be removed; of two who remove each other at once one stays.
    The account goes last, so that nobody who takes the name finds a session or a message of the one before.
    A home is deleted for the very life of the username that was meant.
"""

from __future__ import annotations

import time
from datetime import timedelta

from chalicelib import accounts, messaging
from chalicelib.accounts import Caller, User
from chalicelib.core import clock, log
from chalicelib.core.errors import ConcurrentChange, ValidationError
from chalicelib.events import unit_of_work
from chalicelib.sessions import models, quotas
from chalicelib.sessions.errors import SessionNotFound
from chalicelib.sessions.models import RemovalRow
from chalicelib.sessions.service import MOST_AT_ONCE, delete_session

IN_A_REQUEST_S = 10.0
IN_A_SWEEP_S = 15.0
_LOOK_AGAIN_S = 0.1
_LOOKS = 8
# An index shows a session that was created a moment ago only a little later. After a minute what it does not show is not there.
_INDEX_IS_BEHIND = timedelta(minutes=1)


def remove_user(username: str, *, delete_sessions: bool = True, delete_storage: bool = False, by: Caller) -> bool:
    """Delete a user, their sessions unless these are to stay, and their home if asked. False: begun, and goes on by itself.

    Raises: UserNotFound, PermissionDenied, ValidationError, LastAdministrator.
    """
    by.require("users.manage")
    if delete_storage and not delete_sessions:
        raise ValidationError({"deleteStorage": ["A home can go only together with the sessions that use it: set deleteSessions as well"]})
    user = accounts.find_user(username)
    if user is None:
        # Ends what tokens a removal that died halfway may have left, and says UserNotFound.
        accounts.delete_user(username, by=by)
        raise accounts.UserNotFound(username)
    accounts.require_power_over(user, by)
    life = quotas.life_of(user)
    removal = models.removal_row(
        username,
        life=life,
        delete_sessions=delete_sessions,
        asked_by={"kind": by.kind, "id": by.id, "name": by.name, "hops": by.hops},
        since=clock.rfc3339(clock.now()),
    )
    _begin(user, removal, delete_storage=delete_storage, by=by)
    accounts.end_all_tokens(username)
    return _finish(removal, time.monotonic() + IN_A_REQUEST_S)


@accounts.keeping_an_administrator
def _begin(user: User, removal: RemovalRow, *, delete_storage: bool, by: Caller) -> None:
    with unit_of_work(by.actor) as work:
        if delete_storage:
            quotas.free_home(work, user.username, removal.life)
            work.save(models.home_row(user.username, removal.life))
        else:
            work.update(models.usage_row(user.username), [models.UsageRow.closed_for.set(removal.life)])
        work.save(removal)
        accounts.begin_removal(work, user)


def go_on_removing() -> int:
    """Go on with what was begun and is not done; the number of users that are gone now. One Query where there is nothing to do."""
    until, done = time.monotonic() + IN_A_SWEEP_S, 0
    for removal in models.removals():
        if time.monotonic() >= until:
            break
        try:
            done += _go_on(removal, until)
        except Exception:  # noqa: BLE001 one user's trouble is not the others'
            log.logger().exception("a user could not be removed", extra={"user": removal.user})
    return done


def _go_on(removal: RemovalRow, until: float) -> bool:
    user = accounts.find_user(removal.user)
    if user is None or quotas.life_of(user) != removal.life:
        models.forget_removal(removal)
        return True
    # Whoever began it may have died before the tokens did.
    accounts.suspend(removal.user)
    return _finish(removal, until)


def _finish(removal: RemovalRow, until: float) -> bool:
    """All that is left once nobody can sign in as the user and their tokens have ended. False: there was no time for all of it."""
    username, by = removal.user, _asker(removal)
    if removal.delete_sessions and not _sessions_are_gone(removal, by, until):
        return False
    messaging.forget_user(username)
    try:
        # Its event, user.deleted, also tells the worker to look after the home.
        accounts.delete_suspended(username, by=by)
    except accounts.UserNotFound:
        # Another one who goes on with the same removal was faster.
        log.logger().info("removed by another", extra={"user": username})
    models.forget_removal(removal)
    return True


def _sessions_are_gone(removal: RemovalRow, by: Caller, until: float) -> bool:
    """Delete the user's sessions. The counters are exact, and say when all were found; those that are wrong are not waited for."""
    for _ in range(_LOOKS):
        found = models.sessions(user=removal.user, limit=MOST_AT_ONCE)
        for row in found:
            if time.monotonic() >= until:
                return False
            try:
                delete_session(row.id, by=by)
            except (SessionNotFound, ConcurrentChange):
                # Gone already; or changing so fast that it is looked at again.
                continue
        if int(models.usage_of(removal.user).sessions or 0) <= 0:
            return True
        if not found and clock.now() - clock.parse_rfc3339(removal.since) > _INDEX_IS_BEHIND:
            log.logger().warning("a removed user's counters were wrong", extra={"user": removal.user})
            return True
        if time.monotonic() + _LOOK_AGAIN_S >= until:
            return False
        time.sleep(_LOOK_AGAIN_S)
    return False


def _asker(removal: RemovalRow) -> Caller:
    """Whoever asked, who was allowed to when they did."""
    asked = removal.asked_by
    return Caller(asked["kind"], asked["id"], asked["name"], "admin", None, hops=asked["hops"])
