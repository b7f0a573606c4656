"""The search index of a marketplace: one file, made when a release is published (``search_building``), asked where it lies in memory.

Plugins have numbers by their standing, best first. What a word finds is a number of as many bits as there are plugins, and Python's own
arithmetic does the rest: ``&`` for "both words", ``|`` for "either", ``bit_count`` for how many. The lowest bits are the best plugins, so a
page is taken from that end and nothing is ever sorted. docs/repository-format.md has the layout; numbers are in bench/RESULTS.md.

What comes first
    The plugin whose whole name (or slug) was written, blanks or not.
    Then by where the words stand: in the name, in slug or tags, in the descriptions; in each place, whole words before beginnings of
    words. A plugin is judged by its worst word. Among equals, the one with the better standing.
    A word that nobody uses is taken for those that are one slip away from it: a letter too much, too few, another, two that changed places,
    or a blank that is missing.
"""

from __future__ import annotations

import json
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import accumulate
from operator import and_, or_

from chalicelib.marketplace.listings import Summary
from chalicelib.marketplace.words import STOP_WORDS, joined, slug_of, words_of

SORTS = ("popular", "newest", "rating", "name")

MAGIC = b"StreamSpace search 1\n"
PLACES = 3  # name; slug and tags; descriptions
# A beginning so short is looked for in names, slugs and tags only: in descriptions nearly everything has it.
SHORT_PREFIX = 3
MOST_WORDS = 12
_LEAST_CORRECTED = 4
_MOST_CORRECTIONS = 8
# A word that few plugins have may be a slip, if a word beside it is had by so many times more.
_MOST_FOR_A_SLIP = 12
_OFTEN = 50
_FEW = 2_048
_LAST = "\U0010ffff"
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


class SearchIndexDamaged(ValueError):
    """The file is not of the published format."""


@dataclass(frozen=True)
class Category:
    slug: str
    name: str
    count: int


@dataclass(frozen=True)
class Found:
    """One page of ``total``. ``categories`` count what the words alone find, so that choosing one of them never hides the others."""

    summaries: Sequence[Summary]
    total: int
    categories: Sequence[Category]


