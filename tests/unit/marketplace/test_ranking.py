"""Searching forgives how a word is written, and shows first what it stands in most plainly."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.marketplace import listings, ranking


def listing(slug, **more):
    release = {
        "version": "1.0.0",
        "released_at": more.pop("released_at", "2026-01-01T00:00:00Z"),
        "url": "a.zip",
        "sha256": "0",
        "size_bytes": 1,
    }
    document = {"format": 1, "sequence": 1, "plugins": [{"slug": slug, "releases": [release], **more}]}
    return listings.read(document, "https://example.com/index.json").listings[slug]


SHOP = [
    listing("reports", name="Advanced Reports", category="Analytics", downloads=10, rating=4.5, tags=["charts"]),
    listing(
        "invoice-manager", name="Invoice Manager", category="accounting", downloads=500, rating=3.0, released_at="2026-03-01T00:00:00Z"
    ),
    listing("ledger", name="Ledger", category="Accounting", downloads=900, description="Books, reports and invoices"),
    listing("cafe", name="Café Timer", category="hr", downloads=1, rating=5.0, tags=["reports"]),
]


def slugs(*arguments, **more):
    return [one.slug for one in ranking.search_among(SHOP, *arguments, **more).listings]


def test_a_word_counts_most_in_the_name_then_the_slug_then_the_tags_then_the_text():
    assert slugs("reports") == ["reports", "cafe", "ledger"]


@pytest.mark.parametrize("words", ["cafe", "CAFÉ", "  Cafe\u0301 timer ", "tim"])
def test_capitals_accents_and_ends_of_words_do_not_matter(words):
    assert slugs(words) == ["cafe"]


def test_every_word_must_be_found_somewhere():
    assert slugs("reports invoices") == ["ledger"]
    assert slugs("reports zebra") == []


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("popular", ["ledger", "invoice-manager", "reports", "cafe"]),
        ("newest", ["invoice-manager", "reports", "cafe", "ledger"]),
        ("rating", ["cafe", "reports", "invoice-manager", "ledger"]),
        ("name", ["reports", "cafe", "invoice-manager", "ledger"]),
    ],
)
def test_sorts(sort, order):
    assert slugs(sort=sort) == order


def test_categories_are_counted_whatever_category_is_chosen():
    found = ranking.search_among(SHOP, category="ACCOUNTING")

    assert [one.slug for one in found.listings] == ["ledger", "invoice-manager"]
    assert [(one.slug, one.name, one.count) for one in found.categories] == [
        ("accounting", "Accounting", 2),
        ("analytics", "Analytics", 1),
        ("hr", "HR", 1),
    ]


@given(st.text(max_size=40), st.sampled_from(ranking.SORTS))
def test_no_words_break_the_search_and_nothing_is_found_twice(words, sort):
    found = slugs(words, sort=sort)

    assert len(found) == len(set(found))
