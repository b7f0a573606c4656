"""Turns what author code prints, warns of, or gives to ``logging`` into log lines."""

from __future__ import annotations

import sys
from io import TextIOBase

from . import log

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TextIO

_LEVELS = ((40, "error"), (30, "warn"), (20, "info"), (0, "debug"))  # of the logging module

_redirected: set[str] = set()


class _Stream(TextIOBase):
    """Takes the place of ``sys.stdout`` or ``sys.stderr``: each print becomes one line of JSON."""

    def __init__(self, target: TextIO, level: str) -> None:
        self.target = target
        self._level = level
        self._begun = ""

    def write(self, text: str) -> int:
        self._begun += text
        if self._begun.endswith("\n"):  # a print ends so; what lies before may have several lines
            self.finish()
        return len(text)

    def finish(self) -> None:
        text, self._begun = self._begun.rstrip("\n"), ""
        if text:
            log.log(self._level, text)

    def writable(self) -> bool:
        return True


class Prints:
    """While author code runs: stdout becomes ``info``, stderr ``error``, warnings ``warn``, and records of ``logging`` their level."""

    def __enter__(self) -> Prints:
        self._out, self._err = _Stream(sys.stdout, "info"), _Stream(sys.stderr, "error")
        sys.stdout, sys.stderr = self._out, self._err
        redirect_modules()
        return self

    def __exit__(self, *_exception: Any) -> None:
        redirect_modules()
        self._err.finish()
        self._out.finish()
        sys.stdout, sys.stderr = self._out.target, self._err.target


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
    log.warn(f"{category.__name__}: {message}", {"location": f"{filename}:{lineno}"})
