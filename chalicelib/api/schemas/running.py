"""What running plugins ask for and give: commands, extensions, storage, tables, notifications, dialogs, email. Source: plugin API."""

from __future__ import annotations

from chalicelib.api.schemas.shapes import (
    ANYTHING,
    COUNT,
    FLAG,
    ID,
    MOMENT,
    NUMBER,
    OBJECT,
    TEXT,
    Schema,
    by_name,
    many,
    nullable,
    one_of,
    record,
)

_SENDER = record({"kind": TEXT, "id": TEXT, "name": TEXT})
_EXTENSION: dict[str, Schema] = {"plugin": TEXT}
_KEY = {"partition": TEXT}
_PLATFORM = record({"namespace": TEXT, "ingressDomain": TEXT, "hibernationEnabled": FLAG})
# Whatever else its author wrote is there, too.
_OPEN: Schema = {"additionalProperties": True}

SCHEMAS: dict[str, Schema] = {
    "Command": record({"name": TEXT, "description": TEXT, "plugin": TEXT, "permissions": many(TEXT)}),
    "CommandResult": record({"result": ANYTHING}),
    "Extensions": record(
        {
            "widgets": many(
                record({"id": TEXT, **_EXTENSION}, {"title": TEXT, "component": TEXT, "position": TEXT, "width": TEXT}) | _OPEN
            ),
            "menuItems": many(record(_EXTENSION, {"label": TEXT, "path": TEXT, "component": TEXT, "position": nullable(NUMBER)}) | _OPEN),
            "settingsPages": many(record({"id": TEXT, **_EXTENSION}, {"title": TEXT, "component": TEXT}) | _OPEN),
            "themes": many(record({"name": TEXT, **_EXTENSION}) | _OPEN),
        }
    ),
    "Key": TEXT,
    "Cleared": record({"removed": COUNT, "is_complete": FLAG}),
    "Table": record({"name": TEXT, "key": record(_KEY, {"sort": TEXT}), "indexes": many(record({"name": TEXT, **_KEY}, {"sort": TEXT}))}),
    "Item": OBJECT,
    "Upload": record({"upload_id": TEXT, "url": TEXT, "method": TEXT, "headers": by_name(TEXT), "expires_at": MOMENT}),
    "Notification": record(
        {
            "id": TEXT,
            "title": TEXT,
            "message": TEXT,
            "type": one_of("success", "info", "warning", "error"),
            "actions": many(record({"label": TEXT}, {"url": TEXT})),
            "dismissible": FLAG,
            "timeout": COUNT,
            "persistent": FLAG,
            "from": _SENDER,
            "createdAt": MOMENT,
            "read": FLAG,
        }
    ),
    "PressedButton": record({"url": nullable(TEXT), "message": nullable(TEXT)}),
    "Dialog": record(
        {
            "id": TEXT,
            "title": TEXT,
            "message": TEXT,
            "type": one_of("info", "warning", "error", "confirm"),
            "buttons": many(
                record(
                    {"label": TEXT, "value": ANYTHING},
                    {"variant": one_of("text", "outlined", "contained"), "color": one_of("primary", "secondary", "error")},
                )
            ),
            "to": TEXT,
            "from": _SENDER,
            "status": one_of("pending", "answered", "withdrawn", "expired"),
            "value": ANYTHING,
            "createdAt": MOMENT,
            "expiresAt": MOMENT,
        }
    ),
    "SentEmail": record({"message_id": TEXT, "skipped": many(record({"address": TEXT, "reason": TEXT}))}),
    "Bounce": record(
        {
            "address": TEXT,
            "kind": TEXT,
            "reason": nullable(TEXT),
            "diagnostic": nullable(TEXT),
            "messageId": nullable(TEXT),
            "sender": nullable(TEXT),
            "occurredAt": MOMENT,
            "suppressed": FLAG,
        }
    ),
    # The runtime's own: docs/runtime-protocol.md
    "PluginSelf": record(
        {
            "slug": TEXT,
            "version": TEXT,
            "settings": by_name(ANYTHING),
            "settings_version": ID,
            "secret_settings": many(TEXT),
            "platform": record({"version": TEXT, "namespace": TEXT, "ingressDomain": TEXT, "hibernationEnabled": FLAG}),
        }
    ),
    "Verdict": record({"verdict": one_of("run", "retry", "dead-letter")}),
    # The platform
    "Health": record({"status": TEXT, "version": TEXT}),
    "Platform": record(
        {"name": TEXT, "version": TEXT},
        {"safe_mode": FLAG, "config": _PLATFORM, "counts": record({"plugins": COUNT, "active_plugins": COUNT})},
    ),
    "PlatformSettings": record({"rate_limits": by_name(COUNT)}),
}
METAS: dict[str, Schema] = {"InboxMeta": {"unread": COUNT, "next_cursor": nullable(TEXT)}}
