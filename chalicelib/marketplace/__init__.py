"""The marketplace: what can be installed, from a repository that need not be trusted.

Promises
    Nothing is offered that the holder of the pinned key did not sign, and no index older than one seen before.
    A package that is handed out is, byte for byte, the one that the index names; and where it names a publisher, that publisher signed it.
    When the marketplace cannot be used, MarketplaceUnavailable says why; nothing else of the platform depends on it.
"""

from chalicelib.marketplace.errors import ListingNotFound, MarketplaceUnavailable, SignatureInvalid
from chalicelib.marketplace.listings import Listing, Release
from chalicelib.marketplace.publishers import is_key as is_publisher_key
from chalicelib.marketplace.ranking import SORTS, Category, Found, search_among, slug_of
from chalicelib.marketplace.repository import catalogue, download, find_release, index

__all__ = [
    "SORTS",
    "Category",
    "Found",
    "Listing",
    "ListingNotFound",
    "MarketplaceUnavailable",
    "Release",
    "SignatureInvalid",
    "catalogue",
    "download",
    "find_release",
    "index",
    "is_publisher_key",
    "search",
    "slug_of",
]


def search(words: str | None = None, category: str | None = None, sort: str = "popular") -> Found:
    """What the marketplace has of these words and this category. ``sort`` is one of SORTS. Raises MarketplaceUnavailable."""
    return search_among(index().listings.values(), words, category, sort)
