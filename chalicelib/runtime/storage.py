"""Each plugin's own key-value storage. Values are JSON; a missing key is None, not an error. Source: Plugin API, Storage API."""

from __future__ import annotations

import json
from typing import Any

from chalicelib.core.errors import ValidationError
from chalicelib.core.pagination import decode_cursor, encode_cursor
from chalicelib.runtime import circuit, limits
from chalicelib.runtime.errors import ValueTooLarge
from chalicelib.runtime.models import RuntimeRow

# DynamoDB takes items of 400 KB; the rest is for keys.
LONGEST_VALUE_BYTES = 390_000
LONGEST_KEY_BYTES = 512
_PAGE = 1000


def get(slug: str, key: str) -> Any:
    """The value, or None. Costs one GetItem."""
    try:
        return json.loads(RuntimeRow.get(_partition(slug), _checked(key), consistent_read=True).body)
    except RuntimeRow.DoesNotExist:
        return None


def put(slug: str, key: str, value: Any) -> None:
    """The last of two concurrent writers wins, whole. Raises ValueTooLarge."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        # Half of a surrogate pair: JavaScript's strings may hold one, UTF-8 may not. JSON can write it as an escape.
        text = json.dumps(value, separators=(",", ":"))
        size = len(text)
    if size > LONGEST_VALUE_BYTES:
        raise ValueTooLarge(f"The value has {size} bytes; at most {LONGEST_VALUE_BYTES} can be stored", limit_bytes=LONGEST_VALUE_BYTES)
    RuntimeRow(_partition(slug), _checked(key), body=text).save()


def delete(slug: str, key: str) -> None:
    RuntimeRow(_partition(slug), _checked(key)).delete()


def keys(slug: str, prefix: str = "", cursor: str | None = None) -> tuple[list[str], str | None]:
    """Up to a thousand keys, in order of their UTF-8 bytes, and the cursor of the next page. Key condition: pk, sk begins with prefix."""
    if len(prefix.encode()) > LONGEST_KEY_BYTES:
        # No key begins like that, and DynamoDB would refuse to look.
        return [], None
    start = decode_cursor(cursor) if cursor else None
    if start is not None and not _is_own(start, slug, prefix):
        raise ValidationError({"cursor": ["The cursor is not one that this API gave out for this list"]})
    found = RuntimeRow.query(
        _partition(slug),
        RuntimeRow.sk.startswith(prefix) if prefix else None,
        attributes_to_get=["sk"],
        limit=_PAGE,
        page_size=_PAGE,
        last_evaluated_key={name: {"S": value} for name, value in start.items()} if start else None,
    )
    page = [row.sk for row in found]
    following = found.last_evaluated_key
    return page, encode_cursor({name: value["S"] for name, value in following.items()}) if following else None


def is_empty(slug: str) -> bool:
    """Costs one Query that reads one item."""
    return not list(RuntimeRow.query(_partition(slug), attributes_to_get=["sk"], limit=1, consistent_read=True))


def clear(slug: str) -> int:
    """Remove everything; how many values there were. Safe to repeat, and to run while the plugin writes: what comes later stays."""
    return _clear(_partition(slug))


def dump(slug: str) -> dict[str, Any]:
    """All that the plugin stored, for a backup."""
    return {row.sk: json.loads(row.body) for row in RuntimeRow.query(_partition(slug), consistent_read=True)}


def forget(slug: str, *, keep_data: bool = False) -> int:
    """Remove every trace of a plugin from this table, but its storage and limits where those are kept; how many stored values went."""
    for partition in (f"ATTEMPTS#{slug}", f"DEAD#{slug}", f"FAILURES#{slug}", f"RESOURCES#{slug}"):
        _clear(partition)
    circuit.settle(slug)
    if keep_data:
        return 0
    limits.forget(slug)
    return clear(slug)


def _clear(partition: str) -> int:
    count = 0
    with RuntimeRow.batch_write() as batch:
        for row in RuntimeRow.query(partition, attributes_to_get=["pk", "sk"], consistent_read=True):
            batch.delete(row)
            count += 1
    return count


def _is_own(start: dict[str, Any], slug: str, prefix: str) -> bool:
    key = start.get("sk")
    return start == {"pk": _partition(slug), "sk": key} and isinstance(key, str) and _is_key(key) and key.startswith(prefix)


def _partition(slug: str) -> str:
    return f"STORAGE#{slug}"


def _checked(key: str) -> str:
    if not _is_key(key):
        raise ValidationError({"key": [f"A key has between 1 and {LONGEST_KEY_BYTES} bytes"]})
    return key


def _is_key(text: str) -> bool:
    return 0 < len(text.encode(errors="surrogatepass")) <= LONGEST_KEY_BYTES
