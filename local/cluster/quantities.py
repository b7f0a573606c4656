"""Kubernetes quantities: ``500m`` of a core, ``2Gi`` of memory."""

import re
from fractions import Fraction

_SUFFIXES = {
    "": Fraction(1),
    "n": Fraction(1, 10**9),
    "u": Fraction(1, 10**6),
    "m": Fraction(1, 1000),
    **{suffix: Fraction(1000**power) for power, suffix in enumerate("kMGTPE", start=1)},
    **{f"{suffix}i": Fraction(1024**power) for power, suffix in enumerate("KMGTPE", start=1)},
}
_FORM = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE][+-]?\d+)|([a-zA-Z]*))\Z")


def parse(quantity: str | int | float) -> Fraction:
    """The amount in its base unit (cores, bytes).

    Raises: ValueError, naming the quantity.
    """
    form = _FORM.match(str(quantity).strip())
    if not form or (form[3] or "") not in _SUFFIXES:
        raise ValueError(f"{quantity!r} is not a quantity such as 500m, 1.5 or 2Gi")
    exponent = Fraction(10) ** int(form[2][1:]) if form[2] else Fraction(1)
    return Fraction(form[1]) * exponent * _SUFFIXES[form[3] or ""]
