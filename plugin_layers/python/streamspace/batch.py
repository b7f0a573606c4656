"""A batch of the plugin's FIFO queue (docs/runtime-protocol.md, "Events")."""

from __future__ import annotations

import json

from . import log
from .client import request
from .errors import StreamSpaceError
from .hooks import HookFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    class Listener(Protocol):
        """What a batch needs of the runtime."""

        report_deadline: float

        def hears(self, event_type: str) -> bool: ...
        def prepare(self, settings_version: int | None) -> None: ...
        def run(self, event: dict[str, Any]) -> None: ...
        def is_time_short(self) -> bool: ...


def deliver_batch(records: list[dict[str, Any]], listener: Listener) -> dict[str, Any]:
    """Handles the records in order, one at a time, and answers which of them SQS shall deliver again.

    After a failure that is to be tried again the rest of its group is given back unrun, so that no event overtakes an
    earlier one of its session or user.
    """
    given_back: list[dict[str, Any]] = []
    blocked_groups: set[str] = set()
    is_any_tried = False
    for index, record in enumerate(records):
        if is_any_tried and listener.is_time_short():
            given_back += records[index:]
            break
        group = _group(record)
        if group not in blocked_groups:
            is_any_tried = True
            rest = [later for later in records[index:] if _group(later) == group]
            if _handle(record, rest, listener):
                continue
            blocked_groups.add(group)
        given_back.append(record)
    return {"batchItemFailures": [{"itemIdentifier": record["messageId"]} for record in given_back]}


def _group(record: dict[str, Any]) -> str:
    return str(record.get("attributes", {}).get("MessageGroupId", record["messageId"]))


def _handle(record: dict[str, Any], rest: list[dict[str, Any]], listener: Listener) -> bool:
    """True when the record is done: it ran, nobody listens, or it became a dead letter.

    ``rest`` is the record and the later ones of its group.
    """
    event_id = record["messageId"]
    try:
        event = json.loads(record["body"])
        event_id = event["id"]
        if not listener.hears(event["type"]):
            return True
        receive_count = int(record.get("attributes", {}).get("ApproximateReceiveCount", 1))
        if receive_count > 1 and _begin(event, listener) == "dead-letter":
            return True
        failure = _failure_of(event, listener)
        return failure is None or _report(event, receive_count, failure, rest, listener) == "dead-letter"
    except (StreamSpaceError, ValueError, KeyError, TypeError) as error:
        # The platform could not be asked or told: not the author's failure, so it counts as no attempt.
        log.error(f"The event {event_id} is given back to its queue: {error}", {"error": error})
        return False


def _failure_of(event: dict[str, Any], listener: Listener) -> dict[str, Any] | None:
    try:
        listener.prepare(event.get("settings_version"))
        listener.run(event)
    except HookFailed as failed:
        return failed.failure
    return None


def _begin(event: dict[str, Any], listener: Listener) -> str:
    body = {"aggregate": event["aggregate"], "sequence": event["sequence"]}
    return _verdict(f"runtime/events/{event['id']}/attempts", body, listener)


def _report(event: dict[str, Any], attempt: int, failure: dict[str, Any], rest: list[dict[str, Any]], listener: Listener) -> str:
    body = {
        "aggregate": event["aggregate"],
        "sequence": event["sequence"],
        "attempt": attempt,
        "error": failure,
        "receipt_handles": [record["receiptHandle"] for record in rest],
    }
    return _verdict(f"runtime/events/{event['id']}/failures", body, listener)


def _verdict(path: str, body: dict[str, Any], listener: Listener) -> str:
    answer = request("the runtime", "POST", path, body=body, deadline=listener.report_deadline)
    return str(answer["verdict"])
