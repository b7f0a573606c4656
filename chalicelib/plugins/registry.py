"""The installed plugins."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal

from chalicelib import events
from chalicelib.core import clock, ids, versions
from chalicelib.events import UnitOfWork
from chalicelib.licensing import License
from chalicelib.plugins import manifest as manifests
from chalicelib.plugins.errors import PluginAlreadyActive, PluginAlreadyInstalled, PluginIsCore, PluginNotActive, PluginNotFound
from chalicelib.plugins.manifest import Manifest
from chalicelib.plugins.models import INSTALLED, PluginRow

Status = Literal["active", "inactive", "error"]
FailureReason = Literal["failed_to_start", "failed_to_stay_up"]
FAILED_TO_START: FailureReason = "failed_to_start"
FAILED_TO_STAY_UP: FailureReason = "failed_to_stay_up"


@dataclass(frozen=True)
class InstalledPlugin:
    """A plugin as it is installed. ``event_sequence`` is that of its latest event: a save is refused when another writer told one since."""

    id: int
    slug: str
    version: str
    status: Status
    manifest: Manifest
    package_sha256: str
    installed_at: datetime
    # The public key of who signed the installed release.
    publisher: str | None = None
    error: str | None = None
    error_reason: FailureReason | None = None
    settings_version: int = 1
    activated_at: datetime | None = None
    deactivated_at: datetime | None = None
    updated_at: datetime | None = None
    latest_version: str | None = None
    # What the check for updates said of that version, or of a plugin that left the marketplace: see ``updates``.
    update_found: dict[str, Any] | None = None
    # Also of one that needs none: its vendor may sell more features.
    license: License | None = None
    event_sequence: int = 0
    event_tally: str | None = None

    @classmethod
    def fresh(cls, manifest: Manifest, package_sha256: str, at: datetime, publisher: str | None = None) -> InstalledPlugin:
        """A plugin that is being installed: inactive."""
        return cls(ids.number(), manifest.slug, manifest.version, "inactive", manifest, package_sha256, at, publisher)

    @property
    def name(self) -> str:
        return self.manifest.display_name

    @property
    def is_active(self) -> bool:
        return self.status == "active"

    @property
    def lacks_license(self) -> bool:
        """Whether it needs a licence and has none, be it a good one or not."""
        return self.manifest.requires_license and self.license is None

    def summary(self) -> dict[str, str]:
        """The plugin as events tell of it. Source: REST, Webhook Payload."""
        return {"slug": self.slug, "name": self.name, "version": self.version}

    def activated(self, at: datetime) -> InstalledPlugin:
        return replace(self, status="active", error=None, error_reason=None, activated_at=at)

    def deactivated(self, at: datetime) -> InstalledPlugin:
        return replace(self, status="inactive", error=None, error_reason=None, deactivated_at=at)

    def failed(self, message: str, reason: FailureReason, at: datetime) -> InstalledPlugin:
        """Out of service by its own fault. ``message`` is shown to administrators."""
        return replace(self, status="error", error=message, error_reason=reason, deactivated_at=at)

    def updated_to(self, manifest: Manifest, package_sha256: str, at: datetime, publisher: str | None = None) -> InstalledPlugin:
        """The same plugin in another version. Its settings may have other defaults now, so their version grows."""
        return replace(
            self,
            version=manifest.version,
            manifest=manifest,
            package_sha256=package_sha256,
            publisher=publisher,
            updated_at=at,
            settings_version=self.settings_version + 1,
            **self._still_found(manifest.version),
        )

    def _still_found(self, version: str) -> dict[str, Any]:
        """What the check found holds on only while it is newer."""
        is_newer = self.latest_version is not None and versions.compare(self.latest_version, version) > 0
        return {} if is_newer else {"latest_version": None, "update_found": None}

    def must_be_active(self) -> None:
        if not self.is_active:
            raise PluginNotActive(self.slug, self.status)

    def must_not_be_active(self) -> None:
        if self.is_active:
            raise PluginAlreadyActive(self.slug)

    def must_not_be_core(self) -> None:
        if self.manifest.is_core:
            raise PluginIsCore(self.slug)


def get(slug: str) -> InstalledPlugin:
    """Raises PluginNotFound. One consistent GetItem."""
    plugin = find(slug)
    if plugin is None:
        raise PluginNotFound(slug)
    return plugin


def find(slug: str) -> InstalledPlugin | None:
    if not manifests.is_slug(slug):
        # It comes from a path, and may be anything, such as longer than a key may be.
        return None
    try:
        return _plugin_of(PluginRow.get(INSTALLED, slug, consistent_read=True))
    except PluginRow.DoesNotExist:
        return None


def all_installed() -> list[InstalledPlugin]:
    """By slug. Key condition: pk = plugins; one query for each megabyte of manifests."""
    return [_plugin_of(row) for row in PluginRow.query(INSTALLED, consistent_read=True)]


def refuse_installed(slug: str, installed: Iterable[InstalledPlugin]) -> None:
    """Raises PluginAlreadyInstalled. A courtesy before a long job; :func:`add` is what holds."""
    if any(plugin.slug == slug for plugin in installed):
        raise PluginAlreadyInstalled(slug)


def add(work: UnitOfWork, plugin: InstalledPlugin) -> PluginRow:
    """The row, for ``work.emit``. The commit raises PluginAlreadyInstalled where there is one of that slug. Costs one Query: the log of
    earlier lives goes on."""
    before = events.log.latest(f"plugin#{plugin.slug}")
    tally = before.tally.text() if before and before.tally else None
    row = _row_of(replace(plugin, event_sequence=before.sequence if before else 0, event_tally=tally))
    work.create(row, otherwise=PluginAlreadyInstalled(plugin.slug))
    return row


def save(work: UnitOfWork, plugin: InstalledPlugin) -> PluginRow:
    """The row, for ``work.emit``. The commit raises ConcurrentChange where somebody told an event of the plugin since it was read."""
    row = _row_of(plugin)
    work.save(row, PluginRow.event_sequence == plugin.event_sequence)
    return row


def remove(work: UnitOfWork, plugin: InstalledPlugin) -> PluginRow:
    """The row, for ``work.emit``. The commit raises ConcurrentChange where somebody told an event of the plugin since it was read."""
    row = _row_of(plugin)
    work.delete(row, PluginRow.event_sequence == plugin.event_sequence)
    return row


def note_latest_version(slug: str, version: str | None, found: dict[str, Any] | None = None) -> None:
    """What the check for updates found; None for nothing newer. No event: nothing happened to the plugin. Gone meanwhile is fine."""
    from pynamodb.exceptions import UpdateError
    from pynamodb.expressions.update import Action

    from chalicelib.core.tables import condition_failed

    actions: list[Action] = [
        PluginRow.latest_version.set(version) if version else PluginRow.latest_version.remove(),
        PluginRow.update_found.set(json.dumps(found)) if found else PluginRow.update_found.remove(),
    ]
    try:
        PluginRow(INSTALLED, slug).update(actions=actions, condition=PluginRow.sk.exists())
    except UpdateError as error:
        if not condition_failed(error):
            raise


def note_license(plugin: InstalledPlugin, license: License) -> bool:
    """What the licence service said of its licence, where that changes nothing for anybody: no event. False where somebody told an event of
    the plugin since it was read, or it is gone: whoever asks next will be told the same."""
    from pynamodb.exceptions import UpdateError

    from chalicelib.core.tables import condition_failed

    try:
        PluginRow(INSTALLED, plugin.slug).update(
            actions=[PluginRow.license.set(json.dumps(license.as_json()))], condition=PluginRow.event_sequence == plugin.event_sequence
        )
    except UpdateError as error:
        if not condition_failed(error):
            raise
        return False
    return True


def _row_of(plugin: InstalledPlugin) -> PluginRow:
    return PluginRow(
        INSTALLED,
        plugin.slug,
        id=plugin.id,
        version=plugin.version,
        status=plugin.status,
        error=plugin.error,
        error_reason=plugin.error_reason,
        manifest=json.dumps(plugin.manifest.raw, ensure_ascii=False, separators=(",", ":")),
        package_sha256=plugin.package_sha256,
        publisher=plugin.publisher,
        settings_version=plugin.settings_version,
        installed_at=clock.rfc3339(plugin.installed_at),
        activated_at=_told(plugin.activated_at),
        deactivated_at=_told(plugin.deactivated_at),
        updated_at=_told(plugin.updated_at),
        latest_version=plugin.latest_version,
        update_found=json.dumps(plugin.update_found) if plugin.update_found else None,
        license=json.dumps(plugin.license.as_json()) if plugin.license else None,
        event_sequence=plugin.event_sequence,
        event_tally=plugin.event_tally,
    )


def _plugin_of(row: PluginRow) -> InstalledPlugin:
    return InstalledPlugin(
        id=int(row.id),
        slug=row.sk,
        version=row.version,
        status=row.status,  # type: ignore[arg-type]
        error=row.error,
        error_reason=row.error_reason,  # type: ignore[arg-type]
        manifest=_manifest_of(row.manifest),
        package_sha256=row.package_sha256,
        publisher=row.publisher,
        settings_version=int(row.settings_version),
        installed_at=clock.parse_rfc3339(row.installed_at),
        activated_at=_read(row.activated_at),
        deactivated_at=_read(row.deactivated_at),
        updated_at=_read(row.updated_at),
        latest_version=row.latest_version,
        update_found=json.loads(row.update_found) if row.update_found else None,
        license=License.of_json(json.loads(row.license)) if row.license else None,
        event_sequence=int(row.event_sequence),
        event_tally=row.event_tally,
    )


@lru_cache(maxsize=256)
def _manifest_of(text: str) -> Manifest:
    """Kept for the container's life: a manifest's text never changes its meaning."""
    return manifests.trusted(json.loads(text))


def _told(moment: datetime | None) -> str | None:
    return clock.rfc3339(moment) if moment else None


def _read(text: str | None) -> datetime | None:
    return clock.parse_rfc3339(text) if text else None
