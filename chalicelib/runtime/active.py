"""The active plugins: what each registered, and where its events go. One item each, under one key, so that one Query finds them all.

Promise: the item is written in the very transaction that makes its plugin active, and removed in the one that makes it inactive. So
nobody ever sees a command of an inactive plugin, and no event that is committed after the activation passes it by.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from pynamodb.exceptions import UpdateError

from chalicelib.core.tables import condition_failed
from chalicelib.events import Subscriber, UnitOfWork
from chalicelib.runtime.errors import CommandAlreadyRegistered, CommandNotFound, PluginHeld
from chalicelib.runtime.models import RuntimeRow

_ACTIVE = "ACTIVE"


@dataclass(frozen=True)
class ActivePlugin:
    """``registered`` is what ``load`` answered: hooks, widgets, menuItems, settingsPages, commands, schedules, endpoints."""

    slug: str
    queue_url: str
    settings_version: int
    registered: dict[str, Any] = field(default_factory=dict)
    # It is being updated: its events wait, and its commands are refused.
    is_held: bool = False

    @property
    def commands(self) -> list[dict[str, Any]]:
        return self.registered.get("commands") or []


def put(work: UnitOfWork, plugin: ActivePlugin) -> None:
    """Make it known, in the transaction that makes it active."""
    body = json.dumps({"queue_url": plugin.queue_url, "registered": plugin.registered})
    work.save(RuntimeRow(_ACTIVE, plugin.slug, body=body, settings_version=plugin.settings_version))


def remove(work: UnitOfWork, slug: str) -> None:
    work.delete(RuntimeRow(_ACTIVE, slug))


def hold(slug: str) -> None:
    """Keep everybody from calling it until it is put anew; its queue goes on receiving. One that is not active is left alone."""
    try:
        RuntimeRow(_ACTIVE, slug).update(actions=[RuntimeRow.is_held.set(True)], condition=RuntimeRow.pk.exists())
    except UpdateError as error:
        if not condition_failed(error):
            raise


def everyone() -> list[ActivePlugin]:
    """All active plugins, by slug. Key condition: pk = ACTIVE; one Query for each megabyte."""
    return [_plugin(row) for row in RuntimeRow.query(_ACTIVE, consistent_read=True)]


def find(slug: str) -> ActivePlugin | None:
    try:
        return _plugin(RuntimeRow.get(_ACTIVE, slug, consistent_read=True))
    except RuntimeRow.DoesNotExist:
        return None


def set_settings_version(work: UnitOfWork, slug: str, version: int) -> None:
    """From now on the active plugin's calls say which settings are current. Belongs to the transaction that changes them."""
    work.update(RuntimeRow(_ACTIVE, slug), [RuntimeRow.settings_version.set(version)], RuntimeRow.pk.exists())


def subscribers() -> Iterable[Subscriber]:
    """Each active plugin's queue, with the event types that it hooked. Their messages say which settings are current."""
    for plugin in everyone():
        yield Subscriber(
            plugin.slug,
            plugin.queue_url,
            frozenset(plugin.registered.get("hooks") or ()),
            more=more(plugin),
        )


def more(plugin: ActivePlugin) -> tuple[tuple[str, Any], ...]:
    """What each message to this plugin says besides the event: which settings are current, and (for the backstop queue) whose it is."""
    return (("settings_version", plugin.settings_version), ("subscriber", plugin.slug))


def owner_of_command(name: str) -> tuple[ActivePlugin, dict[str, Any]]:
    """The active plugin with that command, and the command. Raises CommandNotFound."""
    for plugin in everyone():
        for command in plugin.commands:
            if command["name"] == name:
                must_not_be_held(plugin)
                return plugin, command
    raise CommandNotFound(f"No active plugin has registered a command '{name}'", command=name)


def must_not_be_held(plugin: ActivePlugin) -> None:
    """Raises PluginHeld."""
    if plugin.is_held:
        raise PluginHeld(f"'{plugin.slug}' is being updated; try again in a moment", slug=plugin.slug)


def refuse_taken_commands(slug: str, registered: dict[str, Any]) -> None:
    """Raises CommandAlreadyRegistered, naming the command and who has it."""
    wanted = {command["name"] for command in registered.get("commands") or []}
    if not wanted:
        return
    for other in everyone():
        taken = wanted & {command["name"] for command in other.commands}
        if other.slug != slug and taken:
            raise CommandAlreadyRegistered(f"'{other.slug}' has registered the command '{min(taken)}' already", plugin=other.slug)


def _plugin(row: RuntimeRow) -> ActivePlugin:
    body = json.loads(row.body)
    return ActivePlugin(row.sk, body["queue_url"], int(row.settings_version or 0), body["registered"], bool(row.is_held))
