"""Searching a marketplace of 100,000 plugins: ours, and SQLite's FTS5 (with prefix indexes) at the same questions, by turns.

Both answer what the route needs: a page of twelve in their order, how many there are in all, and how many in each category. FTS5 may
take its page in the order of its rows, the most popular first, so that it need not sort; it forgives no slips and knows no places. The
plugins are made up (``bench/catalogue.py``): words as common as words are.
"""

from __future__ import annotations

import gzip
import sqlite3
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from statistics import median, quantiles
from typing import Any

from bench import catalogue
from bench.report import Table

_PLUGINS = 100_000
_QUESTIONS = 200
_SIZE = 12


def run(plugins: int = _PLUGINS) -> list[Table]:
    from chalicelib.marketplace import listings, search_building
    from chalicelib.marketplace.search_index import SearchIndex

    made = [listings.listing_of(one, "") for one in catalogue.documents(plugins)]
    content, build_s = _timed(lambda: search_building.build(made))
    packed, _ = _timed(lambda: gzip.compress(content, 6, mtime=0))
    unpacked, unpack_s = _timed(lambda: gzip.decompress(packed))
    index, open_s = _timed(lambda: SearchIndex(unpacked))
    with tempfile.TemporaryDirectory(prefix="streamspace-bench-") as folder:
        path = Path(folder) / "fts5.db"
        _, other_build_s = _timed(lambda: _fts5(path, made))
        database, other_open_s = _timed(lambda: sqlite3.connect(path))
        asked = _Fts5(database)
        rows = [_compared(kind, questions, index.search, asked.search) for kind, questions in _questions(plugins).items()]
        size_bytes = path.stat().st_size
        database.close()
    note = f"{plugins} plugins, {_QUESTIONS} questions of each kind; CPU time of the process, milliseconds. The last row is all of them."
    header = ("question", "p50", "p99", "FTS5 p50", "FTS5 p99", "ratio of p50")
    about = [
        ("ours", _mb(len(content)), _mb(len(packed)), f"{unpack_s * 1000:.0f} ms", f"{open_s * 1000:.0f} ms", f"{build_s:.0f} s"),
        ("FTS5", _mb(size_bytes), "", "", f"{other_open_s * 1000:.0f} ms", f"{other_build_s:.0f} s"),
    ]
    return [
        Table("Searching the marketplace", note, header, [*rows, _all(rows)]),
        Table("The search index", "Of the same plugins.", ("", "size", "as fetched", "unpacking", "opening", "building"), about),
    ]


def _compared(kind: str, questions: list[str], *sides: Callable[[str], Any]) -> tuple[Any, ...]:
    for side in sides:
        side(questions[0])
    took: list[list[float]] = [[] for _ in sides]
    for question in questions:
        for found, side in zip(took, sides, strict=True):
            began = time.process_time()
            side(question)
            found.append((time.process_time() - began) * 1000)
    return _Row((kind, *_figures(*took)), took)


class _Row(tuple[Any, ...]):
    """A row that knows the times behind it."""

    took: list[list[float]]

    def __new__(cls, cells: tuple[Any, ...], took: list[list[float]]) -> _Row:
        row = super().__new__(cls, cells)
        row.took = took
        return row


def _all(rows: list[Any]) -> tuple[Any, ...]:
    took = [[time for row in rows for time in row.took[side]] for side in (0, 1)]
    return ("all", *_figures(*took))


def _figures(ours: list[float], other: list[float]) -> tuple[str, ...]:
    figures = [figure for side in (ours, other) for figure in (median(side), quantiles(side, n=100, method="inclusive")[-1])]
    return (*(f"{figure:.2f}" for figure in figures), f"{median(ours) / median(other):.2f}")


def _questions(plugins: int) -> dict[str, list[str]]:
    random = Random(11)
    words = catalogue.vocabulary(plugins)
    common = words[:40]

    def word() -> str:
        return catalogue.usual(words, random)

    def slipped() -> str:
        text = word()
        at = random.randrange(len(text))
        return text[:at] + random.choice("abcdefgh") + text[at + 1 :]

    kinds: dict[str, Callable[[], str]] = {
        "one of the 40 commonest words": lambda: random.choice(common),
        "two of them": lambda: f"{random.choice(common)} {random.choice(common)}",
        "two letters": lambda: word()[:2],
        "a word": word,
        "two words": lambda: f"{word()} {word()}",
        "a word and three letters": lambda: f"{word()} {word()[:3]}",
        "a word with a slip": slipped,
    }
    return {kind: [make() for _ in range(_QUESTIONS)] for kind, make in kinds.items()}


# ── FTS5 ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _fts5(path: Path, made: list[Any]) -> None:
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE plugins (id INTEGER PRIMARY KEY, category TEXT, summary TEXT)")
        database.execute("CREATE VIRTUAL TABLE words USING fts5(name, tags, text, content='', detail=column, prefix='2 3 4')")
        for number, one in enumerate(sorted(made, key=lambda each: -each.downloads)):
            database.execute("INSERT INTO plugins VALUES (?, ?, ?)", (number, one.category, one.short_description))
            text = f"{one.short_description} {one.description} {one.category}"
            database.execute(
                "INSERT INTO words (rowid, name, tags, text) VALUES (?, ?, ?, ?)", (number, one.name, f"{one.slug} {one.tags}", text)
            )
        database.execute("INSERT INTO words (words) VALUES ('optimize')")
    database.close()


class _Fts5:
    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def search(self, words: str) -> tuple[list[Any], list[Any]]:
        match = " ".join(f'"{word}"*' for word in words.split())
        page = "SELECT p.summary FROM words w JOIN plugins p ON p.id = w.rowid WHERE words MATCH ? ORDER BY w.rowid LIMIT ?"
        counts = "SELECT p.category, count(*) FROM words w JOIN plugins p ON p.id = w.rowid WHERE words MATCH ? GROUP BY 1"
        return self._database.execute(page, (match, _SIZE)).fetchall(), self._database.execute(counts, (match,)).fetchall()


def _timed(action: Callable[[], Any]) -> tuple[Any, float]:
    began = time.process_time()
    return action(), time.process_time() - began


def _mb(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.1f} MB"
