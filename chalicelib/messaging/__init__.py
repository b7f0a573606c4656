"""What the platform and its plugins say to people: notifications and email.

Promises
    A notification to everyone, or to the administrators, is one item, however many people there are; each has their own marks on it.
    A person sees their own notifications and those of audiences that they belong to at that moment, newest first, and nobody else's.
    What does not persist is gone when its time is over, also while DynamoDB has yet to remove it.
    Email is sent from the configured address or domain only, and nothing that a caller writes can add a header or a recipient.
    Nothing is sent to an address that bounced for good or complained, until an administrator clears it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from chalicelib.messaging.errors import (
    EmailNotConfigured,
    EmailTemplateNotFound,
    InvalidEmailAddress,
    NotificationNotDismissible,
    NotificationNotFound,
)
from chalicelib.messaging.notification import ADMINS, EVERYONE, KINDS, Action, Notification, Sender
from chalicelib.messaging.notifications import Inbox, act, dismiss, forget_user, inbox, mark_read, notify

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
    "EVERYONE",
    "KINDS",
    "Action",
    "Attachment",
    "Email",
    "EmailNotConfigured",
    "EmailTemplateNotFound",
    "Inbox",
    "InvalidEmailAddress",
    "Notification",
    "NotificationNotDismissible",
    "NotificationNotFound",
    "Sender",
    "Sent",
    "act",
    "dismiss",
    "feedback",
    "forget_user",
    "inbox",
    "mark_read",
    "notify",
    "send_email",
    "templates",
]
