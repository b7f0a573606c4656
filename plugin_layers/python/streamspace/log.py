"""Plugin API, "Logging API": each call is one line of JSON on stdout, which names plugin, hook and event."""

from __future__ import annotations

import json
import sys
import time

from . import environment
from .call import current

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def _to_stdout(text: str) -> None:
    stream = getattr(sys.stdout, "target", sys.stdout)  # while author code runs, sys.stdout turns prints into calls of this function
    stream.write(text)
    stream.flush()


_write: Callable[[str], None] = _to_stdout


def _write_to(writer: Callable[[str], None] = _to_stdout) -> None:
    """From now on each line goes to ``writer``; to stdout again without one."""
    global _write
    _write = writer


# A loop that logs must not become the platform's bill: so many lines of one call, and of each so much.
MOST_LINES = 2000
_LONGEST_LINE = 64 * 1024


def log(level: str, message: str, data: Any = None) -> None:
    call = current.get()
    if call.hook is not None:
        call.lines += 1
        if call.lines > MOST_LINES + 1:
            return
        if call.lines == MOST_LINES + 1:
            level, data = "warn", None
            message = f"{call.hook} logged more than {MOST_LINES} lines in one call; the rest is left out"
    line = {"timestamp": _now(), "level": str(level), "message": str(message)}
    if data is not None:
        line["data"] = data
    line["plugin"] = environment.plugin()
    if call.hook is not None:
        line["hook"] = call.hook
    if call.event_id is not None:
        line["event_id"] = call.event_id
    text = _to_json(line)
    if len(text) > _LONGEST_LINE:
        cut = f"{line['message'][:1000]}… (a line of {len(text)} characters)"
        text = _to_json({**line, "message": cut, "data": None})
    _write(text + "\n")


def debug(message: str, data: Any = None) -> None:
    log("debug", message, data)


def info(message: str, data: Any = None) -> None:
    log("info", message, data)


def warn(message: str, data: Any = None) -> None:
    log("warn", message, data)


def error(message: str, data: Any = None) -> None:
    log("error", message, data)


def _now() -> str:
    seconds = time.time()
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{int(seconds % 1 * 1000):03d}Z"


def _to_json(line: dict[str, Any]) -> str:
    """JSON of anything: a log line must not fail for what it is told."""
    try:
        return json.dumps(line, default=_jsonable)
    except (TypeError, ValueError, RecursionError):
        return json.dumps({**line, "data": repr(line.get("data"))})  # circular, or keys that are no text


def _jsonable(value: Any) -> Any:
    if isinstance(value, BaseException):
        return {"name": type(value).__name__, "message": str(value), "code": getattr(value, "code", None)}
    if isinstance(value, (set, frozenset)):
        return list(value)
    return str(value)
