"""Which installed plugins have a newer release in the marketplace, and what it would bring.

Promises
    Administrators are told of each release once, however often one looks, whoever does, and wherever it is killed: what is told and that
    it was told are one transaction. They are not told of what they skip, nor, but for security updates, of what a pin holds back.
    They are told once when a plugin leaves the marketplace, which often has a reason.
    While the marketplace is away, what was known stays, and the last check says since when and why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chalicelib import marketplace, messaging
from chalicelib.core import clock, config, versions
from chalicelib.events import retried, unit_of_work
from chalicelib.marketplace import Listing, MarketplaceUnavailable, Release
from chalicelib.plugins import policies, registry, update_policy
from chalicelib.plugins.policies import Known
from chalicelib.plugins.registry import InstalledPlugin
from chalicelib.plugins.update_policy import Reasons, UpdatePolicy

_LONGEST_SUMMARY = 300
# A transaction takes a hundred items, and a notification what a person reads.
_TOLD_AT_ONCE = 20


@dataclass(frozen=True)
class AvailableUpdate:
    """``is_security_update``: that release, or one that it leaves out, mends a hole. ``reasons``: why to look before installing it.
    ``is_pinned``, ``is_skipped``: it is known, and not wanted."""

    slug: str
    name: str
    current_version: str
    latest_version: str
    release_date: str
    is_security_update: bool
    is_breaking_change: bool
    changelog_summary: str
    reasons: Reasons
    is_pinned: bool = False
    is_skipped: bool = False

    @property
    def is_wanted(self) -> bool:
        return not (self.is_pinned or self.is_skipped)

    def is_news(self, known: Known) -> bool:
        is_newer = known.told_version is None or versions.compare(self.latest_version, known.told_version) > 0
        return is_newer and not self.is_skipped and (self.is_security_update or not self.is_pinned)


@dataclass(frozen=True)
class Checked:
    """What one look at the marketplace found.

    ``due``: slug -> the release that may be installed without being asked for. ``unlisted``: those that it does not have (any more).
    """

    found: Sequence[AvailableUpdate]
    unlisted: Sequence[str]
    due: Mapping[str, Release]


def available(
    plugin: InstalledPlugin,
    listing: Listing | None,
    policy: UpdatePolicy | None = None,
    platform_version: str = config.PLATFORM_VERSION,
) -> AvailableUpdate | None:
    """The release to tell of (see ``update_policy.offered``), where there is one that is newer than what is installed."""
    if listing is None:
        return None
    policy = policy or UpdatePolicy()
    newer = update_policy.newer(plugin, listing, platform_version)
    release = update_policy.offered(newer, policy)
    if release is None:
        return None
    # Also of a pre-release or for another platform: what it mends is in the one that comes after it.
    passed = [
        one
        for one in listing.releases
        if versions.compare(one.version, plugin.version) > 0 >= versions.compare(one.version, release.version)
    ]
    return AvailableUpdate(
        slug=plugin.slug,
        name=plugin.name,
        current_version=plugin.version,
        latest_version=release.version,
        release_date=release.released_at[: len("2024-12-10")],
        is_security_update=any(one.is_security_update for one in passed),
        is_breaking_change=versions.is_breaking(plugin.version, release.version),
        changelog_summary=release.changelog.strip().split("\n\n")[0][:_LONGEST_SUMMARY],
        reasons=update_policy.reasons_in_release(plugin, release),
        is_pinned=policy.holds_back(release.version),
        is_skipped=policy.skips(release.version),
    )


def check() -> Checked:
    """Ask the marketplace about every installed plugin, and keep what it says for the lists.

    Costs two Queries, the index and the listings, a write, and two or three calls for each plugin about which something changed. Raises
    MarketplaceUnavailable.
    """
    installed = registry.all_installed()
    try:
        listings = marketplace.listings_of([plugin.slug for plugin in installed], fresh_s=0)
    except MarketplaceUnavailable as error:
        policies.note_check(found=None, reason=error.message)
        raise
    decided = policies.current()
    now = clock.now()
    found: list[AvailableUpdate] = []
    due: dict[str, Release] = {}
    unlisted: list[InstalledPlugin] = []
    for plugin in installed:
        listing, policy = listings.get(plugin.slug), decided.of(plugin.slug)
        update = available(plugin, listing, policy)
        _note(plugin, update, is_listed=listing is not None)
        if update is not None:
            found.append(update)
        if listing is None:
            unlisted.append(plugin)
            continue
        if decided.known_of(plugin.slug).is_listed is not True:
            policies.note_listed(plugin.slug)
        release = update_policy.by_itself(plugin, listing, policy, decided.default, now, config.PLATFORM_VERSION)
        if release is not None and decided.lists.why_not_installed(plugin) is None:
            due[plugin.slug] = release
    if any(one.is_news(decided.known_of(one.slug)) for one in found):
        _tell(found)
    if any(decided.known_of(one.slug).is_listed for one in unlisted):
        _tell_of_leavers(unlisted)
    policies.note_check(found=sum(one.is_wanted for one in found))
    return Checked(found, [one.slug for one in unlisted], due)


def _note(plugin: InstalledPlugin, update: AvailableUpdate | None, *, is_listed: bool) -> None:
    note: dict[str, Any] = {"is_listed": is_listed}
    if update is not None:
        note |= {
            "release_date": update.release_date,
            "is_security_update": update.is_security_update,
            "is_breaking_change": update.is_breaking_change,
            "changelog_summary": update.changelog_summary,
            "reasons": update.reasons.as_json(),
        }
    latest = update.latest_version if update else None
    if (latest, note) != (plugin.latest_version, plugin.update_found):
        registry.note_latest_version(plugin.slug, latest, note)


@retried
def _tell(found: Sequence[AvailableUpdate]) -> None:
    """One notification for all that is new, or for each twenty. What closes a hole comes first, and says so."""
    decided = policies.current()
    news = [one for one in found if one.is_news(decided.known_of(one.slug))]
    ordered = sorted(news, key=lambda one: (not one.is_security_update, one.slug))
    for start in range(0, len(ordered), _TOLD_AT_ONCE):
        told = ordered[start : start + _TOLD_AT_ONCE]
        with unit_of_work() as work:
            for one in told:
                policies.note_told(work, one.slug, one.latest_version, before=decided.known_of(one.slug).told_version)
            messaging.notify(
                messaging.ADMINS,
                "Plugin updates are available",
                "; ".join(map(_line, told)),
                type="warning" if told[0].is_security_update else "info",
                actions=[{"label": "Show", "url": "/plugins?with_update=true"}],
                work=work,
            )


def _line(one: AvailableUpdate) -> str:
    said = [
        "security" if one.is_security_update else "",
        "may break what uses it" if one.is_breaking_change else "",
        "asks for more than before: look at it first" if one.reasons else "",
        "held back by its pin" if one.is_pinned else "",
    ]
    noted = ", ".join(filter(None, said))
    return f"{one.name} {one.current_version} → {one.latest_version}" + (f" ({noted})" if noted else "")


@retried
def _tell_of_leavers(unlisted: Sequence[InstalledPlugin]) -> None:
    decided = policies.current()
    left = [one for one in unlisted if decided.known_of(one.slug).is_listed]
    for start in range(0, len(left), _TOLD_AT_ONCE):
        told = left[start : start + _TOLD_AT_ONCE]
        with unit_of_work() as work:
            for one in told:
                policies.note_left(work, one.slug)
            messaging.notify(
                messaging.ADMINS,
                "Installed plugins have left the marketplace",
                f"{', '.join(one.name for one in told)}: there will be no updates any more, also not for security. Ask why.",
                type="warning",
                actions=[{"label": "Show", "url": "/plugins"}],
                work=work,
            )
