"""What ``views/plugins.py`` and ``views/jobs.py`` make, and what installed plugins keep. Source: REST §1 to §10, §12, §13, §15.

What the document shows is needed; what we add to it is not, so that the document's own examples are valid.
"""

from __future__ import annotations

from chalicelib.api.schemas import policies
from chalicelib.api.schemas.shapes import (
    ANYTHING,
    COUNT,
    DAY,
    FLAG,
    ID,
    MOMENT,
    OBJECT,
    TEXT,
    Schema,
    any_of,
    by_name,
    many,
    nullable,
    one_of,
    record,
    ref,
)

_STATUS = one_of("active", "inactive", "error")
_AUTHOR = record({"name": TEXT}, {"url": TEXT, "email": TEXT})
_FAILURE = {"error": nullable(TEXT), "error_reason": nullable(one_of("failed_to_start", "failed_to_stay_up"))}

_BOTH: dict[str, Schema] = {
    "id": ID,
    "slug": TEXT,
    "name": TEXT,
    "description": TEXT,
    "version": TEXT,
    "status": _STATUS,
    "category": nullable(TEXT),
    "icon": nullable(TEXT),
    "author": nullable(_AUTHOR),
    "is_core": FLAG,
    "is_premium": FLAG,
    "installed_at": MOMENT,
    "activated_at": nullable(MOMENT),
}
_IN_LIST: dict[str, Schema] = {
    "has_settings": FLAG,
    "has_update": FLAG,
    "latest_version": TEXT,
    "has_valid_license": FLAG,
    "links": record({"self": TEXT, "settings": TEXT, "dependencies": TEXT}),
}
_DIRECT: dict[str, Schema] = {
    "slug": TEXT,
    "version_constraint": TEXT,
    "installed_version": nullable(TEXT),
    "status": one_of("satisfied", "not_installed", "wrong_version", "inactive"),
    "is_optional": FLAG,
}
_COMPONENTS = ("permissions", "entities", "widgets", "menu_items", "api_endpoints", "workflows", "scheduled_tasks")
_UPDATE = record(
    {
        "available": FLAG,
        "latest_version": TEXT,
        "release_date": nullable(any_of(DAY, MOMENT)),
        "is_security_update": FLAG,
        "is_breaking_change": FLAG,
        "changelog_summary": nullable(TEXT),
    },
    {**policies.APPROVAL, "automatic": policies.AUTOMATIC},
)
_LIMITS = record(
    dict.fromkeys(("memory_mb", "timeout_s", "concurrency", "daily_calls", "storage_bytes", "storage_keys"), COUNT),
)
_SOME_LIMITS = by_name(COUNT)
_FIELD = record(
    {"key": TEXT, "type": TEXT, "label": TEXT, "tab": TEXT},
    {
        "default": ANYTHING,
        "hint": TEXT,
        "rules": any_of(TEXT, many(TEXT)),
        "options": many(record({"value": ANYTHING, "label": TEXT})),
        "is_set": {**FLAG, "description": "Of a secret, whose value is never shown: whether there is one"},
    },
) | {"additionalProperties": True, "description": "Whatever else its author wrote is there, too"}
_BRANCH = record(
    {
        "slug": TEXT,
        "name": TEXT,
        **{name: _DIRECT[name] for name in ("version_constraint", "installed_version", "status", "is_optional")},
        "is_direct": FLAG,
    },
    {"dependencies": many(ref("Dependency"))},
)
_LISTED = nullable(FLAG) | {"description": "Whether the marketplace has it; null: nobody has looked yet"}
_JOB = {"job_id": TEXT}
_REPORTED = {"type": "object", "description": "A plugin's failure as it reported it: docs/runtime-protocol.md"}

