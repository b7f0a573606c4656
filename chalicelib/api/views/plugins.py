"""Installed plugins as the REST document shows them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from chalicelib.api.routing import BASE_PATH
from chalicelib.core import clock, versions
from chalicelib.events import Event
from chalicelib.plugins import InstalledPlugin, status_of

_COMPONENTS = ("permissions", "entities", "widgets", "menu_items", "api_endpoints", "workflows", "scheduled_tasks")
# The prefix of their types, which the log of one kind of thing need not repeat.
_EVENT_PREFIX = "plugin."


def plugin(one: InstalledPlugin) -> dict[str, Any]:
    """A plugin in a list. Source: REST §1."""
    own = f"{BASE_PATH}/admin/plugins/{one.slug}"
    return {
        "id": one.id,
        "slug": one.slug,
        "name": one.name,
        "description": one.manifest.description,
        "version": one.version,
        "status": one.status,
        "error": one.error,
        "error_reason": one.error_reason,
        "type": one.manifest.type,
        "category": one.manifest.category,
        "icon": asset_address(one.slug, one.manifest.icon),
        "author": one.manifest.author,
        "is_core": one.manifest.is_core,
        "is_premium": one.manifest.is_premium,
        "has_settings": one.manifest.has_settings,
        "has_update": has_update(one),
        "latest_version": one.latest_version if one.latest_version and has_update(one) else one.version,
        # Whether the marketplace has it; None: nobody has looked yet.
        "is_listed": (one.update_found or {}).get("is_listed"),
        "has_valid_license": not one.manifest.requires_license,
        "installed_at": _time(one.installed_at),
        "activated_at": _time(one.activated_at),
        "links": {"self": own, "settings": f"{own}/settings", "dependencies": f"{own}/dependencies"},
    }


def details(one: InstalledPlugin) -> dict[str, Any]:
    """Source: REST §2, without what only ``include`` brings."""
    manifest = one.manifest
    updates = has_update(one)
    found = (one.update_found or {}) if updates else {}
    return {
        **plugin(one),
        "screenshots": [asset_address(one.slug, path) for path in manifest.screenshots],
        "homepage": manifest.homepage,
        "documentation": manifest.documentation,
        "repository": manifest.repository,
        "runtime": manifest.runtime,
        "scopes": sorted(manifest.scopes),
        "requires_license": manifest.requires_license,
        "requirements": manifest.requirements,
        "tags": list(manifest.tags),
        "updated_at": _time(one.updated_at or one.installed_at),
        "deactivated_at": _time(one.deactivated_at),
        "notes": list(manifest.notes),
        "registered_components": {kind: len(manifest.contributes.get(kind) or []) for kind in _COMPONENTS},
        "license": None,
        "update": {
            "available": updates,
            "latest_version": one.latest_version if one.latest_version and updates else one.version,
            "release_date": found.get("release_date"),
            "is_security_update": bool(found.get("is_security_update")),
            "is_breaking_change": updates and versions.is_breaking(one.version, str(one.latest_version)),
            "changelog_summary": found.get("changelog_summary"),
            "new_scopes": found.get("new_scopes", []),
            "new_dependencies": found.get("new_dependencies", []),
        },
    }


def dependencies(one: InstalledPlugin, installed: Iterable[InstalledPlugin]) -> list[dict[str, Any]]:
    """The direct ones. Source: REST §2."""
    there = {other.slug: other for other in installed}
    return [
        {
            "slug": each.slug,
            "version_constraint": each.version_constraint,
            "installed_version": there[each.slug].version if each.slug in there else None,
            "status": status_of(each, there),
            "is_optional": each.is_optional,
        }
        for each in one.manifest.dependencies
    ]


def permissions(one: InstalledPlugin) -> list[dict[str, Any]]:
    """What people may be allowed to do in the plugin. Source: REST §2."""
    return [
        {"name": each["name"], "description": each.get("description", ""), "default_roles": each.get("default_roles", [])}
        for each in one.manifest.contributes.get("permissions") or []
    ]


def stats(installed: Iterable[InstalledPlugin]) -> dict[str, int]:
    """Of all installed plugins, whatever the list is filtered by. Source: REST §1."""
    everyone = list(installed)
    by_status = Counter(one.status for one in everyone)
    return {
        "total": len(everyone),
        "active": by_status["active"],
        "inactive": by_status["inactive"],
        "error": by_status["error"],
        "updates_available": sum(has_update(one) for one in everyone),
    }


def event(one: Event) -> dict[str, Any]:
    """A line of the plugin's log. Source: REST §15."""
    subject: Mapping[str, Any] = one.data.get("plugin") or {}
    payload = {key: value for key, value in one.data.items() if key != "plugin"}
    return {
        "id": one.id,
        "event": event_name(one),
        "version": subject.get("version"),
        "user": one.actor,
        **({"payload": payload} if payload else {}),
        "created_at": _time(one.time),
    }


def event_name(one: Event) -> str:
    """``settings_changed`` for ``plugin.settings_changed``."""
    return one.type.removeprefix(_EVENT_PREFIX)


def has_update(one: InstalledPlugin) -> bool:
    return one.latest_version is not None and versions.compare(one.latest_version, one.version) > 0


def asset_address(slug: str, path: str | None) -> str | None:
    """Where a file of the package is published; an address of its own stays as it is."""
    if not path or path.startswith(("https://", "http://", "data:")):
        return path or None
    return f"/plugins/{slug}/{path.removeprefix('./').removeprefix('/').removeprefix('assets/')}"


def _time(moment: datetime | None) -> str | None:
    return clock.rfc3339(moment) if moment else None
