"""The search for versions that suit everybody.

Rules of a plan
    What is installed stays as it is: an installation changes no plugin that somebody uses. A range that the installed version does not fit
    is a conflict, which says who wants what.
    Of the releases that fit everybody, and this version of the platform, the newest is taken; a pre-release only where a range names one.
    Optional dependencies are never installed for their own sake. One that was asked for by itself is chosen to suit those who would use it,
    where that is possible.
    Two plugins may depend on each other.

The search is complete: where any choice of versions suits everybody, it finds one. Plain backtracking does for tens of plugins with tens of
releases, because a plugin with few choices goes first, and a candidate whose wishes nobody can fulfil is never taken; a bound on its
steps is the last resort. (resolvelib, pip's search, was tried: it gives up on some circles that have a solution.)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from chalicelib.core import versions
from chalicelib.core.versions import Dependency
from chalicelib.marketplace import Release
from chalicelib.plugins.dependencies import Catalogue
from chalicelib.plugins.errors import DependenciesNotMet, DependencyConflict, IncompatibleRelease
from chalicelib.plugins.registry import InstalledPlugin

_MOST_STEPS = 20_000


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


_Wishes = Mapping[str, tuple[_Wish, ...]]
_Chosen = Mapping[str, _Candidate]


def resolved(
    wanted: Sequence[tuple[str, str]], catalogue: Catalogue, installed: Mapping[str, InstalledPlugin], by: str, platform_version: str
) -> Iterator[Release]:
    """See dependencies.resolve: the releases in the order in which to install them."""
    roots = [_Wish(slug, range_, by) for slug, range_ in wanted]
    for heeds_optional in (True, False):
        search = _Search(roots, catalogue, installed, platform_version, heeds_optional)
        found = search.solve()
        if found is not None:
            return _in_order(found, [wish.slug for wish in roots])
    raise _explained(search.dead_end, search)


class _Search:
    """One search. ``dead_end`` is the first set of wishes about one plugin that could not be fulfilled together."""

    def __init__(
        self,
        roots: Sequence[_Wish],
        catalogue: Catalogue,
        installed: Mapping[str, InstalledPlugin],
        platform_version: str,
        heeds_optional: bool,
    ) -> None:
        self.installed = installed
        self.platform_version = platform_version
        self.dead_end: tuple[_Wish, ...] = ()
        self._wanted = roots
        self._roots = {wish.slug for wish in roots}
        self._catalogue = catalogue
        self._heeds_optional = heeds_optional
        self._releases: dict[str, Sequence[Release]] = {}
        self._fitting: dict[str, list[_Candidate]] = {}
        self._steps_left = _MOST_STEPS
        # An installed plugin has a say about what comes in beside it, even if it did without so far.
        self._held: dict[str, tuple[_Wish, ...]] = {}
        for plugin in installed.values():
            for one in plugin.manifest.dependencies:
                if not one.is_optional and one.slug not in installed:
                    wish = _Wish(one.slug, one.version_constraint, f"{plugin.slug} {plugin.version}, which is installed,")
                    self._held[one.slug] = (*self._held.get(one.slug, ()), wish)

    def solve(self) -> _Chosen | None:
        wishes = self._with({}, self._wanted, {})
        return None if wishes is None else self._solve({}, wishes)

    def releases(self, slug: str) -> Sequence[Release]:
        if slug not in self._releases:
            self._releases[slug] = self._catalogue(slug)
        return self._releases[slug]

    def fitting(self, slug: str) -> list[_Candidate]:
        """The candidates that this platform can run, newest first; nothing but the installed one where there is one."""
        if slug not in self._fitting:
            self._fitting[slug] = self._find_fitting(slug)
        return self._fitting[slug]

    def _find_fitting(self, slug: str) -> list[_Candidate]:
        plugin = self.installed.get(slug)
        if plugin is not None:
            return [_Candidate(slug, plugin.version, plugin.manifest.dependencies, None)]
        there = {
            release.version: release for release in self.releases(slug) if versions.fits_system(release.requirements, self.platform_version)
        }
        return [_Candidate(slug, version, there[version].dependencies, there[version]) for version in versions.newest_first(there)]

    def _solve(self, chosen: _Chosen, wishes: _Wishes) -> _Chosen | None:
        undecided = [slug for slug in wishes if slug not in chosen]
        if not undecided:
            return chosen
        # What was asked for gets its newest version before what it needs; then what leaves the least choice; then by name.
        slug = min(undecided, key=lambda each: (each not in self._roots, len(self._matching(each, wishes[each])), each))
        for candidate in self._matching(slug, wishes[slug]):
            self._steps_left -= 1
            if self._steps_left < 0:
                raise DependencyConflict("The dependencies are too entangled to find versions that fit; ask for fewer plugins at once")
            taken = {**chosen, slug: candidate}
            after = self._with(wishes, self._wishes_of(candidate), taken)
            found = None if after is None else self._solve(taken, after)
            if found is not None:
                return found
        return None

    def _matching(self, slug: str, wishes: Sequence[_Wish]) -> list[_Candidate]:
        return [one for one in self.fitting(slug) if all(versions.satisfies(one.version, wish.range) for wish in wishes)]

    def _with(self, wishes: _Wishes, more: Sequence[_Wish], chosen: _Chosen) -> _Wishes | None:
        """The wishes with those of ``more``; None, and a dead end, where one of them can no longer be fulfilled."""
        together = dict(wishes)
        for wish in more:
            asked = (*together.get(wish.slug, self._held.get(wish.slug, ())), wish)
            together[wish.slug] = asked
            taken = chosen.get(wish.slug)
            if taken is not None and versions.satisfies(taken.version, wish.range):
                continue
            if taken is not None or not self._matching(wish.slug, asked):
                self.dead_end = self.dead_end or asked
                return None
        return together

    def _wishes_of(self, candidate: _Candidate) -> list[_Wish]:
        return [
            _Wish(one.slug, one.version_constraint, candidate.title)
            for one in candidate.dependencies
            if not one.is_optional or (self._heeds_optional and one.slug in self._roots)
        ]


def _in_order(chosen: _Chosen, roots: Sequence[str]) -> Iterator[Release]:
    """Dependencies first, the optional ones too; where two depend on each other, in the order in which they are met."""
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

    for slug in roots:
        yield from visit(slug)


def _explained(dead_end: Sequence[_Wish], search: _Search) -> Exception:
    """Why nobody can fulfil these wishes about one plugin together."""
    slug = dead_end[0].slug
    plugin = search.installed.get(slug)
    releases = () if plugin else search.releases(slug)
    if plugin is None and not releases:
        return DependenciesNotMet(
            [{"slug": slug, "required_version": dead_end[0].range, "status": "not_installed"}],
            f"Cannot install: dependencies not satisfied: {slug} ({_wanted(dead_end)}) is neither installed nor in the marketplace",
        )
    in_range = [one for one in releases if all(versions.satisfies(one.version, wish.range) for wish in dead_end)]
    if in_range and not any(versions.fits_system(one.requirements, search.platform_version) for one in in_range):
        asked = str(versions.system_range(in_range[0].requirements))
        return IncompatibleRelease(f"{slug} {in_range[0].version}", asked, search.platform_version)
    there = [candidate.version for candidate in search.fitting(slug)][:10]
    state = f"{plugin.version} is installed" if plugin else f"there are {', '.join(there)}"
    conflict = {
        "slug": slug,
        "wanted": [{"by": wish.by, "version_constraint": wish.range} for wish in dead_end],
        "installed_version": plugin.version if plugin else None,
        "available_versions": [] if plugin else there,
    }
    return DependencyConflict(f"No version of {slug} suits everybody: {_wanted(dead_end)}; {state}", conflicts=[conflict])


def _wanted(wishes: Sequence[_Wish]) -> str:
    return " and ".join(f"{wish.by} wants {wish.range}" for wish in wishes)
