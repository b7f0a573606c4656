"""The shapes of plugins' tables, and how the keys of their items become texts whose byte order is the items' order. Pure functions.

A part of a key is a number or a text: ``n`` and sixteen hexadecimal digits, or ``s`` and the text, each with an end that sorts before
whatever may follow. So all numbers come before all texts, ``2`` before ``10``, ``"a"`` before ``"ab"``, and the items of one partition lie
together.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chalicelib.core.errors import ValidationError

# Two parts, and what tells items of one index key apart, must fit into DynamoDB's 1024 bytes.
LONGEST_PART_BYTES = 450
LARGEST_EXACT = 2**53
# Each holds every item once more, and all of them change in one transaction of 4 MB.
MOST_INDEXES = 5

_END = "\x01"
# The end, and what would sort before it, are written as two characters that keep the order.
_ESCAPES = {chr(code): f"\x02{chr(code + 16)}" for code in (0, 1, 2)}
COMPARISONS = ("eq", "lt", "lte", "gt", "gte", "between", "beginsWith")


@dataclass(frozen=True)
class Key:
    """The attributes that tell items apart (of a table), or by which they are found (of an index): in order of ``sort`` within
    ``partition``."""

    partition: str
    sort: str | None = None

    @property
    def attributes(self) -> tuple[str, ...]:
        return (self.partition,) if self.sort is None else (self.partition, self.sort)


@dataclass(frozen=True)
class Shape:
    """A table's name, key and indexes (by name)."""

    name: str
    key: Key
    indexes: Mapping[str, Key] = field(default_factory=dict)

    def place_of(self, key: Any) -> str:
        """The place of the item with that key: a number or a text, where the table has no sort attribute, or an object with the key's
        attributes.

        Raises ValidationError, naming what the key is made of.
        """
        if self.key.sort is None and isinstance(key, str | int | float):
            key = {self.key.partition: key}
        if not isinstance(key, Mapping) or set(key) != set(self.key.attributes):
            raise ValidationError({"key": [f"A key of '{self.name}' has just {_listed(self.key.attributes)}"]})
        return "".join(part(key[name], f"key.{name}") for name in self.key.attributes)

    def place_of_item(self, item: Mapping[str, Any]) -> str:
        """Where the item belongs. Raises ValidationError where it lacks its key."""
        for name in self.key.attributes:
            if name not in item:
                raise ValidationError({f"item.{name}": [f"Each item of '{self.name}' has {_listed(self.key.attributes)}"]})
        return "".join(part(item[name], f"item.{name}") for name in self.key.attributes)

    def index_places(self, item: Mapping[str, Any], place: str) -> dict[str, str]:
        """Index -> the item's place in it. An item that lacks an index's attributes, or has no number or text there, is not in it."""
        from hashlib import sha256

        places = {}
        for name, key in self.indexes.items():
            try:
                found = "".join(part(item[attribute], attribute) for attribute in key.attributes)
            except (KeyError, ValidationError):
                continue
            places[name] = found + sha256(place.encode()).hexdigest()[:20]
        return places

    def fitting(self, where: Mapping[str, Any], index: str | None) -> tuple[str | None, Key]:
        """The index (None: the table itself) that a query is for, and its key: the named one, else the first that has what is named."""
        if index is not None:
            if index not in self.indexes:
                known = _listed(self.indexes) if self.indexes else "it has none"
                raise ValidationError({"index": [f"'{self.name}' has no index '{index}'; known: {known}"]})
            return index, self.indexes[index]
        for name, key in ((None, self.key), *self.indexes.items()):
            if not where or (key.partition in where and set(where) <= set(key.attributes)):
                return name, key
        ways = "; ".join(_listed(key.attributes) for key in (self.key, *self.indexes.values()))
        raise ValidationError({"where": [f"'{self.name}' is queried by: {ways}. Its first attribute must be equal to something"]})

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "key": _as_json(self.key),
            "indexes": [{"name": name, **_as_json(key)} for name, key in self.indexes.items()],
        }

    @staticmethod
    def from_json(document: Mapping[str, Any]) -> Shape:
        indexes = {one["name"]: Key(one["partition"], one.get("sort")) for one in document.get("indexes") or []}
        return Shape(document["name"], Key(document["key"]["partition"], document["key"].get("sort")), indexes)


