"""Dialogs: asked by a plugin that waits, answered by one person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from pynamodb.exceptions import UpdateError

from chalicelib import accounts
from chalicelib.accounts import Caller, UserNotFound
from chalicelib.core import clock, ids
from chalicelib.core.errors import PermissionDenied, ValidationError
from chalicelib.core.tables import condition_failed
from chalicelib.messaging.dialog import ANSWERED, DIALOG_KINDS, EXPIRED, PENDING, WITHDRAWN, Dialog, default_buttons, offered
from chalicelib.messaging.errors import DialogClosed, DialogNotFound
from chalicelib.messaging.models import DialogRow, dialogs_of
from chalicelib.messaging.notification import Sender

# How long a closed dialog can still be told from one that never was.
_REMEMBERED = timedelta(hours=1)
_DIALOG = "DIALOG"
_CLOSED_BECAUSE = {
    ANSWERED: "You have answered this dialog already",
    WITHDRAWN: "The plugin does not wait for the answer any more",
    EXPIRED: "The plugin does not wait for the answer any more",
}


def ask(
    to: str,
    title: str,
    message: str,
    *,
    type: str = "info",
    buttons: Sequence[Mapping[str, Any]] | None = None,
    timeout_ms: int,
    by: Caller,
) -> Dialog:
    """Show a person a dialog for ``timeout_ms``, in a plugin's name.

    Raises: UserNotFound; ValidationError for an unknown type.
    """
    if type not in DIALOG_KINDS:
        raise ValidationError({"type": [f"Must be one of: {', '.join(DIALOG_KINDS)}"]})
    if accounts.find_user(to) is None:
        raise UserNotFound(to)
    now = clock.now()
    dialog = Dialog(
        id=ids.text("dlg"),
        to=to,
        title=title,
        message=message,
        type=type,
        buttons=[dict(one) for one in buttons] if buttons else default_buttons(type),
        sender=Sender.of(by),
        created_at=now,
        expires_at=now + timedelta(milliseconds=timeout_ms),
    )
    DialogRow(
        f"DIALOG#{dialog.id}",
        _DIALOG,
        gsi1pk=f"DIALOGS#{to}",
        gsi1sk=dialog.id,
        username=to,
        title=title,
        message=message,
        type=type,
        buttons=list(dialog.buttons),
        sender=asdict(dialog.sender),
        status=PENDING,
        created_at=clock.rfc3339(now),
        closes_at_ms=int(dialog.expires_at.timestamp() * 1000),
        expires_at=int((dialog.expires_at + _REMEMBERED).timestamp()),
    ).save()
    return dialog


def asked_of(caller: Caller) -> list[Dialog]:
    """The dialogs that wait for the caller's answer, oldest first. Raises PermissionDenied for a plugin."""
    if caller.is_plugin:
        raise PermissionDenied("A plugin asks people; nobody asks it")
    return [dialog for dialog in map(_dialog, dialogs_of(caller.id)) if dialog.status == PENDING]


def dialog_of(caller: Caller, dialog_id: str) -> Dialog:
    """One dialog as it is now, for the plugin that asked it and the person it is for.

    It never waits for the answer: the plugin does, between its questions. Raises DialogNotFound.
    """
    return _seen(caller, dialog_id)


def answer(caller: Caller, dialog_id: str, value: Any) -> Dialog:
    """Press the button with that value; None closes the dialog. Of two answers at once, one counts.

    Raises: DialogNotFound; DialogClosed, saying why; ValidationError for a value that no button has.
    """
    dialog = _seen(caller, dialog_id)
    if caller.is_plugin:
        raise PermissionDenied("A dialog is for the person to answer")
    if dialog.status == PENDING and not offered(dialog.buttons, value):
        labels = ", ".join(str(button["label"]) for button in dialog.buttons)
        raise ValidationError({"value": [f"Must be the value of one of the buttons ({labels}), or null to close the dialog"]})
    return _close(caller, dialog_id, ANSWERED, value)


def withdraw(caller: Caller, dialog_id: str) -> Dialog:
    """The plugin does not wait any more. The dialog as it is now: answered, where the person was faster.

    Raises: DialogNotFound; PermissionDenied for a person, who answers null in its place.
    """
    dialog = _seen(caller, dialog_id)
    if not caller.is_plugin:
        raise PermissionDenied("Only the plugin that asked can withdraw a dialog; answer null to close it")
    if dialog.status != PENDING:
        return dialog
    try:
        return _close(caller, dialog_id, WITHDRAWN, None)
    except DialogClosed:
        return _seen(caller, dialog_id)


def _close(caller: Caller, dialog_id: str, status: str, value: Any) -> Dialog:
    """From now on it is in nobody's list. The condition holds for one writer only, and only while the plugin waits."""
    row = DialogRow(f"DIALOG#{dialog_id}", _DIALOG)
    changes: list[Any] = [DialogRow.status.set(status), DialogRow.value.set(value), DialogRow.gsi1pk.remove(), DialogRow.gsi1sk.remove()]
    is_open = DialogRow.status == PENDING
    if status == ANSWERED:
        is_open &= DialogRow.closes_at_ms > int(clock.timestamp() * 1000)
    try:
        row.update(changes, condition=is_open)
    except UpdateError as error:
        if condition_failed(error):
            closed = _seen(caller, dialog_id)
            raise DialogClosed(_CLOSED_BECAUSE.get(closed.status), status=closed.status) from error
        raise
    return _dialog(row)


def _seen(caller: Caller, dialog_id: str) -> Dialog:
    """Somebody else's dialog is not there."""
    try:
        row = DialogRow.get(f"DIALOG#{dialog_id}", _DIALOG, consistent_read=True)
    except DialogRow.DoesNotExist:
        raise DialogNotFound(id=dialog_id) from None
    dialog = _dialog(row)
    is_theirs = (dialog.sender.kind, dialog.sender.id) == (caller.kind, caller.id) if caller.is_plugin else dialog.to == caller.id
    if not is_theirs:
        raise DialogNotFound(id=dialog_id)
    return dialog


def _dialog(row: DialogRow) -> Dialog:
    closes_at = datetime.fromtimestamp(int(row.closes_at_ms) / 1000, UTC)
    is_over = row.status == PENDING and closes_at <= clock.now()
    return Dialog(
        id=row.pk.removeprefix("DIALOG#"),
        to=row.username,
        title=row.title,
        message=row.message,
        type=row.type,
        buttons=row.buttons,
        sender=Sender(**row.sender),
        created_at=clock.parse_rfc3339(row.created_at),
        expires_at=closes_at,
        status=EXPIRED if is_over else row.status,
        value=row.value,
    )
