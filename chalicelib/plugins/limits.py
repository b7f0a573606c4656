"""Changing what an installed plugin may use: where the rules of ``runtime.limits`` meet a manifest's wishes and the running function."""

from __future__ import annotations

from collections.abc import Mapping

from chalicelib import accounts, runtime
from chalicelib.accounts import Caller
from chalicelib.events import retried, unit_of_work
from chalicelib.plugins import registry
from chalicelib.plugins.registry import InstalledPlugin
from chalicelib.runtime.limits import Limits


def current(plugin: InstalledPlugin) -> Limits:
    """The limits that hold for it. One GetItem."""
    return runtime.limits.of(plugin.slug, plugin.manifest.limits)


def change(slug: str, changes: Mapping[str, int | None], *, by: Caller) -> InstalledPlugin:
    """Set some limits, the others stay; None gives one back to the author's wish or the default. Holds for the very next call.

    Calls that have begun end under the old limits. Raises PluginNotFound.
    """
    plugin = _record(slug, changes, by)
    apply(plugin)
    return plugin


def apply(plugin: InstalledPlugin) -> None:
    """Bring what runs in line with what is recorded. May be done twice, and finishes a change that died half-way."""
    limits = current(plugin)
    while True:
        runtime.provisioning.apply_limits(plugin.slug, limits)
        # Another change may have been recorded and applied meanwhile; the last one recorded is the one that stays.
        latest = current(plugin)
        if latest == limits:
            return
        limits = latest


@retried
def _record(slug: str, changes: Mapping[str, int | None], by: Caller) -> InstalledPlugin:
    plugin = registry.get(slug)
    before = runtime.limits.administered(slug)
    after = runtime.limits.changed(before, changes)
    if after != before:
        names = sorted(name for name in changes if before.get(name) != after.get(name))
        with unit_of_work(by.actor) as work:
            row = registry.save(work, plugin)
            runtime.limits.put(work, slug, after)
            if "daily_calls" in names:
                accounts.counts.put_daily_calls(work, slug, after.get("daily_calls"))
            work.emit("plugin.limits_changed", row, {"plugin": plugin.summary(), "changed": {name: after.get(name) for name in names}})
    return plugin
