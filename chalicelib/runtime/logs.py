"""What a plugin logged, read from its function's log group."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chalicelib.core import aws
from chalicelib.core.errors import ValidationError
from chalicelib.core.pagination import decode_cursor, encode_cursor
from chalicelib.runtime import names
from chalicelib.runtime.log_lines import LEVELS, Line, has_text, level_is_at_least, lines_of
from chalicelib.runtime.redaction import Redaction

__all__ = ["LEVELS", "MOST_CALLS", "Redaction", "Wanted", "read"]

# CloudWatch may answer with nothing and a token to go on with; so often it is asked before the caller is.
MOST_CALLS = 3


@dataclass(frozen=True)
class Wanted:
    """Which lines: of ``level`` and above, of one ``hook``, of one ``event_id``, with ``search`` in message or data. None is any."""

    level: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    hook: str | None = None
    event_id: int | None = None
    search: str | None = None

    def includes(self, line: Line) -> bool:
        return (
            (self.level is None or level_is_at_least(line, self.level))
            and (self.hook is None or line.get("hook") == self.hook)
            and (self.event_id is None or line.get("event_id") == self.event_id)
            and (self.search is None or has_text(line, self.search))
        )


def read(
    slug: str, wanted: Wanted, *, hidden: Redaction | None = None, cursor: str | None = None, limit: int = 200
) -> tuple[list[Line], str | None]:
    """Lines, oldest first (:func:`chalicelib.runtime.log_lines.lines_of`), and the cursor of the next page. One to three calls.

    ``limit`` bounds what is read, before what is wanted is picked out: a page may be empty and still have a next one. What is ``hidden`` is
    also not found by ``search``. A cursor is good for a day, and goes on with the times that it began with.

    Raises ValidationError for a cursor that is not one of this list, or too old.
    """
    request = _request(slug, wanted, cursor, limit)
    logs = aws.client("logs")
    lines: list[Line] = []
    for _ in range(MOST_CALLS):
        try:
            found = logs.filter_log_events(**request)
        except logs.exceptions.ResourceNotFoundException:
            # Nothing was written yet.
            return [], None
        except logs.exceptions.InvalidParameterException as error:
            raise ValidationError({"cursor": ["The cursor is not one that this API gave out, or too old"]}) from error
        lines = [line for line in lines_of(found["events"], hidden or Redaction()) if wanted.includes(line)]
        token = found.get("nextToken")
        if token is None:
            return lines, None
        request["nextToken"] = token
        if lines:
            break
    return lines, encode_cursor({name: request[name] for name in ("startTime", "endTime", "nextToken") if name in request})


def _request(slug: str, wanted: Wanted, cursor: str | None, limit: int) -> dict[str, Any]:
    request: dict[str, Any] = {"logGroupName": names.log_group(slug), "limit": limit}
    if cursor is not None:
        kept = decode_cursor(cursor)
        if not isinstance(kept.get("nextToken"), str) or any(not isinstance(kept.get(name, 0), int) for name in ("startTime", "endTime")):
            raise ValidationError({"cursor": ["The cursor is not one that this API gave out"]})
        return {**request, **{name: kept[name] for name in ("startTime", "endTime", "nextToken") if name in kept}}
    if wanted.since is not None:
        request["startTime"] = int(wanted.since.timestamp() * 1000)
    if wanted.until is not None:
        request["endTime"] = int(wanted.until.timestamp() * 1000)
    return request
