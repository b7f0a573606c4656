"""What a marketplace offers: listings, each with its releases. Source: docs/repository-format.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

from chalicelib.core import versions
from chalicelib.core.versions import Dependency

_FORMAT = 1


class IndexDamaged(ValueError):
    """The index is not of the published format. The text says what is wrong."""


@dataclass(frozen=True)
class Release:
    """One version of a plugin. ``url`` is absolute; ``publisher`` is the public key of who signed it, None where nobody did;
    ``libraries`` are the names of the packages that it brings along."""

    slug: str
    version: str
    released_at: str
    url: str
    sha256: str
    size_bytes: int
    requirements: dict[str, Any]
    dependencies: tuple[Dependency, ...]
    scopes: tuple[str, ...]
    changelog: str
    is_security_update: bool
    publisher: str | None = None
    publisher_signature: str | None = None
    libraries: tuple[str, ...] = ()


@dataclass(frozen=True)
class Listing:
    """One plugin, with its releases, newest first; at least one."""

    slug: str
    name: str
    short_description: str
    description: str
    author: dict[str, Any]
    homepage: str | None
    documentation: str | None
    icon: str | None
    category: str | None
    tags: tuple[str, ...]
    rating: float | None
    reviews_count: int
    downloads: int
    price: Any
    is_premium: bool
    releases: tuple[Release, ...]

    def newest(self, platform_version: str) -> Release:
        """What one gets who asks for no version: the newest stable release that fits the platform, or else the newest of all."""
        fitting = [release for release in self.releases if versions.fits_system(release.requirements, platform_version)]
        stable = [release for release in fitting if not versions.is_prerelease(release.version)]
        return next(iter(stable or fitting or self.releases))

    def is_compatible(self, platform_version: str) -> bool:
        return any(versions.fits_system(release.requirements, platform_version) for release in self.releases)


@dataclass(frozen=True)
class Index:
    sequence: int
    listings: Mapping[str, Listing]


def read(document: Any, base_url: str) -> Index:
    """Raises IndexDamaged."""
    if not isinstance(document, dict) or document.get("format") != _FORMAT:
        raise IndexDamaged(f"its format is not {_FORMAT}")
    sequence = document.get("sequence")
    if not isinstance(sequence, int) or isinstance(sequence, bool) or sequence < 0:
        raise IndexDamaged("it has no sequence number")
    listings: dict[str, Listing] = {}
    for one in document.get("plugins") or []:
        try:
            listing = _listing(one, base_url)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            slug = one.get("slug") if isinstance(one, dict) else None
            raise IndexDamaged(f"its entry {slug or '?'} is not of the published format ({error!r})") from error
        if listing.releases:
            listings[listing.slug] = listing
    return Index(sequence, listings)


def _listing(one: dict[str, Any], base_url: str) -> Listing:
    slug = str(one["slug"])
    releases = {str(release["version"]): _release(slug, release, base_url) for release in one.get("releases") or []}
    author = one.get("author") or {}
    return Listing(
        slug=slug,
        name=str(one.get("name") or slug),
        short_description=str(one.get("short_description") or ""),
        description=str(one.get("description") or ""),
        author=dict(author) if isinstance(author, dict) else {"name": str(author)},
        homepage=one.get("homepage"),
        documentation=one.get("documentation"),
        icon=urljoin(base_url, str(one["icon"])) if one.get("icon") else None,
        category=one.get("category"),
        tags=tuple(str(tag) for tag in one.get("tags") or ()),
        rating=None if one.get("rating") is None else float(one["rating"]),
        reviews_count=int(one.get("reviews_count") or 0),
        downloads=int(one.get("downloads") or 0),
        price=one.get("price"),
        is_premium=bool(one.get("is_premium")),
        releases=tuple(releases[version] for version in versions.newest_first(releases)),
    )


def _release(slug: str, one: dict[str, Any], base_url: str) -> Release:
    if not versions.is_version(str(one["version"])):
        raise ValueError(f"{one['version']} is no version")
    return Release(
        slug=slug,
        version=str(one["version"]),
        released_at=str(one["released_at"]),
        url=urljoin(base_url, str(one["url"])),
        sha256=str(one["sha256"]).lower(),
        size_bytes=int(one["size_bytes"]),
        requirements=dict(one.get("requirements") or {}),
        dependencies=tuple(
            Dependency(str(each["slug"]), str(each.get("version_constraint", "*")), bool(each.get("is_optional", False)))
            for each in one.get("dependencies") or []
        ),
        scopes=tuple(str(scope) for scope in one.get("scopes") or ()),
        changelog=str(one.get("changelog") or ""),
        is_security_update=bool(one.get("is_security_update")),
        publisher=_text(one.get("publisher")),
        publisher_signature=_text(one.get("publisher_signature")),
        libraries=tuple(str(name) for name in one.get("libraries") or ()),
    )


def _text(value: Any) -> str | None:
    return str(value) if value else None
