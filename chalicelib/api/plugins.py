"""Installed plugins, their settings, dependencies and log: REST §1, §2, §3, §4, §10, §15."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import islice
from typing import Any

from chalicelib import accounts, events, plugins, runtime
from chalicelib.api.http import Reply, Request, Routes, page_links, page_meta
from chalicelib.api.parameters import moment
from chalicelib.api.views import plugins as views
from chalicelib.core.errors import ValidationError
from chalicelib.core.pagination import page_of
from chalicelib.events import Event
from chalicelib.plugins import InstalledPlugin, PluginNotFound
from chalicelib.plugins.policies import Policies

routes = Routes()

_PAGE = {"type": "integer", "minimum": 1, "maximum": 1_000_000, "default": 1}
_PER_PAGE = {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}
_LIST = {
    "page": _PAGE,
    "per_page": _PER_PAGE,
    "status": {"enum": ["active", "inactive", "error"]},
    "category": {"type": "string", "maxLength": 100},
    "search": {"type": "string", "maxLength": 200},
    "sort": {"enum": ["name", "installed_at", "status"], "default": "name"},
    "order": {"enum": ["asc", "desc"], "default": "asc"},
    "with_update": {"type": "boolean"},
}
_INCLUDED = ("settings", "dependencies", "permissions", "changelog", "events", "failures")
_LATEST_EVENTS = 20
_SETTINGS = {
    "type": "object",
    "properties": {"settings": {"type": "object", "description": "key -> value; the keys that are left out stay as they are"}},
    "required": ["settings"],
    "additionalProperties": False,
}
_LOG = {
    "event": {"type": "string", "maxLength": 100},
    "from": {"type": "string", "maxLength": 40},
    "to": {"type": "string", "maxLength": 40},
    "page": _PAGE,
    "per_page": _PER_PAGE,
}


@routes.get("/admin/plugins", permission="plugins.view", query=_LIST, aws_calls=3)
def installed(request: Request) -> Reply:
    """REST §1."""
    query = request.query
    everyone, decided, is_safe_mode = plugins.all_installed(), plugins.policies.current(), accounts.counts.is_safe_mode()
    found = page_of(_listed(everyone, query, decided), query["page"], query["per_page"])
    return Reply(
        [views.plugin(one, decided, is_safe_mode=is_safe_mode) for one in found.items],
        meta={**page_meta(found), "stats": views.stats(everyone, decided)},
        links=page_links(request, found),
    )


@routes.get("/admin/plugins/{slug}", permission="plugins.view", query={"include": {"type": "string", "maxLength": 200}}, aws_calls=6)
def details(request: Request, slug: str) -> Reply:
    """REST §2. 404 PLUGIN_NOT_FOUND; 422 VALIDATION_ERROR for an unknown name in ``include``."""
    included = _included(request.query["include"])
    if "dependencies" in included:
        everyone = plugins.all_installed()
        plugin = _among(everyone, slug)
    else:
        plugin = plugins.get(slug)
    shown = views.details(plugin, plugins.policies.current(), is_safe_mode=accounts.counts.is_safe_mode())
    answer = {**shown, "limits": asdict(plugins.current_limits(plugin))}
    if "dependencies" in included:
        answer["dependencies"] = views.dependencies(plugin, everyone)
    if "permissions" in included:
        answer["permissions"] = views.permissions(plugin)
    if "changelog" in included:
        answer["changelog"] = plugin.manifest.changelog
    if "settings" in included:
        # Values are for those who may configure, as with the route of its own.
        request.caller.require("plugins.configure")
        answer["settings"] = plugins.shown_settings(plugin)
    if "events" in included:
        request.caller.require("plugins.events")
        answer["events"] = [views.event(one) for one in islice(_log(slug), _LATEST_EVENTS)]
    if "failures" in included:
        request.caller.require("plugins.events")
        answer["failures"] = [vars(one) for one in runtime.dead_letters.history(slug, limit=_LATEST_EVENTS)[0]]
    return Reply(answer)


@routes.get(
    "/admin/plugins/{slug}/settings", permission="plugins.configure", query={"group": {"type": "string", "maxLength": 100}}, aws_calls=3
)
def settings(request: Request, slug: str) -> Reply:
    """REST §3. 404 PLUGIN_NOT_FOUND. A secret's value is null; ``is_set`` in its field says whether there is one."""
    return Reply(plugins.shown_settings(plugins.get(slug), request.query["group"]))


