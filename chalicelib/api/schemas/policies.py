"""What ``api/policies.py``, ``api/safe_mode.py`` and ``api/visits.py`` answer: what administrators decide, and how browsers get in."""

from __future__ import annotations

from chalicelib.api.schemas.shapes import COUNT, FLAG, MOMENT, OBJECT, TEXT, Schema, many, nullable, record

_WHAT_HOLDS: dict[str, Schema] = {"automatic": TEXT, "wait_hours": COUNT}
_NAMES = record({"plugins": many(TEXT), "publishers": many(TEXT)})
_DENIED = record({"slug": TEXT, "version": TEXT, "status": TEXT, "reason": TEXT})

SCHEMAS: dict[str, Schema] = {
    "UpdatePolicy": record(
        {
            "pinned_version": nullable(TEXT),
            "skipped_versions": many(TEXT),
            "automatic": nullable(TEXT),
            "wait_hours": nullable(COUNT),
            "effective": record(_WHAT_HOLDS),
        }
    ),
    "DefaultUpdatePolicy": record(_WHAT_HOLDS, {"last_check": nullable(OBJECT)}),
    "PluginLists": record({"allow": _NAMES, "deny": _NAMES, "denied": many(_DENIED)}),
    "SafeMode": record({"enabled": FLAG, "since": nullable(MOMENT), "by": nullable(TEXT), "spared": many(TEXT), "settling": many(TEXT)}),
    "SessionTicket": record({"url": TEXT, "expiresAt": MOMENT}),
    "Deleting": record({"username": TEXT, "status": TEXT}),
}
