"""The plugin's tables in memory, as docs/migrations.md has them: made by its migrations and its manifest, found by key and by index."""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from .contract import CONTRACT, Refusal

Item = dict[str, Any]
# Sorts as a key's part does: numbers before texts, each among their own.
Part = tuple[int, Any]

_RULES = CONTRACT["tables"]


class Table:
    def __init__(self, name: str, key: Mapping[str, str], indexes: list[dict[str, str]]) -> None:
        self.name = name
        self.key = dict(key)
        self.indexes = {one["name"]: {part: one[part] for part in ("partition", "sort") if one.get(part)} for one in indexes}
        self._items: dict[tuple[Part, ...], Item] = {}

    def shape(self) -> dict[str, Any]:
        return {"name": self.name, "key": self.key, "indexes": [{"name": name, **key} for name, key in self.indexes.items()]}

    @property
    def items(self) -> list[Item]:
        """In order of the key."""
        return deepcopy([item for _, item in sorted(self._items.items(), key=lambda one: one[0])])

    def get(self, key: Any) -> Item | None:
        return self._items.get(self._place_of(key))

    def put(self, item: Item, *, if_not_exists: bool = False) -> None:
        attributes = list(self.key.values())
        for name in attributes:
            if name not in item:
                _refuse(f"item.{name}", f"Each item of '{self.name}' has {_listed(attributes)}")
        place = tuple(_part(item[name], f"item.{name}") for name in attributes)
        size = len(json.dumps(item, separators=(",", ":"), ensure_ascii=False).encode(errors="replace"))
        if size > _RULES["largestItemBytes"]:
            facts = {"size_bytes": size, "limit_bytes": _RULES["largestItemBytes"]}
            raise Refusal("VALUE_TOO_LARGE", f"The item has {size} bytes; at most {facts['limit_bytes']} can be stored", facts)
        if if_not_exists and place in self._items:
            raise Refusal("ITEM_ALREADY_EXISTS", f"'{self.name}' has an item with this key already", {"table": self.name})
        self._items[place] = deepcopy(item)

    def delete(self, key: Any) -> None:
        self._items.pop(self._place_of(key), None)

    def query(
        self, where: Mapping[str, Any], index: str | None, *, limit: int, descending: bool, cursor: str | None
    ) -> tuple[list[Item], str | None]:
        """A page, and what the next one begins behind."""
        key = self._fitting(where, index)
        attributes = list(key.values())
        conditions = {
            number: _bounds(where[name], f"where.{name}", is_first=number == 0) for number, name in enumerate(attributes) if name in where
        }
        found = []
        for place, item in self._items.items():
            try:
                at = (*(_part(item[name], name) for name in attributes), *place)
            except (KeyError, Refusal):
                continue  # it is not in that index
            if all(_is_within(at[number], bounds) for number, bounds in conditions.items()):
                found.append((at, item))
        found.sort(key=lambda one: one[0], reverse=descending)
        if cursor:
            last = _place_from(cursor)
            found = [one for one in found if (one[0] < last if descending else one[0] > last)]
        page = found[:limit]
        return [item for _, item in page], _cursor_of(page[-1][0]) if len(found) > limit else None

    def change_each(self, change: Any) -> None:
        for item in self._items.values():
            change(item)

    def _place_of(self, key: Any) -> tuple[Part, ...]:
        attributes = list(self.key.values())
        if "sort" not in self.key and isinstance(key, (str, int, float)):
            key = {attributes[0]: key}
        if not isinstance(key, dict) or set(key) != set(attributes):
            _refuse("key", f"A key of '{self.name}' has just {_listed(attributes)}")
        return tuple(_part(key[name], f"key.{name}") for name in attributes)

    def _fitting(self, where: Mapping[str, Any], index: str | None) -> dict[str, str]:
        if index is not None:
            if index not in self.indexes:
                known = _listed(self.indexes) if self.indexes else "it has none"
                _refuse("index", f"'{self.name}' has no index '{index}'; known: {known}")
            key = self.indexes[index]
            if where and (key["partition"] not in where or set(where) - set(key.values())):
                _refuse("where", f"Must name {_listed(key.values())} only, and '{key['partition']}' at least")
            return key
        keys = [self.key, *self.indexes.values()]
        for key in keys:
            if not where or (key["partition"] in where and set(where) <= set(key.values())):
                return key
        ways = "; ".join(_listed(key.values()) for key in keys)
        _refuse("where", f"'{self.name}' is queried by: {ways}. Its first attribute must be equal to something")
        raise AssertionError


