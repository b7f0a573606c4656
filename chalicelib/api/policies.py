"""What administrators decide of updates, and of what may be installed at all."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from chalicelib import plugins
from chalicelib.api.http import Reply, Request, Routes
from chalicelib.plugins import Change, DefaultPolicy, PluginLists, UpdatePolicy

routes = Routes()

_MOST_LISTED = 500
_VERSION = {"type": "string", "minLength": 1, "maxLength": 64}
_WAIT = {"minimum": 0, "maximum": plugins.LONGEST_WAIT_HOURS, "description": "hours from a release to when it may install by itself"}
_POLICY = {
    "type": "object",
    "properties": {
        "pinned_version": {**_VERSION, "type": ["string", "null"], "description": "the only version that may be installed"},
        "skipped_versions": {"type": "array", "items": _VERSION, "maxItems": plugins.MOST_SKIPPED},
        "automatic": {"enum": [*plugins.AUTOMATIC, None], "description": "what installs by itself; null: what the platform's policy says"},
        "wait_hours": {**_WAIT, "type": ["integer", "null"]},
    },
    "additionalProperties": False,
}
_DEFAULT = {
    "type": "object",
    "properties": {"automatic": {"enum": list(plugins.AUTOMATIC)}, "wait_hours": {**_WAIT, "type": "integer"}},
    "required": ["automatic", "wait_hours"],
    "additionalProperties": False,
}
_NAMES = {"type": "array", "items": {"type": "string", "minLength": 1, "maxLength": 200}, "maxItems": _MOST_LISTED}
_LIST = {"type": "object", "properties": {"plugins": _NAMES, "publishers": _NAMES}, "additionalProperties": False}
_LISTS = {"type": "object", "properties": {"allow": _LIST, "deny": _LIST}, "minProperties": 1, "additionalProperties": False}


@routes.get("/admin/plugins/{slug}/update-policy", permission="plugins.view", returns="UpdatePolicy", aws_calls=4)
def policy(_request: Request, slug: str) -> Reply:
    """The plugin's own wishes, and in ``effective`` what holds. 404 PLUGIN_NOT_FOUND."""
    plugins.get(slug)
    return Reply(_shown(plugins.policies.of(slug), plugins.policies.default()))


@routes.put("/admin/plugins/{slug}/update-policy", permission="plugins.update", body=_POLICY, returns="UpdatePolicy", aws_calls=5)
def change_policy(request: Request, slug: str) -> Reply:
    """Replaces it as a whole; what is left out is the platform's default again. 404 PLUGIN_NOT_FOUND, 422 VALIDATION_ERROR."""
    wanted = UpdatePolicy.of(request.body)
    plugins.policies.change(slug, wanted, by=request.caller.actor)
    return Reply(_shown(wanted, plugins.policies.default()), message="Update policy updated successfully")


@routes.get("/admin/update-policy", permission="plugins.view", returns="DefaultUpdatePolicy", aws_calls=2)
def default_policy(_request: Request) -> Reply:
    """What holds for plugins that say nothing else, and how the marketplace was asked last (``last_check``, null: never)."""
    decided = plugins.policies.current()
    return Reply({**asdict(decided.default), **asdict(decided.default_changed), "last_check": decided.last_check})


@routes.put("/admin/update-policy", permission="platform.configure", body=_DEFAULT, returns="DefaultUpdatePolicy", aws_calls=3)
def change_default_policy(request: Request) -> Reply:
    """422 VALIDATION_ERROR."""
    wanted = DefaultPolicy(**request.body)
    changed = plugins.policies.change_default(wanted, by=request.caller.actor)
    return Reply({**asdict(wanted), **asdict(changed)}, message="Update policy updated successfully")


@routes.get("/admin/plugin-lists", permission="plugins.view", returns="PluginLists", aws_calls=3)
def lists(_request: Request) -> Reply:
    """By slug, and publishers by key (denied also by the author's name); in ``denied`` what is installed all the same."""
    decided = plugins.policies.current()
    denied = [one for one in plugins.all_installed() if decided.lists.why_not_installed(one)]
    return Reply(_shown_lists(decided.lists, denied, decided.lists_changed))


@routes.put("/admin/plugin-lists", permission="platform.configure", body=_LISTS, returns="PluginLists", aws_calls=4)
def change_lists(request: Request) -> Reply:
    """Replaces both. What is installed and denied now stays as it is, and administrators are told of it. 422 VALIDATION_ERROR."""
    wanted = PluginLists.of(request.body)
    denied, changed = plugins.policies.change_lists(wanted, by=request.caller.actor)
    return Reply(_shown_lists(wanted, denied, changed), message="Plugin lists updated successfully")


def _shown(own: UpdatePolicy, default: DefaultPolicy) -> dict[str, Any]:
    return {**own.as_json(), "effective": asdict(own.over(default))}


def _shown_lists(lists: PluginLists, denied: list[plugins.InstalledPlugin], changed: Change) -> dict[str, Any]:
    installed = [{"slug": one.slug, "version": one.version, "status": one.status, "reason": lists.why_not_installed(one)} for one in denied]
    return {**lists.as_json(), "denied": installed, **asdict(changed)}
