"""Looking for updates, and doing one thing to many plugins: REST §12, §13."""

from __future__ import annotations

from typing import Any

from chalicelib import plugins
from chalicelib.api import bulk
from chalicelib.api.http import Reply, Request, Routes
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


@routes.post("/admin/plugins/check-updates", permission="plugins.update", aws_calls=60)
def check_updates(_request: Request) -> Reply:
    """REST §12. Asks the marketplace now; the lists show what it said. ``not_listed``: what is not in the marketplace (any more), another
    thing than a marketplace that is away: 503 MARKETPLACE_UNAVAILABLE. One AWS call more for each plugin about which something changed."""
    found = plugins.updates.check()
    data: dict[str, Any] = {
        "updates_available": len(found),
        "plugins": [
            {
                "slug": one.slug,
                "current_version": one.current_version,
                "latest_version": one.latest_version,
                "is_security_update": one.is_security_update,
                "is_breaking_change": one.is_breaking_change,
                "release_date": one.release_date,
                "changelog_summary": one.changelog_summary,
                "new_scopes": list(one.new_scopes),
                "new_dependencies": list(one.new_dependencies),
            }
            for one in found
        ],
        "not_listed": [one.summary() for one in plugins.updates.not_listed()],
        "checked_at": clock.rfc3339(clock.now()),
    }
    return Reply(data)


@routes.post("/admin/plugins/bulk", permission="plugins.view", body=_BULK, aws_calls=2000)
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
