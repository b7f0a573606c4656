"""What a marketplace offers: listings, each with its releases. Source: docs/repository-format.md."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from urllib.parse import urljoin

from chalicelib.core import versions
from chalicelib.core.versions import Dependency

FORMAT = 2


class IndexDamaged(ValueError):
    """The index is not of the published format. The text says what is wrong."""


@dataclass(frozen=True)
class Offer:
    """A release as far as one needs it to choose: ``system_range`` is the range of platform versions that it runs on, None for all."""

    version: str
    system_range: str | None

    def fits(self, platform_version: str) -> bool:
        return self.system_range is None or versions.satisfies(platform_version, self.system_range)


def preferred(offers: Sequence[Offer], platform_version: str) -> Offer:
    """What one gets who asks for no version: the newest stable release that fits the platform, or else the newest of all. They come newest
    first."""
    fitting = [offer for offer in offers if offer.fits(platform_version)]
    stable = [offer for offer in fitting if not versions.is_prerelease(offer.version)]
    return next(iter(stable or fitting or offers))


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

    @property
    def offer(self) -> Offer:
        return Offer(self.version, versions.system_range(self.requirements))


@dataclass(frozen=True)
class Summary:
    """A listing as a list shows it. ``offers``: the releases among which one chooses who asks for no version."""

    slug: str
    name: str
    short_description: str
    author: str | None
    category: str | None
    rating: float | None
    reviews_count: int
    downloads: int
    price: Any
    is_premium: bool
    icon: str | None
    offers: tuple[Offer, ...]

    @classmethod
    def from_fields(cls, fields: Sequence[Any], base_url: str) -> Summary:
        """``base_url``: what the icon's address is relative to."""
        *about, icon, offers = fields
        return cls(*about, urljoin(base_url, icon) if icon else None, tuple(Offer(*offer) for offer in offers))  # type: ignore[call-arg]

    def as_fields(self) -> list[Any]:
        """For JSON, without names: there are a hundred thousand of them."""
        *about, offers = vars(self).values()
        return [*about, [[*vars(offer).values()] for offer in offers]]

    def version(self, platform_version: str) -> str:
        return preferred(self.offers, platform_version).version

    def is_compatible(self, platform_version: str) -> bool:
        return any(offer.fits(platform_version) for offer in self.offers)


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
        """What one gets who asks for no version (:func:`preferred`)."""
        chosen = preferred([release.offer for release in self.releases], platform_version).version
        return next(release for release in self.releases if release.version == chosen)

    @property
    def summary(self) -> Summary:
        figures = (self.rating, self.reviews_count, self.downloads, self.price, self.is_premium)
        about = (self.slug, self.name, self.short_description, self.author.get("name"), self.category)
        return Summary(*about, *figures, self.icon, tuple(_decisive(release.offer for release in self.releases)))

    @property
    def newest_at(self) -> str:
        """When its latest release came."""
        return max(release.released_at for release in self.releases)


@dataclass(frozen=True)
class File:
    """A file of the repository as the signed index names it. ``url`` is absolute."""

    url: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class Index:
    """``url`` is its own; ``shards``: which file has a plugin's listing, by :func:`shard_of`."""

    url: str
    sequence: int
    shards: Mapping[str, File]
    search: File


def _decisive(offers: Iterable[Offer]) -> Iterator[Offer]:
    """Of the releases that ask for the same platform, the newest stable one and the newest pre-release: no other is ever chosen."""
    taken = set()
    for offer in offers:
        kind = (offer.system_range, versions.is_prerelease(offer.version))
        if kind not in taken:
            taken.add(kind)
            yield offer


def shard_of(slug: str) -> str:
    """The two hexadecimal digits by which a plugin's listing is found."""
    return sha256(slug.encode()).hexdigest()[:2]


def read(document: Any, base_url: str) -> Index:
    """Raises IndexDamaged."""
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise IndexDamaged(f"its format is not {FORMAT}")
    sequence = document.get("sequence")
    if not isinstance(sequence, int) or isinstance(sequence, bool) or sequence < 0:
        raise IndexDamaged("it has no sequence number")
    try:
        shards = {str(name): _file(one, base_url) for name, one in document["listings"].items()}
        return Index(base_url, sequence, shards, _file(document["search"], base_url))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise IndexDamaged(f"it does not say which files belong to it ({error!r})") from error


def read_shard(document: Any) -> dict[str, dict[str, Any]]:
    """The plugins' entries by slug, each of them still to be read (:func:`listing_of`). Raises IndexDamaged."""
    plugins = document.get("plugins") if isinstance(document, dict) else None
    if not isinstance(plugins, list) or not all(isinstance(one, dict) and isinstance(one.get("slug"), str) for one in plugins):
        raise IndexDamaged("it has no list of plugins")
    return {one["slug"]: one for one in plugins}


def _file(one: Mapping[str, Any], base_url: str) -> File:
    return File(urljoin(base_url, str(one["url"])), str(one["sha256"]).lower(), int(one["size_bytes"]))


def listing_of(one: Mapping[str, Any], base_url: str) -> Listing:
    """One plugin of the published format. Raises KeyError, TypeError, ValueError or AttributeError for what is not."""
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
