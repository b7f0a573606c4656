"""Safe mode: every plugin that is not core is off."""

from __future__ import annotations

from typing import Any

from chalicelib import plugins, runtime
from chalicelib.api.http import Reply, Request, Routes
from chalicelib.runtime.active import SafeMode

routes = Routes()

_MODE = {
    "type": "object",
    "properties": {"enabled": {"type": "boolean"}},
    "required": ["enabled"],
    "additionalProperties": False,
}


@routes.get("/admin/platform/safe-mode", permission="platform.view", returns="SafeMode", aws_calls=2)
def safe_mode(_request: Request) -> Reply:
    """Whether it is on, since when and by whom; ``spared`` are the core plugins, ``settling`` those whose queues follow within a minute."""
    return Reply(_shown(runtime.active.safe_mode()))


# A dozen calls for each plugin that was active; all of them are off with the first transaction.
@routes.put("/admin/platform/safe-mode", permission="platform.configure", body=_MODE, returns="SafeMode", aws_calls=2000)
def switch_safe_mode(request: Request) -> Reply:
    """Again is fine. When it answers, what is off reaches nothing; what happens meanwhile is kept for it."""
    on = request.body["enabled"]
    mode = plugins.safe_mode.switch(on=on, by=request.caller)
    return Reply(_shown(mode), message=f"Safe mode is {'on' if on else 'off'}")


def _shown(mode: SafeMode) -> dict[str, Any]:
    return {"enabled": mode.is_on, "since": mode.since, "by": mode.by, "spared": sorted(mode.spared), "settling": list(mode.left)}
