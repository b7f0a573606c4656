"""Commands and UI extensions of the active plugins. Source: Plugin API, Command API and UI API."""

from __future__ import annotations

from typing import Any

from chalicelib import runtime
from chalicelib.api.http import Reply, Request, Routes

routes = Routes()

_EXECUTE = {"type": "object", "properties": {"args": {}}, "additionalProperties": False}


@routes.get("/commands", scope="commands", returns="[Command]", aws_calls=2)
def list_commands(request: Request) -> Reply:
    """Those that the caller may run."""
    return Reply(runtime.commands.available_to(request.caller))


@routes.post("/commands/{name}/execute", scope="commands", body=_EXECUTE, returns="CommandResult", aws_calls=3)
def execute(request: Request, name: str) -> Reply:
    """404 COMMAND_NOT_FOUND, 403 PERMISSION_DENIED, 502 COMMAND_FAILED with what the handler threw."""
    return Reply({"result": runtime.commands.execute(name, request.body.get("args"), by=request.caller)})


@routes.get("/ui/extensions", scope="ui", returns="Extensions", aws_calls=2)
def extensions(request: Request) -> Reply:
    """Widgets, menu items, settings pages of active plugins that the caller may see, and themes, which everybody may choose."""
    themes: list[dict[str, Any]] = []
    found: dict[str, list[dict[str, Any]]] = {"widgets": [], "menuItems": [], "settingsPages": []}
    for plugin in runtime.active.everyone():
        if plugin.registered.get("theme"):
            themes.append({**plugin.registered["theme"], "plugin": plugin.slug})
        for kind, items in found.items():
            for item in plugin.registered.get(kind) or []:
                if runtime.commands.may_use(request.caller, item.get("permissions") or [], plugin):
                    items.append({**item, "plugin": plugin.slug})
    found["menuItems"].sort(key=lambda item: (item.get("position", 1000), item.get("label", "")))
    return Reply({**found, "themes": themes})
