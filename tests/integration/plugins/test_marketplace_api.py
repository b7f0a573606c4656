"""The marketplace's routes: REST §11."""

import pytest

from tests.integration.marketplace.conftest import shop  # noqa: F401 a fixture

LISTED = {
    "slug": "advanced-reports",
    "name": "Advanced Reports",
    "short_description": "Build custom reports with drag-and-drop",
    "version": "1.5.0",
    "author": "Vendor",
    "icon": "https://cdn.example/icon.png",
    "rating": 4.5,
    "reviews_count": 56,
    "downloads": 2500,
    "price": None,
    "is_premium": False,
    "category": "reports",
    "compatibility": "compatible",
    "is_installed": False,
}


@pytest.fixture
def full(shop):  # noqa: F811
    about = {key: LISTED[key] for key in ("name", "short_description", "icon", "rating", "reviews_count", "downloads", "category")}
    reports = shop.plugin("advanced-reports", "1.5.0", "1.4.0", release={"scopes": ["email"]}, **about)
    future = shop.plugin("future", "1.0.0", category="crm", release={"requirements": {"system_version": "9.0.0"}})
    ledger = shop.plugin("ledger", "1.0.0", category="reports")
    shop.publish(reports, future, ledger)
    return shop


def test_the_search_answers_as_in_the_document(api, full, install, aws_calls):
    install("ledger")
    aws_calls.clear()

    answer = api("GET", "/admin/plugins/marketplace")

    assert answer.status == 200
    assert answer.data[0] == LISTED
    by_slug = {one["slug"]: one for one in answer.data}
    assert by_slug["future"]["compatibility"] == "incompatible"
    assert by_slug["ledger"]["is_installed"] is True
    assert answer.body["meta"]["categories"] == [
        {"slug": "reports", "name": "Reports", "count": 2},
        {"slug": "crm", "name": "CRM", "count": 1},
    ]
    assert answer.body["meta"]["per_page"] == 12
    assert len(aws_calls) <= 3, aws_calls


@pytest.mark.parametrize(
    ("query", "slugs"),
    [
        ({"search": "REPORTS drag"}, ["advanced-reports"]),
        ({"category": "crm"}, ["future"]),
        ({"sort": "name"}, ["advanced-reports", "future", "ledger"]),
        ({"per_page": 1, "page": 2, "sort": "name"}, ["future"]),
    ],
)
def test_searching_sorting_paging(api, full, query, slugs):
    assert [one["slug"] for one in api("GET", "/admin/plugins/marketplace", query=query).data] == slugs


def test_a_listing_shows_what_its_releases_ask_for(api, full):
    answer = api("GET", "/admin/plugins/marketplace/advanced-reports")

    assert [(one["version"], one["scopes"]) for one in answer.data["releases"]] == [("1.5.0", ["email"]), ("1.4.0", ["email"])]
    assert api("GET", "/admin/plugins/marketplace/absent").error["code"] == "PLUGIN_NOT_FOUND"


def test_a_marketplace_that_is_away_is_said_to_be(api, shop):  # noqa: F811
    answer = api("GET", "/admin/plugins/marketplace")

    assert (answer.status, answer.error["code"]) == (503, "MARKETPLACE_UNAVAILABLE")


def test_nobody_without_the_permission_searches(api, full):
    assert api("GET", "/admin/plugins/marketplace", role="user").status == 403
