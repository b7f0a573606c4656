"""Kubernetes' way to write amounts and durations, as the platform reads them: ``16Gi``, ``2000m``, ``1h30m``."""

from __future__ import annotations

import re
from fractions import Fraction
from math import ceil

_NUMBER = r"(?P<number>[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"
_QUANTITY = re.compile(rf"\+?{_NUMBER}(?:(?P<suffix>[numkMGTPE]|[KMGTPE]i)|[eE](?P<exponent>[+-]?[0-9]{{1,3}}))?")
_PART = re.compile(rf"{_NUMBER}(?P<unit>ns|us|µs|μs|ms|s|m|h)")
_NANOSECONDS = {"ns": 1, "us": 10**3, "µs": 10**3, "μs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_SUFFIXES: dict[str, Fraction] = {
    **{letter: Fraction(10) ** (3 * power) for power, letter in zip((-3, -2, -1, 1, 2, 3, 4, 5, 6), "numkMGTPE", strict=True)},
    **{f"{letter}i": Fraction(1024) ** power for power, letter in enumerate("KMGTPE", start=1)},
}
_LONGEST_TEXT = 64
_LARGEST = 2**63 - 1


def memory(text: str) -> int:
    """Bytes. Raises ValueError with a sentence."""
    return min(_LARGEST, ceil(_quantity(text, "an amount of memory such as '512Mi' or '16Gi'")))


def cpu(text: str) -> int:
    """Thousandths of a core. Raises ValueError with a sentence."""
    return min(_LARGEST, ceil(_quantity(text, "an amount of CPU such as '500m' or '2'") * 1000))


def duration(text: str) -> int:
    """Seconds. Raises ValueError with a sentence."""
    rest = text.removeprefix("+")
    if rest == "0":
        return 0
    nanoseconds, at = Fraction(0), 0
    while at < len(rest) <= _LONGEST_TEXT and (part := _PART.match(rest, at)):
        nanoseconds += _fraction(part["number"]) * _NANOSECONDS[part["unit"]]
        at = part.end()
    if not rest or at < len(rest):
        raise _fault(text, "a duration such as '30m', '8h' or '1h30m'")
    if nanoseconds > _LARGEST:
        raise ValueError(f"'{text}' is longer than a duration can be (about 292 years)")
    return ceil(nanoseconds / 10**9)


def shown(amount: int) -> str:
    """Bytes as a person writes them."""
    for unit, size in (("Gi", 1024**3), ("Mi", 1024**2), ("Ki", 1024)):
        if amount >= size:
            return f"{amount / size:.4g}{unit}"
    return str(amount)


def _quantity(text: str, wanted: str) -> Fraction:
    found = _QUANTITY.fullmatch(text)
    if found is None or len(text) > _LONGEST_TEXT:
        raise _fault(text, wanted)
    if found["exponent"]:
        return _fraction(found["number"]) * Fraction(10) ** int(found["exponent"])
    return _fraction(found["number"]) * _SUFFIXES.get(found["suffix"], Fraction(1))


def _fraction(number: str) -> Fraction:
    return Fraction(number + "0" if number.endswith(".") else number)


def _fault(text: str, wanted: str) -> ValueError:
    return ValueError(f"'{text if len(text) <= _LONGEST_TEXT else text[:_LONGEST_TEXT] + '…'}' is not {wanted}")
