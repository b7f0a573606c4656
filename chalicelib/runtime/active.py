"""The active plugins: what each registered, and where its events go. One item each, under one key, so that one Query finds them all.

Promises
    The item is written in the very transaction that makes its plugin active, and removed in the one that makes it inactive. So nobody
    ever sees a command of an inactive plugin, and no event that is committed after the activation passes it by.
    A plugin that was set aside for its failures keeps its item, which only the dispatcher sees: its queue goes on filling.
    So it is with all but the spared ones in safe mode, from the transaction on that enters it: that is read along with them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from pynamodb.exceptions import UpdateError
from pynamodb.expressions.update import Action

from chalicelib.core import clock, config
from chalicelib.core.errors import SafeModeIsOn
from chalicelib.core.tables import condition_failed
from chalicelib.events import Subscriber, UnitOfWork
from chalicelib.runtime.errors import CommandAlreadyRegistered, CommandNotFound, PluginHeld
from chalicelib.runtime.models import RuntimeRow

_ACTIVE = "ACTIVE"
# No plugin's slug.
_SAFE_MODE = "#SAFE-MODE"


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
    # Safe mode keeps it off.
    is_paused: bool = False

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


def release(slug: str) -> None:
    """Undo :func:`hold`."""
    _change(slug, RuntimeRow.is_held.remove())


def everyone() -> list[ActivePlugin]:
    """All active plugins that are not off in safe mode, by slug. Key condition: pk = ACTIVE; one Query for each megabyte."""
    return [plugin for plugin in all_with_queues() if not plugin.is_set_aside and not plugin.is_paused]


def find(slug: str) -> ActivePlugin | None:
    """The plugin, if it is active; ``is_paused`` where it is off in safe mode. One BatchGetItem."""
    plugin = with_queue(slug)
    return None if plugin is None or plugin.is_set_aside else plugin


def with_queue(slug: str) -> ActivePlugin | None:
    """The plugin, if it is active or set aside: its events go to its queue. One BatchGetItem, strongly consistent."""
    rows = {row.sk: row for row in RuntimeRow.batch_get([(_ACTIVE, slug), (_ACTIVE, _SAFE_MODE)], consistent_read=True)}
    mode = _mode(rows.get(_SAFE_MODE))
    return _plugin(rows[slug], mode) if slug in rows else None


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


def all_with_queues() -> list[ActivePlugin]:
    """Those that are active or set aside, by slug. One Query."""
    rows = list(RuntimeRow.query(_ACTIVE, consistent_read=True))
    mode = _mode(next((row for row in rows if row.sk == _SAFE_MODE), None))
    return [_plugin(row, mode) for row in rows if row.sk != _SAFE_MODE]


@dataclass(frozen=True)
class SafeMode:
    """Whether it is on, since when and by whom; ``spared`` are the plugins that are on all the same, ``left`` those whose deliveries and
    schedules do not agree with it yet. ``version`` grows with each change."""

    is_on: bool = False
    spared: frozenset[str] = frozenset()
    left: tuple[str, ...] = ()
    since: str | None = None
    by: str | None = None
    version: int = 0

    def pauses(self, slug: str) -> bool:
        return self.is_on and slug not in self.spared


def safe_mode() -> SafeMode:
    """One GetItem."""
    try:
        return _mode(RuntimeRow.get(_ACTIVE, _SAFE_MODE, consistent_read=True))
    except RuntimeRow.DoesNotExist:
        return SafeMode()


def put_safe_mode(work: UnitOfWork, mode: SafeMode, *, before: SafeMode) -> None:
    """The commit raises ConcurrentChange where somebody changed it since ``before`` was read."""
    unchanged = RuntimeRow.attempts == before.version if before.version else RuntimeRow.pk.does_not_exist()
    body = {"is_on": mode.is_on, "spared": sorted(mode.spared), "left": list(mode.left), "since": mode.since, "by": mode.by}
    work.save(RuntimeRow(_ACTIVE, _SAFE_MODE, body=json.dumps(body), attempts=before.version + 1), unchanged)


def _mode(row: RuntimeRow | None) -> SafeMode:
    if row is None:
        return SafeMode()
    body = json.loads(str(row.body))
    return SafeMode(body["is_on"], frozenset(body["spared"]), tuple(body["left"]), body["since"], body["by"], int(row.attempts or 0))


def set_settings_version(work: UnitOfWork, slug: str, version: int) -> None:
    """From now on the active plugin's calls say which settings are current. Belongs to the transaction that changes them."""
    work.update(RuntimeRow(_ACTIVE, slug), [RuntimeRow.settings_version.set(version)], RuntimeRow.pk.exists())


def subscribers() -> Iterable[Subscriber]:
    """The queue of each plugin that is active or set aside, with the event types that it hooked. See :func:`more` for the messages."""
    most_hops = int(config.setting("HOP_LIMIT", "10"))
    for plugin in all_with_queues():
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
    """The active plugin with that command, and the command. Raises CommandNotFound, PluginHeld, SafeModeIsOn."""
    for plugin in _in_service():
        for command in plugin.commands:
            if command["name"] == name:
                must_be_callable(plugin)
                return plugin, command
    raise CommandNotFound(f"No active plugin has registered a command '{name}'", command=name)


def _in_service() -> list[ActivePlugin]:
    """The active ones, also those that are off in safe mode: what they registered stays theirs."""
    return [plugin for plugin in all_with_queues() if not plugin.is_set_aside]


def must_be_callable(plugin: ActivePlugin) -> None:
    """Raises SafeModeIsOn, PluginHeld."""
    if plugin.is_paused:
        raise SafeModeIsOn(plugin.slug)
    if plugin.is_held:
        raise PluginHeld(f"'{plugin.slug}' is being updated; try again in a moment", slug=plugin.slug)


def refuse_taken_commands(slug: str, registered: dict[str, Any]) -> None:
    """Raises CommandAlreadyRegistered, naming the command and who has it."""
    wanted = {command["name"] for command in registered.get("commands") or []}
    if not wanted:
        return
    for other in _in_service():
        taken = wanted & {command["name"] for command in other.commands}
        if other.slug != slug and taken:
            raise CommandAlreadyRegistered(f"'{other.slug}' has registered the command '{min(taken)}' already", plugin=other.slug)


def _plugin(row: RuntimeRow, mode: SafeMode) -> ActivePlugin:
    body = json.loads(row.body)
    return ActivePlugin(
        row.sk,
        body["queue_url"],
        int(row.settings_version or 0),
        body["registered"],
        is_set_aside=bool(row.is_set_aside),
        reports_deliveries=bool(row.reports_deliveries),
        is_held=bool(row.is_held),
        is_paused=mode.pauses(row.sk),
    )
