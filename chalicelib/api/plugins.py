"""Installed plugins, their settings, dependencies and log: REST §1, §2, §3, §4, §10, §15."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from chalicelib import accounts, events, plugins, runtime
from chalicelib.api.http import Reply, Request, Routes, page_links, page_meta
from chalicelib.api.parameters import moment
from chalicelib.api.views import plugins as views
from chalicelib.core.errors import ValidationError
from chalicelib.core.pagination import decode_cursor, encode_cursor, page_of
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
    "cursor": {"type": "string", "maxLength": 500, "description": "meta.next_cursor of the page before, in the place of page"},
    "as_of": {"type": "integer", "minimum": 1, "maximum": 2**53, "description": "An event's id: later ones are passed over. Links keep it"},
}


@routes.get("/admin/plugins", permission="plugins.view", query=_LIST, returns="[Plugin]", meta="PluginPageMeta", aws_calls=3)
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


@routes.get(
    "/admin/plugins/{slug}",
    permission="plugins.view",
    query={"include": {"type": "string", "maxLength": 200}},
    returns="PluginDetails",
    aws_calls=7,
)
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
        answer["events"] = [views.event(one) for one in events.log.newest(_aggregate(slug), _LATEST_EVENTS)]
    if "failures" in included:
        request.caller.require("plugins.events")
        answer["failures"] = [vars(one) for one in runtime.dead_letters.history(slug, limit=_LATEST_EVENTS)[0]]
    return Reply(answer)


@routes.get(
    "/admin/plugins/{slug}/settings",
    permission="plugins.configure",
    query={"group": {"type": "string", "maxLength": 100}},
    returns="Settings",
    aws_calls=3,
)
def settings(request: Request, slug: str) -> Reply:
    """REST §3. 404 PLUGIN_NOT_FOUND. A secret's value is null; ``is_set`` in its field says whether there is one."""
    return Reply(plugins.shown_settings(plugins.get(slug), request.query["group"]))


@routes.put("/admin/plugins/{slug}/settings", permission="plugins.configure", body=_SETTINGS, returns="SettingValues", aws_calls=6)
def change_settings(request: Request, slug: str) -> Reply:
    """REST §4. 404 PLUGIN_NOT_FOUND; 422 VALIDATION_ERROR with all faults. One AWS call more for each secret that is set."""
    changed = plugins.change_settings(slug, request.body["settings"], by=request.caller)
    return Reply(changed, message="Settings updated successfully")


@routes.get("/admin/plugins/{slug}/dependencies", permission="plugins.view", returns="DependencyTree", aws_calls=2)
def dependencies(_request: Request, slug: str) -> Reply:
    """REST §10. 404 PLUGIN_NOT_FOUND."""
    everyone = plugins.all_installed()
    _among(everyone, slug)
    return Reply(plugins.tree(slug, everyone))


# Token, where the page is (twice with from), the page; where there is no log, the plugin.
@routes.get("/admin/plugins/{slug}/events", permission="plugins.events", query=_LOG, returns="[LogEntry]", meta="LogMeta", aws_calls=4)
def log(request: Request, slug: str) -> Reply:
    """REST §15. Also of a plugin that was uninstalled; every page costs what the first does. Pages of one ``as_of``, as the links are, and
    ``meta.next_cursor`` show each event once, whatever happens meanwhile. 404 PLUGIN_NOT_FOUND where there is neither plugin nor log; 422
    VALIDATION_ERROR."""
    query = request.query
    found = events.log.page(
        _aggregate(slug),
        query["page"],
        query["per_page"],
        type=views.event_type(query["event"]) if query["event"] else None,
        since=moment(query, "from"),
        until=moment(query, "to"),
        as_of=query["as_of"],
        position=_position(query["cursor"]),
    )
    if found.as_of is None:
        # Nothing happened in that time, or there never was such a plugin.
        _must_be_known(slug)
    cursor = encode_cursor({"position": found.next_position}) if found.next_position else None
    return Reply(
        [views.event(one) for one in found.page.items],
        meta={**page_meta(found.page), "next_cursor": cursor},
        links=page_links(request, found.page, instead={"as_of": found.as_of, "cursor": None}),
    )


def _position(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    position = decode_cursor(cursor).get("position")
    if type(position) is not int or not 0 < position < 2**53:
        raise ValidationError({"cursor": ["The cursor is not one that this API gave out"]})
    return position


def _must_be_known(slug: str) -> None:
    if plugins.find(slug) is None and events.log.latest(_aggregate(slug)) is None:
        raise PluginNotFound(slug)


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


def _aggregate(slug: str) -> str:
    return f"plugin#{slug}"
