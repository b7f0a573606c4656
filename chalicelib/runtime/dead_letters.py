"""Events that a plugin could not take: those that wait to be delivered again, and the history of all that ever failed.

A dead letter is gone when it is replayed; its line in the history stays, whatever becomes of the plugin's status, for a quarter.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from chalicelib.core import clock, log
from chalicelib.core.errors import ValidationError
from chalicelib.core.pagination import decode_cursor, encode_cursor
from chalicelib.events import Event
from chalicelib.runtime import failures
from chalicelib.runtime.models import RuntimeRow, event_key

_KEPT_S = 90 * 24 * 3600
MOST = 1000


@dataclass(frozen=True)
class DeadLetter:
    """``error`` is the failure as the plugin reported it (``docs/runtime-protocol.md``). ``died_at`` is RFC 3339.

    ``counts``: against the plugin. What nobody could report may have been the platform's fault, and does not.
    """

    event_id: int
    event_type: str
    aggregate: str
    sequence: int
    attempts: int
    error: dict[str, Any]
    died_at: str
    counts: bool = True


def record(slug: str, event: Event, attempts: int, error: dict[str, Any], *, counts: bool = True) -> DeadLetter:
    """Set the event aside. Twice is fine: there is one letter for each event, and a line of history for each time."""
    told = failures.trimmed(error)
    now = clock.now()
    letter = DeadLetter(event.id, event.type, event.aggregate, event.sequence, attempts, told, clock.rfc3339(now), counts)
    body = json.dumps(vars(letter))
    moment = int(now.timestamp() * 1000)
    RuntimeRow(_history(slug), f"{moment_key(moment)}-{event.id:016d}", body=body, expires_at=moment // 1000 + _KEPT_S).save()
    RuntimeRow(_letters(slug), event_key(event.id), body=body).save()
    log.logger().warning("event set aside", extra={"plugin": slug, "event_id": event.id, "error": told})
    return letter


def of(slug: str, *, limit: int = MOST, cursor: str | None = None) -> tuple[list[DeadLetter], str | None]:
    """Those that wait, newest event first, and the cursor of the next page. Key condition: pk = DEAD#slug."""
    return _page(_letters(slug), limit, cursor)


def history(slug: str, *, limit: int = MOST, cursor: str | None = None) -> tuple[list[DeadLetter], str | None]:
    """Each time that an event was set aside, latest first, and the cursor of the next page. Key condition: pk = FAILURES#slug."""
    return _page(_history(slug), limit, cursor)


def history_since(slug: str, moment_ms: int) -> list[DeadLetter]:
    """What was set aside at that moment or later, latest first. Key condition: pk, sk >= the moment."""
    rows = RuntimeRow.query(_history(slug), RuntimeRow.sk >= moment_key(moment_ms), scan_index_forward=False, consistent_read=True)
    return [_letter(row) for row in rows]


def find(slug: str, event_id: int) -> DeadLetter | None:
    try:
        return _letter(RuntimeRow.get(_letters(slug), event_key(event_id), consistent_read=True))
    except RuntimeRow.DoesNotExist:
        return None


def remove(slug: str, event_id: int) -> None:
    RuntimeRow(_letters(slug), event_key(event_id)).delete()


def moment_key(moment_ms: int) -> str:
    return f"{moment_ms:015d}"


def _page(partition: str, limit: int, cursor: str | None) -> tuple[list[DeadLetter], str | None]:
    before = decode_cursor(cursor).get("before") if cursor else None
    if cursor and not (isinstance(before, str) and 0 < len(before) < 100):
        raise ValidationError({"cursor": ["The cursor is not one that this API gave out for this list"]})
    rows = list(RuntimeRow.query(partition, RuntimeRow.sk < before if before else None, scan_index_forward=False, limit=limit + 1))
    page = rows[:limit]
    return [_letter(row) for row in page], encode_cursor({"before": page[-1].sk}) if len(rows) > limit else None


def _letter(row: RuntimeRow) -> DeadLetter:
    return DeadLetter(**json.loads(row.body))


def _letters(slug: str) -> str:
    return f"DEAD#{slug}"


def _history(slug: str) -> str:
    return f"FAILURES#{slug}"
