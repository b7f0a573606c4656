"""What plugins may use, and how often callers may ask."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from chalicelib import accounts, plugins, runtime
from chalicelib.api.http import Reply, Request, Routes
from chalicelib.plugins import InstalledPlugin

routes = Routes()

_LIMITS = {
    "type": "object",
    "properties": {
        name: {
            "type": ["integer", "null"],
            "minimum": lowest,
            "maximum": highest,
            "description": "null gives it back to the author's wish, or the default",
        }
        for name, (lowest, highest) in runtime.limits.BOUNDS.items()
    },
    "minProperties": 1,
    "additionalProperties": False,
}


@routes.get("/admin/plugins/{slug}/limits", permission="plugins.configure", returns="PluginLimits", aws_calls=5)
def plugin_limits(request: Request, slug: str) -> Reply:
    """The limits that hold, what the author wished for, what an administrator set, and what is used. 404 PLUGIN_NOT_FOUND."""
    return Reply(_shown(plugins.get(slug)))


# Token, plugin, limits, rates, transaction; queue's address and patience, function before and after, mapping; limits thrice, calls.
@routes.patch("/admin/plugins/{slug}/limits", permission="plugins.configure", body=_LIMITS, returns="PluginLimits", aws_calls=18)
def change_plugin_limits(request: Request, slug: str) -> Reply:
    """The next call runs under them. 404 PLUGIN_NOT_FOUND, 422 VALIDATION_ERROR."""
    plugin = plugins.change_limits(slug, request.body, by=request.caller)
    return Reply(_shown(plugin), message="Limits updated successfully")


def _shown(plugin: InstalledPlugin) -> dict[str, Any]:
    administered = runtime.limits.administered(plugin.slug)
    wished = {name: value for name, value in plugin.manifest.limits.items() if name in runtime.limits.WISHES}
    used = {"daily_calls": accounts.counts.calls_today(plugin.slug)}
    return {"limits": asdict(runtime.limits.effective(wished, administered)), "wished": wished, "administered": administered, "used": used}
