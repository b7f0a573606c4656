"""Installed plugins as the REST document shows them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from chalicelib import plugins
from chalicelib.api.routing import BASE_PATH
from chalicelib.api.views import licenses
from chalicelib.core import clock, versions
from chalicelib.events import Event
from chalicelib.plugins import InstalledPlugin, status_of
from chalicelib.plugins.policies import Policies
from chalicelib.plugins.updates import AvailableUpdate

_COMPONENTS = ("permissions", "entities", "widgets", "menu_items", "api_endpoints", "workflows", "scheduled_tasks")
# The prefix of their types, which the log of one kind of thing need not repeat.
_EVENT_PREFIX = "plugin."


def plugin(one: InstalledPlugin, decided: Policies, *, is_safe_mode: bool) -> dict[str, Any]:
    """A plugin in a list. Source: REST §1."""
    updates = has_update(one, decided)
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
        "icon": plugins.assets.address(one.slug, one.manifest.icon),
        "author": one.manifest.author,
        "is_core": one.manifest.is_core,
        "is_premium": one.manifest.is_premium,
        "has_settings": one.manifest.has_settings,
        "has_update": updates,
        "latest_version": one.latest_version if updates else one.version,
        # Whether the marketplace has it; None: nobody has looked yet.
        "is_listed": (one.update_found or {}).get("is_listed"),
        # Active, and off until safe mode is left.
        "paused": is_safe_mode and one.is_active and not one.manifest.is_core,
        "denied": decided.lists.why_not_installed(one),
        "has_valid_license": _has_valid_license(one),
        "installed_at": _time(one.installed_at),
        "activated_at": _time(one.activated_at),
        "links": {"self": own, "settings": f"{own}/settings", "dependencies": f"{own}/dependencies"},
    }


def details(one: InstalledPlugin, decided: Policies, *, is_safe_mode: bool) -> dict[str, Any]:
    """Source: REST §2, without what only ``include`` brings."""
    manifest = one.manifest
    return {
        **plugin(one, decided, is_safe_mode=is_safe_mode),
        # The key of who signed what is installed; None: nobody did.
        "publisher": one.publisher,
        "screenshots": [plugins.assets.address(one.slug, path) for path in manifest.screenshots],
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
        "license": licenses.block(one),
        "update": _update(one, decided),
    }


def _update(one: InstalledPlugin, decided: Policies) -> dict[str, Any]:
    """``available``: and wanted; what is pinned or skipped is shown all the same. Source: REST §2."""
    is_newer = _is_newer(one)
    found = (one.update_found or {}) if is_newer else {}
    latest = one.latest_version if is_newer and one.latest_version else one.version
    policy = decided.of(one.slug)
    return {
        "available": has_update(one, decided),
        "latest_version": latest,
        "release_date": found.get("release_date"),
        "is_security_update": bool(found.get("is_security_update")),
        "is_breaking_change": is_newer and versions.is_breaking(one.version, latest),
        "changelog_summary": found.get("changelog_summary"),
        **approval(found.get("reasons") or {}),
        "pinned": policy.pinned_version is not None,
        "skipped": is_newer and policy.skips(latest),
        "automatic": policy.over(decided.default).automatic,
    }


def approval(reasons: Mapping[str, Any]) -> dict[str, Any]:
    """Whether a person must agree to an update, and why. ``reasons`` are those of ``Reasons.as_json``."""
    return {
        "requires_approval": bool(reasons),
        "approval_reasons": dict(reasons),
        "new_scopes": reasons.get("more_scopes", []),
        "new_dependencies": reasons.get("new_dependencies", []),
    }


def available_update(one: AvailableUpdate) -> dict[str, Any]:
    """Source: REST §12."""
    return {
        "slug": one.slug,
        "current_version": one.current_version,
        "latest_version": one.latest_version,
        "is_security_update": one.is_security_update,
        "is_breaking_change": one.is_breaking_change,
        "release_date": one.release_date,
        "changelog_summary": one.changelog_summary,
        **approval(one.reasons.as_json()),
        "pinned": one.is_pinned,
        "skipped": one.is_skipped,
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


def stats(installed: Iterable[InstalledPlugin], decided: Policies) -> dict[str, int]:
    """Of all installed plugins, whatever the list is filtered by. Source: REST §1."""
    everyone = list(installed)
    by_status = Counter(one.status for one in everyone)
    return {
        "total": len(everyone),
        "active": by_status["active"],
        "inactive": by_status["inactive"],
        "error": by_status["error"],
        "updates_available": sum(has_update(one, decided) for one in everyone),
    }


def event(one: Event) -> dict[str, Any]:
    """A line of the plugin's log. Source: REST §15."""
    subject: Mapping[str, Any] = one.data.get("plugin") or {}
    payload = {key: value for key, value in one.data.items() if key != "plugin"}
    return {
        "id": one.id,
        "event": event_name(one),
        "version": subject.get("version"),
        "user": _user(one.actor),
        **({"payload": payload} if payload else {}),
        "created_at": _time(one.time),
    }


def event_name(one: Event) -> str:
    """``settings_changed`` for ``plugin.settings_changed``."""
    return one.type.removeprefix(_EVENT_PREFIX)


def event_type(name: str) -> str:
    """The other way round; a whole type stays as it is."""
    return _EVENT_PREFIX + name.removeprefix(_EVENT_PREFIX)


def _user(actor: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The document's users have numbers; ours, as the plugin API's, are known by their names. So the number is made of the name: always
    the same one, and two users have the same as good as never (one in 2^53)."""
    if actor is None:
        return None
    number = int.from_bytes(hashlib.sha256(str(actor["id"]).encode()).digest()[:8], "big") >> 11
    return {"id": number, "name": actor["name"], "username": actor["id"]}


def has_update(one: InstalledPlugin, decided: Policies) -> bool:
    """Whether there is something newer that its administrators want."""
    policy = decided.of(one.slug)
    latest = one.latest_version
    return latest is not None and _is_newer(one) and not policy.holds_back(latest) and not policy.skips(latest)


def _has_valid_license(one: InstalledPlugin) -> bool:
    """Also where none is needed."""
    now = plugins.licenses.standing(one)
    return now is None or now.is_valid or not one.manifest.requires_license


def _is_newer(one: InstalledPlugin) -> bool:
    return one.latest_version is not None and versions.compare(one.latest_version, one.version) > 0


def _time(moment: datetime | None) -> str | None:
    return clock.rfc3339(moment) if moment else None
