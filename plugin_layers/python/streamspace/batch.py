"""A batch of the plugin's FIFO queue (docs/runtime-protocol.md, "Events")."""

from __future__ import annotations

import json
import time

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


REPORT_EVERY_S = 10.0
MOST_UNREPORTED = 100


class _Told:
    """What this container could not tell the platform yet: failures of attempts, by event, and that it has taken events."""

    unreported: dict[Any, dict[str, Any]] = {}
    has_delivered = False
    delivery_reported_at = float("-inf")


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
        if failure is not None:
            return _report(event, receive_count, failure, rest, listener) == "dead-letter"
        _delivered(event, listener)
        return True
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


def _delivered(event: dict[str, Any], listener: Listener) -> None:
    """A delivery is told at once only while the event's message asks for it; else with the next report that is due anyway."""
    _Told.has_delivered = True
    if not event.get("report_delivery") or time.monotonic() - _Told.delivery_reported_at < REPORT_EVERY_S:
        return
    try:
        path = f"runtime/events/{event['id']}/deliveries"
        request("the runtime", "POST", path, body={}, deadline=listener.report_deadline)
    except StreamSpaceError as error:
        # It is delivered all the same.
        log.warn(f"The delivery of the event {event['id']} could not be reported: {error}")
        return
    _Told.delivery_reported_at = time.monotonic()
    _Told.has_delivered = False


def _begin(event: dict[str, Any], listener: Listener) -> str:
    body = {"aggregate": event["aggregate"], "sequence": event["sequence"]}
    if event["id"] in _Told.unreported:
        body["unreported"] = _Told.unreported[event["id"]]
    answer = _verdict(f"runtime/events/{event['id']}/attempts", body, listener)
    _Told.unreported.pop(event["id"], None)
    return answer


def _report(event: dict[str, Any], attempt: int, failure: dict[str, Any], rest: list[dict[str, Any]], listener: Listener) -> str:
    body = {
        "aggregate": event["aggregate"],
        "sequence": event["sequence"],
        "attempt": attempt,
        "error": failure,
        "receipt_handles": [record["receiptHandle"] for record in rest],
    }
    try:
        return _verdict(f"runtime/events/{event['id']}/failures", body, listener)
    except StreamSpaceError:
        if len(_Told.unreported) >= MOST_UNREPORTED:
            _Told.unreported.clear()
        _Told.unreported[event["id"]] = failure
        raise


def _verdict(path: str, body: dict[str, Any], listener: Listener) -> str:
    if _Told.has_delivered:
        body = {**body, "has_delivered": True}
    answer = request("the runtime", "POST", path, body=body, deadline=listener.report_deadline)
    _Told.has_delivered = False
    return str(answer["verdict"])
