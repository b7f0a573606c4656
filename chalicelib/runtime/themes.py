"""A theme's tokens (palette, typography …), which a page turns into style: data only, and nothing that could load, run or break out. Pure.

What is refused is what CSS would do more with than paint: addresses to fetch, expressions, escapes that hide them, and the characters that
end a value, a rule or the style element. Source of the dangers: CWE-79; CSS Syntax Level 3 §4 (escapes, comments).
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

LARGEST_BYTES = 32 * 1024
DEEPEST = 8
_LONGEST_TEXT = 500
_LONGEST_KEY = 100

_KEY = re.compile(r"[A-Za-z0-9&:@_$.#%,()>+~*\[\]='\" -]+")
_DANGEROUS_KEYS = re.compile(r"@import|behaviou?r$|-moz-binding|mozbinding|^__proto__$|^constructor$|^prototype$", re.IGNORECASE)
_CHARACTERS = re.compile(r"[<>{};\\\x00-\x1f\x7f]|/\*|\*/")
_FUNCTIONS = re.compile(
    r"(?:url|src|image|image-set|cross-fade|element|expression|attr|paint|format|local)\s*\(|@import|(?:javascript|vbscript|data|file|blob|https?)\s*:|^//",
    re.IGNORECASE,
)


def faults_of(theme: Any) -> list[str]:
    """What keeps it from being shown, in sentences that name the place; empty when nothing does."""
    if not isinstance(theme, dict):
        return ["A theme is an object of tokens, such as {palette: {primary: {main: '#1976d2'}}}"]
    faults = list(dict.fromkeys(_faults(theme, "", 1)))[:20]
    size = len(json.dumps(theme)) if not faults else 0
    return [f"A theme has at most {LARGEST_BYTES} bytes; this one has {size}"] if size > LARGEST_BYTES else faults


def _faults(value: Any, place: str, depth: int) -> list[str]:
    if depth > DEEPEST:
        return [f"'{place}' is nested deeper than {DEEPEST} levels"]
    match value:
        case dict():
            return [
                fault for key, inner in value.items() for fault in (_key_faults(key, place) or _faults(inner, _at(place, key), depth + 1))
            ]
        case list():
            return [fault for at, inner in enumerate(value) for fault in _faults(inner, _at(place, str(at)), depth + 1)]
        case str():
            return _text_faults(value, place)
        case float() if not math.isfinite(value):
            return [f"'{place}' is no number"]
    return []


def _key_faults(key: str, place: str) -> list[str]:
    if len(key) > _LONGEST_KEY or not _KEY.fullmatch(key) or _DANGEROUS_KEYS.search(key):
        return [f"'{_at(place, key[:_LONGEST_KEY])}' is not allowed as the name of a token"]
    return []


def _text_faults(text: str, place: str) -> list[str]:
    if len(text) > _LONGEST_TEXT:
        return [f"'{place}' has more than {_LONGEST_TEXT} characters"]
    found = _CHARACTERS.search(text) or _FUNCTIONS.search(text.strip())
    return [f"'{place}' has {found[0]!r}: a token is a plain value, and loads or runs nothing"] if found else []


def _at(place: str, key: str) -> str:
    return f"{place}.{key}" if place else key
