"""Turns what author code prints, warns of, or gives to ``logging`` into log lines, so that it names its hook and shows no secret.

Not seen are child processes that inherit the streams, files that are opened on their descriptors (``open(1, "w")``), and native code.
"""

from __future__ import annotations

import os
import sys
from io import RawIOBase, TextIOBase

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TextIO

_LEVELS = ((40, "error"), (30, "warn"), (20, "info"), (0, "debug"))  # of the logging module

_redirected: set[str] = set()


_LONGEST = 32 * 1024  # characters of a text that does not end


class _Stream(TextIOBase):
    """Takes the place of ``sys.stdout`` or ``sys.stderr``: each print becomes one line of JSON."""

    encoding = "utf-8"
    errors = "replace"

    def __init__(self, target: TextIO, level: str) -> None:
        self.target = target
        self.buffer = _Bytes(self)
        self._level = level
        self._begun = ""

    def write(self, text: str) -> int:
        self._begun += text
        # A print ends in a newline; what lies before it may have several lines.
        if self._begun.endswith("\n") or len(self._begun) > _LONGEST:
            self.finish()
        return len(text)

    def fileno(self) -> int:
        return self.target.fileno()

    def finish(self) -> None:
        text, self._begun = self._begun.rstrip("\n"), ""
        if text:
            from . import log

            log.log(self._level, text)

    def writable(self) -> bool:
        return True


class _Bytes(RawIOBase):
    """``sys.stdout.buffer``. A character may come in two writes."""

    def __init__(self, stream: _Stream) -> None:
        self._stream = stream
        self._decode: Any = None

    def write(self, data: Any) -> int:
        if self._decode is None:
            from codecs import getincrementaldecoder

            self._decode = getincrementaldecoder("utf-8")("replace").decode
        octets = bytes(data)
        self._stream.write(self._decode(octets))
        return len(octets)

    def writable(self) -> bool:
        return True


class Prints:
    """While author code runs: stdout becomes ``info``, stderr ``error``, warnings ``warn``, and records of ``logging`` their level.

    So does what ``sys.__stdout__`` and ``os.write`` are given for the two.
    """

    def __enter__(self) -> Prints:
        self._before = sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__
        self._out, self._err = _Stream(sys.stdout, "info"), _Stream(sys.stderr, "error")
        sys.stdout = sys.__stdout__ = self._out  # type: ignore[misc, assignment]
        sys.stderr = sys.__stderr__ = self._err  # type: ignore[misc, assignment]
        self._os_write, os.write = os.write, self._write
        redirect_modules()
        return self

    def __exit__(self, *_exception: Any) -> None:
        redirect_modules()
        os.write = self._os_write
        self._err.finish()
        self._out.finish()
        sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__ = self._before  # type: ignore[misc]

    def _write(self, descriptor: int, data: Any) -> int:
        stream = {1: self._out, 2: self._err}.get(descriptor)
        return self._os_write(descriptor, data) if stream is None else stream.buffer.write(data)


def redirect_modules() -> None:
    """Once each, and only where they are imported anyway: a plugin that logs nothing with them need not load them."""
    if "logging" in sys.modules and "logging" not in _redirected:
        _redirected.add("logging")
        _redirect_logging()
    if "warnings" in sys.modules and "warnings" not in _redirected:
        _redirected.add("warnings")
        import warnings

        warnings.showwarning = _show_warning  # type: ignore[assignment]


def _redirect_logging() -> None:
    import logging

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            from . import log

            log.log(_level_of(record.levelno), _message_of(record), _data_of(record))

    root = logging.getLogger()
    root.handlers = [Lines()]  # Lambda's own would write each record a second time
    if root.level in (logging.NOTSET, logging.WARNING):
        root.setLevel(logging.INFO)


def _level_of(number: int) -> str:
    return next(name for least, name in _LEVELS if number >= least)


def _message_of(record: Any) -> str:
    try:
        return str(record.getMessage())
    except Exception as error:  # noqa: BLE001 - arguments that do not fit the format
        return f"{record.msg} [not formatted: {error}]"


def _data_of(record: Any) -> dict[str, Any]:
    data = {"logger": record.name}
    if record.exc_info and record.exc_info[1]:
        data["error"] = record.exc_info[1]
    return data


def _show_warning(message: Any, category: Any, filename: str, lineno: int, *_: Any) -> None:
    from . import log

    log.warn(f"{category.__name__}: {message}", {"location": f"{filename}:{lineno}"})
