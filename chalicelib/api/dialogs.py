"""``/dialogs``: what plugins ask people. Source: plugin API, showDialog()."""

from __future__ import annotations

import json
from typing import Any

from chalicelib import messaging
from chalicelib.api.http import Reply, Request, Routes
from chalicelib.api.views.dialogs import dialog as view
from chalicelib.core.errors import ValidationError
from chalicelib.messaging import DIALOG_KINDS

routes = Routes()

_LARGEST_VALUE_BYTES = 4096
_LONGEST_TIMEOUT_MS = 15 * 60 * 1000

_BUTTON = {
    "type": "object",
    "additionalProperties": False,
    "required": ["label", "value"],
    "properties": {
        "label": {"type": "string", "minLength": 1, "maxLength": 100},
        "value": {},
        "variant": {"enum": ["text", "outlined", "contained"]},
        "color": {"enum": ["primary", "secondary", "error"]},
    },
}
_NEW = {
    "type": "object",
    "additionalProperties": False,
    "required": ["to", "title", "message"],
    "properties": {
        "to": {"type": "string", "minLength": 1, "maxLength": 64, "description": "A username"},
        "title": {"type": "string", "minLength": 1, "maxLength": 200},
        "message": {"type": "string", "minLength": 1, "maxLength": 4000},
        "type": {"enum": list(DIALOG_KINDS), "default": "info"},
        "buttons": {"type": "array", "items": _BUTTON, "minItems": 1, "maxItems": 10},
        "timeout": {"type": "integer", "minimum": 1, "maximum": _LONGEST_TIMEOUT_MS, "default": 30_000, "description": "In ms"},
    },
}
_ANSWER = {"type": "object", "additionalProperties": False, "required": ["value"], "properties": {"value": {}}}


@routes.post("/dialogs", plugin_only=True, scope="ui", body=_NEW, returns={201: "Dialog"}, aws_calls=3)
def ask(request: Request) -> Reply:
    """A plugin asks a person, who has ``timeout`` for an answer. 404 USER_NOT_FOUND."""
    given = request.body
    buttons: list[dict[str, Any]] | None = given.get("buttons")
    for position, button in enumerate(buttons or []):
        size = len(json.dumps(button["value"]))
        if size > _LARGEST_VALUE_BYTES:
            raise ValidationError({f"buttons.{position}.value": [f"Must not exceed {_LARGEST_VALUE_BYTES} bytes of JSON; it has {size}"]})
    asked = messaging.ask(
        given["to"],
        given["title"],
        given["message"],
        type=given.get("type", "info"),
        buttons=buttons,
        timeout_ms=given.get("timeout", 30_000),
        by=request.caller,
    )
    return Reply(view(asked), status=201)


@routes.get("/dialogs", scope="ui", returns="[Dialog]", aws_calls=2)
def dialogs(request: Request) -> Reply:
    """Those that wait for the caller's answer, oldest first."""
    return Reply([view(one) for one in messaging.asked_of(request.caller)])


@routes.get("/dialogs/{id}", scope="ui", returns="Dialog", aws_calls=2)
def dialog(request: Request, id: str) -> Reply:
    """One dialog as it is now, for the plugin that asks and the person it is for. 404 DIALOG_NOT_FOUND."""
    return Reply(view(messaging.dialog_of(request.caller, id)))


@routes.post("/dialogs/{id}/answer", scope="ui", body=_ANSWER, returns="Dialog", aws_calls=4)
def answer(request: Request, id: str) -> Reply:
    """Press the button with that ``value``; null closes the dialog. 404 DIALOG_NOT_FOUND; 409 DIALOG_CLOSED when it was answered, or when
    nobody waits any more; 422 VALIDATION_ERROR for a value that no button has."""
    return Reply(view(messaging.answer(request.caller, id, request.body["value"])), message="Answered")


@routes.delete("/dialogs/{id}", plugin_only=True, scope="ui", returns="Dialog", aws_calls=4)
def withdraw(request: Request, id: str) -> Reply:
    """The plugin does not wait any more. The dialog as it is now: ``answered``, where the person was faster. 404 DIALOG_NOT_FOUND."""
    return Reply(view(messaging.withdraw(request.caller, id)))
