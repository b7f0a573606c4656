"""The plugin's own tables, which its migrations made (docs/migrations.md). Scope: ``storage``."""

from __future__ import annotations

from .arguments import need, segment
from .awaitable import awaitable
from .client import request, request_envelope, to_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from .types import ItemPage, TableShape

    Key = str | int | float | Mapping[str, str | int | float]


class Table:
    """A handle on a table. Each method raises TableNotFoundError where there is no such table."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._path = f"tables/{segment('db.table', 'name', name)}"

    @awaitable
    def get(self, key: Key) -> dict[str, Any] | None:
        """The item, None when there is none."""
        found: dict[str, Any] | None = request("table.get", "GET", f"{self._path}/item", query={"key": _key("table.get", key)})
        return found

    @awaitable
    def put(self, item: Mapping[str, Any], *, if_not_exists: bool = False) -> None:
        """In the place of the item with its key, whole; with ``if_not_exists`` only where there is none (ItemAlreadyExistsError)."""
        need("table.put", "item", item, "object")
        # Not repeated when its answer is lost: the item that it would find might be its own.
        request("table.put", "POST" if if_not_exists else "PUT", f"{self._path}/items", body={"item": item})

    @awaitable
    def query(
        self,
        where: Mapping[str, Any] | None = None,
        *,
        index: str | None = None,
        limit: int = 100,
        descending: bool | None = None,
        cursor: str | None = None,
    ) -> ItemPage:
        """A page of items, and the cursor of the next one (None at the end).

        ``where`` names the key's attributes, or an index's: the first is equal to something, the second is too or is
        compared: ``{"user": "john", "at": {"gte": 5, "lt": 9}}``; lt, lte, gt, gte, between, begins_with.
        """
        query = {
            "where": None if where is None else to_json("table.query", _compared(where)).decode(),
            "index": index,
            "limit": limit,
            "descending": descending,
            "cursor": cursor,
        }
        page = request_envelope("table.query", "GET", f"{self._path}/items", query=query)
        return {"items": page.get("data") or [], "cursor": (page.get("meta") or {}).get("next_cursor")}

    @awaitable
    def delete(self, key: Key) -> None:
        """A missing item is no error."""
        request("table.delete", "DELETE", f"{self._path}/item", query={"key": _key("table.delete", key)})


def table(name: str) -> Table:
    """A handle on the table; nothing is asked yet."""
    return Table(name)


@awaitable
def tables() -> list[TableShape]:
    """The tables that there are."""
    found: list[TableShape] = request("db.tables", "GET", "tables")
    return found


def _key(method: str, key: Any) -> str:
    if isinstance(key, bool) or not isinstance(key, (str, int, float)):
        need(method, "key", key, "object")
    return to_json(method, key).decode()


def _compared(where: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: {"beginsWith" if word == "begins_with" else word: value for word, value in wanted.items()}
        if isinstance(wanted, dict)
        else wanted
        for name, wanted in where.items()
    }
