"""Where each of the plugin's functions begins: told at ``load``, so that the platform can name a line when nobody is left to do it."""

from __future__ import annotations

import os

from . import registry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .plugin import Plugin


def places_of(plugin: Plugin, folder: str) -> dict[str, str]:
    """``{"session.created": "plugin.py:12", "command greet": "greetings.py:3"}``, by event type or as a failure's ``hook`` has it.

    What is not a function of the author's files (an object that can be called, a method of a library) is left out.
    """
    named = [
        *((event_type, plugin.method(plugin.hook_of(event_type))) for event_type in plugin.hooks),
        *((f"command {one['name']}", one["handler"]) for one in registry.every("commands")),
        *((f"schedule {one['name']}", one["handler"]) for one in registry.every("schedules")),
        *((f"endpoint {one['method']} {one['path']}", one["handler"]) for one in registry.every("endpoints")),
    ]
    return {name: place for name, handler in named if (place := _place_of(handler, folder)) is not None}


def _place_of(handler: Any, folder: str) -> str | None:
    function = getattr(handler, "__wrapped__", handler)  # what a decorator was given
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    root = folder + os.sep
    if code is None or not code.co_filename.startswith(root):
        return None
    inside = code.co_filename.removeprefix(root)
    return None if inside.startswith("vendor" + os.sep) else f"{inside}:{code.co_firstlineno}"
