"""What administrators want of updates: of one plugin, and of all that say nothing of their own. Values and decisions; nothing here is kept.

Promises
    A release that asks for more scopes, brings new dependencies or libraries, is signed by another publisher than the installed one, or is
    breaking, never installs by itself, whatever the policy says.
    Neither does one that is skipped, nor any but the pinned version, nor one that is younger than the policy's wait.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from chalicelib.core import clock, config, versions
from chalicelib.core.errors import ValidationError
from chalicelib.core.versions import Dependency
from chalicelib.marketplace import Listing, Release
from chalicelib.plugins.manifest import Manifest
from chalicelib.plugins.registry import InstalledPlugin

Automatic = Literal["none", "security", "all"]
AUTOMATIC: tuple[Automatic, ...] = ("none", "security", "all")
LONGEST_WAIT_HOURS = 24 * 365
MOST_SKIPPED = 50


@dataclass(frozen=True)
class DefaultPolicy:
    """What holds for plugins that have no wish of their own. ``wait_hours``: from a release to when it may install by itself."""

    automatic: Automatic = "none"
    wait_hours: int = 24


@dataclass(frozen=True)
class UpdatePolicy:
    """Of one plugin. None: what the platform's default says, or for ``pinned_version`` that it is pinned to nothing."""

    pinned_version: str | None = None
    skipped_versions: tuple[str, ...] = ()
    automatic: Automatic | None = None
    wait_hours: int | None = None

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> UpdatePolicy:
        """Of a document whose shape was checked. Raises ValidationError, by field."""
        pinned = given.get("pinned_version")
        skipped = tuple(dict.fromkeys(given.get("skipped_versions") or ()))
        faults: dict[str, list[str]] = {}
        if pinned is not None and not versions.is_version(pinned):
            faults["pinned_version"] = [f"'{pinned}' is no version, such as 1.4.0"]
        elif pinned in skipped:
            faults["pinned_version"] = [f"{pinned} cannot be pinned and skipped at once"]
        wrong = [one for one in skipped if not versions.is_version(one)]
        if wrong:
            faults["skipped_versions"] = [f"'{one}' is no version, such as 1.4.0" for one in wrong]
        if faults:
            raise ValidationError(faults)
        return cls(pinned, skipped, given.get("automatic"), given.get("wait_hours"))

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "skipped_versions": list(self.skipped_versions)}

    def over(self, default: DefaultPolicy) -> DefaultPolicy:
        """What holds for the plugin, by itself or by default."""
        automatic = default.automatic if self.automatic is None else self.automatic
        return DefaultPolicy(automatic, default.wait_hours if self.wait_hours is None else self.wait_hours)

    def skips(self, version: str) -> bool:
        return version in self.skipped_versions

    def holds_back(self, version: str) -> bool:
        """Whether the plugin is pinned to another version than this one."""
        return self.pinned_version is not None and self.pinned_version != version


@dataclass(frozen=True)
class Reasons:
    """Why an administrator should look at a release before it is installed. Without any, there is nothing to look at."""

    more_scopes: tuple[str, ...] = ()
    new_dependencies: tuple[str, ...] = ()
    # The publisher's key before, and now; None: nobody signed it.
    other_publisher: tuple[str | None, str | None] | None = None

    def __bool__(self) -> bool:
        return bool(self.more_scopes or self.new_dependencies or self.other_publisher)

    def as_json(self) -> dict[str, Any]:
        """Only those that there are."""
        found: dict[str, Any] = {}
        if self.more_scopes:
            found["more_scopes"] = list(self.more_scopes)
        if self.new_dependencies:
            found["new_dependencies"] = list(self.new_dependencies)
        if self.other_publisher:
            before, now = self.other_publisher
            found["other_publisher"] = {"installed": before, "release": now}
        return found


def reasons_to_look(
    plugin: InstalledPlugin, scopes: Iterable[str], needs: Iterable[str], libraries: Iterable[str], publisher: str | None
) -> Reasons:
    """Compares what is installed with what would be; ``needs`` are the plugins that it does not work without."""
    before = plugin.manifest
    new = (set(needs) - set(_needed(before.dependencies))) | (set(libraries) - set(before.packages))
    return Reasons(
        more_scopes=tuple(sorted(set(scopes) - before.scopes)),
        new_dependencies=tuple(sorted(new)),
        other_publisher=None if publisher == plugin.publisher else (plugin.publisher, publisher),
    )


def reasons_in_release(plugin: InstalledPlugin, release: Release) -> Reasons:
    """By what the index says of the release."""
    return reasons_to_look(plugin, release.scopes, _needed(release.dependencies), release.libraries, release.publisher)


def reasons_in_package(plugin: InstalledPlugin, manifest: Manifest, publisher: str | None) -> Reasons:
    """By what the package itself says, which is what will run."""
    return reasons_to_look(plugin, manifest.scopes, _needed(manifest.dependencies), manifest.packages, publisher)


def _needed(dependencies: Iterable[Dependency]) -> list[str]:
    return [one.slug for one in dependencies if not one.is_optional]


def newer(plugin: InstalledPlugin, listing: Listing, platform_version: str = config.PLATFORM_VERSION) -> list[Release]:
    """The releases that are newer than what is installed and fit this platform, newest first. Pre-releases only where there is nothing
    stable at all, as with installing."""
    fitting = [one for one in listing.releases if versions.fits_system(one.requirements, platform_version)]
    stable = [one for one in fitting if not versions.is_prerelease(one.version)]
    return [one for one in stable or fitting if versions.compare(one.version, plugin.version) > 0]


def offered(found: Sequence[Release], policy: UpdatePolicy) -> Release | None:
    """The release to tell of, among :func:`newer` ones: the pinned one; else the newest that is not skipped; else the newest."""
    pinned = next((one for one in found if one.version == policy.pinned_version), None)
    wanted = next((one for one in found if not policy.skips(one.version)), None)
    return pinned or wanted or next(iter(found), None)


def by_itself(
    plugin: InstalledPlugin, listing: Listing, policy: UpdatePolicy, default: DefaultPolicy, now: datetime, platform_version: str
) -> Release | None:
    """The newest release that may be installed without being asked for. A newer one that must wait does not keep an older one waiting."""
    wish = policy.over(default)
    if wish.automatic == "none" or plugin.status == "error":
        return None
    for one in newer(plugin, listing, platform_version):
        if policy.skips(one.version) or policy.holds_back(one.version) or versions.is_breaking(plugin.version, one.version):
            continue
        if wish.automatic == "security" and not one.is_security_update:
            continue
        if _has_waited(one, wish.wait_hours, now) and not reasons_in_release(plugin, one):
            return one
    return None


def _has_waited(release: Release, wait_hours: int, now: datetime) -> bool:
    """A release that does not say when it was made waits for ever."""
    try:
        return now - clock.parse_rfc3339(release.released_at) >= timedelta(hours=wait_hours)
    except ValueError:
        return False
