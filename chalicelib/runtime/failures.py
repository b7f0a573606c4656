"""What a plugin says of a failure of its own, made small and regular enough to be stored and shown."""

from __future__ import annotations

import json
from typing import Any

_LONGEST = {"name": 200, "message": 1000, "code": 200, "hook": 200, "location": 500, "stack": 8000, "fault": 20}
_LARGEST_DETAILS = 8000


def told(failure: dict[str, Any]) -> dict[str, Any]:
    """What of a trimmed failure a caller gets to see as an error's details."""
    return {key: failure[key] for key in ("name", "message", "code", "details", "location") if key in failure}


def trimmed(failure: Any) -> dict[str, Any]:
    """A Failure (``docs/runtime-protocol.md``) with texts of bounded length; whatever else a function may answer becomes its message."""
    if not isinstance(failure, dict):
        return {"message": str(failure or "no message")[: _LONGEST["message"]]}
    kept: dict[str, Any] = {key: str(failure[key])[:longest] for key, longest in _LONGEST.items() if failure.get(key) is not None}
    details = failure.get("details")
    if details is not None and len(json.dumps(details)) <= _LARGEST_DETAILS:
        kept["details"] = details
    return {"message": "no message", **kept}
