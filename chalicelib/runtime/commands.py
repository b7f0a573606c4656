"""Commands that plugins registered: listing and running them."""

from __future__ import annotations

from typing import Any

from chalicelib.accounts import Caller
from chalicelib.core.errors import PermissionDenied
from chalicelib.runtime import active, failures, invoking
from chalicelib.runtime.active import ActivePlugin
from chalicelib.runtime.errors import CommandFailed


def available_to(caller: Caller) -> list[dict[str, Any]]:
    """The commands that the caller may run: name, description, plugin, permissions. Costs one Query."""
    return [
        {"name": command["name"], "description": command.get("description") or "", "plugin": plugin.slug, "permissions": _needed(command)}
        for plugin in active.everyone()
        for command in plugin.commands
        if may_use(caller, _needed(command), plugin)
    ]


def execute(name: str, args: Any, *, by: Caller) -> Any:
    """What the command's handler returns.

    Raises: CommandNotFound; PermissionDenied, naming what is needed; CommandFailed with the handler's own error; PluginCrashed.
    """
    plugin, command = active.owner_of_command(name)
    needed = _needed(command)
    if not may_use(by, needed, plugin):
        raise PermissionDenied(f"The command '{name}' needs one of: {', '.join(needed)}", permissions=needed)
    caller = {"plugin": by.id} if by.is_plugin else {"username": by.id}
    answer = invoking.call_for_a_request(
        plugin.slug, {"kind": "command", "name": name, "args": args, "caller": caller, "settings_version": plugin.settings_version}
    )
    if not answer["ok"]:
        failure = answer["error"]
        raise CommandFailed(
            f"The command '{name}' of '{plugin.slug}' failed: {failure['message']}",
            plugin=plugin.slug,
            **failures.told(failure),
        )
    return answer.get("result")


def may_use(caller: Caller, needed: list[str], plugin: ActivePlugin) -> bool:
    """Whether the caller has one of these roles or permissions; none needed means everybody. A plugin is held to its scopes.

    A permission may be one that the plugin itself contributes, with the roles that have it.
    """
    if not needed:
        return True
    if caller.is_plugin:
        return any(caller.has_scope(one) for one in needed)
    if caller.role == "admin":
        return True
    contributed = {one["name"]: one.get("default_roles") or [] for one in plugin.registered.get("permissions") or []}
    return any(one == caller.role or caller.may(one) or caller.role in contributed.get(one, ()) for one in needed)


def _needed(command: dict[str, Any]) -> list[str]:
    return list(command.get("permissions") or [])
