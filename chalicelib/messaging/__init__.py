"""What the platform and its plugins say to people, and ask them: notifications, dialogs and email.

Promises
    A notification to everyone, or to the administrators, is one item, however many people there are; each has their own marks on it.
    A person sees their own notifications and those of audiences that they belong to at that moment, newest first, and nobody else's.
    A button that runs a function of a plugin works once for each person.
    A dialog is answered once, by the person it is for, with the value of one of its buttons, while somebody waits for it.
    What does not persist is gone when its time is over, also while DynamoDB has yet to remove it.
    Email is sent from the configured address or domain only, and nothing that a caller writes can add a header or a recipient.
    Nothing is sent to an address that bounced for good or complained, until an administrator clears it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from chalicelib.messaging.dialog import DIALOG_KINDS, Dialog
from chalicelib.messaging.dialogs import answer, ask, asked_of, dialog_of, withdraw
from chalicelib.messaging.errors import (
    DialogClosed,
    DialogNotFound,
    EmailNotConfigured,
    EmailTemplateNotFound,
    InvalidEmailAddress,
    NotificationActionUnavailable,
    NotificationAlreadyActed,
    NotificationNotDismissible,
    NotificationNotFound,
)
from chalicelib.messaging.notification import ADMINS, EVERYONE, KINDS, Action, Notification, Sender
from chalicelib.messaging.notifications import Inbox, button, claim_action, dismiss, forget_user, inbox, mark_read, notify, release_action

if TYPE_CHECKING:
    from chalicelib.messaging import feedback, templates
    from chalicelib.messaging.mail import Attachment, Email, Sent, send_email

# Loaded by those who send email: notifications are asked for by every open page, and would wait for it at each cold start.
_OF_MAIL = ("Attachment", "Email", "Sent", "send_email")
_MODULES = ("feedback", "templates")


def __getattr__(name: str) -> Any:
    if name in _OF_MAIL:
        return getattr(import_module("chalicelib.messaging.mail"), name)
    if name in _MODULES:
        return import_module(f"chalicelib.messaging.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "ADMINS",
    "DIALOG_KINDS",
    "EVERYONE",
    "KINDS",
    "Action",
    "Attachment",
    "Dialog",
    "DialogClosed",
    "DialogNotFound",
    "Email",
    "EmailNotConfigured",
    "EmailTemplateNotFound",
    "Inbox",
    "InvalidEmailAddress",
    "Notification",
    "NotificationActionUnavailable",
    "NotificationAlreadyActed",
    "NotificationNotDismissible",
    "NotificationNotFound",
    "Sender",
    "Sent",
    "answer",
    "ask",
    "asked_of",
    "button",
    "claim_action",
    "dialog_of",
    "dismiss",
    "feedback",
    "forget_user",
    "inbox",
    "mark_read",
    "notify",
    "release_action",
    "send_email",
    "templates",
    "withdraw",
]
