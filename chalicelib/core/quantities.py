"""Kubernetes' way to write amounts and durations: ``16Gi``, ``2000m``, ``1h30m``.

Every parser raises ValueError with a sentence that says what to write instead. Amounts below zero are refused: nothing here is owed.

Sources: k8s.io/apimachinery ``resource.Quantity`` (its grammar, rounding and cap) and Go's ``time.ParseDuration``, with which
``metav1.Duration`` is read.
"""

import re
from fractions import Fraction
from math import ceil

# A Quantity holds no more: larger ones are capped, not refused. Source: resource.Quantity, "No fraction … larger numbers will be capped".
LARGEST = 2**63 - 1

_NUMBER = r"(?P<number>[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"
_QUANTITY = re.compile(rf"(?P<sign>[+-]?){_NUMBER}(?:(?P<suffix>[numkMGTPE]|[KMGTPE]i)|[eE](?P<exponent>[+-]?[0-9]+))?")
_SUFFIXES: dict[str | None, Fraction] = {
    None: Fraction(1),
    **{letter: Fraction(10) ** (3 * power) for power, letter in zip((-3, -2, -1, 1, 2, 3, 4, 5, 6), "numkMGTPE", strict=True)},
    **{f"{letter}i": Fraction(1024) ** power for power, letter in enumerate("KMGTPE", start=1)},
}
_LONGEST_TEXT = 64
# With at most 64 digits before it, a larger power is capped, or rounded to the least, all the same; 1e999999999 must not cost a gigabyte.
_LARGEST_EXPONENT = 128

_PART = re.compile(rf"{_NUMBER}(?P<unit>ns|us|µs|μs|ms|s|m|h)")
_NANOSECONDS = {"ns": 1, "us": 10**3, "µs": 10**3, "μs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}


def parse_memory(text: str) -> int:
    """Bytes; a fraction of one counts as a whole one. ``parse_memory("16Gi") == 16 * 1024**3``, and ``"16G"`` is 16 * 1000**3."""
    return _rounded_up(_quantity(text, "an amount of memory such as '512Mi' or '16Gi'"))


def parse_cpu(text: str) -> int:
    """Thousandths of a core; a fraction of one counts as a whole one. ``parse_cpu("2000m") == parse_cpu("2") == 2000``."""
    return _rounded_up(_quantity(text, "an amount of CPU such as '500m' or '2'") * 1000)


def parse_duration(text: str) -> int:
    """Seconds; a fraction of one counts as a whole one. ``parse_duration("1h30m") == 5400``. A number needs its unit, except ``0``."""
    wanted = "a duration such as '30m', '8h' or '1h30m'"
    signless = text.removeprefix("+")
    if signless == "0":
        return 0
    if not signless or len(text) > _LONGEST_TEXT:
        raise _fault(text, wanted)
    nanoseconds, at = Fraction(0), 0
    while at < len(signless):
        part = _PART.match(signless, at)
        if part is None:
            raise _fault(text, wanted)
        nanoseconds += Fraction(_decimal(part["number"])) * _NANOSECONDS[part["unit"]]
        at = part.end()
    if nanoseconds > LARGEST:
        raise ValueError(f"'{text}' is longer than a duration can be (about 292 years)")
    return ceil(nanoseconds / 10**9)


def _quantity(text: str, wanted: str) -> Fraction:
    found = _QUANTITY.fullmatch(text)
    if found is None or found["sign"] == "-" or len(text) > _LONGEST_TEXT:
        raise _fault(text, wanted)
    number = Fraction(_decimal(found["number"]))
    if found["exponent"]:
        power = int(found["exponent"])
        return number * Fraction(10) ** max(-_LARGEST_EXPONENT, min(power, _LARGEST_EXPONENT))
    return number * _SUFFIXES[found["suffix"]]


def _decimal(text: str) -> str:
    # Fraction wants a digit after the point; Kubernetes and Go do not.
    return text + "0" if text.endswith(".") else text


def _rounded_up(amount: Fraction) -> int:
    return min(ceil(amount), LARGEST)


def _fault(text: str, wanted: str) -> ValueError:
    shown = text if len(text) <= _LONGEST_TEXT else text[:_LONGEST_TEXT] + "…"
    return ValueError(f"'{shown}' is not {wanted}")