class SearchIndex:
    """Raises SearchIndexDamaged for a file that is none."""

    def __init__(self, content: bytes, base_url: str = "") -> None:
        """``base_url``: what icons' addresses are relative to."""
        self._base_url = base_url
        if not content.startswith(MAGIC):
            raise SearchIndexDamaged("it does not begin as a search index does")
        try:
            header_end = content.index(b"\n", len(MAGIC)) + 1
            header = json.loads(content[len(MAGIC) : header_end])
            self.plugins_count = int(header["plugins"])
            sections = {name: (header_end + start, size) for name, (start, size) in header["sections"].items()}
            if max((start + size for start, size in sections.values()), default=0) > len(content):
                raise SearchIndexDamaged("it is cut short")
            self._content = content
            self._categories = [(str(one["slug"]), str(one["name"])) for one in header["categories"]]
            self._letters = _LETTERS + str(header["letters"])
            words = _part(content, *sections["words"]).decode()
            self._words = words.split("\n") if words else []
            self._entries = _Table(content, sections["entries_at"], sections["entries"])
            self._summaries = _Table(content, sections["summaries_at"], sections["summaries"])
            self._orders = {sort: _numbers(content, *sections[f"by_{sort}"]) for sort in SORTS}
            self._positions: dict[str, array[int]] = {}
            self._category_of = array("H", _part(content, *sections["category_of"]))
            size = (self.plugins_count + 7) // 8
            members = _part(content, *sections["categories"])
            self._members = [int.from_bytes(_part(members, at, size), "little") for at in range(0, len(members), size or 1)]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise SearchIndexDamaged(f"its header is damaged ({error!r})") from error
        self._everything = (1 << self.plugins_count) - 1
        self._categories_of_all = self._counted(self._everything)

    def search(
        self, text: str | None = None, category: str | None = None, sort: str = "popular", *, start: int = 0, size: int = 12
    ) -> Found:
        """``sort`` is one of SORTS; with words, ``popular`` means the best matches first. ``start``: how many to skip."""
        wanted = _query(text or "")
        tiers = self._tiers(wanted, text or "") if wanted else [self._everything]
        categories = self._counted(tiers[-1]) if wanted else self._categories_of_all
        if category:
            slugs = [slug for slug, _ in self._categories]
            chosen = slug_of(category)
            members = self._members[slugs.index(chosen)] if chosen in slugs else 0
            tiers = [tier & members for tier in tiers]
        total = tiers[-1].bit_count()
        page = _from_tiers(tiers, start, size) if wanted and sort == "popular" else self._ordered(tiers[-1], sort, start, size)
        return Found([self._summary(number) for number in page], total, categories)

    def _counted(self, found: int) -> list[Category]:
        """The categories of these plugins, the largest first."""
        count = found.bit_count()
        if count <= _FEW:
            counts = Counter(map(self._category_of.__getitem__, _lowest(found, 0, count)))
        else:
            counts = Counter({at: (found & members).bit_count() for at, members in enumerate(self._members, start=1)})
        named = [Category(*self._categories[at - 1], number) for at, number in counts.items() if at and number]
        return sorted(named, key=lambda one: (-one.count, one.slug))

    # ── What the words find ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _tiers(self, wanted: Sequence[str], text: str) -> list[int]:
        """Sets of plugins, each with those of the one before, which are better matches. The last is all that is found."""
        exact = self._entry_bits("=" + joined(text), PLACES)
        own = [self._ranked(word) for word in wanted]
        near = [self._corrected(word, bits[-1].bit_count()) for word, bits in zip(wanted, own, strict=True)]
        if any(near):
            # What was written comes before what may have been meant.
            own = [[*bits, *(bits[-1] | more for more in meant or [0] * len(bits))] for bits, meant in zip(own, near, strict=True)]
        return [exact, *(reduce(and_, ranks) | exact for ranks in zip(*own, strict=True))]

    def _ranked(self, word: str) -> list[int]:
        """The plugins that have the word (or one that begins with it), in sets that grow by one place and way of matching each."""
        at = self._find(word)
        whole = [0] * PLACES if at is None else self._places(at)
        begun = self._beginnings(word)
        ranked: list[int] = []
        together = 0
        for place in range(PLACES):
            for bits in (whole[place], begun[place]):
                together |= bits
                ranked.append(together)
        return ranked

    def _places(self, at: int) -> list[int]:
        return [self._bits(lists) for lists in self._lists(at)]

    def _beginnings(self, word: str) -> list[int]:
        at = self._find("*" + word)
        if at is not None:
            # So many words begin so that the index has their union.
            return self._places(at)
        found = [bytearray((self.plugins_count + 7) // 8) for _ in range(PLACES)]
        begin, end = self._range(word)
        places = PLACES if len(word) >= SHORT_PREFIX else PLACES - 1
        for each in range(begin, end):
            for place, numbers in zip(range(places), self._lists(each), strict=False):
                if isinstance(numbers, int):
                    return self._united(begin, end, places)
                marks = found[place]
                for number in numbers:
                    marks[number >> 3] |= 1 << (number & 7)
        return [int.from_bytes(marks, "little") for marks in found]

    def _united(self, begin: int, end: int, places: int) -> list[int]:
        """The same, where one of the words is so common that it has a bit for each plugin."""
        found = [0] * PLACES
        for each in range(begin, end):
            for place, numbers in zip(range(places), self._lists(each), strict=False):
                found[place] |= self._bits(numbers)
        return found

    def _corrected(self, word: str, found: int) -> list[int] | None:
        """The ranks of what the word may have been meant to be, where it is rare enough (``found`` plugins) to be a slip."""
        if len(word) < _LEAST_CORRECTED or found > _MOST_FOR_A_SLIP:
            return None
        whole, begun = self._slips(word)
        near = [self._places(each) for each in whole] or [self._beginnings(self._words[at][:size]) for at, size in begun]
        if not near and not found:
            near = [self._both(one, other) for one, other in ((word[:at], word[at:]) for at in range(2, len(word) - 1))]
        places = [reduce(or_, bits) for bits in zip(*near, strict=True)] if near else []
        if reduce(or_, places, 0).bit_count() < max(1, found * _OFTEN):
            return None
        return [bits for bits in accumulate(places, or_) for _ in range(2)]

    def _slips(self, word: str) -> tuple[list[int], list[tuple[int, int]]]:
        """The words that are one slip away (the commonest), and those that begin so with the beginning's length.

        The letters before the slip stand, so only the words that begin with them are looked through: fewer with each letter.
        """
        whole: dict[int, None] = {}
        begun: dict[str, tuple[int, int]] = {}
        for at in range(len(word) + 1):
            low, high = self._range(word[:at])
            if low == high:
                break
            for slip in _slips_at(word, at, self._letters):
                position = bisect_left(self._words, slip, low, high)
                if position < high and slip != word:
                    there = self._words[position]
                    if there == slip:
                        whole[position] = None
                    elif there.startswith(slip):
                        begun[slip] = position, len(slip)
        commonest = sorted(whole, key=lambda position: -sum(self._counts(position)))
        return commonest[:_MOST_CORRECTIONS], list(begun.values())[:_MOST_CORRECTIONS]

    def _both(self, one: str, other: str) -> list[int]:
        """Two words with the blank between them forgotten."""
        at = self._find(one)
        if at is None or len(other) < SHORT_PREFIX:
            return [0] * PLACES
        first, second = accumulate(self._places(at), or_), accumulate(self._beginnings(other), or_)
        return [one & two for one, two in zip(first, second, strict=True)]

    # ── The file ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _find(self, word: str) -> int | None:
        at = bisect_left(self._words, word)
        return at if at < len(self._words) and self._words[at] == word else None

    def _range(self, beginning: str) -> tuple[int, int]:
        begin = bisect_left(self._words, beginning)
        return begin, bisect_left(self._words, beginning + _LAST, begin)

    def _lists(self, at: int) -> Iterator[Iterable[int] | int]:
        """For each place the plugins' numbers, or a number with a bit for each plugin where there are many."""
        begin = self._entries.begins[at]
        content = self._content
        counts = self._counts(at)
        position = self._entries.start + begin + 4 * PLACES
        for count in counts:
            if is_dense(count, self.plugins_count):
                size = (self.plugins_count + 7) // 8
                yield int.from_bytes(content[position : position + size], "little")
            else:
                size = 4 * count
                yield accumulate(_numbers(content, position, size))
            position += size

    def _counts(self, at: int) -> array[int]:
        return _numbers(self._content, self._entries.start + self._entries.begins[at], 4 * PLACES)

    def _bits(self, numbers: Iterable[int] | int) -> int:
        if isinstance(numbers, int):
            return numbers
        marks = bytearray((self.plugins_count + 7) // 8)
        for number in numbers:
            marks[number >> 3] |= 1 << (number & 7)
        return int.from_bytes(marks, "little")

    def _entry_bits(self, word: str, places: int) -> int:
        at = self._find(word)
        found = 0
        if at is not None:
            for _, numbers in zip(range(places), self._lists(at), strict=False):
                found |= self._bits(numbers)
        return found

    def _summary(self, number: int) -> Summary:
        return Summary.from_fields(json.loads(self._summaries[number]), self._base_url)

    def _ordered(self, found: int, sort: str, start: int, size: int) -> list[int]:
        order = self._orders[sort]
        count = found.bit_count()
        if start >= count:
            return []
        if count * 8 > self.plugins_count:
            # Many: walk along the order until the page is full.
            marks = found.to_bytes((self.plugins_count + 7) // 8, "little")
            page: list[int] = []
            skipped = 0
            for number in order:
                if marks[number >> 3] >> (number & 7) & 1:
                    if skipped < start:
                        skipped += 1
                        continue
                    page.append(number)
                    if len(page) == size:
                        break
            return page
        if sort not in self._positions:
            positions = array("I", bytes(4 * self.plugins_count))
            for position, number in enumerate(order):
                positions[number] = position
            self._positions[sort] = positions
        return sorted(_lowest(found, 0, count), key=self._positions[sort].__getitem__)[start : start + size]


class _Table:
    """Texts one behind the other, as a sequence of bytes."""

    def __init__(self, content: bytes, index: tuple[int, int], texts: tuple[int, int]) -> None:
        self.begins = _numbers(content, *index)
        self.start, size = texts
        self._content = content
        if not self.begins or self.begins[-1] != size:
            raise SearchIndexDamaged("a table has not the length that it names")

    def __len__(self) -> int:
        return len(self.begins) - 1

    def __getitem__(self, at: int) -> bytes:
        return self._content[self.start + self.begins[at] : self.start + self.begins[at + 1]]


def is_dense(count: int, plugins_count: int) -> bool:
    """Whether a bit for each plugin takes less room than a number (32 bits) for each that is meant."""
    return count * 32 > plugins_count


def _query(text: str) -> list[str]:
    """The words that count, each once; of a very long text, the first ones."""
    words = list(dict.fromkeys(words_of(text)))
    return ([word for word in words if word not in STOP_WORDS] or words)[:MOST_WORDS]


def _slips_at(word: str, at: int, letters: str) -> Iterator[str]:
    """What one may have meant whose finger slipped after so many letters. Source: Damerau, A technique for computer detection and
    correction of spelling errors (1964)."""
    before, after = word[:at], word[at:]
    if after:
        yield before + after[1:]
    if len(after) > 1:
        yield before + after[1] + after[0] + after[2:]
    for letter in letters:
        yield before + letter + after
        if after:
            yield before + letter + after[1:]


def _from_tiers(tiers: Iterable[int], start: int, size: int) -> list[int]:
    page: list[int] = []
    before = 0
    for tier in tiers:
        fresh = tier & ~before
        before = tier
        count = fresh.bit_count()
        if start >= count:
            start -= count
            continue
        page += _lowest(fresh, start, size - len(page))
        start = 0
        if len(page) >= size:
            break
    return page


def _lowest(bits: int, skip: int, most: int) -> list[int]:
    """The positions of the lowest bits that are set, after the first ``skip``, at most ``most``."""
    found: list[int] = []
    content = bits.to_bytes((bits.bit_length() + 63) // 64 * 8, "little")
    for position, word in enumerate(memoryview(content).cast("Q")):
        if not word:
            continue
        count = word.bit_count()
        if skip >= count:
            skip -= count
            continue
        while word:
            if skip:
                skip -= 1
            else:
                found.append(position * 64 + (word & -word).bit_length() - 1)
                if len(found) >= most:
                    return found
            word &= word - 1
    return found


def _part(content: bytes, start: int, size: int) -> bytes:
    return content[start : start + size]


def _numbers(content: bytes, start: int, size: int) -> array[int]:
    found = array("I")
    found.frombytes(_part(content, start, size))
    return found
