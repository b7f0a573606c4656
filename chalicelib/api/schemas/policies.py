"""What ``policies.py`` and ``safe_mode.py`` of the routes answer, and what plugins and their updates say of policies."""

from __future__ import annotations

from chalicelib.api.schemas.shapes import COUNT, FLAG, MOMENT, TEXT, Schema, many, nullable, one_of, record

AUTOMATIC = one_of("none", "security", "all")
# Null where it is as it was delivered.
_CHANGE = {"changed_at": nullable(MOMENT), "changed_by": nullable(TEXT)}
_CHECK = record({"checked_at": MOMENT, "succeeded_at": nullable(MOMENT), "updates_available": nullable(COUNT), "error": nullable(TEXT)})
_LIST = record({"plugins": many(TEXT), "publishers": many(TEXT)})

APPROVAL: dict[str, Schema] = {
    "requires_approval": FLAG | {"description": "It never installs by itself: see approval_reasons"},
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
# Of every plugin in a list.
STANDING: dict[str, Schema] = {
    "paused": FLAG | {"description": "Active, and off until safe mode is left"},
    "denied": nullable(TEXT) | {"description": "Why the administrators' lists would not let it be installed now"},
}

SCHEMAS: dict[str, Schema] = {
    "UpdatePolicy": record(
        {
            "pinned_version": nullable(TEXT),
            "skipped_versions": many(TEXT),
            "automatic": nullable(AUTOMATIC),
            "wait_hours": nullable(COUNT),
            "effective": record({"automatic": AUTOMATIC, "wait_hours": COUNT}),
        }
    ),
    "DefaultUpdatePolicy": record(
        {"automatic": AUTOMATIC, "wait_hours": COUNT, **_CHANGE},
        {"last_check": nullable(_CHECK) | {"description": "How the marketplace was asked last; null: never"}},
    ),
    "PluginLists": record(
        {
            "allow": _LIST,
            "deny": _LIST,
            "denied": many(record({"slug": TEXT, "version": TEXT, "status": TEXT, "reason": TEXT}))
            | {"description": "What is installed all the same"},
            **_CHANGE,
        }
    ),
    "SafeMode": record(
        {"enabled": FLAG, "since": nullable(MOMENT), "by": nullable(TEXT), "spared": many(TEXT), "settling": many(TEXT)},
    ),
}
