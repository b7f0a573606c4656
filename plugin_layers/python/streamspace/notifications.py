"""Plugin API, "Notification API". Scope: ``notifications``."""

from __future__ import annotations

from . import actions as kept
from .arguments import given, need
from .awaitable import awaitable
from .client import request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from .types import NotificationAction, NotificationType

EVERYONE = "*"
ADMINS = "@admins"


def _send(
    method: str,
    to: str,
    title: str,
    message: str,
    type: NotificationType = "info",
    actions: Sequence[NotificationAction] | None = None,
    dismissible: bool = True,
    timeout: int = 5000,
    persistent: bool = True,
) -> None:
    body = given(
        to=to,
        title=need(method, "title", title),
        message=need(method, "message", message),
        type=type,
        dismissible=dismissible,
        timeout=timeout,
        persistent=persistent,
    )
    if actions is not None:
        body["actions"] = [_sendable(method, action, index) for index, action in enumerate(need(method, "actions", actions, "array"))]
    request(method, "POST", "notifications", body=body)


def _sendable(method: str, action: Mapping[str, Any], index: int) -> dict[str, Any]:
    """A function stays in this container; in its place goes the id under which a click finds it while the container lives."""
    need(method, f"actions[{index}]", action, "object")
    need(method, f"actions[{index}].label", action.get("label"))
    handler = action.get("handler")
    return {**action, "handler": kept.keep(handler)} if callable(handler) else dict(action)


class NotificationAPI:
    """``streamspace.notify("john", title=..., message=...)``, and the other two as its methods."""

    @staticmethod
    @awaitable
    def notify(
        user_id: str,
        *,
        title: str,
        message: str,
        type: NotificationType = "info",
        actions: Sequence[NotificationAction] | None = None,
        dismissible: bool = True,
        timeout: int = 5000,
        persistent: bool = True,
    ) -> None:
        """To one user. ``timeout`` in milliseconds; ``persistent`` keeps it in the notification center."""
        need("notify", "user_id", user_id)
        _send("notify", user_id, title, message, type, actions, dismissible, timeout, persistent)

    @staticmethod
    @awaitable
    def notify_all(
        *,
        title: str,
        message: str,
        type: NotificationType = "info",
        actions: Sequence[NotificationAction] | None = None,
        dismissible: bool = True,
        timeout: int = 5000,
        persistent: bool = True,
    ) -> None:
        """To every user."""
        _send("notify_all", EVERYONE, title, message, type, actions, dismissible, timeout, persistent)

    @staticmethod
    @awaitable
    def notify_admins(
        *,
        title: str,
        message: str,
        type: NotificationType = "info",
        actions: Sequence[NotificationAction] | None = None,
        dismissible: bool = True,
        timeout: int = 5000,
        persistent: bool = True,
    ) -> None:
        """To the administrators."""
        _send("notify_admins", ADMINS, title, message, type, actions, dismissible, timeout, persistent)

    __call__ = notify


notify = NotificationAPI()
notify_all = notify.notify_all
notify_admins = notify.notify_admins
