"""The REST document's examples, read where it lies beside the checkout (or in the folder that STREAMSPACE_SHARED names). Tests that need
it skip where it is absent: the project carries no copy."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest

from tests.document import REFERENCE

DOCUMENT = REFERENCE.with_name("rest-api.md")
needs_document = pytest.mark.skipif(not DOCUMENT.exists(), reason=f"no REST document at {DOCUMENT}")

_PART = re.compile(
    r"^(?P<marks>#{2,4}) (?P<title>[^\n]+)$|^\*\*(?P<label>[^*\n]+)\*\*|^```(?P<kind>\w*)\n(?P<text>.*?)^```",
    re.MULTILINE | re.DOTALL,
)
_REQUEST = re.compile(r"(GET|POST|PUT|PATCH|DELETE) /api/v1(/[^\s?]+)$")


@dataclass(frozen=True)
class Example:
    """One JSON block. ``method`` and ``path`` are those of the request that it belongs to; empty for those that belong to none."""

    section: str
    label: str
    method: str
    path: str
    value: Any

    @property
    def name(self) -> str:
        return f"{self.section}: {self.label}"

    @property
    def is_error(self) -> bool:
        return isinstance(self.value, dict) and self.value.get("success") is False

    @property
    def is_answer(self) -> bool:
        return isinstance(self.value, dict) and "success" in self.value


@cache
def examples() -> tuple[Example, ...]:
    """In the document's order; none where it is absent."""
    return tuple(_examples(DOCUMENT.read_text(encoding="utf-8"))) if DOCUMENT.exists() else ()


def example(name: str) -> Example:
    return next(one for one in examples() if one.name == name)


def _examples(text: str) -> Iterator[Example]:
    section = label = method = path = ""
    for part in _PART.finditer(text):
        if part["title"]:
            # A heading is also the label of what stands under it without another.
            section, label = (section if part["marks"] == "####" else part["title"]), part["title"]
            method, path = ("", "") if part["marks"] != "####" else (method, path)
        elif part["label"]:
            label = part["label"].strip().rstrip(":")
        elif part["kind"] == "json":
            yield Example(section, label, method, path, json.loads(_filled(part["text"])))
        elif found := _REQUEST.fullmatch(part["text"].strip()):
            method, path = found[1], found[2]


def _filled(text: str) -> str:
    """The document writes ``{ ... }`` where anything may be."""
    return text.replace("{ ... }", "{}").replace("[ ... ]", "[]")
