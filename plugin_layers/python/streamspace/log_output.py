"""Where the lines of the log go: to stdout, or to whom a test platform names."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def _to_stdout(text: str) -> None:
    stream = getattr(sys.stdout, "target", sys.stdout)  # while author code runs, sys.stdout turns prints into calls of the log
    stream.write(text)
    stream.flush()


_writer: Callable[[str], None] = _to_stdout


def write(text: str) -> None:
    _writer(text)


def write_to(writer: Callable[[str], None] = _to_stdout) -> None:
    """From now on each line goes to ``writer``; to stdout again without one."""
    global _writer
    _writer = writer
