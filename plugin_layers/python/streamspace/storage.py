"""Plugin API, "Storage API": the plugin's own keys, with any JSON value. Scope: ``storage``."""

from __future__ import annotations

from .arguments import segment
from .awaitable import awaitable
from .client import request, request_envelope

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


@awaitable
def get(key: str) -> Any:
    """The value, None when there is none."""
    return request("storage.get", "GET", f"storage/{segment('storage.get', 'key', key)}")


@awaitable
def set(key: str, value: Any) -> None:
    """``value`` is what JSON can hold."""
    request("storage.set", "PUT", f"storage/{segment('storage.set', 'key', key)}", body={"value": value})


@awaitable
def delete(key: str) -> None:
    """A missing key is no error."""
    request("storage.delete", "DELETE", f"storage/{segment('storage.delete', 'key', key)}")


@awaitable
def keys(prefix: str | None = None) -> list[str]:
    """All keys with that prefix: every page of the list."""
    found: list[str] = []
    cursor: str | None = None
    while True:
        page = request_envelope("storage.keys", "GET", "storage", query={"prefix": prefix, "cursor": cursor})
        found += page.get("data") or []
        cursor = (page.get("meta") or {}).get("next_cursor")
        if not cursor:
            return found


@awaitable
def clear() -> None:
    """Deletes every key of this plugin."""
    request("storage.clear", "DELETE", "storage")
