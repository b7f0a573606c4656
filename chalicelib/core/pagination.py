"""The three ways to page: pages of plugin management, limit/offset of the plugin API, and opaque cursors."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from chalicelib.core.errors import ValidationError

T = TypeVar("T")


@dataclass(frozen=True)
class Page(Generic[T]):
    """One page of a list whose length is known. ``number`` starts at 1; a page past the end is empty, not an error."""

    items: Sequence[T]
    number: int
    size: int
    total: int

    @property
    def total_pages(self) -> int:
        return max(1, -(-self.total // self.size))

    @property
    def first_position(self) -> int | None:
        """The 1-based position of the page's first item in the whole list; None on an empty page."""
        return (self.number - 1) * self.size + 1 if self.items else None

    @property
    def last_position(self) -> int | None:
        return (self.number - 1) * self.size + len(self.items) if self.items else None


def page_of(items: Sequence[T], number: int, size: int) -> Page[T]:
    """The page ``number`` of a list that is in memory already."""
    start = (number - 1) * size
    return Page(items[start : start + size], number, size, len(items))


def encode_cursor(key: dict[str, Any]) -> str:
    """A DynamoDB key (plain strings and numbers) as an opaque, URL-safe text."""
    return base64.urlsafe_b64encode(json.dumps(key, separators=(",", ":")).encode()).decode().rstrip("=")


def decode_cursor(text: str) -> dict[str, Any]:
    """Raises ValidationError for a text that :func:`encode_cursor` did not make."""
    try:
        key = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        if not isinstance(key, dict):
            raise ValueError(text)
    except ValueError as error:
        raise ValidationError({"cursor": ["The cursor is not one that this API gave out"]}) from error
    return key
