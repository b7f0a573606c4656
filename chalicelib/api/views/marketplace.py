"""The marketplace's listings as the REST document shows them."""

from __future__ import annotations

from collections.abc import Iterable, Set
from typing import Any

from chalicelib.core import config
from chalicelib.marketplace import Category, Listing, Release, Summary


def listing(one: Summary, installed: Set[str]) -> dict[str, Any]:
    """Source: REST §11. ``version`` is what would be installed."""
    return {
        "slug": one.slug,
        "name": one.name,
        "short_description": one.short_description,
        "version": one.version(config.PLATFORM_VERSION),
        "author": one.author,
        "icon": one.icon,
        "rating": one.rating,
        "reviews_count": one.reviews_count,
        "downloads": one.downloads,
        "price": one.price,
        "is_premium": one.is_premium,
        "category": one.category,
        "compatibility": "compatible" if one.is_compatible(config.PLATFORM_VERSION) else "incompatible",
        "is_installed": one.slug in installed,
    }


def details(one: Listing, installed: Set[str]) -> dict[str, Any]:
    """A listing with all that one wants to know before installing it."""
    return {
        **listing(one.summary, installed),
        "description": one.description,
        "author": one.author,
        "homepage": one.homepage,
        "documentation": one.documentation,
        "tags": list(one.tags),
        "releases": [_release(each) for each in one.releases],
    }


def categories(found: Iterable[Category]) -> list[dict[str, Any]]:
    return [{"slug": one.slug, "name": one.name, "count": one.count} for one in found]


def _release(one: Release) -> dict[str, Any]:
    return {
        "version": one.version,
        "released_at": one.released_at,
        "size_bytes": one.size_bytes,
        "requirements": one.requirements,
        "dependencies": [
            {"slug": each.slug, "version_constraint": each.version_constraint, "is_optional": each.is_optional} for each in one.dependencies
        ],
        "scopes": list(one.scopes),
        "changelog": one.changelog,
        "is_security_update": one.is_security_update,
    }
