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


def write_to(writer: Callable[[str], None] = _to_stdout) -> None:
    """From now on each line goes to ``writer``; to stdout again without one."""
    global _write
    _write = writer


def log(level: str, message: str, data: Any = None) -> None:
    call = current.get()
    line = {"timestamp": _now(), "level": str(level), "message": str(message)}
    if data is not None:
        line["data"] = data
    line["plugin"] = environment.plugin()
    if call.hook is not None:
        line["hook"] = call.hook
    if call.event_id is not None:
        line["event_id"] = call.event_id
    _write(_to_json(line) + "\n")


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