class Tables:
    def __init__(self, folder: Path, manifest: Mapping[str, Any]) -> None:
        self._tables: dict[str, Table] = {}
        for file in sorted((folder / "migrations").glob("*.json")):
            for operation in json.loads(file.read_text()).get("up", []):
                self._run(operation)
        for one in (manifest.get("database") or {}).get("tables") or []:
            name = one["name"] if isinstance(one, dict) else one
            self._tables.setdefault(name, Table(name, {"partition": "id"}, []))

    def find(self, name: str) -> Table:
        if name not in self._tables:
            names = sorted(self._tables)
            there = f"it has {', '.join(names)}" if names else "it has none"
            raise Refusal(
                "TABLE_NOT_FOUND", f"The plugin has no table '{name}': {there}. Migrations make tables", {"table": name, "tables": names}
            )
        return self._tables[name]

    def shapes(self) -> list[dict[str, Any]]:
        return [self._tables[name].shape() for name in sorted(self._tables)]

    def items(self) -> dict[str, list[Item]]:
        return {name: self._tables[name].items for name in sorted(self._tables)}

    def _run(self, operation: dict[str, Any]) -> None:
        """One operation of a migration (docs/migrations.md)."""
        kind, name = operation["op"], operation["table"]
        if kind == "create_table":
            self._tables[name] = Table(name, operation["key"], operation.get("indexes") or [])
            return
        table = self.find(name)
        match kind:
            case "drop_table":
                del self._tables[name]
            case "add_index":
                table.indexes[operation["name"]] = {part: operation[part] for part in ("partition", "sort") if operation.get(part)}
            case "drop_index":
                del table.indexes[operation["name"]]
            case "put_items":
                for item in operation["items"]:
                    table.put(item)
            case "delete_items":
                for key in operation["keys"]:
                    table.delete(key)
            case "rename_attribute":
                table.change_each(
                    lambda item: item.update({operation["to"]: item.pop(operation["from"])}) if operation["from"] in item else None
                )
            case "set_default":
                table.change_each(lambda item: item.setdefault(operation["attribute"], deepcopy(operation["value"])))


def json_of(text: str | None, name: str) -> Any:
    try:
        return json.loads(text or "")
    except ValueError as error:
        raise Refusal("VALIDATION_ERROR", details={name: [f'Must be JSON, such as "a" or {{"id": "a"}}: {error}']}) from error


def _part(value: Any, where: str) -> Part:
    if isinstance(value, str):
        octets = value.encode(errors="surrogatepass")
        if len(octets) > _RULES["longestPartBytes"]:
            _refuse(where, f"Must not exceed {_RULES['longestPartBytes']} bytes")
        return (1, octets)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        _refuse(where, "Must be a number or a text")
    if isinstance(value, int) and abs(value) > _RULES["largestExact"]:
        _refuse(where, f"A number in a key must be exact in JavaScript too: at most {_RULES['largestExact']}")
    return (0, value)


def _bounds(wanted: Any, where: str, *, is_first: bool) -> dict[str, Part]:
    """By comparison, what an attribute is compared with."""
    compared = wanted if isinstance(wanted, dict) else {"eq": wanted}
    if is_first and set(compared) != {"eq"}:
        _refuse(where, "Must be equal to a number or a text; only the sort attribute is compared")
    if not compared or set(compared) - set(_RULES["comparisons"]):
        _refuse(where, f"Compare with: {', '.join(_RULES['comparisons'])}")
    if "between" in compared:
        between = compared["between"]
        if not isinstance(between, list) or len(between) != 2:
            _refuse(f"{where}.between", "Must be a list of the lowest and the highest")
        compared = {**{name: value for name, value in compared.items() if name != "between"}, "gte": between[0], "lte": between[1]}
    bounds = {name: _part(value, f"{where}.{name}") for name, value in compared.items()}
    if len({kind for kind, _ in bounds.values()}) > 1:
        _refuse(where, "Numbers are compared with numbers, texts with texts")
    if "beginsWith" in bounds and bounds["beginsWith"][0] == 0:
        _refuse(f"{where}.beginsWith", "Must be a text")
    return bounds


def _is_within(part: Part, bounds: Mapping[str, Part]) -> bool:
    return all(part[0] == bound[0] and _COMPARE[name](part[1], bound[1]) for name, bound in bounds.items())


_COMPARE: dict[str, Any] = {
    "eq": lambda value, bound: value == bound,
    "lt": lambda value, bound: value < bound,
    "lte": lambda value, bound: value <= bound,
    "gt": lambda value, bound: value > bound,
    "gte": lambda value, bound: value >= bound,
    "beginsWith": lambda value, bound: value.startswith(bound),
}


def _cursor_of(place: tuple[Part, ...]) -> str:
    return json.dumps([value.decode(errors="surrogatepass") if kind else value for kind, value in place])


def _place_from(cursor: str) -> tuple[Part, ...]:
    try:
        return tuple(_part(value, "cursor") for value in json.loads(cursor))
    except (ValueError, TypeError):
        _refuse("cursor", "The cursor is not one that this API gave out")
        raise


def _refuse(field: str, sentence: str) -> None:
    raise Refusal("VALIDATION_ERROR", details={field: [sentence]})


def _listed(names: Any) -> str:
    return " and ".join(f"'{name}'" for name in names)
