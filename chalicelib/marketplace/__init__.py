"""The marketplace: what can be installed, from a repository that need not be trusted.

Promises
    Nothing is offered that the holder of the pinned key did not sign, and no index older than one seen before.
    A package that is handed out is, byte for byte, the one that the index names; and where it names a publisher, that publisher signed it.
    When the marketplace cannot be used, MarketplaceUnavailable says why; nothing else of the platform depends on it.
"""

from chalicelib.marketplace.errors import ListingNotFound, MarketplaceUnavailable, SignatureInvalid
from chalicelib.marketplace.listings import Listing, Release, Summary
from chalicelib.marketplace.publishers import is_key as is_publisher_key
from chalicelib.marketplace.repository import catalogue, download, find_release, index, listings_of
from chalicelib.marketplace.repository import search_index as _search_index
from chalicelib.marketplace.search_index import SORTS, Category, Found

__all__ = [
    "SORTS",
    "Category",
    "Found",
    "Listing",
    "ListingNotFound",
    "MarketplaceUnavailable",
    "Release",
    "SignatureInvalid",
    "Summary",
    "catalogue",
    "download",
    "find_release",
    "index",
    "is_publisher_key",
    "listings_of",
    "search",
]


def search(words: str | None = None, category: str | None = None, sort: str = "popular", *, start: int = 0, size: int = 12) -> Found:
    """What the marketplace has of these words and this category, after the first ``start``. Raises MarketplaceUnavailable."""
    return _search_index().search(words, category, sort, start=start, size=size)
