"""Which installed plugins have a newer release in the marketplace, and what it would bring."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from chalicelib import marketplace, messaging
from chalicelib.core import config, versions
from chalicelib.marketplace import Listing
from chalicelib.plugins import registry
from chalicelib.plugins.registry import InstalledPlugin

_LONGEST_SUMMARY = 300


@dataclass(frozen=True)
class AvailableUpdate:
    """``is_security_update``: that release, or one that it leaves out, mends a hole. ``new_scopes`` and ``new_dependencies`` are what it
    asks for beyond the installed version: a reason to look before installing it."""

    slug: str
    name: str
    current_version: str
    latest_version: str
    release_date: str
    is_security_update: bool
    is_breaking_change: bool
    changelog_summary: str
    new_scopes: tuple[str, ...]
    new_dependencies: tuple[str, ...]


def available(plugin: InstalledPlugin, listing: Listing | None, platform_version: str = config.PLATFORM_VERSION) -> AvailableUpdate | None:
    """The newest release that this platform can run, where it is newer than what is installed."""
    if listing is None:
        return None
    newest = listing.newest(platform_version)
    if versions.compare(newest.version, plugin.version) <= 0 or not versions.fits_system(newest.requirements, platform_version):
        return None
    passed = [
        one
        for one in listing.releases
        if versions.compare(one.version, plugin.version) > 0 >= versions.compare(one.version, newest.version)
    ]
    known = {one.slug for one in plugin.manifest.dependencies}
    return AvailableUpdate(
        slug=plugin.slug,
        name=plugin.name,
        current_version=plugin.version,
        latest_version=newest.version,
        release_date=newest.released_at[: len("2024-12-10")],
        is_security_update=any(one.is_security_update for one in passed),
        is_breaking_change=versions.is_breaking(plugin.version, newest.version),
        changelog_summary=newest.changelog.strip().split("\n\n")[0][:_LONGEST_SUMMARY],
        new_scopes=tuple(sorted(set(newest.scopes) - plugin.manifest.scopes)),
        new_dependencies=tuple(one.slug for one in newest.dependencies if not one.is_optional and one.slug not in known),
    )


def check() -> list[AvailableUpdate]:
    """Ask the marketplace about every installed plugin, and keep what it says for the lists. Administrators are told of a release once.

    Costs a Query, the index and the listings, and one or two calls for each plugin about which something changed. Raises
    MarketplaceUnavailable, and then what was known stays.
    """
    installed = registry.all_installed()
    listings = marketplace.listings_of([plugin.slug for plugin in installed], fresh_s=0)
    found = []
    fresh = []
    for plugin in installed:
        update = available(plugin, listings.get(plugin.slug))
        note = _note(update, is_listed=plugin.slug in listings)
        if update is not None:
            found.append(update)
            if plugin.latest_version != update.latest_version:
                fresh.append(update)
        if note != plugin.update_found:
            registry.note_latest_version(plugin.slug, update.latest_version if update else None, note)
    if fresh:
        _tell(fresh)
    return found


def not_listed() -> list[InstalledPlugin]:
    """The installed plugins that the latest check did not find in the marketplace: they left it, or came by upload. One Query."""
    return [plugin for plugin in registry.all_installed() if (plugin.update_found or {}).get("is_listed") is False]


def _note(update: AvailableUpdate | None, *, is_listed: bool) -> dict[str, Any]:
    if update is None:
        return {"is_listed": is_listed}
    return {
        "is_listed": is_listed,
        "release_date": update.release_date,
        "is_security_update": update.is_security_update,
        "is_breaking_change": update.is_breaking_change,
        "changelog_summary": update.changelog_summary,
        "new_scopes": list(update.new_scopes),
        "new_dependencies": list(update.new_dependencies),
    }


def _tell(updates: Iterable[AvailableUpdate]) -> None:
    """One notification for all that is new. What closes a hole comes first, and says so."""
    ordered = sorted(updates, key=lambda one: (not one.is_security_update, one.slug))
    lines = [
        f"{one.name} {one.current_version} → {one.latest_version}"
        + (" (security)" if one.is_security_update else "")
        + (" (may break what uses it)" if one.is_breaking_change else "")
        for one in ordered
    ]
    more = f" and {len(lines) - 20} more" if len(lines) > 20 else ""
    messaging.notify(
        "@admins",
        "Plugin updates are available",
        "; ".join(lines[:20]) + more,
        type="warning" if ordered[0].is_security_update else "info",
        actions=[{"label": "Show", "url": "/plugins?with_update=true"}],
    )
