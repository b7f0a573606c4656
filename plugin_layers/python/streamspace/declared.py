"""What manifest.json declares, in whichever of the usual places. The platform reads the same ones when it takes the package."""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_DECLARING = frozenset({"events", "lifecycle", "scheduler", "contributes", "api", "apiEndpoints"})
# Other platforms' words for our events.
EVENT_ALIASES = {
    "session.terminated": "session.stopped",
    "session.ended": "session.stopped",
    "session.resumed": "session.woken",
    "user.logged_in": "user.login",
    "user.logged_out": "user.logout",
}


def declares(manifest: dict[str, Any]) -> bool:
    """Whether it says anything of what the code shall have: most leave that to the code."""
    return not _DECLARING.isdisjoint(manifest)


def events(manifest: dict[str, Any]) -> dict[str, str | bool]:
    """Event type -> the name of the method that the author gave for it; False where it is not to be heard."""
    given = manifest.get("events") or {}
    named: list[tuple[str, Any]] = list(given.items()) if isinstance(given, dict) else []
    return {EVENT_ALIASES.get(event_type, event_type): method for event_type, method in named if method is not True}


def tasks(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    """``{name, handler?}`` of each scheduled task."""
    jobs = (manifest.get("scheduler") or {}).get("jobs") or []
    return [
        *((manifest.get("contributes") or {}).get("scheduled_tasks") or []),
        *(job for job in jobs if job.get("enabled") is not False),
    ]


def endpoints(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    """``{method?, path, handler?, …}`` of each endpoint."""
    declared = [
        *((manifest.get("contributes") or {}).get("api_endpoints") or []),
        *((manifest.get("api") or {}).get("endpoints") or []),
        *(manifest.get("apiEndpoints") or []),
    ]
    return [_endpoint(one) for one in declared]


def spellings(name: str) -> tuple[str, str]:
    """How a method of that name may be spelt: ``OnSessionCreated`` and ``close-month`` are ``on_session_created`` and ``close_month``."""
    plain = re.sub(r"[-\s.]+", "_", name)
    return name, re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", plain).lower()


def _endpoint(one: Any) -> dict[str, Any]:
    if not isinstance(one, str):
        return dict(one)
    method, _, path = one.strip().partition(" ")
    return {"method": method, "path": path.strip()} if path else {"path": method}
