"""Makes the search index of a marketplace, when a release is published. The layout is in docs/repository-format.md."""

from __future__ import annotations

import json
import math
from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from chalicelib.marketplace.listings import Listing
from chalicelib.marketplace.search_index import MAGIC, PLACES, SHORT_PREFIX, is_dense
from chalicelib.marketplace.words import folded, joined, slug_of, words_of

# Words that begin alike and have more plugins than this together get an entry of their own, so that no query has to go through them all.
_MOST_TO_UNITE = 2_048
_USUAL_RATING, _USUAL_REVIEWS = 3.5, 10

# A word's plugins: each number shifted by two bits, which hold the place.
_Entries = dict[str, "array[int]"]


def build(listings: Iterable[Listing]) -> bytes:
    """The same listings give the same bytes, in whatever order they come."""
    ordered = sorted(listings, key=lambda one: (-_standing(one), one.slug))
    entries = _entries(ordered)
    words = sorted(entries)
    categories = _categories(ordered)
    sections: dict[str, list[bytes]] = {
        "words": ["\n".join(words).encode()],
        "entries": [_packed(entries[word], len(ordered)) for word in words],
        "summaries": [json.dumps(one.summary.as_fields(), ensure_ascii=False, separators=(",", ":")).encode() for one in ordered],
        "categories": [_bits(numbers, len(ordered)) for _, numbers in categories.values()],
        "category_of": [_category_of(categories, len(ordered))],
    }
    for name in ("entries", "summaries"):
        sections[f"{name}_at"] = [_begins(sections[name])]
    for name, order in _orders(ordered):
        sections[f"by_{name}"] = [array("I", order).tobytes()]
    parts = {name: b"".join(texts) for name, texts in sections.items()}
    places, at = {}, 0
    for name, content in parts.items():
        places[name] = [at, len(content)]
        at += len(content)
    letters = "".join(sorted({letter for word in words for letter in word if not letter.isascii() and letter < "\u3040"}))[:64]
    header = {
        "plugins": len(ordered),
        "categories": [{"slug": slug, "name": name} for slug, (name, _) in categories.items()],
        "letters": letters,
        "sections": places,
    }
    return MAGIC + json.dumps(header, sort_keys=True).encode() + b"\n" + b"".join(parts.values())


def _standing(one: Listing) -> float:
    """How good a plugin is, beside what was asked: its downloads by their order of magnitude, and its rating, in which few reviews count
    little. One star more is worth three times the downloads."""
    rating = ((one.rating or 0.0) * one.reviews_count + _USUAL_RATING * _USUAL_REVIEWS) / (one.reviews_count + _USUAL_REVIEWS)
    return math.log10(1 + max(0, one.downloads)) + (rating - _USUAL_RATING) * 0.5


def _entries(ordered: Sequence[Listing]) -> _Entries:
    found: _Entries = defaultdict(lambda: array("I"))
    for number, one in enumerate(ordered):
        texts = (one.name, f"{one.slug} {' '.join(one.tags)}", f"{one.short_description} {one.description} {one.category or ''}")
        seen: set[str] = set()
        for place, text in enumerate(texts):
            fresh = set(words_of(text)) - seen
            seen |= fresh
            for word in fresh:
                found[word].append(number << 2 | place)
        for whole in {joined(one.name), joined(one.slug)} - {""}:
            found["=" + whole].append(number << 2)
    found.update(_beginnings(found))
    return found


def _beginnings(entries: _Entries) -> _Entries:
    """An entry for each beginning that too many words share."""
    shared: _Entries = {}
    words = sorted(word for word in entries if not word.startswith("="))
    groups = [("", words)]
    while groups:
        beginning, members = groups.pop()
        size = len(beginning) + 1
        longer: dict[str, list[str]] = defaultdict(list)
        for word in members:
            if len(word) >= size:
                longer[word[:size]].append(word)
        for start, group in longer.items():
            places = PLACES if size >= SHORT_PREFIX else PLACES - 1
            # Looking at a word costs about as much as four plugins.
            if sum(len(entries[word]) + 4 for word in group) <= _MOST_TO_UNITE:
                continue
            best: dict[int, int] = {}
            for word in group:
                for entry in entries[word]:
                    number, place = entry >> 2, entry & 3
                    if place < places and place < best.get(number, PLACES):
                        best[number] = place
            shared["*" + start] = array("I", sorted(number << 2 | place for number, place in best.items()))
            groups.append((start, group))
    return shared


def _packed(entry: Sequence[int], plugins_count: int) -> bytes:
    lists: list[list[int]] = [[] for _ in range(PLACES)]
    for one in entry:
        lists[one & 3].append(one >> 2)
    packed = [_bits(numbers, plugins_count) if is_dense(len(numbers), plugins_count) else _deltas(numbers) for numbers in lists]
    return array("I", map(len, lists)).tobytes() + b"".join(packed)


def _deltas(numbers: Sequence[int]) -> bytes:
    """Each number as what it is more than the one before: small numbers, which compress well."""
    return array("I", (number - before for before, number in zip([0, *numbers], numbers, strict=False))).tobytes()


def _bits(numbers: Iterable[int], plugins_count: int) -> bytes:
    marks = bytearray((plugins_count + 7) // 8)
    for number in numbers:
        marks[number >> 3] |= 1 << (number & 7)
    return bytes(marks)


def _begins(texts: Iterable[bytes]) -> bytes:
    begins, at = array("I", [0]), 0
    for text in texts:
        at += len(text)
        begins.append(at)
    return begins.tobytes()


def _categories(ordered: Sequence[Listing]) -> dict[str, tuple[str, list[int]]]:
    found: dict[str, tuple[str, list[int]]] = {}
    for number, one in enumerate(ordered):
        if one.category and (slug := slug_of(one.category)):
            name = one.category if one.category != slug else _titled(slug)
            found.setdefault(slug, (name, []))[1].append(number)
    return dict(sorted(found.items()))


def _category_of(categories: Mapping[str, tuple[str, list[int]]], plugins_count: int) -> bytes:
    """For each plugin the position of its category, from 1 on; 0 where it has none."""
    found = array("H", bytes(2 * plugins_count))
    for position, (_, numbers) in enumerate(categories.values(), start=1):
        for number in numbers:
            found[number] = position
    return found.tobytes()


def _titled(slug: str) -> str:
    """``hr`` -> ``HR``, ``session-management`` -> ``Session Management``."""
    return " ".join(word.upper() if len(word) <= 3 else word.capitalize() for word in slug.split("-"))


def _orders(ordered: Sequence[Listing]) -> Iterator[tuple[str, list[int]]]:
    by_name = sorted(range(len(ordered)), key=lambda number: (folded(ordered[number].name), ordered[number].slug))
    yield "name", by_name
    yield "popular", sorted(by_name, key=lambda number: -ordered[number].downloads)
    yield "newest", sorted(by_name, key=lambda number: ordered[number].newest_at, reverse=True)
    yield "rating", sorted(by_name, key=lambda number: (-(ordered[number].rating or 0.0), -ordered[number].reviews_count))
