"""The search for versions that suit everybody.

Rules of a plan
    What is installed stays as it is: an installation changes no plugin that somebody uses. A range that the installed version does not fit
    is a conflict, which says who wants what.
    Of the releases that fit everybody, and this version of the platform, the newest is taken; a pre-release only where a range names one.
    Optional dependencies are never installed for their own sake. One that was asked for by itself is chosen to suit those who would use it,
    where that is possible.
    Two plugins may depend on each other.

Source of the search: resolvelib, pip's resolver (backtracking with conflict-driven backjumping).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from resolvelib import AbstractProvider, BaseReporter, ResolutionImpossible, ResolutionTooDeep, Resolver

from chalicelib.core import versions
from chalicelib.core.versions import Dependency
from chalicelib.marketplace import Release
from chalicelib.plugins.dependencies import Catalogue
from chalicelib.plugins.errors import DependenciesNotMet, DependencyConflict, IncompatibleRelease
from chalicelib.plugins.registry import InstalledPlugin

_MOST_ROUNDS = 5_000


@dataclass(frozen=True)
class _Wish:
    slug: str
    range: str
    by: str


@dataclass(frozen=True)
class _Candidate:
    """A version that could be chosen. ``release`` is None for the installed one."""

    slug: str
    version: str
    dependencies: tuple[Dependency, ...]
    release: Release | None

    @property
    def title(self) -> str:
        return f"{self.slug} {self.version}"


def resolved(
    wanted: Sequence[tuple[str, str]], catalogue: Catalogue, installed: Mapping[str, InstalledPlugin], by: str, platform_version: str
) -> Iterator[Release]:
    """See dependencies.resolve: the releases in the order in which to install them."""
    roots = [_Wish(slug, range_, by) for slug, range_ in wanted]
    failure: Exception | None = None
    for heeds_optional in (True, False):
        search = _Search(catalogue, installed, {wish.slug for wish in roots}, platform_version, heeds_optional)
        resolver: Resolver[_Wish, _Candidate, str] = Resolver(search, BaseReporter())
        try:
            result = resolver.resolve(roots, max_rounds=_MOST_ROUNDS)
        except ResolutionImpossible as error:
            failure = _explained([cause.requirement for cause in error.causes], search)
        except ResolutionTooDeep:
            failure = DependencyConflict("The dependencies are too entangled to find versions that fit; ask for fewer plugins at once")
        else:
            return _in_order(result.mapping, [wish.slug for wish in roots])
    assert failure is not None, "the loop ends only by a failure"
    raise failure


class _Search(AbstractProvider[_Wish, _Candidate, str]):
    """What resolvelib asks."""

    def __init__(
        self, catalogue: Catalogue, installed: Mapping[str, InstalledPlugin], roots: set[str], platform_version: str, heeds_optional: bool
    ) -> None:
        self._catalogue = catalogue
        self.installed = installed
        self._roots = roots
        self.platform_version = platform_version
        self._heeds_optional = heeds_optional
        self._releases: dict[str, Sequence[Release]] = {}
        # An installed plugin has a say about what comes in beside it, even if it did without so far.
        self.held: dict[str, list[_Wish]] = {}
        for plugin in installed.values():
            for one in plugin.manifest.dependencies:
                if not one.is_optional and one.slug not in installed:
                    wish = _Wish(one.slug, one.version_constraint, f"{plugin.slug} {plugin.version}, which is installed")
                    self.held.setdefault(one.slug, []).append(wish)

    def releases(self, slug: str) -> Sequence[Release]:
        if slug not in self._releases:
            self._releases[slug] = self._catalogue(slug)
        return self._releases[slug]

    def fitting(self, slug: str) -> list[_Candidate]:
        """The candidates that this platform can run, newest first; nothing but the installed one where there is one."""
        plugin = self.installed.get(slug)
        if plugin is not None:
            return [_Candidate(slug, plugin.version, plugin.manifest.dependencies, None)]
        there = {
            release.version: release for release in self.releases(slug) if versions.fits_system(release.requirements, self.platform_version)
        }
        return [_Candidate(slug, version, there[version].dependencies, there[version]) for version in versions.newest_first(there)]

    def identify(self, requirement_or_candidate: _Wish | _Candidate) -> str:
        return requirement_or_candidate.slug

    def get_preference(self, identifier: str, *_: Any, **__: Any) -> tuple[bool, int, str]:
        """What leaves the least choice first; then by name, so that a plan is the same each time."""
        return identifier not in self.installed, len(self.fitting(identifier)), identifier

    def find_matches(
        self, identifier: str, requirements: Mapping[str, Iterator[_Wish]], incompatibilities: Mapping[str, Iterator[_Candidate]]
    ) -> list[_Candidate]:
        wishes = [*requirements[identifier], *self.held.get(identifier, [])]
        excluded = {candidate.version for candidate in incompatibilities[identifier]}
        return [
            candidate
            for candidate in self.fitting(identifier)
            if candidate.version not in excluded and all(versions.satisfies(candidate.version, wish.range) for wish in wishes)
        ]

    def is_satisfied_by(self, requirement: _Wish, candidate: _Candidate) -> bool:
        return versions.satisfies(candidate.version, requirement.range)

    def get_dependencies(self, candidate: _Candidate) -> list[_Wish]:
        return [
            _Wish(one.slug, one.version_constraint, candidate.title)
            for one in candidate.dependencies
            if not one.is_optional or (self._heeds_optional and one.slug in self._roots)
        ]


def _in_order(chosen: Mapping[str, _Candidate], roots: Sequence[str]) -> Iterator[Release]:
    """Dependencies first; where two depend on each other, in the order in which they are met."""
    done: set[str] = set()

    def visit(slug: str) -> Iterator[Release]:
        if slug in done or slug not in chosen:
            return
        done.add(slug)
        for one in sorted(chosen[slug].dependencies, key=lambda each: each.slug):
            yield from visit(one.slug)
        release = chosen[slug].release
        if release is not None:
            yield release

    for slug in [*roots, *sorted(chosen)]:
        yield from visit(slug)


def _explained(causes: Sequence[_Wish], search: _Search) -> Exception:
    wishes: dict[str, list[_Wish]] = {}
    for wish in causes:
        others = wishes.setdefault(wish.slug, [])
        if wish not in others:
            others.append(wish)
    missing = [slug for slug in wishes if slug not in search.installed and not search.releases(slug)]
    if missing:
        sentences = [f"{slug} ({_wanted(wishes[slug])}) is neither installed nor in the marketplace" for slug in missing]
        return DependenciesNotMet(
            [{"slug": slug, "required_version": wishes[slug][0].range, "status": "not_installed"} for slug in missing],
            f"Cannot install: dependencies not satisfied: {'; '.join(sentences)}",
        )
    for slug, asked in wishes.items():
        if slug in search.installed:
            continue
        in_range = [one for one in search.releases(slug) if all(versions.satisfies(one.version, wish.range) for wish in asked)]
        if in_range and not any(versions.fits_system(one.requirements, search.platform_version) for one in in_range):
            newest = in_range[0]
            return IncompatibleRelease(f"{slug} {newest.version}", str(versions.system_range(newest.requirements)), search.platform_version)
    sentences, conflicts = [], []
    for slug, asked in sorted(wishes.items()):
        everyone = [*asked, *search.held.get(slug, [])]
        plugin = search.installed.get(slug)
        there = [candidate.version for candidate in search.fitting(slug)]
        state = f"{plugin.version} is installed" if plugin else f"there are {', '.join(there[:10])}"
        sentences.append(f"{slug}: {_wanted(everyone)}; {state}")
        conflicts.append(
            {
                "slug": slug,
                "wanted": [{"by": wish.by, "version_constraint": wish.range} for wish in everyone],
                "installed_version": plugin.version if plugin else None,
                "available_versions": [] if plugin else there[:10],
            }
        )
    return DependencyConflict(f"No versions fit together: {'. '.join(sentences)}", conflicts=conflicts)


def _wanted(wishes: Sequence[_Wish]) -> str:
    return " and ".join(f"{wish.by} wants {wish.range}" for wish in wishes)
