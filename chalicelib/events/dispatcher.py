"""From the events table's stream to the queues of those who asked.

DynamoDB Streams keeps order within a partition key only, and shows the items of one transaction in any order. So the dispatcher
trusts the stream for *that* something happened, and the table for *what*: for each aggregate it remembers the last sequence that it
sent (its cursor), and sends everything after that, in order. A stream record at or below the cursor was sent already and is passed over.

A crash between sending and moving the cursor sends again; SQS drops what it saw in the last five minutes (the deduplication id is the
event's id), and after that the event arrives twice, as promised: at least once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pynamodb.exceptions import UpdateError

from chalicelib.core import aws, log
from chalicelib.core.tables import condition_failed
from chalicelib.events import log as log_of_aggregates
from chalicelib.events import records
from chalicelib.events.records import Event, EventRow

_CURSOR = "cursor#"
# A cursor outlives the events that it passed, else they would be sent again.
_MARGIN_S = 7 * 24 * 3600


@dataclass(frozen=True)
class Subscriber:
    """A FIFO queue, and which types it wants. ``more`` is added to each message. What more than ``most_hops`` hooks led to is withheld."""

    name: str
    queue_url: str
    types: frozenset[str]
    more: tuple[tuple[str, Any], ...] = ()
    most_hops: int | None = None

    def withholds(self, event: Event) -> bool:
        return self.most_hops is not None and event.hops > self.most_hops


class Subscribers(Protocol):
    def __call__(self) -> Iterable[Subscriber]:
        """Everyone who is subscribed at this moment."""


def queue_subscriber(name: str, queue_url: str, types: Iterable[str]) -> Subscriber:
    return Subscriber(name, queue_url, frozenset(types))


class DispatchFailed(Exception):
    """Some events are still to be sent; the batch must come again."""


class Dispatcher:
    """Sends committed events on. ``subscribers`` are asked once for each batch of the stream.

    ``on_withheld`` is told of each event that some subscriber wanted and was not sent, because of its hops; at least once.
    """

    def __init__(self, *subscribers: Subscribers, on_withheld: Callable[[Event], None] = lambda event: None) -> None:
        self._subscribers = subscribers
        self._on_withheld = on_withheld

    def handle(self, stream_records: Sequence[dict[str, Any]]) -> None:
        """Dispatch what a stream batch tells of.

        Raises DispatchFailed, after everything else was sent, when some aggregate's events could not be: Lambda then hands in the batch
        again, and the cursors tell what is left to do.
        """
        latest: dict[str, Event] = {}
        for record in stream_records:
            if record.get("eventName") != "INSERT":
                continue
            row = EventRow.from_raw_data(record["dynamodb"]["NewImage"])
            if row.aggregate.startswith((_CURSOR, log_of_aggregates.PREFIX)):
                continue
            event = Event.of_row(row)
            known = latest.get(event.aggregate)
            if known is None or event.sequence > known.sequence:
                latest[event.aggregate] = event
        if not latest:
            return
        everyone = [subscriber for ask in self._subscribers for subscriber in ask()]
        failed = []
        for newest in latest.values():
            try:
                self._advance(newest, everyone)
            except Exception:  # noqa: BLE001 whatever it was, the others go on
                log.logger().exception("dispatch failed", extra={"aggregate": newest.aggregate, "sequence": newest.sequence})
                failed.append(newest.aggregate)
        if failed:
            raise DispatchFailed(f"not all events were sent of: {', '.join(failed)}")

    def _advance(self, newest: Event, everyone: Sequence[Subscriber]) -> None:
        """Send the aggregate's events after its cursor, up to ``newest``, and move the cursor."""
        sent = _cursor(newest.aggregate)
        if newest.sequence <= sent:
            return
        # The usual case: exactly the next one. Its copy in the stream is all that is needed.
        is_next = newest.previous == sent or (not sent and not newest.previous)
        due = [newest] if is_next else records.between(newest.aggregate, sent, newest.sequence)
        refused = []
        withheld: dict[int, Event] = {}
        for subscriber in everyone:
            wanted = [event for event in due if event.type in subscriber.types]
            withheld |= {event.id: event for event in wanted if subscriber.withholds(event)}
            try:
                send(subscriber, [event for event in wanted if not subscriber.withholds(event)])
            except Exception:  # noqa: BLE001 one whose queue refuses keeps nobody else waiting
                log.logger().exception("subscriber not served", extra={"subscriber": subscriber.name, "aggregate": newest.aggregate})
                refused.append(subscriber.name)
        for event in withheld.values():
            self._on_withheld(event)
        if refused:
            raise DispatchFailed(f"not sent to: {', '.join(refused)}")
        _move_cursor(newest.aggregate, newest.sequence)


def send(
    subscriber: Subscriber,
    events: Sequence[Event],
    *,
    deduplicate: Callable[[Event], str] = lambda event: str(event.id),
) -> None:
    """Put ``events`` on the subscriber's queue, in order. A queue that is gone was removed with its plugin: nothing to do.

    Raises what SQS answers when it refuses one; those before it were sent, and none behind it. That is why they go one by one: of a
    batch SQS may take the later ones and refuse an earlier one, and then there is no way back to their order. More than one is rare.
    """
    sqs = aws.client("sqs")
    for event in events:
        try:
            sqs.send_message(
                QueueUrl=subscriber.queue_url,
                MessageBody=json.dumps(event.message(**dict(subscriber.more))),
                MessageGroupId=group_id(event.aggregate),
                MessageDeduplicationId=deduplicate(event),
            )
        except sqs.exceptions.ClientError as error:
            if aws.error_code(error) not in ("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"):
                raise
            log.logger().warning("queue is gone", extra={"subscriber": subscriber.name})
            return


def group_id(aggregate: str) -> str:
    """The aggregate as a MessageGroupId: at most 128 of the characters that SQS allows; aggregates are made of those but for length."""
    return aggregate[:128]


def _cursor(aggregate: str) -> int:
    try:
        return int(EventRow.get(_CURSOR + aggregate, 0, consistent_read=True).previous)
    except EventRow.DoesNotExist:
        return 0


def _move_cursor(aggregate: str, to: int) -> None:
    row = EventRow(_CURSOR + aggregate, 0)
    expiry = records.expiry(aggregate)
    try:
        row.update(
            actions=[EventRow.previous.set(to), EventRow.expires_at.set(expiry + _MARGIN_S) if expiry else EventRow.expires_at.remove()],
            condition=EventRow.previous.does_not_exist() | (EventRow.previous < to),
        )
    except UpdateError as error:
        # Another run of the same shard has gone further already: it sent what this one did.
        if not condition_failed(error):
            raise
