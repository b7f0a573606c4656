"""What a plugin's ``load`` may register. Every request and every event reads it, of all plugins: what is odd must not get in."""

from __future__ import annotations

import json
from typing import Any

from chalicelib.core import validation
from chalicelib.runtime import endpoint_paths, themes
from chalicelib.runtime.errors import PluginFailedToLoad

LARGEST_BYTES = 200_000
_TEXT = {"type": "string", "minLength": 1, "maxLength": 500}
_PERMISSIONS = {"type": ["array", "null"], "items": {"type": "string", "maxLength": 200}, "maxItems": 100}


def _list_of(required: tuple[str, ...], properties: dict[str, Any]) -> dict[str, Any]:
    one = {"type": "object", "required": list(required), "properties": {"permissions": _PERMISSIONS, **properties}}
    return {"type": ["array", "null"], "items": one, "maxItems": 200}


_SCHEMA = {
    "type": "object",
    "properties": {
        "hooks": {"type": ["array", "null"], "items": _TEXT, "maxItems": 100},
        "widgets": _list_of(("id",), {"id": _TEXT}),
        "menuItems": _list_of((), {"path": _TEXT, "label": _TEXT, "position": {"type": ["number", "null"]}}),
        "settingsPages": _list_of(("id",), {"id": _TEXT}),
        "commands": _list_of(("name",), {"name": _TEXT, "description": {"type": ["string", "null"]}}),
        "endpoints": _list_of(
            ("method", "path"),
            {
                "method": {"enum": list(endpoint_paths.METHODS)},
                "path": {"type": "string", "maxLength": 500, "pattern": endpoint_paths.PATTERN, "description": endpoint_paths.RULE},
                "public": {"type": ["boolean", "null"]},
                "description": {"type": ["string", "null"], "maxLength": 500},
            },
        ),
        "schedules": {
            **_list_of(("name",), {}),
            "items": {
                "type": "object",
                "required": ["name"],
                "properties": {
                    "name": {
                        "type": "string",
                        "pattern": "^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$",
                        "description": "Must be letters, digits, _ and -; at most 64",
                    },
                    "expression": _TEXT,
                    # A time to go off once, counted from the activation.
                    "after_s": {"type": "integer", "minimum": 60, "maximum": 366 * 24 * 3600},
                    "timezone": _TEXT,
                },
                "oneOf": [{"required": ["expression"]}, {"required": ["after_s"]}],
                "description": "Needs either an expression or after_s",
            },
        },
        "theme": {"type": ["object", "null"]},
        "places": {"type": ["object", "null"], "maxProperties": 1000, "additionalProperties": _TEXT},
    },
}


def checked(slug: str, registered: Any) -> dict[str, Any]:
    """``registered`` as the protocol has it. Raises PluginFailedToLoad, with the faults, for anything else."""
    registered = {} if registered is None else registered
    faults = validation.faults_of(_SCHEMA, registered)
    if faults:
        field, sentences = next(iter(faults.items()))
        raise PluginFailedToLoad(f"'{slug}' registered what cannot be used: {field}: {sentences[0]}", plugin=slug, faults=faults)
    twice = endpoint_paths.same_requests(registered.get("endpoints") or [])
    if twice is not None:
        raise PluginFailedToLoad(f"'{slug}' registered '{twice[0]}' and '{twice[1]}': a request could be for either", plugin=slug)
    faulty = themes.faults_of(registered["theme"]) if registered.get("theme") is not None else []
    if faulty:
        raise PluginFailedToLoad(f"The theme of '{slug}' cannot be used: {faulty[0]}", plugin=slug, faults={"theme": faulty})
    size = len(json.dumps(registered))
    if size > LARGEST_BYTES:
        raise PluginFailedToLoad(f"'{slug}' registered {size} bytes; {LARGEST_BYTES} are allowed", plugin=slug)
    return dict(registered)
