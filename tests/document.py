"""The plugin API reference, read where it lies beside the checkout (or in the folder that STREAMSPACE_SHARED names). Tests that need
it skip where it is absent: the project carries no copy."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

_CHECKOUT = Path(__file__).parent.parent
REFERENCE = Path(os.environ.get("STREAMSPACE_SHARED") or _CHECKOUT.parent / "shared") / "spec" / "plugin-api.md"

needs_reference = pytest.mark.skipif(not REFERENCE.exists(), reason=f"no plugin API reference at {REFERENCE}")

_FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^(#{2,4}) (.+)$", re.MULTILINE)
_DECLARATION = re.compile(r"^const (\w+)", re.MULTILINE)
_PARAGRAPH = re.compile(r"\n\n(?=// )")


@dataclass(frozen=True)
class Block:
    """One fenced block. ``key`` names it: the heading above it, without its mark of stability, such as ``getSessions()``."""

    key: str
    code: str

    @property
    def declared(self) -> list[str]:
        """The names that it declares at its top level."""
        return _DECLARATION.findall(self.code)

    @property
    def examples(self) -> list[str]:
        """A block that declares one name again and again is several examples, of which a reader takes one.

        Each begins with a comment after an empty line. A block that declares each name once is one example, which runs as a whole.
        """
        if len(set(self.declared)) == len(self.declared):
            return [self.code]
        return _PARAGRAPH.split(self.code)

    @property
    def paragraphs(self) -> list[str]:
        """The parts that a comment after an empty line begins, whatever they declare."""
        return _PARAGRAPH.split(self.code)


def blocks(language: str) -> list[Block]:
    """The reference's blocks in that language, in its order; none where it is absent.

    A second block under one heading is told from the first by the next heading up: they never have the same one here, and if they should,
    the key gets a number.
    """
    if not REFERENCE.exists():
        return []
    text = REFERENCE.read_text(encoding="utf-8")
    found: list[Block] = []
    for fence in _FENCE.finditer(text):
        if fence[1] != language:
            continue
        heading = list(_HEADING.finditer(text, 0, fence.start()))[-1][2]
        key = re.sub(r"^[^\w(]+", "", heading).strip()
        earlier = sum(block.key == key or block.key.startswith(f"{key} #") for block in found)
        found.append(Block(f"{key} #{earlier + 1}" if earlier else key, fence[2]))
    return found