def part(value: Any, where: str) -> str:
    """A number or text as a part of a place. Raises ValidationError at ``where``."""
    if isinstance(value, str):
        text = "".join(_ESCAPES.get(one, one) for one in value)
        if len(text.encode(errors="surrogatepass")) > LONGEST_PART_BYTES:
            raise ValidationError({where: [f"Must not exceed {LONGEST_PART_BYTES} bytes"]})
        return f"s{text}{_END}"
    if isinstance(value, int | float) and not isinstance(value, bool):
        if isinstance(value, int) and abs(value) > LARGEST_EXACT:
            raise ValidationError({where: [f"A number in a key must be exact in JavaScript too: at most {LARGEST_EXACT}"]})
        (bits,) = struct.unpack(">Q", struct.pack(">d", value + 0.0))
        return f"n{bits ^ (2**64 - 1 if bits >> 63 else 2**63):016x}{_END}"
    raise ValidationError({where: ["Must be a number or a text"]})


def bounds(key: Key, where: Mapping[str, Any]) -> tuple[str, str] | None:
    """The lowest and highest place that fits, both inclusive; None: all of them. Raises ValidationError."""
    if not where:
        return None
    if set(where) - set(key.attributes) or key.partition not in where:
        raise ValidationError({"where": [f"Must name {_listed(key.attributes)} only, and '{key.partition}' at least"]})
    equal = where[key.partition]
    if isinstance(equal, Mapping):
        if set(equal) != {"eq"}:
            raise ValidationError({f"where.{key.partition}": ["Must be equal to a number or a text; only the sort attribute is compared"]})
        equal = equal["eq"]
    start = part(equal, f"where.{key.partition}")
    if key.sort is None or key.sort not in where:
        return start, _after(start)
    low, high = _sort_bounds(where[key.sort], f"where.{key.sort}")
    return start + low, start + high


def _sort_bounds(wanted: Any, where: str) -> tuple[str, str]:
    if not isinstance(wanted, Mapping):
        wanted = {"eq": wanted}
    if not wanted or set(wanted) - set(COMPARISONS):
        raise ValidationError({where: [f"Compare with: {', '.join(COMPARISONS)}"]})
    if "between" in wanted:
        between = wanted["between"]
        if not isinstance(between, list) or len(between) != 2:
            raise ValidationError({f"{where}.between": ["Must be a list of the lowest and the highest"]})
        wanted = {**{name: value for name, value in wanted.items() if name != "between"}, "gte": between[0], "lte": between[1]}
    values = {name: part(value, f"{where}.{name}") for name, value in wanted.items()}
    kinds = {text[0] for text in values.values()}
    if len(kinds) > 1:
        raise ValidationError({where: ["Numbers are compared with numbers, texts with texts"]})
    (kind,) = kinds
    # Without its end a text is what the texts that begin with it begin with; the character after ``kind`` begins no place.
    stems = {name: text.removesuffix(_END) for name, text in values.items()}
    lows, highs = [kind], [chr(ord(kind) + 1)]
    for name, stem in stems.items():
        match name:
            case "eq":
                lows.append(stem + _END)
                highs.append(_after(stem + _END))
            case "gte":
                lows.append(stem + _END)
            case "gt":
                lows.append(_after(stem + _END))
            case "lte":
                highs.append(_after(stem + _END))
            case "lt":
                highs.append(stem + "\x00")
            case "beginsWith":
                if kind != "s":
                    raise ValidationError({f"{where}.beginsWith": ["Must be a text"]})
                lows.append(stem)
                highs.append(_after_prefix(stem))
    return max(lows, key=str.encode), min(highs, key=str.encode)


def _after(place: str) -> str:
    """Between everything that begins with ``place``, which has its end, and everything after it."""
    return place[:-1] + "\x01\U0010ffff"


def _after_prefix(stem: str) -> str:
    return stem + "\U0010ffff" * 4


def _as_json(key: Key) -> dict[str, str]:
    return {"partition": key.partition, **({"sort": key.sort} if key.sort else {})}


def _listed(names: Any) -> str:
    return " and ".join(f"'{name}'" for name in names)
