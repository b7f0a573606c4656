"""Plugin API, "Logging API": each call is one line of JSON on stdout, which names plugin, hook and event."""

from __future__ import annotations

import json
import time

from . import environment, log_output
from .call import current
from .loggable import loggable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

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
    line = {"timestamp": _now(), "level": loggable(_text_of(level)), "message": loggable(_text_of(message))}
    if data is not None:
        line["data"] = loggable(data)
    line["plugin"] = environment.plugin()
    if call.hook is not None:
        line["hook"] = call.hook
    if call.event_id is not None:
        line["event_id"] = call.event_id
    text = json.dumps(line)
    if len(text) > _LONGEST_LINE:
        cut = f"{line['message'][:1000]}… (a line of {len(text)} characters)"
        text = json.dumps({**line, "message": cut, "data": None})
    log_output.write(text + "\n")


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
