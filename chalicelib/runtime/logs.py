"""What a plugin wrote with ``streamspace.log`` and ``console``: the lines of its function's log group that are its own."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from chalicelib.core import aws, clock
from chalicelib.core.errors import ValidationError
from chalicelib.core.pagination import decode_cursor, encode_cursor
from chalicelib.runtime import names

# From the least to the most serious; asking for one gives the more serious ones too.
LEVELS = ("debug", "info", "warn", "error")
_PAGE = 200
# What Lambda writes around each call; the rest that is not JSON is a crash or a time-out, which the author must see.
_OF_LAMBDA = ("START ", "END ", "REPORT ", "INIT_START ")


def read(
    slug: str, *, level: str | None, since: datetime | None, until: datetime | None, cursor: str | None
) -> tuple[list[dict[str, Any]], str | None]:
    """Lines, oldest first, ``{"time", "level", "message", "data"?, "hook"?, "event_id"?}``, and the cursor of the next page. One call.

    A page may be empty and still have a next one: CloudWatch reads by time, not by number of lines.
    """
    logs = aws.client("logs")
    request: dict[str, Any] = {"logGroupName": names.log_group(slug), "limit": _PAGE}
    if since is not None:
        request["startTime"] = int(since.timestamp() * 1000)
    if until is not None:
        request["endTime"] = int(until.timestamp() * 1000)
    if cursor is not None:
        request["nextToken"] = decode_cursor(cursor).get("token", "")
    try:
        found = logs.filter_log_events(**request)
    except logs.exceptions.ResourceNotFoundException:
        # Nothing was written yet.
        return [], None
    except logs.exceptions.InvalidParameterException as error:
        raise ValidationError({"cursor": ["The cursor is not one that this API gave out, or too old"]}) from error
    lines = [line for event in found["events"] if (line := _line(event)) is not None]
    least = LEVELS.index(level) if level else 0
    token = found.get("nextToken")
    return [line for line in lines if LEVELS.index(line["level"]) >= least], encode_cursor({"token": token}) if token else None


def _line(event: dict[str, Any]) -> dict[str, Any] | None:
    text = event["message"].rstrip("\n")
    if not text or text.startswith(_OF_LAMBDA):
        return None
    time = clock.rfc3339(datetime.fromtimestamp(event["timestamp"] / 1000, clock.now().tzinfo))
    try:
        entry = json.loads(text)
    except ValueError:
        entry = None
    if not isinstance(entry, dict) or "message" not in entry:
        return {"time": time, "level": "error", "message": text}
    level = str(entry.get("level", "info")).lower().replace("warning", "warn")
    kept = {key: entry[key] for key in ("data", "hook", "event_id") if key in entry}
    return {"time": entry.get("timestamp", time), "level": level if level in LEVELS else "info", "message": entry["message"], **kept}
