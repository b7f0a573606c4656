"""Searching the marketplace. A word that stands in the name counts for more than one in the description."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from chalicelib.marketplace.listings import Listing

SORTS = ("popular", "newest", "rating", "name")


@dataclass(frozen=True)
class Category:
    slug: str
    name: str
    count: int


@dataclass(frozen=True)
class Found:
    """``categories`` count what the words alone find, so that choosing one of them never hides the others."""

    listings: Sequence[Listing]
    categories: Sequence[Category]


def search_among(listings: Iterable[Listing], words: str | None = None, category: str | None = None, sort: str = "popular") -> Found:
    """Every word must be found somewhere; capitals and accents do not matter. Better matches come first, then the order of ``sort``."""
    wanted = folded(words or "").split()
    ranked = [(listing, _rank(listing, wanted)) for listing in listings]
    hits = [(listing, rank) for listing, rank in ranked if rank is not None]
    categories = _categories([listing for listing, _ in hits])
    if category:
        hits = [(listing, rank) for listing, rank in hits if slug_of(listing.category or "") == slug_of(category)]
    ordered = _sorted([listing for listing, _ in hits], sort)
    if wanted and sort == "popular":
        rank_of = {listing.slug: rank for listing, rank in hits}
        ordered.sort(key=lambda listing: rank_of[listing.slug] or 0)
    return Found(ordered, categories)


def folded(text: str) -> str:
    """Lower case, without accents, with spaces for punctuation."""
    plain = "".join(one for one in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(one))
    return re.sub(r"[\W_]+", " ", plain).strip()


def slug_of(category: str) -> str:
    """``Session Management`` -> ``session-management``."""
    return folded(category).replace(" ", "-")


def _rank(listing: Listing, words: list[str]) -> int | None:
    """0 is best; None where a word is missing. A word is ranked by the best place that has it, a listing by its worst word."""
    places = (
        folded(listing.name),
        folded(listing.slug),
        folded(" ".join(listing.tags)),
        folded(f"{listing.short_description} {listing.description} {listing.category or ''}"),
    )
    worst = 0
    for word in words:
        # A word that begins one there beats one in the middle.
        ranks = [2 * rank + (not f" {place}".count(f" {word}")) for rank, place in enumerate(places) if word in place]
        if not ranks:
            return None
        worst = max(worst, min(ranks))
    return worst


def _sorted(listings: list[Listing], sort: str) -> list[Listing]:
    by_name = sorted(listings, key=lambda listing: (folded(listing.name), listing.slug))
    if sort == "newest":
        return sorted(by_name, key=lambda listing: max(release.released_at for release in listing.releases), reverse=True)
    if sort == "rating":
        return sorted(by_name, key=lambda listing: (listing.rating or 0.0, listing.reviews_count), reverse=True)
    if sort == "name":
        return by_name
    return sorted(by_name, key=lambda listing: listing.downloads, reverse=True)


def _categories(listings: list[Listing]) -> list[Category]:
    names: dict[str, str] = {}
    counts: dict[str, int] = {}
    for listing in listings:
        if listing.category:
            slug = slug_of(listing.category)
            names.setdefault(slug, listing.category if listing.category != slug else _titled(slug))
            counts[slug] = counts.get(slug, 0) + 1
    return [Category(slug, names[slug], counts[slug]) for slug in sorted(counts, key=lambda slug: (-counts[slug], slug))]


def _titled(slug: str) -> str:
    """``hr`` -> ``HR``, ``session-management`` -> ``Session Management``."""
    return " ".join(word.upper() if len(word) <= 3 else word.capitalize() for word in slug.split("-"))
