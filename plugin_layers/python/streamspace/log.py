"""Plugin API, "Logging API": each call is one line of JSON on stdout, which names plugin, hook and event."""

from __future__ import annotations

import json
import sys
import time

from . import environment
from .call import current
from .loggable import loggable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def log(level: str, message: str, data: Any = None) -> None:
    call = current.get()
    line = {"timestamp": _now(), "level": loggable(_text_of(level)), "message": loggable(_text_of(message))}
    if data is not None:
        line["data"] = loggable(data)
    line["plugin"] = environment.plugin()
    if call.hook is not None:
        line["hook"] = call.hook
    if call.event_id is not None:
        line["event_id"] = call.event_id
    stream = getattr(sys.stdout, "target", sys.stdout)  # while author code runs, sys.stdout turns prints into calls of this function
    stream.write(json.dumps(line) + "\n")
    stream.flush()


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


def _text_of(value: Any) -> str:
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - an author's own __str__
        return f"[{type(value).__name__}]"
