"""The marketplace: REST §11."""

from __future__ import annotations

from chalicelib import marketplace, plugins
from chalicelib.api.http import Reply, Request, Routes, page_links, page_meta
from chalicelib.api.views import marketplace as views
from chalicelib.core.pagination import Page

routes = Routes()

_SEARCH = {
    "search": {"type": "string", "maxLength": 200},
    "category": {"type": "string", "maxLength": 100},
    "sort": {"enum": list(marketplace.SORTS), "default": "popular"},
    "page": {"type": "integer", "minimum": 1, "maximum": 1_000_000, "default": 1},
    "per_page": {"type": "integer", "minimum": 1, "maximum": 100, "default": 12},
}


# The third call is made for a new index only: it is remembered as accepted.
@routes.get(
    "/admin/plugins/marketplace", permission="plugins.marketplace", query=_SEARCH, returns="[Listing]", meta="MarketplaceMeta", aws_calls=3
)
def search(request: Request) -> Reply:
    """REST §11. 503 MARKETPLACE_UNAVAILABLE."""
    query = request.query
    size = query["per_page"]
    found = marketplace.search(query["search"], query["category"], query["sort"], start=(query["page"] - 1) * size, size=size)
    page = Page(found.summaries, query["page"], size, found.total)
    installed = {one.slug for one in plugins.all_installed()}
    return Reply(
        [views.listing(one, installed) for one in page.items],
        meta={**page_meta(page), "categories": views.categories(found.categories)},
        links=page_links(request, page),
    )


@routes.get("/admin/plugins/marketplace/{slug}", permission="plugins.marketplace", returns="ListingDetails", aws_calls=3)
def details(_request: Request, slug: str) -> Reply:
    """One listing with its releases, and the scopes that each asks for. 404 PLUGIN_NOT_FOUND, 503 MARKETPLACE_UNAVAILABLE."""
    listing, _ = marketplace.find_release(slug)
    installed = {slug} if plugins.find(slug) is not None else set()
    return Reply(views.details(listing, installed))
