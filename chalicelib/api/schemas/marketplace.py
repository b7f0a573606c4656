"""What ``views/marketplace.py`` makes. Source: REST §11."""

from __future__ import annotations

from chalicelib.api.schemas.shapes import ANYTHING, COUNT, FLAG, NUMBER, OBJECT, TEXT, Schema, many, nullable, one_of, record, ref

_LISTING: dict[str, Schema] = {
    "slug": TEXT,
    "name": TEXT,
    "short_description": TEXT,
    "version": TEXT,
    "icon": nullable(TEXT),
    "rating": nullable(NUMBER),
    "reviews_count": COUNT,
    "downloads": COUNT,
    "price": ANYTHING,
    "is_premium": FLAG,
    "category": nullable(TEXT),
    "compatibility": one_of("compatible", "incompatible"),
    "is_installed": FLAG,
}
_RELEASE = record(
    {
        "version": TEXT,
        "released_at": nullable(TEXT),
        "size_bytes": COUNT,
        "requirements": OBJECT,
        "dependencies": many(record({"slug": TEXT, "version_constraint": TEXT, "is_optional": FLAG})),
        "scopes": many(TEXT),
        "changelog": nullable(TEXT),
        "is_security_update": FLAG,
    }
)

SCHEMAS: dict[str, Schema] = {
    "Listing": record({**_LISTING, "author": nullable(TEXT)}),
    "ListingDetails": record(
        {
            **_LISTING,
            "author": record({"name": TEXT}, {"url": TEXT, "email": TEXT}),
            "description": TEXT,
            "homepage": nullable(TEXT),
            "documentation": nullable(TEXT),
            "tags": many(TEXT),
            "releases": many(_RELEASE),
        }
    ),
    "Category": record({"slug": TEXT, "name": TEXT, "count": COUNT}),
}
METAS: dict[str, Schema] = {"MarketplaceMeta": {"categories": many(ref("Category"))}}
