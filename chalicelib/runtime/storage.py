"""Each plugin's own key-value storage. Values are JSON; a missing key is None, not an error. Source: Plugin API, Storage API.

A value of up to 400 KB lies in its row, a larger one in an object that the row points at (``objects``); nobody who reads or writes values
sees the difference. What is kept is counted (``usage``). Each write replaces its value whole: of two at once the last one wins.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from chalicelib.core import strict_json, uploads
from chalicelib.core.errors import ServiceUnavailable, ValidationError
from chalicelib.core.pagination import decode_cursor, encode_cursor
from chalicelib.core.tables import first_page
from chalicelib.events import retried, unit_of_work
from chalicelib.runtime import bulk, objects, usage
from chalicelib.runtime.errors import ValueTooLarge
from chalicelib.runtime.models import RuntimeRow

# DynamoDB takes items of 409,600 bytes; the rest is for the key and the names of attributes.
LARGEST_INLINE_BYTES = 400_000
LARGEST_VALUE_BYTES = 5 * 1024 * 1024
LONGEST_KEY_BYTES = 512
# Fewer where values are in the rows: DynamoDB ends a page at 1 MB. Keys of that many bytes fit into an answer, whatever they are made of.
_PAGE = 5000
_READ_AGAIN = 3


@dataclass(frozen=True)
class Stored:
    """A value as it is kept: JSON, as bytes; ``object_id`` where it is a large one."""

    text: bytes
    object_id: str | None

    @property
    def value(self) -> Any:
        return json.loads(self.text)


def get(slug: str, key: str) -> Any:
    """The value, or None. Costs one GetItem, and for a large value one GetObject."""
    stored = find(slug, key)
    return stored.value if stored else None


def find(slug: str, key: str) -> Stored | None:
    """What is kept under the key. A reader that is overtaken by a writer gets the old value or the new one, whole."""
    for _ in range(_READ_AGAIN):
        try:
            row = RuntimeRow.get(*_place(slug, key), consistent_read=True)
        except RuntimeRow.DoesNotExist:
            return None
        if row.object_id is None:
            return Stored(row.value.encode(), None)
        text = objects.read(slug, row.object_id)
        if text is not None:
            return Stored(text, row.object_id)
        # Minutes passed since the pointer was read. It points elsewhere by now.
    raise ServiceUnavailable("The value is being replaced faster than it can be read; try again")


def put(slug: str, key: str, value: Any) -> None:
    """The last of two concurrent writers wins, whole. Raises ValueTooLarge, StorageQuotaExceeded."""
    _put(slug, key, encoded(value))


def put_uploaded(slug: str, key: str, upload_id: str) -> None:
    """Make what was uploaded (``core.uploads``) the key's value.

    Raises ValidationError (nothing there, or not JSON), ValueTooLarge, StorageQuotaExceeded.
    """
    text = uploads.read(slug, upload_id)
    if text is None:
        raise ValidationError({"upload_id": ["Nothing was uploaded under this id; begin anew with POST /uploads"]})
    try:
        strict_json.read(text)
    except ValueError as error:
        raise ValidationError({"upload_id": [f"What was uploaded is not valid JSON: {error}"]}) from error
    _put(slug, key, text)


def delete(slug: str, key: str) -> None:
    """Nothing there is fine."""
    bulk.remove_at(slug, [_place(slug, key)])


def keys(slug: str, prefix: str = "", cursor: str | None = None) -> tuple[list[str], str | None]:
    """Up to 5,000 keys, in order of their UTF-8 bytes, and the cursor of the next page. Keys that are there from the first page to the
    last are in it, whatever is written meanwhile. Key condition: pk, sk begins with prefix; one Query."""
    if len(prefix.encode()) > LONGEST_KEY_BYTES:
        # No key begins like that, and DynamoDB would refuse to look.
        return [], None
    start = decode_cursor(cursor) if cursor else None
    if start is not None and not _is_own(start, slug, prefix):
        raise ValidationError({"cursor": ["The cursor is not one that this API gave out for this list"]})
    rows, following = _page(slug, prefix, {name: {"S": value} for name, value in start.items()} if start else None, _PAGE)
    return [row.sk for row in rows], encode_cursor({name: value["S"] for name, value in following.items()}) if following else None


def is_empty(slug: str) -> bool:
    """Costs one Query that reads one item."""
    return not _page(slug, "", None, 1)[0]


def clear(slug: str, patience_s: float = 8.0) -> tuple[int, bool]:
    """Remove everything that is there now; how many values went, and whether that was all of them in the time.

    Safe to repeat, and to run while the plugin writes: each value goes whole, with its object and its part of the count. What is written
    behind the clearing stays.
    """
    deadline = time.monotonic() + patience_s
    count, after = 0, None
    while True:
        rows, after = _page(slug, "", after, _PAGE)
        for part in bulk.removals(rows):
            if time.monotonic() > deadline:
                return count, False
            count += bulk.remove(slug, part)
        if after is None:
            return count, True


def everything(slug: str) -> Iterator[tuple[str, bytes]]:
    """Each key with its value's JSON, in order, for a backup."""
    for row in RuntimeRow.query(_partition(slug), consistent_read=True):
        stored = Stored(row.value.encode(), None) if row.object_id is None else find(slug, row.sk)
        if stored is not None:
            yield row.sk, stored.text