@routes.put("/admin/plugins/{slug}/settings", permission="plugins.configure", body=_SETTINGS, aws_calls=6)
def change_settings(request: Request, slug: str) -> Reply:
    """REST §4. 404 PLUGIN_NOT_FOUND; 422 VALIDATION_ERROR with all faults. One AWS call more for each secret that is set."""
    changed = plugins.change_settings(slug, request.body["settings"], by=request.caller)
    return Reply(changed, message="Settings updated successfully")


@routes.get("/admin/plugins/{slug}/dependencies", permission="plugins.view", aws_calls=2)
def dependencies(_request: Request, slug: str) -> Reply:
    """REST §10. 404 PLUGIN_NOT_FOUND."""
    everyone = plugins.all_installed()
    _among(everyone, slug)
    return Reply(plugins.tree(slug, everyone))


@routes.get("/admin/plugins/{slug}/events", permission="plugins.events", query=_LOG, aws_calls=3)
def log(request: Request, slug: str) -> Reply:
    """REST §15. Also of a plugin that was uninstalled. 404 PLUGIN_NOT_FOUND where there is neither plugin nor log."""
    query = request.query
    since, until = moment(query, "from"), moment(query, "to")
    everything = list(_log(slug))
    if not everything:
        plugins.get(slug)
    wanted = (query["event"] or "").removeprefix("plugin.")
    found = [
        one
        for one in everything
        if (not wanted or views.event_name(one) == wanted) and (since is None or one.time >= since) and (until is None or one.time <= until)
    ]
    page = page_of(found, query["page"], query["per_page"])
    return Reply([views.event(one) for one in page.items], meta=page_meta(page), links=page_links(request, page))


def _listed(everyone: Sequence[InstalledPlugin], query: dict[str, Any], decided: Policies) -> list[InstalledPlugin]:
    found = [one for one in everyone if _matches(one, query, decided)]
    keys = {
        "name": lambda one: (one.name.casefold(), one.slug),
        "installed_at": lambda one: (one.installed_at, one.slug),
        "status": lambda one: (one.status, one.name.casefold(), one.slug),
    }
    return sorted(found, key=keys[query["sort"]], reverse=query["order"] == "desc")


def _matches(one: InstalledPlugin, query: dict[str, Any], decided: Policies) -> bool:
    if query["status"] and one.status != query["status"]:
        return False
    if query["category"] and (one.manifest.category or "").casefold() != query["category"].casefold():
        return False
    if query["with_update"] and not views.has_update(one, decided):
        return False
    text = f"{one.name}\n{one.manifest.description}\n{one.slug}".casefold()
    return all(word in text for word in (query["search"] or "").casefold().split())


def _among(everyone: Sequence[InstalledPlugin], slug: str) -> InstalledPlugin:
    for one in everyone:
        if one.slug == slug:
            return one
    raise PluginNotFound(slug)


def _included(text: str | None) -> set[str]:
    names = {name.strip() for name in (text or "").split(",") if name.strip()}
    unknown = sorted(names - set(_INCLUDED))
    if unknown:
        raise ValidationError({"include": [f"'{name}' cannot be included; known are: {', '.join(_INCLUDED)}" for name in unknown]})
    return names


def _log(slug: str) -> Iterator[Event]:
    """Newest first."""
    return events.history(f"plugin#{slug}")
