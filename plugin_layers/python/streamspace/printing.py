"""Turns what author code prints into log lines."""

from __future__ import annotations

import sys
from io import TextIOBase

from . import log

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TextIO


class Prints(TextIOBase):
    """Takes the place of ``sys.stdout`` while author code runs: each print becomes one line of JSON on the real one."""

    def __init__(self) -> None:
        self.target: TextIO = sys.stdout
        self._begun = ""

    def write(self, text: str) -> int:
        self._begun += text
        if self._begun.endswith("\n"):  # a print ends so; what lies before may have several lines
            self.finish()
        return len(text)

    def finish(self) -> None:
        text, self._begun = self._begun.rstrip("\n"), ""
        if text:
            log.info(text)

    def writable(self) -> bool:
        return True

    def __enter__(self) -> Prints:
        sys.stdout = self
        return self

    def __exit__(self, *_exception: Any) -> None:
        self.finish()
        sys.stdout = self.target