def load(slug: str, entries: Iterable[tuple[str, bytes]]) -> int:
    """Put back what :func:`everything` gave, in the place of what is there; how many. May be done twice.

    The quota does not count here: it may have been lowered, and half of a backup is worse than too much of it.
    """
    while not clear(slug)[1]:
        pass
    count = 0
    for part in bulk.parts(((key, text), 2, min(len(text), LARGEST_INLINE_BYTES)) for key, text in entries):
        bulk.create(slug, [_row(slug, key, text) for key, text in part])
        count += len(part)
    return count


def _row(slug: str, key: str, text: bytes) -> RuntimeRow:
    """The row for a value; a large one's object is made."""
    row = RuntimeRow(*_place(slug, key), size_bytes=_size(key, len(text)))
    if len(text) <= LARGEST_INLINE_BYTES:
        row.value = text.decode()
    else:
        row.object_id = objects.make(slug, text)
    return row


def _put(slug: str, key: str, text: bytes) -> None:
    if len(text) > LARGEST_VALUE_BYTES:
        raise ValueTooLarge(
            f"The value has {len(text)} bytes; at most {LARGEST_VALUE_BYTES} can be stored",
            size_bytes=len(text),
            limit_bytes=LARGEST_VALUE_BYTES,
        )
    size = _size(key, len(text))
    if len(text) > LARGEST_INLINE_BYTES:
        # Before the object is made; the transaction has the last word.
        place = _place(slug, key)
        allowance, rows = usage.read(slug, [place])
        allowance.refuse_beyond(usage.change_of(rows.get(place), size))
    _keep(slug, _row(slug, key, text))


@retried
def _keep(slug: str, row: RuntimeRow) -> None:
    allowance, rows = usage.read(slug, [(row.pk, row.sk)])
    before = rows.get((row.pk, row.sk))
    change = usage.change_of(before, int(row.size_bytes))
    allowance.refuse_beyond(change)
    with unit_of_work() as work:
        work.save(row, usage.unchanged(before))
        usage.count(work, slug, change, allowance)
        if row.object_id:
            objects.point_at(work, slug, row.object_id)
        if before is not None and before.object_id:
            objects.let_go(work, slug, before.object_id)


def _page(slug: str, prefix: str, start: Any, limit: int) -> tuple[list[RuntimeRow], Any]:
    found = RuntimeRow.query(
        _partition(slug),
        RuntimeRow.sk.startswith(prefix) if prefix else None,
        attributes_to_get=["pk", "sk", "size_bytes", "object_id"],
        page_size=limit,
        last_evaluated_key=start,
        consistent_read=True,
    )
    return first_page(found)


def encoded(value: Any) -> bytes:
    """The value as it is kept."""
    try:
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
    except UnicodeEncodeError:
        # Half of a surrogate pair: JavaScript's strings may hold one, UTF-8 may not. JSON can write it as an escape.
        return json.dumps(value, separators=(",", ":")).encode()


def _size(key: str, text_bytes: int) -> int:
    return len(key.encode()) + text_bytes


def _is_own(start: dict[str, Any], slug: str, prefix: str) -> bool:
    key = start.get("sk")
    return start == {"pk": _partition(slug), "sk": key} and isinstance(key, str) and _is_key(key) and key.startswith(prefix)


def _place(slug: str, key: str) -> tuple[str, str]:
    if not _is_key(key):
        raise ValidationError({"key": [f"A key has between 1 and {LONGEST_KEY_BYTES} bytes"]})
    return _partition(slug), key


def _partition(slug: str) -> str:
    return f"STORAGE#{slug}"


def _is_key(text: str) -> bool:
    return 0 < len(text.encode(errors="surrogatepass")) <= LONGEST_KEY_BYTES
