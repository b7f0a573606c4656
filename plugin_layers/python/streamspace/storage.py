"""Plugin API, "Storage API": the plugin's own keys, with any JSON value. Scope: ``storage``."""

from __future__ import annotations

from .arguments import may_have, segment
from .awaitable import awaitable
from .client import request, request_envelope, to_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


# What the platform keeps in a row. More does not pass through its functions, and goes to an address of its own.
LARGEST_INLINE_BYTES = 400_000


@awaitable
def get(key: str) -> Any:
    """The value, None when there is none."""
    answer = request_envelope("storage.get", "GET", f"storage/{segment('storage.get', 'key', key)}")
    address = (answer.get("links") or {}).get("value")
    return _received(address) if address else answer.get("data")


@awaitable
def set(key: str, value: Any) -> None:
    """``value`` is what JSON can hold, up to 5 MB. Raises ValueTooLargeError, StorageQuotaExceededError."""
    name = segment("storage.set", "key", key)
    text = to_json("storage.set", value)
    body = {"upload_id": _uploaded(text)} if len(text) > LARGEST_INLINE_BYTES else {"value": value}
    request("storage.set", "PUT", f"storage/{name}", body=body)


def _received(address: str) -> Any:
    import json

    from .downloads import download_bytes

    return json.loads(download_bytes("storage.get", address))


def _uploaded(text: bytes) -> str:
    from .uploads import upload_bytes

    return upload_bytes("storage.set", text)


@awaitable
def delete(key: str) -> None:
    """A missing key is no error."""
    request("storage.delete", "DELETE", f"storage/{segment('storage.delete', 'key', key)}")


@awaitable
def keys(prefix: str | None = None) -> list[str]:
    """All keys with that prefix: every page of the list."""
    may_have("storage.keys", "text", prefix=prefix)
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
    """Deletes every key of this plugin. What takes the platform longer than one request is gone on with."""
    while (request("storage.clear", "DELETE", "storage") or {}).get("is_complete") is False:
        pass
