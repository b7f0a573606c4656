"""Notifications: sent to a person or an audience, read by each on their own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

from pynamodb.exceptions import DeleteError, UpdateError
from pynamodb.expressions.condition import Condition

from chalicelib import accounts
from chalicelib.accounts import Caller, UserNotFound
from chalicelib.core import clock, ids
from chalicelib.core.errors import PermissionDenied, ValidationError
from chalicelib.core.pagination import decode_cursor, encode_cursor
from chalicelib.core.tables import condition_failed
from chalicelib.events import UnitOfWork, unit_of_work
from chalicelib.messaging import models
from chalicelib.messaging.errors import (
    NotificationActionNotFound,
    NotificationAlreadyActed,
    NotificationNotDismissible,
    NotificationNotFound,
)
from chalicelib.messaging.models import NotificationRow
from chalicelib.messaging.notification import ADMINS, EVERYONE, KINDS, Action, Notification, Sender, lifetime

# An id's prefix says where the notification is, so that marking it costs one call.
_PREFIX_OF = {EVERYONE: "ntfall", ADMINS: "ntfadm"}
_PERSONAL = "ntf"


@dataclass(frozen=True)
class Inbox:
    """A stretch of one person's notifications, newest first. ``unread`` counts all of theirs, not this stretch's."""

    notifications: Sequence[Notification]
    unread: int
    next_cursor: str | None


def notify(
    to: str,
    title: str,
    message: str,
    *,
    type: str = "info",
    actions: Iterable[Mapping[str, Any]] = (),
    dismissible: bool = True,
    timeout_ms: int = 5000,
    persistent: bool = True,
    by: Caller | None = None,
    work: UnitOfWork | None = None,
) -> Notification:
    """Tell a person (``to`` is a username), everyone (``"*"``) or the administrators (``"@admins"``).

    An action is ``{"label", "url"?, "handler"?}``. Everybody may notify themselves; others need ``notifications.send``. ``by`` None is
    the platform itself. With ``work`` it is sent by that transaction, so just when what it tells of is done.

    Raises: PermissionDenied, UserNotFound, ValidationError.
    """
    if by is not None:
        by.require_self_or(to, "notifications.send")
    if type not in KINDS:
        raise ValidationError({"type": [f"Must be one of: {', '.join(KINDS)}"]})
    buttons = [Action.of(given) for given in actions]
    if to not in _PREFIX_OF and accounts.find_user(to) is None:
        raise UserNotFound(to)
    now = clock.now()
    notification = Notification(
        id=ids.text(_PREFIX_OF.get(to, _PERSONAL)),
        title=title,
        message=message,
        type=type,
        actions=buttons,
        dismissible=dismissible,
        timeout_ms=timeout_ms,
        persistent=persistent,
        sender=Sender.of(by),
        created_at=now,
    )
    stored = {
        **{name: getattr(notification, name) for name in ("title", "message", "type", "dismissible", "timeout_ms", "persistent")},
        "actions": [asdict(button) for button in buttons],
        "sender": asdict(notification.sender),
        "created_at": clock.rfc3339(now),
        "expires_at": int((now + lifetime(persistent=persistent, timeout_ms=timeout_ms, is_broadcast=to in _PREFIX_OF)).timestamp()) + 1,
    }
    stamp = _stamp(notification.id)
    if to in _PREFIX_OF:
        row = models.broadcast_row(stamp, audience=to, **stored)
    else:
        row = models.personal_row(to, stamp, **models.unread_keys(to, stamp), **stored)
    if work is None:
        row.save()
    else:
        work.save(row)
    return notification


def inbox(caller: Caller, *, unread_only: bool = False, limit: int = 50, cursor: str | None = None) -> Inbox:
    """The caller's own notifications and those of their audiences, without what they dismissed. Two to four calls.

    Raises: PermissionDenied for a plugin, which has no inbox; ValidationError for a cursor that is not one of this list.
    """
    _person(caller)
    before = decode_cursor(cursor).get("before") if cursor else None
    if cursor and not isinstance(before, str):
        raise ValidationError({"cursor": ["The cursor is not one that this list gave out"]})
    broadcasts = models.broadcasts(_audiences(caller))
    marks = models.marks_of(caller.id) if broadcasts else {}
    shared = [_notification(row, read=row.sk in marks) for row in broadcasts if not (row.sk in marks and marks[row.sk].is_dismissed)]
    ask = models.personal_unread if unread_only else models.personal
    own = [_notification(row, read=row.gsi1pk is None) for row in ask(caller.id, before, limit + 1)]
    passed = [one for one in shared if (before is None or _stamp(one.id) < before) and not (unread_only and one.read)]
    merged = sorted(own + passed, key=lambda one: _stamp(one.id), reverse=True)
    page = list(islice(merged, limit))
    return Inbox(
        page,
        unread=models.count_personal_unread(caller.id) + sum(not one.read for one in shared),
        next_cursor=encode_cursor({"before": _stamp(page[-1].id)}) if len(merged) > limit else None,
    )


def mark_read(caller: Caller, notification_id: str) -> None:
    """Again is fine. Raises: NotificationNotFound; PermissionDenied for a plugin."""
    row = _row_of(caller, notification_id)
    if _is_broadcast(notification_id):
        _mark(caller, row, notification_id, models.is_living(), is_dismissed=None)
        return
    try:
        row.update([NotificationRow.gsi1pk.remove(), NotificationRow.gsi1sk.remove()], condition=models.is_living())
    except UpdateError as error:
        if condition_failed(error):
            raise NotificationNotFound(notification_id) from error
        raise


def dismiss(caller: Caller, notification_id: str) -> None:
    """Remove it from the caller's inbox; from nobody else's. Raises: NotificationNotFound, NotificationNotDismissible."""
    row = _row_of(caller, notification_id)
    may_go = models.is_living() & (NotificationRow.dismissible == True)  # noqa: E712 pynamodb's condition
    if _is_broadcast(notification_id):
        _mark(caller, row, notification_id, may_go, is_dismissed=True)
        return
    try:
        row.delete(condition=may_go)
    except DeleteError as error:
        if condition_failed(error):
            raise _why_not(caller, row, notification_id) from error
        raise


def button(caller: Caller, notification_id: str, position: int) -> tuple[Notification, Action]:
    """The button that the caller sees at that place, counted from 0, and its notification. One call.

    Raises: NotificationNotFound, NotificationActionNotFound.
    """
    row = _visible(caller, _row_of(caller, notification_id))
    if row is None:
        raise NotificationNotFound(notification_id)
    notification = _notification(row, read=False)
    if not 0 <= position < len(notification.actions):
        raise NotificationActionNotFound(position, len(notification.actions))
    return notification, notification.actions[position]


def claim_action(caller: Caller, notification_id: str) -> None:
    """The caller's one press of a button that runs something. Of two presses at once, one is refused.

    Raises: NotificationAlreadyActed, NotificationNotFound.
    """
    row = _row_of(caller, notification_id)
    acted_at = int(clock.timestamp())
    if _is_broadcast(notification_id):
        _mark(caller, row, notification_id, models.is_living(), is_dismissed=None, acted_at=acted_at)
        return
    try:
        row.update([NotificationRow.acted_at.set(acted_at)], condition=models.is_living() & NotificationRow.acted_at.does_not_exist())
    except UpdateError as error:
        if condition_failed(error):
            raise (NotificationAlreadyActed() if models.find(row) else NotificationNotFound(notification_id)) from error
        raise


def release_action(caller: Caller, notification_id: str) -> None:
    """What was pressed did not work: the caller may press again."""
    row = _row_of(caller, notification_id)
    if _is_broadcast(notification_id):
        models.mark_row(caller.id, row.sk).update([models.MarkRow.acted_at.remove()], condition=models.MarkRow.pk.exists())
        return
    try:
        row.update([NotificationRow.acted_at.remove()], condition=models.is_living())
    except UpdateError as error:
        # It expired, or was dismissed, meanwhile.
        if not condition_failed(error):
            raise


def forget_user(username: str) -> None:
    """Remove all that a person was told, and their marks, so that a later user of that name does not find it."""
    models.delete_all_of(username)


def _mark(
    caller: Caller,
    row: NotificationRow,
    notification_id: str,
    condition: Condition,
    *,
    is_dismissed: bool | None,
    acted_at: int | None = None,
) -> None:
    """The caller's mark on a broadcast, if that is there; what is None stays as it is.

    Raises NotificationAlreadyActed when ``acted_at`` is there already.
    """
    expires_at = int((clock.now() + lifetime(persistent=True, timeout_ms=0, is_broadcast=True)).timestamp())
    changes = [models.MarkRow.expires_at.set(expires_at)]
    if is_dismissed is not None:
        changes.append(models.MarkRow.is_dismissed.set(is_dismissed))
    once = None
    if acted_at is not None:
        changes.append(models.MarkRow.acted_at.set(acted_at))
        once = models.MarkRow.acted_at.does_not_exist()
    refused = NotificationNotFound(notification_id)
    try:
        with unit_of_work() as work:
            work.check(row, condition & NotificationRow.audience.is_in(*_audiences(caller)), otherwise=refused)
            work.update(models.mark_row(caller.id, row.sk), list(changes), once, otherwise=NotificationAlreadyActed() if acted_at else None)
    except NotificationNotFound as error:
        raise (_why_not(caller, row, notification_id) if is_dismissed else refused) from error


def _why_not(caller: Caller, row: NotificationRow, notification_id: str) -> Exception:
    """Why a notification could not be dismissed; asked only after the refusal."""
    return NotificationNotDismissible() if _visible(caller, row) else NotificationNotFound(notification_id)


def _row_of(caller: Caller, notification_id: str) -> NotificationRow:
    """A row with the notification's key, for the caller: somebody else's id leads nowhere."""
    _person(caller)
    prefix, _, stamp = notification_id.partition("_")
    if not stamp or prefix not in (_PERSONAL, *_PREFIX_OF.values()):
        raise NotificationNotFound(notification_id)
    if prefix == _PREFIX_OF[ADMINS] and ADMINS not in _audiences(caller):
        raise NotificationNotFound(notification_id)
    return models.personal_row(caller.id, stamp) if prefix == _PERSONAL else models.broadcast_row(stamp)


def _visible(caller: Caller, row: NotificationRow) -> NotificationRow | None:
    """The living item, unless it is for an audience that the caller does not belong to."""
    found = models.find(row)
    return found if found and (found.audience is None or found.audience in _audiences(caller)) else None


def _audiences(caller: Caller) -> list[str]:
    return [EVERYONE, ADMINS] if caller.role == "admin" else [EVERYONE]


def _is_broadcast(notification_id: str) -> bool:
    return not notification_id.startswith(f"{_PERSONAL}_")


def _stamp(notification_id: str) -> str:
    return notification_id.partition("_")[2]


def _person(caller: Caller) -> None:
    if caller.is_plugin:
        raise PermissionDenied("A plugin sends notifications; it has no inbox of its own")


def _notification(row: NotificationRow, *, read: bool) -> Notification:
    prefix = _PREFIX_OF[row.audience] if row.audience else _PERSONAL
    return Notification(
        id=f"{prefix}_{row.sk}",
        title=row.title,
        message=row.message,
        type=row.type,
        actions=[Action(**action) for action in row.actions],
        dismissible=row.dismissible,
        timeout_ms=int(row.timeout_ms),
        persistent=row.persistent,
        sender=Sender(**row.sender),
        created_at=clock.parse_rfc3339(row.created_at),
        read=read,
    )
