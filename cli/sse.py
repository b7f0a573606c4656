"""Following a job's Server-Sent Events over answers that end: read, wait, ask again for what came after.

Source: HTML Living Standard §9.2; the answers are buffered, so each connection ends and the client reconnects.
"""

import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from cli.client import Client
from cli.errors import ApiError, JobFailed, NetworkError

_DEFAULT_RETRY_MS = 1000
_MOST_FAILURES = 6
"""In a row, each waited for longer than the one before: half a minute altogether."""
_LINE_END = re.compile(r"\r\n|\n|\r")


@dataclass(frozen=True)
class Event:
    name: str
    data: Any
    """The JSON value, or the text if it is none."""
    id: str | None


@dataclass(frozen=True)
class Stream:
    events: list[Event]
    last_event_id: str | None
    retry_ms: int | None


def parse(text: str) -> Stream:
    """The events of one answer. What is cut off before its empty line does not count; it is sent again."""
    events: list[Event] = []
    name, lines = "message", list[str]()
    last_event_id: str | None = None
    seen_id: str | None = None
    retry_ms: int | None = None
    for line in _LINE_END.split(text.removeprefix("\ufeff"))[:-1]:
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            last_event_id = seen_id
            if lines:
                events.append(Event(name, _value("\n".join(lines)), last_event_id))
            name, lines = "message", []
        elif field == "event":
            name = value
        elif field == "data":
            lines.append(value)
        elif field == "id" and "\0" not in value:
            seen_id = value
        elif field == "retry" and value.isascii() and value.isdigit():
            retry_ms = int(value)
    return Stream(events, last_event_id, retry_ms)


def follow(client: Client, path: str, *, at_most_s: float, now: Callable[[], float] = time.monotonic) -> Iterator[Event]:
    """Each event once, until ``complete`` or ``failed``, which is the last.

    A connection that breaks, or an answer that says to come back later, is tried again for about half a minute.

    Raises: NetworkError or ApiError when that does not help; JobFailed when ``at_most_s`` seconds brought no end.
    """
    last_event_id: str | None = None
    retry_ms, failures, began = _DEFAULT_RETRY_MS, 0, now()
    while now() - began < at_most_s:
        try:
            stream = parse(client.events(path, last_event_id))
            failures = 0
        except (NetworkError, ApiError) as error:
            failures += 1
            if failures >= _MOST_FAILURES or (isinstance(error, ApiError) and error.status < 500):
                raise
            client.sleep(2 ** (failures - 1))
            continue
        last_event_id = stream.last_event_id or last_event_id
        retry_ms = stream.retry_ms if stream.retry_ms is not None else retry_ms
        for event in stream.events:
            yield event
            if event.name in ("complete", "failed"):
                return
        client.sleep(retry_ms / 1000)
    raise JobFailed(f"The job has not ended within {at_most_s:.0f} s; it may still go on")


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
