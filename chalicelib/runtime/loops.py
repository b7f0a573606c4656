"""Events that were told to no plugin, because plugins caused each other to cause them: noted here, and told to administrators by
``plugins.tell_of_loops``, once in an hour for each plugin."""

from __future__ import annotations

import json
from dataclasses import dataclass

from chalicelib.core import clock
from chalicelib.events import Event
from chalicelib.runtime.models import RuntimeRow

TOLD_EVERY_S = 3600
_LOOPS = "LOOPS"


@dataclass(frozen=True)
class Loop:
    """What was withheld last, of ``count`` events that the plugin caused."""

    plugin: str
    event_id: int
    event_type: str
    aggregate: str
    hops: int
    count: int


def note(event: Event) -> None:
    """One UpdateItem."""
    body = json.dumps({"event_id": event.id, "event_type": event.type, "aggregate": event.aggregate, "hops": event.hops})
    RuntimeRow(_LOOPS, event.caused_by or "unknown").update(actions=[RuntimeRow.body.set(body), RuntimeRow.attempts.add(1)])


def untold() -> list[Loop]:
    """Those that administrators are to be told of now. Key condition: pk = LOOPS."""
    now_s = clock.timestamp()
    rows = RuntimeRow.query(_LOOPS, consistent_read=True)
    return [
        Loop(row.sk, count=int(row.attempts or 0), **json.loads(row.body))
        for row in rows
        if row.body and (row.at is None or now_s - float(row.at) >= TOLD_EVERY_S)
    ]


def note_told(loop: Loop) -> None:
    """Administrators know of it. What has come meanwhile is told in an hour."""
    now_s = clock.timestamp()
    row = RuntimeRow(_LOOPS, loop.plugin)
    row.update(actions=[RuntimeRow.at.set(now_s), RuntimeRow.attempts.add(-loop.count), RuntimeRow.body.remove()])


def forget(slug: str) -> None:
    RuntimeRow(_LOOPS, slug).delete()
