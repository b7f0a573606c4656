"""Which words a text has, for the index and for a query alike.

Capitals, accents and the plural's s do not matter, and punctuation divides. Chinese and Japanese have no blanks: there every two letters
that stand side by side are a word, and the last letter by itself, so that any part of a longer one is found.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

# What everybody writes and nobody looks for. They are left out of a query that has other words.
_STOP_WORDS = """
a about all an and any are as at be by can do for from has have i if in into is it its me my no not of on or our so some that the their them
this to up us use want we what when which who with you your
"""
STOP_WORDS = frozenset(_STOP_WORDS.split())
_LONGEST_WORD = 40
_DIVIDES = re.compile(r"[\W_]+")
_IDEOGRAPHS = re.compile("([\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+)")
_NO_PLURAL = ("ss", "us", "is")


def folded(text: str) -> str:
    """Lower case, without accents, with single blanks for punctuation."""
    if text.isascii():
        return _DIVIDES.sub(" ", text.lower()).strip()
    plain = "".join(one for one in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(one))
    return _DIVIDES.sub(" ", plain).strip()


def words_of(text: str) -> list[str]:
    """In their order; a word may be there twice."""
    found: list[str] = []
    for word in folded(text).split():
        found.extend((_singular(word),) if word.isascii() or not _IDEOGRAPHS.search(word) else _pairs(word))
    return found


def joined(text: str) -> str:
    """The text without its blanks: ``web hook``, ``Web-Hook`` and ``webhook`` are one."""
    return folded(text).replace(" ", "")


def slug_of(category: str) -> str:
    """``Session Management`` -> ``session-management``."""
    return folded(category).replace(" ", "-")


@lru_cache(maxsize=65_536)
def _singular(word: str) -> str:
    if len(word) > 4 and word.endswith("s") and not word.endswith(_NO_PLURAL):
        word = word[:-3] + "y" if word.endswith("ies") else word[:-1]
    return word[:_LONGEST_WORD]


def _pairs(word: str) -> list[str]:
    found = []
    for part in filter(None, _IDEOGRAPHS.split(word)):
        if _IDEOGRAPHS.fullmatch(part):
            found += [part[start : start + 2] for start in range(len(part))]
        else:
            found.append(_singular(part))
    return found
