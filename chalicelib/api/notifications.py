"""``/notifications``: what people are told. Everybody sees their own, and what is told to everyone."""

from __future__ import annotations

from chalicelib import messaging
from chalicelib.api.http import Reply, Request, Routes
from chalicelib.api.views.notifications import notification as view
from chalicelib.messaging import KINDS
from chalicelib.messaging.notification import LINK

routes = Routes()

_ACTION = {
    "type": "object",
    "additionalProperties": False,
    "required": ["label"],
    "properties": {
        "label": {"type": "string", "minLength": 1, "maxLength": 100},
        "url": {
            "type": "string",
            "maxLength": 2000,
            "pattern": LINK,
            "description": "Must be a path such as '/sessions', or an http or https URL",
        },
        "handler": {"type": "string", "minLength": 1, "maxLength": 200},
    },
}
_NEW = {
    "type": "object",
    "additionalProperties": False,
    "required": ["to", "title", "message"],
    "properties": {
        "to": {"type": "string", "minLength": 1, "maxLength": 64, "description": "A username, '*' (everyone) or '@admins'"},
        "title": {"type": "string", "minLength": 1, "maxLength": 200},
        "message": {"type": "string", "minLength": 1, "maxLength": 4000},
        "type": {"enum": list(KINDS), "default": "info"},
        "actions": {"type": "array", "items": _ACTION, "maxItems": 5},
        "dismissible": {"type": "boolean", "default": True},
        "timeout": {"type": "integer", "minimum": 0, "maximum": 86_400_000, "default": 5000},
        "persistent": {"type": "boolean", "default": True},
    },
}


@routes.post("/notifications", scope="notifications", body=_NEW, returns={201: "Notification"}, aws_calls=3)
def send(request: Request) -> Reply:
    """notify(), notifyAll(), notifyAdmins(). 404 USER_NOT_FOUND, 403 PERMISSION_DENIED without notifications.send (but for oneself)."""
    given = request.body
    sent = messaging.notify(
        given["to"],
        given["title"],
        given["message"],
        type=given.get("type", "info"),
        actions=given.get("actions", ()),
        dismissible=given.get("dismissible", True),
        timeout_ms=given.get("timeout", 5000),
        persistent=given.get("persistent", True),
        by=request.caller,
    )
    return Reply(view(sent), status=201)


@routes.get(
    "/notifications",
    scope="notifications",
    query={
        "unread": {"type": "boolean", "default": False},
        "limit": {"type": "integer", "minimum": 1, "maximum": 200, "default": 50},
        "cursor": {"type": "string", "maxLength": 1000},
    },
    returns="[Notification]",
    meta="InboxMeta",
    aws_calls=5,
)
def notifications(request: Request) -> Reply:
    """The caller's own, newest first. ``meta.unread`` counts all unread ones; ``meta.next_cursor`` goes on (null at the end)."""
    asked = request.query
    found = messaging.inbox(request.caller, unread_only=asked["unread"], limit=asked["limit"], cursor=asked["cursor"])
    return Reply([view(one) for one in found.notifications], meta={"unread": found.unread, "next_cursor": found.next_cursor})


@routes.post("/notifications/{id}/read", scope="notifications", returns="Nothing", aws_calls=2)
def read(request: Request, id: str) -> Reply:
    """404 NOTIFICATION_NOT_FOUND."""
    messaging.mark_read(request.caller, id)
    return Reply(message="Marked as read")


@routes.delete("/notifications/{id}", scope="notifications", returns="Nothing", aws_calls=2)
def dismiss(request: Request, id: str) -> Reply:
    """404 NOTIFICATION_NOT_FOUND; 409 NOTIFICATION_NOT_DISMISSIBLE when its sender said that it is not."""
    messaging.dismiss(request.caller, id)
    return Reply(message="Dismissed")


@routes.post("/notifications/{id}/actions/{n}", scope="notifications", returns="PressedButton", aws_calls=6)
def act(request: Request, id: str, n: str) -> Reply:
    """Press a button; ``n`` counts from 0. ``{url, message}``: where to go and what the plugin says, both may be null. A function of the
    plugin runs once for each person and notification.

    404 NOTIFICATION_NOT_FOUND, NOTIFICATION_ACTION_NOT_FOUND; 409 NOTIFICATION_ALREADY_ACTED, NOTIFICATION_ACTION_UNAVAILABLE where nothing
    is there (any more) to run; 502 NOTIFICATION_ACTION_FAILED with what the plugin threw, 502 PLUGIN_CRASHED.
    """
    position = int(n) if n.isascii() and n.isdigit() and len(n) < 4 else -1
    # Every open page asks for its notifications; few press a button, which is what needs running plugins.
    from chalicelib.runtime import actions

    pressed = actions.press(request.caller, id, position)
    return Reply({"url": pressed.url, "message": pressed.message}, message=pressed.message)
