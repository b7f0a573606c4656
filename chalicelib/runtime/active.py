"""The active plugins: what each registered, and where its events go. One item each, under one key, so that one Query finds them all.

Promises
    The item is written in the very transaction that makes its plugin active, and removed in the one that makes it inactive. So nobody
    ever sees a command of an inactive plugin, and no event that is committed after the activation passes it by.
    A plugin that was set aside for its failures keeps its item, which only the dispatcher sees: its queue goes on filling.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from pynamodb.exceptions import UpdateError
from pynamodb.expressions.update import Action

from chalicelib.core import clock, config
from chalicelib.core.tables import condition_failed
from chalicelib.events import Subscriber, UnitOfWork
from chalicelib.runtime.errors import CommandAlreadyRegistered, CommandNotFound, PluginHeld
from chalicelib.runtime.models import RuntimeRow

_ACTIVE = "ACTIVE"


@dataclass(frozen=True)
class ActivePlugin:
    """``registered`` is what ``load`` answered: hooks, widgets, menuItems, settingsPages, commands, schedules, endpoints, places."""

    slug: str
    queue_url: str
    settings_version: int
    registered: dict[str, Any] = field(default_factory=dict)
    is_set_aside: bool = False
    reports_deliveries: bool = False
    # It is being updated: its events wait, and its commands are refused.
    is_held: bool = False

    def place_of(self, hook: str) -> str | None:
        """``file:line`` where the author's function of that name (an event's type, ``command NAME`` …) begins, if that is known."""
        return (self.registered.get("places") or {}).get(hook)

    @property
    def commands(self) -> list[dict[str, Any]]:
        return self.registered.get("commands") or []


def put(work: UnitOfWork, plugin: ActivePlugin) -> None:
    """Make it known, in the transaction that makes it active. Its failures so far are forgiven."""
    body = json.dumps({"queue_url": plugin.queue_url, "registered": plugin.registered})
    now_ms = int(clock.timestamp() * 1000)
    work.save(RuntimeRow(_ACTIVE, plugin.slug, body=body, settings_version=plugin.settings_version, delivered_at_ms=now_ms))


def remove(work: UnitOfWork, slug: str) -> None:
    work.delete(RuntimeRow(_ACTIVE, slug))


def set_aside(work: UnitOfWork, slug: str) -> None:
    """Hide it from all but the dispatcher, in the transaction that takes it out of service."""
    changes = [RuntimeRow.is_set_aside.set(True), RuntimeRow.reports_deliveries.set(True)]
    work.update(RuntimeRow(_ACTIVE, slug), list(changes), RuntimeRow.pk.exists())


def hold(slug: str) -> None:
    """Keep everybody from calling it until it is put anew; its queue goes on receiving. One that is not active is left alone."""
    _change(slug, RuntimeRow.is_held.set(True))


def everyone() -> list[ActivePlugin]:
    """All active plugins, by slug. Key condition: pk = ACTIVE; one Query for each megabyte."""
    return [plugin for plugin in _all_with_queues() if not plugin.is_set_aside]


def find(slug: str) -> ActivePlugin | None:
    """The plugin, if it is active. One GetItem."""
    plugin = with_queue(slug)
    return None if plugin is None or plugin.is_set_aside else plugin


def with_queue(slug: str) -> ActivePlugin | None:
    """The plugin, if it is active or set aside: its events go to its queue. One GetItem."""
    try:
        return _plugin(RuntimeRow.get(_ACTIVE, slug, consistent_read=True))
    except RuntimeRow.DoesNotExist:
        return None


def delivered_at_ms(slug: str) -> int | None:
    """When it was activated, or last known to have taken an event; in ms since 1970. One GetItem."""
    try:
        return int(RuntimeRow.get(_ACTIVE, slug, consistent_read=True).delivered_at_ms or 0)
    except RuntimeRow.DoesNotExist:
        return None


def note_delivery(slug: str) -> None:
    """It has taken an event, and is not asked to report such again."""
    now_ms = int(clock.timestamp() * 1000)
    _change(slug, RuntimeRow.delivered_at_ms.set(now_ms), RuntimeRow.reports_deliveries.remove())


def expect_reports(slug: str) -> None:
    """The events that are sent to it from now on ask for a report of their delivery."""
    _change(slug, RuntimeRow.reports_deliveries.set(True))


def _change(slug: str, *changes: Action) -> None:
    """Of a plugin that is not there, there is nothing to change."""
    try:
        RuntimeRow(_ACTIVE, slug).update(actions=list(changes), condition=RuntimeRow.pk.exists())
    except UpdateError as error:
        if not condition_failed(error):
            raise


def _all_with_queues() -> list[ActivePlugin]:
    return [_plugin(row) for row in RuntimeRow.query(_ACTIVE, consistent_read=True)]


def set_settings_version(work: UnitOfWork, slug: str, version: int) -> None:
    """From now on the active plugin's calls say which settings are current. Belongs to the transaction that changes them."""
    work.update(RuntimeRow(_ACTIVE, slug), [RuntimeRow.settings_version.set(version)], RuntimeRow.pk.exists())


def subscribers() -> Iterable[Subscriber]:
    """The queue of each plugin that is active or set aside, with the event types that it hooked. See :func:`more` for the messages."""
    most_hops = int(config.setting("HOP_LIMIT", "10"))
    for plugin in _all_with_queues():
        yield Subscriber(
            plugin.slug,
            plugin.queue_url,
            frozenset(plugin.registered.get("hooks") or ()),
            more=more(plugin),
            most_hops=most_hops,
        )


def more(plugin: ActivePlugin) -> tuple[tuple[str, Any], ...]:
    """What each message to this plugin says besides the event: which settings are current, whose it is (for the backstop queue), and
    whether its delivery is to be reported."""
    said: tuple[tuple[str, Any], ...] = (("settings_version", plugin.settings_version), ("subscriber", plugin.slug))
    return (*said, ("report_delivery", True)) if plugin.reports_deliveries else said


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
    return ActivePlugin(
        row.sk,
        body["queue_url"],
        int(row.settings_version or 0),
        body["registered"],
        is_set_aside=bool(row.is_set_aside),
        reports_deliveries=bool(row.reports_deliveries),
        is_held=bool(row.is_held),
    )
