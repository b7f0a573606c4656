"""Buttons of notifications that run something: a function of the plugin that sent it, or something of the platform's own."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib import messaging, sessions
from chalicelib.accounts import Caller
from chalicelib.messaging import Action, Notification, NotificationActionUnavailable
from chalicelib.runtime import active, failures, invoking
from chalicelib.runtime.active import ActivePlugin
from chalicelib.runtime.errors import NotificationActionFailed

_LONGEST_MESSAGE = 4000


@dataclass(frozen=True)
class Pressed:
    """``url`` is where to go now, None for nowhere; ``message`` is what the plugin says to the person."""

    url: str | None
    message: str | None = None


def press(caller: Caller, notification_id: str, position: int) -> Pressed:
    """Press a button, counted from 0. A link is told; a function of the plugin runs, once for each person and notification. What the
    platform itself offers is done in the caller's name, with the caller's rights.

    One whose function failed, or is gone, can be pressed again.

    Raises: NotificationNotFound, NotificationActionNotFound, NotificationAlreadyActed; NotificationActionUnavailable, saying why;
    PluginHeld while the plugin is updated, SafeModeIsOn while it is off in safe mode;
    NotificationActionFailed with the plugin's own error; PluginCrashed.
    """
    notification, action = messaging.button(caller, notification_id, position)
    if action.handler is None:
        return Pressed(action.url)
    plugin = None if notification.sender.kind == "platform" else _sender_of(notification)
    messaging.claim_action(caller, notification_id)
    try:
        message = _run(plugin, notification, position, action, caller) if plugin else _run_own(action, caller)
    except Exception:
        messaging.release_action(caller, notification_id)
        raise
    return Pressed(action.url, message)


def _run_own(action: Action, caller: Caller) -> str:
    """What the platform offers in its own notifications. Raises what that raises: SessionNotFound, QuotaExceeded …"""
    offer, _, subject = str(action.handler).partition(":")
    if offer != sessions.KEEP_RUNNING:
        raise NotificationActionUnavailable(f"Nothing can run for this button: the platform knows no '{offer}'")
    end = sessions.status_object(sessions.extend_session(subject, by=caller))["end"]
    return f"{subject} keeps running" + (f". {end['message']}" if end else "")


def _sender_of(notification: Notification) -> ActivePlugin:
    sender = notification.sender
    plugin = active.find(sender.id) if sender.kind == "plugin" else None
    if plugin is None:
        why = f"the plugin '{sender.id}' is not active" if sender.kind == "plugin" else "no plugin sent this notification"
        raise NotificationActionUnavailable(f"Nothing can run for this button: {why}")
    active.must_be_callable(plugin)
    return plugin


def _run(plugin: ActivePlugin, notification: Notification, position: int, action: Action, caller: Caller) -> str | None:
    answer = invoking.call_for_a_request(
        plugin.slug,
        {
            "kind": "action",
            "handler_id": action.handler,
            "notification": {name: getattr(notification, name) for name in ("id", "title", "message", "type")},
            "action": {"index": position, "label": action.label},
            "caller": {"username": caller.id},
            "settings_version": plugin.settings_version,
        },
        by=caller,
    )
    if not answer["ok"]:
        failure = answer["error"]
        sentence = f"'{action.label}' of the plugin '{plugin.slug}' failed: {failure['message']}"
        raise NotificationActionFailed(sentence, plugin=plugin.slug, **failures.told(failure))
    if not answer.get("handled"):
        raise NotificationActionUnavailable(
            f"'{action.label}' worked only for a while after the notification was sent: the plugin '{plugin.slug}' has forgotten it since, "
            "and has no onNotificationAction for later",
            plugin=plugin.slug,
        )
    message = answer.get("message")
    return message[:_LONGEST_MESSAGE] if isinstance(message, str) and message else None
