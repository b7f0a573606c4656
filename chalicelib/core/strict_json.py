"""Reading JSON that a stranger sent: what comes out can be stored, compared and sent on by everything behind it.

Python's reader takes more than JSON has (NaN, numbers that are infinite as a double, halves of surrogate pairs), and its own words for
what it refuses speak of Python.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

DEEPEST = 100
# Not even 1e308 has more digits; what is larger becomes Infinity in JavaScript.
_MOST_DIGITS = 308
_HALF_PAIR = re.compile(rb"\\u[dD][89a-fA-F]")


def read(text: bytes) -> Any:
    """The value. Half of a surrogate pair, as cutting an emoji in two leaves it, becomes U+FFFD. Source: Web IDL, USVString.

    Raises: ValueError, in words for whoever wrote the text.
    """
    try:
        value = json.loads(text.decode(), parse_constant=_constant, parse_float=_float, parse_int=_int)
    except UnicodeDecodeError as error:
        raise ValueError(f"it is not UTF-8 at byte {error.start}") from error
    except RecursionError as error:
        raise _too_deep() from error
    if text.count(b"[") + text.count(b"{") > DEEPEST and _depth(value) > DEEPEST:
        raise _too_deep()
    return _well_formed(value) if _HALF_PAIR.search(text) else value


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _float(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise _too_large()
    return number


def _int(digits: str) -> int:
    if len(digits.lstrip("-")) > _MOST_DIGITS:
        raise _too_large()
    return int(digits)


def _depth(value: Any) -> int:
    """How many lists and objects lie in each other, at most."""
    level, depth = [value], 0
    while level := [one for one in level if isinstance(one, list | dict)]:
        depth += 1
        level = [inner for one in level for inner in (one.values() if isinstance(one, dict) else one)]
    return depth


def _well_formed(value: Any) -> Any:
    match value:
        case str():
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case list():
            return [_well_formed(one) for one in value]
        case dict():
            return {_well_formed(key): _well_formed(one) for key, one in value.items()}
    return value


def _too_deep() -> ValueError:
    return ValueError(f"it is nested more than {DEEPEST} deep")


def _too_large() -> ValueError:
    return ValueError("it has a number that is too large for a double")
