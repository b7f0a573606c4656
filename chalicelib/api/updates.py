"""Looking for updates, and doing one thing to many plugins: REST §12, §13."""

from __future__ import annotations

from typing import Any

from chalicelib import plugins
from chalicelib.api import bulk
from chalicelib.api.http import Reply, Request, Routes
from chalicelib.api.views import plugins as views
from chalicelib.core import clock

routes = Routes()

_BULK = {
    "type": "object",
    "properties": {
        "action": {"enum": ["activate", "deactivate", "update", "delete"]},
        "plugins": {"type": "array", "items": {"type": "string", "minLength": 1, "maxLength": 63}, "minItems": 1, "maxItems": 50},
    },
    "required": ["action", "plugins"],
    "additionalProperties": False,
}
_PERMISSIONS = {
    "activate": "plugins.activate",
    "deactivate": "plugins.activate",
    "update": "plugins.update",
    "delete": "plugins.uninstall",
}


@routes.post("/admin/plugins/check-updates", permission="plugins.update", returns="Updates", aws_calls=60)
def check_updates(_request: Request) -> Reply:
    """REST §12. Asks the marketplace now; the lists show what it said. Installs nothing. 503 MARKETPLACE_UNAVAILABLE.

    ``updates_available`` counts those that are wanted; what is pinned or skipped is listed, and says so. One to three AWS calls more for
    each plugin about which something changed.
    """
    checked = plugins.updates.check()
    data: dict[str, Any] = {
        "updates_available": sum(one.is_wanted for one in checked.found),
        "plugins": [views.available_update(one) for one in checked.found],
        "unlisted": list(checked.unlisted),
        "checked_at": clock.rfc3339(clock.now()),
    }
    return Reply(data)


@routes.post("/admin/plugins/bulk", permission="plugins.view", body=_BULK, returns="BulkResults", aws_calls=2000)
def many(request: Request) -> Reply:
    """REST §13. Each plugin by itself, those that others need first (or last, when they go); results in the order asked.

    403 PERMISSION_DENIED without the action's own permission. What is not done within 20 s has ``job_id`` and goes on.
    """
    action = request.body["action"]
    request.caller.require(_PERMISSIONS[action])
    results = bulk.run(action, request.body["plugins"], by=request.caller)
    succeeded = sum(one["success"] for one in results)
    data = {"processed": len(results), "succeeded": succeeded, "failed": len(results) - succeeded, "results": results}
    return Reply(data)
