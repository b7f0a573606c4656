"""Searching forgives how a word is written, shows first what it stands in most plainly, and counts what it found."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.marketplace import listings, search_building
from chalicelib.marketplace.search_index import SORTS, SearchIndex, SearchIndexDamaged
from chalicelib.marketplace.words import words_of


def listing(slug, name=None, *, released_at="2026-01-01T00:00:00Z", versions=(("1.0.0", None),), **more):
    releases = [
        {
            "version": version,
            "released_at": released_at,
            "url": "a.zip",
            "sha256": "0",
            "size_bytes": 1,
            "requirements": {"system_version": wanted} if wanted else {},
        }
        for version, wanted in versions
    ]
    return listings.listing_of({"slug": slug, "name": name or slug, "releases": releases, **more}, "")


def index_of(*plugins, base_url=""):
    return SearchIndex(search_building.build(plugins), base_url)


SHOP = index_of(
    listing("reports", "Advanced Reports", category="Analytics", downloads=10, rating=4.5, tags=["charts"], reviews_count=9),
    listing("invoice-manager", "Invoice Manager", category="accounting", downloads=500, rating=3.0, released_at="2026-03-01T00:00:00Z"),
    listing("ledger", "Ledger", category="Accounting", downloads=900, description="Books, reports and invoices for the office"),
    listing("cafe", "Café Timer", category="hr", downloads=1, rating=5.0, tags=["reports"]),
)


def slugs(*arguments, index=SHOP, **more):
    return [one.slug for one in index.search(*arguments, **more).summaries]


# What comes first


def test_a_word_counts_most_in_the_name_then_in_slug_and_tags_then_in_the_text():
    assert slugs("reports") == ["reports", "cafe", "ledger"]


def test_the_plugin_with_that_very_name_comes_before_better_known_ones_with_more_words():
    index = index_of(
        listing("mail", "Mail", downloads=1),
        listing("mail-merge", "Mail Merge", downloads=10_000),
        listing("mail-archive", "Mail Archive", downloads=90_000),
    )

    assert slugs("mail", index=index) == ["mail", "mail-archive", "mail-merge"]
    assert slugs("mail merge", index=index)[0] == slugs("Mail-Merge", index=index)[0] == slugs("mailmerge", index=index)[0] == "mail-merge"


def test_a_whole_word_comes_before_the_beginning_of_one():
    index = index_of(listing("a", "Mail"), listing("b", "Mailing", downloads=9000))

    assert slugs("mail", index=index) == ["a", "b"]
    assert slugs("mai", index=index) == ["b", "a"]


def test_among_equals_downloads_and_a_rating_by_many_count():
    index = index_of(
        listing("disliked", "Clock One", downloads=2500, rating=1.5, reviews_count=300),
        listing("liked", "Clock Two", downloads=2400, rating=4.9, reviews_count=300),
        listing("unknown", "Clock Three", downloads=5, rating=5.0, reviews_count=1),
    )

    assert slugs("clock", index=index) == ["liked", "disliked", "unknown"]
    assert slugs("clock", sort="rating", index=index) == ["unknown", "liked", "disliked"]
    assert slugs(index=index) == ["disliked", "liked", "unknown"]


# What is forgiven


@pytest.mark.parametrize("words", ["cafe", "CAFÉ", "  Cafe\u0301 timer ", "tim", "café-timer", "cafetimer"])
def test_capitals_accents_blanks_and_ends_of_words_do_not_matter(words):
    assert slugs(words) == ["cafe"]


@pytest.mark.parametrize("words", ["invoise", "invoce", "invvoice", "ivnoice", "nvoice", "invoicee", "mangaer invoise", "invois"])
def test_a_slip_is_forgiven_one_for_each_word(words):
    assert "invoice-manager" in slugs(words)


def test_a_slip_that_somebody_made_in_a_description_hides_nothing():
    index = index_of(
        *(listing(f"cal-{number}", f"Calendar {number}", downloads=number) for number in range(80)),
        listing("typo", "Agenda", description="A calender"),
    )

    found = index.search("calender")

    assert (found.summaries[0].slug, found.total) == ("typo", 81)


def test_what_is_written_right_is_not_mixed_with_what_is_near_it():
    index = index_of(listing("form", "Form"), listing("farm", "Farm"), listing("firm", "Firm"))

    assert slugs("form", index=index) == ["form"]
    assert slugs("furm", index=index) == ["farm", "firm", "form"]


@pytest.mark.parametrize("words", ["zzz", "qx", "xylophone quartet"])
def test_words_that_are_near_nothing_find_nothing(words):
    assert SHOP.search(words).total == 0


def test_each_beginning_of_a_name_finds_it_while_it_is_typed():
    name = "invoice manager"

    for end in range(2, len(name) + 1):
        assert slugs(name[:end])[0] == "invoice-manager", name[:end]


def test_two_letters_are_looked_for_where_names_are_not_in_texts():
    assert slugs("le") == ["ledger"]
    assert slugs("bo") == []
    assert slugs("boo") == ["ledger"]


def test_stop_words_are_left_out_unless_there_is_nothing_else():
    assert slugs("an invoice for the manager") == ["invoice-manager"]
    assert slugs("for the") == ["ledger"]


def test_every_other_word_must_be_found_somewhere():
    assert slugs("reports invoices") == ["ledger"]
    assert slugs("reports zebra") == []


@pytest.mark.parametrize(("word", "found"), [("日志", ["logs"]), ("志分析", ["logs"]), ("析", ["logs"]), ("ログ", ["logs"]), ("日报", [])])
def test_chinese_and_japanese_are_found_by_any_part(word, found):
    index = index_of(listing("logs", "日志分析", description="セッションのログ"), listing("other", "Other"))

    assert slugs(word, index=index) == found


def test_other_alphabets_are_searched_and_corrected_too():
    index = index_of(listing("otchet", "Отчёты"), listing("hesap", "HESAP ÖZETİ"), listing("takvim", "جدول المواعيد"))

    assert slugs("отчеты", index=index) == slugs("отчоты", index=index) == ["otchet"]
    assert slugs("özeti", index=index) == ["hesap"]
    assert slugs("المواعيد", index=index) == ["takvim"]


def test_plurals_are_their_singulars():
    found = words_of("Categories, invoices, boxes; news, status, access, analysis")

    assert found == ["category", "invoice", "boxe", "news", "status", "access", "analysis"]


# What is asked


@pytest.mark.parametrize(
    "words",
    ['"invoice manager"', "+invoice -manager", "invoice* manager", "(invoice OR) manager", "invoice\\ manager;--", "invoice & manager | *"],
)
def test_quotes_and_operators_are_punctuation(words):
    assert slugs(words) == ["invoice-manager"]


def test_a_very_long_query_counts_its_first_words_and_is_answered():
    assert slugs("invoice " * 5_000 + "manager") == ["invoice-manager"]
    assert SHOP.search("".join(f"word{number} " for number in range(5_000))).total == 0
    assert SHOP.search("x" * 100_000).total == 0


@pytest.mark.parametrize("words", ["", "   ", None, "!!! ???", "\0"])
def test_a_query_without_words_finds_everything(words):
    assert SHOP.search(words).total == 4


@given(st.text(max_size=40), st.sampled_from(SORTS), st.integers(0, 5), st.integers(1, 5))
@settings(max_examples=60)
def test_whatever_is_asked_pages_have_each_plugin_once_and_the_totals_are_right(words, sort, start, size):
    everything = SHOP.search(words, sort=sort, size=100)
    page = SHOP.search(words, sort=sort, start=start, size=size)

    found = [one.slug for one in everything.summaries]
    assert len(found) == len(set(found)) == everything.total == page.total
    assert [one.slug for one in page.summaries] == found[start : start + size]
    assert sum(one.count for one in everything.categories) == everything.total


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
    found = SHOP.search(category="ACCOUNTING")

    assert [one.slug for one in found.summaries] == ["ledger", "invoice-manager"]
    assert [(one.slug, one.name, one.count) for one in found.categories] == [
        ("accounting", "Accounting", 2),
        ("analytics", "Analytics", 1),
        ("hr", "HR", 1),
    ]
    assert SHOP.search(category="nowhere").total == 0


# Many plugins: words that most of them have are kept in another way, and pages are taken in another


@pytest.fixture(scope="module")
def many():
    plugins = [
        listing(
            f"plugin-{number:04d}",
            f"Plugin {number:04d}",
            description="everywhere" + (" tenth" if number % 10 == 0 else "") + (" rare" if number in (17, 1003) else ""),
            category="even" if number % 2 == 0 else "odd",
            downloads=10_000 - number,
        )
        for number in range(3000)
    ]
    return index_of(*reversed(plugins))


@pytest.mark.parametrize(
    ("words", "total"), [("everywhere", 3000), ("every", 3000), ("tenth", 300), ("ten", 300), ("rare", 2), ("rare tenth", 0)]
)
def test_among_many_the_counts_are_right(many, words, total):
    found = many.search(words)

    assert found.total == total
    assert sum(one.count for one in found.categories) == total


@pytest.mark.parametrize("words", [None, "everywhere", "tenth", "pl"])
@pytest.mark.parametrize("sort", SORTS)
def test_among_many_all_pages_together_are_everything_in_its_order(many, words, sort):
    total = many.search(words).total
    pages = [one.slug for start in range(0, total, 500) for one in many.search(words, sort=sort, start=start, size=500).summaries]

    assert pages == sorted(set(pages))
    assert len(pages) == total


# What a hit shows


def test_a_hit_shows_the_release_that_one_would_get_and_whether_any_fits():
    index = index_of(
        listing("mixed", versions=(("3.0.0", ">=9.0.0"), ("2.1.0-rc.1", None), ("2.0.0", None), ("1.0.0", None))),
        listing("future", versions=(("2.0.0", ">=9.0.0"), ("1.0.0", ">=8.0.0"))),
        listing("early", versions=(("0.2.0-beta.2", None), ("0.1.0-beta.1", None))),
    )
    by_slug = {one.slug: one for one in index.search(size=10).summaries}

    assert {slug: (one.version("1.0.0"), one.is_compatible("1.0.0")) for slug, one in by_slug.items()} == {
        "mixed": ("2.0.0", True),
        "future": ("2.0.0", False),
        "early": ("0.2.0-beta.2", True),
    }
    assert by_slug["mixed"].version("9.1.0") == "3.0.0"
    assert by_slug["future"].version("8.1.0") == "1.0.0"


def test_a_hit_is_what_the_listing_itself_shows():
    figures = {"rating": 4.5, "reviews_count": 2, "downloads": 3, "price": {"amount": 5}, "is_premium": True}
    plugin = listing("a", "A", category="x", author={"name": "Ann"}, **figures)

    assert index_of(plugin).search("a").summaries == [plugin.summary]
    (shown,) = index_of(listing("i", icon="icons/i.png"), base_url="https://plugins.example/index.json").search().summaries
    assert shown.icon == "https://plugins.example/icons/i.png"


# The file


def test_the_same_plugins_make_the_same_file_in_whatever_order_they_come():
    plugins = [listing(f"plugin-{number}", category="many" if number % 2 else None) for number in range(30)]

    assert search_building.build(plugins) == search_building.build(reversed(plugins))


def test_an_empty_marketplace_can_be_searched():
    found = index_of().search("anything")

    assert (found.total, found.summaries, found.categories) == (0, [], [])
    assert index_of().search().total == 0


@pytest.mark.parametrize("cut", [0, 5, 21, 200, -1])
def test_a_file_that_is_cut_short_or_is_none_is_damaged(cut):
    content = search_building.build([listing("a"), listing("b")])

    with pytest.raises(SearchIndexDamaged):
        SearchIndex(content[:cut])
    with pytest.raises(SearchIndexDamaged):
        SearchIndex(b"PK" + content)
