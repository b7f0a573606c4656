"""What ``api/policies.py`` and ``api/safe_mode.py`` answer: what administrators decide."""

from __future__ import annotations

from chalicelib.api.schemas.shapes import COUNT, FLAG, MOMENT, TEXT, Schema, many, nullable, one_of, record

_AUTOMATIC = one_of("none", "security", "all")
_EFFECTIVE: dict[str, Schema] = {"automatic": _AUTOMATIC, "wait_hours": COUNT}
_LIST = record({"plugins": many(TEXT), "publishers": many(TEXT)})
_CHECK = record({"checked_at": MOMENT, "succeeded_at": nullable(MOMENT), "updates_available": nullable(COUNT), "error": nullable(TEXT)})

# Of an update that was found.
APPROVAL: dict[str, Schema] = {
    "requires_approval": FLAG,
    "approval_reasons": record(
        {},
        {
            "more_scopes": many(TEXT),
            "new_dependencies": many(TEXT),
            "other_publisher": record({"installed": nullable(TEXT), "release": nullable(TEXT)}),
        },
    ),
    "new_scopes": many(TEXT),
    "new_dependencies": many(TEXT),
    "pinned": FLAG,
    "skipped": FLAG,
}
# Of a plugin in a list.
DECIDED: dict[str, Schema] = {
    "paused": {**FLAG, "description": "Active, and off until safe mode is left"},
    "denied": nullable(TEXT) | {"description": "Why the administrators' lists do not allow it; null: they do"},
}

SCHEMAS: dict[str, Schema] = {
    "UpdatePolicy": record(
        {
            "pinned_version": nullable(TEXT),
            "skipped_versions": many(TEXT),
            "automatic": nullable(_AUTOMATIC),
            "wait_hours": nullable(COUNT),
            "effective": record(_EFFECTIVE),
        }
    ),
    "DefaultUpdatePolicy": record(_EFFECTIVE, {"last_check": nullable(_CHECK)}),
    "PluginLists": record(
        {"allow": _LIST, "deny": _LIST, "denied": many(record({"slug": TEXT, "version": TEXT, "status": TEXT, "reason": TEXT}))}
    ),
    "SafeMode": record({"enabled": FLAG, "since": nullable(MOMENT), "by": nullable(TEXT), "spared": many(TEXT), "settling": many(TEXT)}),
}