SCHEMAS: dict[str, Schema] = {
    "Plugin": record({**_BOTH, **_IN_LIST}, {"type": TEXT, "is_listed": _LISTED, **_FAILURE, **policies.STANDING}),
    "PluginStats": record(dict.fromkeys(("total", "active", "inactive", "error", "updates_available"), COUNT)),
    "PluginDetails": record(
        {
            **_BOTH,
            "screenshots": many(TEXT),
            "homepage": nullable(TEXT),
            "documentation": nullable(TEXT),
            "requires_license": FLAG,
            "requirements": OBJECT,
            "tags": many(TEXT),
            "updated_at": nullable(MOMENT),
            "registered_components": record(dict.fromkeys(_COMPONENTS, COUNT)),
            "license": nullable(ref("LicenseBlock")),
            "update": _UPDATE,
        },
        {
            **_IN_LIST,
            **_FAILURE,
            **policies.STANDING,
            "type": TEXT,
            "publisher": nullable(TEXT) | {"description": "The key that signed what is installed; null: nobody did"},
            "repository": nullable(TEXT),
            "runtime": TEXT,
            "scopes": many(TEXT),
            "deactivated_at": nullable(MOMENT),
            "notes": many(TEXT),
            "is_listed": _LISTED,
            "limits": _LIMITS,
            "dependencies": many(record(_DIRECT)) | {"description": "With include=dependencies"},
            "permissions": many(ref("ContributedPermission")) | {"description": "With include=permissions"},
            "changelog": nullable(any_of(TEXT, OBJECT, many(ANYTHING))) | {"description": "With include=changelog"},
            "settings": ref("Settings"),
            "events": many(ref("LogEntry")) | {"description": "With include=events: the latest ones"},
            "failures": many(ref("DeadLetter")) | {"description": "With include=failures: the latest ones"},
        },
    ),
    "ContributedPermission": record({"name": TEXT, "description": TEXT, "default_roles": many(TEXT)}),
    "Settings": record(
        {
            "schema": record(
                {
                    "tabs": many(record({"key": TEXT, "label": TEXT}, {"icon": TEXT}) | {"additionalProperties": True}),
                    "fields": many(_FIELD),
                }
            ),
            "values": by_name(ANYTHING),
        }
    ),
    "SettingValues": by_name(ANYTHING) | {"description": "What was set; secrets as null"},
    "Activation": record({"slug": TEXT, "status": _STATUS, "activated_at": MOMENT}),
    "Deactivation": record({"slug": TEXT, "status": _STATUS, "deactivated_at": MOMENT}),
    "Dependency": _BRANCH,
    "DependencyTree": record(
        {"dependencies": many(ref("Dependency")), "dependents": many(record({"slug": TEXT, "name": TEXT, "requires": TEXT}))}
    ),
    "LogEntry": record(
        {
            "id": ID,
            "event": TEXT,
            "version": nullable(TEXT),
            "user": nullable(record({"id": ID, "name": TEXT}, {"username": TEXT})),
            "created_at": MOMENT,
        },
        {"payload": OBJECT},
    ),
    "Updates": record(
        {
            "updates_available": COUNT,
            "plugins": many(
                record(
                    {
                        "slug": TEXT,
                        "current_version": TEXT,
                        "latest_version": TEXT,
                        "is_security_update": FLAG,
                        "is_breaking_change": FLAG,
                    },
                    {
                        "release_date": nullable(TEXT),
                        "changelog_summary": nullable(TEXT),
                        **policies.APPROVAL,
                    },
                )
            ),
            "checked_at": MOMENT,
        },
        {"unlisted": many(TEXT) | {"description": "Installed, and not in the marketplace any more"}},
    ),
    "BulkResults": record(
        {
            "processed": COUNT,
            "succeeded": COUNT,
            "failed": COUNT,
            "results": many(record({"slug": TEXT, "success": FLAG}, {"error": TEXT, "code": TEXT, **_JOB})),
        }
    ),
    "PluginLimits": record(
        {"limits": _LIMITS, "wished": _SOME_LIMITS, "administered": _SOME_LIMITS, "used": record({"daily_calls": COUNT})}
    ),
    "KeptData": record({"keys": COUNT, "bytes": COUNT, "tables": many(record({"name": TEXT, "items": COUNT}))}),
    "Backup": record({"backup_path": TEXT, "version": nullable(TEXT), "made_at": MOMENT, "size_bytes": COUNT}),
    # Jobs
    "Job": record(
        {
            "job_id": TEXT,
            "kind": one_of("install", "update", "uninstall", "restore"),
            "slug": TEXT,
            "status": one_of("queued", "running", "succeeded", "failed", "stuck"),
            "step": nullable(TEXT),
            "progress": COUNT,
            "error": nullable(record({"message": TEXT, "left": many(TEXT)}, {"step": nullable(TEXT), "code": TEXT, "details": OBJECT})),
            "started_at": MOMENT,
            "ended_at": nullable(MOMENT),
        }
    ),
    "JobTicket": record({"progress": TEXT | {"description": "What an EventSource takes as it is"}, "expires_at": MOMENT}),
    "StartedJob": record({**_JOB, "kind": TEXT, "slug": TEXT, "status": TEXT, "links": record({"self": TEXT, "progress": TEXT})}),
    "Installation": record(
        {
            "plugin": record({"slug": TEXT, "name": TEXT, "version": TEXT, "status": _STATUS}),
            "installation": record(
                {
                    "dependencies_installed": many(TEXT),
                    "migrations_run": COUNT,
                    "permissions_registered": COUNT,
                    "assets_published": FLAG,
                },
                {"notes": many(TEXT)},
            ),
        },
        _JOB,
    ),
    "Update": record(
        {
            "slug": TEXT,
            "previous_version": TEXT,
            "current_version": TEXT,
            "migrations_run": COUNT,
            "backup_path": nullable(TEXT),
        },
        {"notes": many(TEXT), "dependencies_installed": many(TEXT), "status": _STATUS, **_JOB},
    ),
    "Uninstallation": record({"slug": TEXT, "backup_path": nullable(TEXT), "data_removed": FLAG, "tables_dropped": many(TEXT)}, _JOB),
    "Restoration": any_of(record({"slug": TEXT, "version": TEXT, "restored_from": TEXT, "status": _STATUS}, _JOB), ref("Installation")),
    "ProgressEvent": record(
        {"step": TEXT, "progress": COUNT, "message": TEXT},
    )
    | {"description": "The data of a progress event"},
    # Troubled events
    "DeadLetter": record(
        {
            "event_id": ID,
            "event_type": TEXT,
            "aggregate": TEXT,
            "sequence": ID,
            "attempts": COUNT,
            "error": _REPORTED,
            "died_at": MOMENT,
            "counts": FLAG,
        }
    ),
    "Replay": record({"id": TEXT, "from": MOMENT, "to": MOMENT, "sent": COUNT, "status": one_of("running", "done")}),
    "Replayed": record({"replayed": COUNT, "has_more": FLAG}, {"replay": ref("Replay")}),
    "LogLine": record(
        {"id": TEXT, "time": MOMENT, "level": TEXT, "message": TEXT},
        {"data": ANYTHING, "hook": TEXT, "event_id": any_of(ID, TEXT)},
    ),
}
# Which pages of the list there are, and what is on them all.
METAS: dict[str, Schema] = {
    "PluginPageMeta": {"stats": ref("PluginStats")},
}
