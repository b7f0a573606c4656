"""One line of a function's log as a plugin's author wants to read it. Nothing here touches AWS.

Source of Lambda's own lines: https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html, nodejs-logging.html, and
https://docs.aws.amazon.com/lambda/latest/dg/troubleshooting-invocation.html
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from chalicelib.core import clock
from chalicelib.runtime.redaction import Redaction

# From the least to the most serious; asking for one gives the more serious ones too.
LEVELS = ("debug", "info", "warn", "error")
_SAME = {"warning": "warn", "trace": "debug", "verbose": "debug", "fatal": "error", "critical": "error"}

_AROUND_CALLS = ("START ", "END ", "INIT_START ", "INIT_REPORT ", "RESTORE_START ", "EXTENSION\t", "TELEMETRY\t", "XRAY ")
_TIMED_OUT = re.compile(r"Task timed out after ([\d.]+) seconds")
_EXITED = re.compile(r"Runtime exited (?:with error: (?P<how>[^\n]+)|without providing a reason)")
_OUT_OF_MEMORY = re.compile(r"Runtime\.OutOfMemory|signal: killed|JavaScript heap out of memory")
_OF_NODE = re.compile(r"\d{4}-[\dT:.-]+Z\t(?P<request>[\w-]+)\t(?P<level>[A-Z]+)\t(?P<text>.*)", re.DOTALL)
_OF_PYTHON = re.compile(r"\[(?P<level>[A-Z]+)\](?:\t\d{4}-[\dT:.-]+Z\t[\w-]+\t| )(?P<text>.*)", re.DOTALL)
_ERROR_OF_NODE = re.compile(r"(?P<what>[A-Z][A-Za-z ]+?) *\t(?P<error>\{.*\})", re.DOTALL)
# A crash is written line by line, in one go.
_ONE_CRASH_MS = 50

Line = dict[str, Any]


def lines_of(events: Iterable[Mapping[str, Any]], hidden: Redaction) -> list[Line]:
    """CloudWatch's events as lines ``{"id", "time", "level", "message", "data"?, "hook"?, "event_id"?}``, in their order.

    What Lambda writes around calls is left out; the lines of a crash are one.
    """
    lines: list[Line] = []
    crash: tuple[str, int] | None = None
    for event in events:
        text = event["message"].rstrip("\n")
        found = _parsed(text)
        if found is None:
            continue
        place = (str(event.get("logStreamName", "")), int(event["timestamp"]))
        is_raw = found == {}
        if is_raw and crash is not None and crash[0] == place[0] and place[1] - crash[1] <= _ONE_CRASH_MS:
            lines[-1]["message"] += "\n" + text
            continue
        crash = place if is_raw else None
        line = {"level": "error", "message": text, **found}
        time = clock.rfc3339(datetime.fromtimestamp(event["timestamp"] / 1000, UTC))
        lines.append({"id": _id(event), "time": time, **line})
    return [_shown(line, hidden) for line in lines if line["message"].strip() or "data" in line]


def level_is_at_least(line: Line, least: str) -> bool:
    return LEVELS.index(_SAME.get(line["level"], line["level"]) if line["level"] in (*LEVELS, *_SAME) else "info") >= LEVELS.index(least)


def has_text(line: Line, wanted: str) -> bool:
    """Whether message or data contain the text, whatever its case."""
    text = f"{line['message']}\n{json.dumps(line['data'], ensure_ascii=False)}" if "data" in line else line["message"]
    return wanted.casefold() in text.casefold()


def _parsed(text: str) -> Line | None:
    """What the line says; empty for one that is as somebody wrote it; None for one that nobody needs."""
    if text.startswith(_AROUND_CALLS):
        return None
    if text.startswith("REPORT "):
        return {"message": _KILLED} if "Runtime.OutOfMemory" in text else None
    ours = _ours(text)
    if ours is not None:
        return ours
    if timed_out := _TIMED_OUT.search(text):
        return {"message": f"The function ran out of time after {float(timed_out[1]):g} s"}
    if exited := _EXITED.search(text):
        how = exited["how"] or "without a reason"
        return {"message": _KILLED if _OUT_OF_MEMORY.search(how) else f"The function's process ended by itself: {how}"}
    if of_node := _OF_NODE.fullmatch(text):
        error = _ERROR_OF_NODE.fullmatch(of_node["text"])
        told = _error(error["what"], error["error"]) if error else None
        return {"level": _level(of_node["level"]), **(told or {"message": of_node["text"]})}
    if of_python := _OF_PYTHON.fullmatch(text):
        return {"level": _level(of_python["level"]), "message": of_python["text"].rstrip()}
    return {}


_KILLED = "The function was killed: it most likely needed more memory than it has"


def _ours(text: str) -> Line | None:
    """What ``streamspace.log``, ``console`` and ``print`` wrote."""
    if not text.startswith("{"):
        return None
    try:
        entry = json.loads(text)
    except ValueError:
        return None
    if not isinstance(entry, dict) or not isinstance(entry.get("message"), str):
        return None
    kept = {key: entry[key] for key in ("data", "hook", "event_id") if entry.get(key) is not None}
    if isinstance(entry.get("timestamp"), str):
        kept["time"] = entry["timestamp"]
    return {"level": _level(str(entry.get("level", "info"))), "message": entry["message"], **kept}


def _level(text: str) -> str:
    level = text.lower()
    return "warn" if level == "warning" else level


def _error(what: str, error: str) -> Line | None:
    """``Uncaught Exception {"errorType": …, "errorMessage": …, "stack": […]}``."""
    try:
        facts = json.loads(error)
    except ValueError:
        return None
    message = f"{what.strip()}: {facts.get('errorType', 'Error')}: {facts.get('errorMessage', '')}"
    return {"message": message, "data": {"stack": "\n".join(map(str, facts.get("stack", [])))}}


def _shown(line: Line, hidden: Redaction) -> Line:
    shown = {**line, "message": hidden.text(line["message"])}
    if "data" in line:
        shown["data"] = hidden.value(line["data"])
    return shown


def _id(event: Mapping[str, Any]) -> str:
    """The same for the same event each time that it is read."""
    if event.get("eventId"):
        return str(event["eventId"])
    place = f"{event.get('logStreamName')}\n{event['timestamp']}\n{event['message']}"
    return hashlib.sha256(place.encode()).hexdigest()[:24]
