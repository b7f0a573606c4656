"""Which other plugins a plugin needs: a plan for an installation, and questions about what is installed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from chalicelib.core import config, versions
from chalicelib.core.versions import Dependency
from chalicelib.marketplace import Release
from chalicelib.plugins.errors import DependenciesNotMet, HasDependents, IncompatibleRelease
from chalicelib.plugins.manifest import Manifest
from chalicelib.plugins.registry import InstalledPlugin

Catalogue = Callable[[str], Sequence[Release]]

_LARGEST_TREE = 1_000


@dataclass(frozen=True)
class Plan:
    """``releases``: what must be installed, each after those that it needs. Empty when all is there already."""

    releases: tuple[Release, ...]

    @property
    def slugs(self) -> list[str]:
        return [release.slug for release in self.releases]


def resolve(
    wanted: Sequence[tuple[str, str]],
    catalogue: Catalogue,
    installed: Iterable[InstalledPlugin],
    *,
    by: str = "this installation",
    platform_version: str = config.PLATFORM_VERSION,
) -> Plan:
    """What to install so that everything in ``wanted`` (slug, range) and all that it needs is there.

    ``catalogue`` is asked only for plugins that are not installed; empty means that there is no such plugin. A package that is being
    uploaded takes part as one of ``installed`` (``InstalledPlugin.fresh``), wanted in its own version. To plan an update, leave the old
    version out.

    Raises: DependenciesNotMet for a plugin that cannot be had at all, IncompatibleRelease where every release asks for another version of
    the platform, DependencyConflict where the wishes contradict each other.
    """
    # Imported here, because it imports this module.
    from chalicelib.plugins.resolution import resolved

    return Plan(tuple(resolved(wanted, catalogue, {plugin.slug: plugin for plugin in installed}, by, platform_version)))


class Wanting(Protocol):
    """A release or a manifest."""

    @property
    def dependencies(self) -> Sequence[Dependency]: ...


def installed_among(wanting: Iterable[Wanting], installed: Iterable[InstalledPlugin]) -> list[str]:
    """What is installed already of that which these need."""
    needed = {one.slug for each in wanting for one in each.dependencies if not one.is_optional}
    return [plugin.slug for plugin in installed if plugin.slug in needed]


def require_active(manifest: Manifest, installed: Iterable[InstalledPlugin]) -> None:
    """Raises DependenciesNotMet unless every dependency that is not optional is installed in a fitting version, and active."""
    there = {plugin.slug: plugin for plugin in installed}
    missing = [
        {"slug": one.slug, "required_version": one.version_constraint, "status": status}
        for one in manifest.dependencies
        if not one.is_optional and (status := status_of(one, there)) != "satisfied"
    ]
    if missing:
        raise DependenciesNotMet(missing)


def require_system(manifest: Manifest, platform_version: str = config.PLATFORM_VERSION) -> None:
    """Raises IncompatibleRelease unless this version of the platform is one that the plugin asks for."""
    if not versions.fits_system(manifest.requirements, platform_version):
        wanted = str(versions.system_range(manifest.requirements))
        raise IncompatibleRelease(f"{manifest.slug} {manifest.version}", wanted, platform_version)


def dependents_of(slug: str, installed: Iterable[InstalledPlugin]) -> list[InstalledPlugin]:
    """Those of ``installed`` that do not work without this one, by slug. An optional dependency makes no dependent."""
    found = [plugin for plugin in installed if any(one.slug == slug and not one.is_optional for one in plugin.manifest.dependencies)]
    return sorted(found, key=lambda plugin: plugin.slug)


def refuse_while_needed(slug: str, installed: Iterable[InstalledPlugin], *, to: str = "deactivate") -> None:
    """Raises HasDependents where one of ``installed`` needs it. ``to`` says what was to be done: ``deactivate``, ``uninstall`` …"""
    found = dependents_of(slug, installed)
    if found:
        raise HasDependents(
            [{"slug": plugin.slug, "name": plugin.name} for plugin in found], f"Cannot {to}: other plugins depend on this plugin"
        )


def status_of(dependency: Dependency, installed: Mapping[str, InstalledPlugin]) -> str:
    """``satisfied``, ``not_installed``, ``wrong_version`` or ``inactive``."""
    plugin = installed.get(dependency.slug)
    if plugin is None:
        return "not_installed"
    if not versions.satisfies(plugin.version, dependency.version_constraint):
        return "wrong_version"
    return "satisfied" if plugin.is_active else "inactive"


def tree(slug: str, installed: Iterable[InstalledPlugin]) -> dict[str, list[dict[str, Any]]]:
    """What the plugin depends on, all the way down, and who depends on it. Source: REST §10.

    A circle ends where it closes; after a thousand entries no more are unfolded.
    """
    there = {plugin.slug: plugin for plugin in installed}
    budget = [_LARGEST_TREE]

    def branches(manifest: Manifest, above: tuple[str, ...]) -> Iterator[dict[str, Any]]:
        for one in manifest.dependencies:
            plugin = there.get(one.slug)
            budget[0] -= 1
            entry: dict[str, Any] = {
                "slug": one.slug,
                "name": plugin.name if plugin else one.slug,
                "version_constraint": one.version_constraint,
                "installed_version": plugin.version if plugin else None,
                "status": status_of(one, there),
                "is_optional": one.is_optional,
                "is_direct": len(above) == 1,
            }
            if plugin is not None and plugin.slug not in above and budget[0] > 0:
                below = list(branches(plugin.manifest, (*above, plugin.slug)))
                if below:
                    entry["dependencies"] = below
            yield entry

    dependents = [
        {"slug": plugin.slug, "name": plugin.name, "requires": one.version_constraint}
        for plugin in dependents_of(slug, there.values())
        for one in plugin.manifest.dependencies
        if one.slug == slug
    ]
    return {"dependencies": list(branches(there[slug].manifest, (slug,))), "dependents": dependents}
