"""The outbox: a change and its events in one transaction.

::

    with unit_of_work(actor) as work:
        work.create(row, otherwise=UserAlreadyExists(username))
        work.emit("user.created", row, view(user))

Two writers of one aggregate: both read the row, both emit; the row's write carries the condition ``event_sequence = as read``, so that the
second is refused with ConcurrentChange, and :func:`retried` runs its use case again from the read. So sequence numbers have no gaps, and an
event's existence proves that the ones before it were committed.
"""

from __future__ import annotations

import functools
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

from pynamodb.exceptions import TransactWriteError
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action
from pynamodb.models import Model
from pynamodb.transactions import TransactWrite

from chalicelib.core import clock, ids
from chalicelib.core.errors import ConcurrentChange, StreamSpaceError
from chalicelib.core.tables import connection
from chalicelib.events import log
from chalicelib.events.causes import Actor, Cause, cause_of
from chalicelib.events.records import Event
from chalicelib.events.tally import Tally

P = ParamSpec("P")
R = TypeVar("R")

_TRIES = 8
_BACKOFF_S = 0.02


@dataclass
class _Write:
    kind: str
    row: Model
    condition: Condition | None
    actions: list[Action]
    otherwise: StreamSpaceError | None
    is_new: bool = False


class UnitOfWork:
    """Collects writes and events; :func:`unit_of_work` commits them together. At most 100 items, as DynamoDB allows."""

    def __init__(self, actor: Actor | None = None) -> None:
        self._actor = actor
        self._writes: list[_Write] = []
        self._events: list[Event] = []
        self._sequence_read: dict[int, int] = {}

    def create(self, row: Model, *, otherwise: StreamSpaceError | None = None) -> None:
        """Put a row that must not exist yet."""
        key = type(row)._hash_key_attribute()
        self._writes.append(_Write("put", row, key.does_not_exist(), [], otherwise, is_new=True))

    def save(self, row: Model, condition: Condition | None = None, *, otherwise: StreamSpaceError | None = None) -> None:
        """Put the whole row. A row that events are told of is also checked against what was read."""
        self._writes.append(_Write("put", row, condition, [], otherwise))

    def update(
        self,
        row: Model,
        actions: list[Action],
        condition: Condition | None = None,
        *,
        otherwise: StreamSpaceError | None = None,
    ) -> None:
        """Change some attributes of the item with the row's key."""
        self._writes.append(_Write("update", row, condition, actions, otherwise))

    def delete(self, row: Model, condition: Condition | None = None, *, otherwise: StreamSpaceError | None = None) -> None:
        self._writes.append(_Write("delete", row, condition, [], otherwise))

    def check(self, row: Model, condition: Condition, *, otherwise: StreamSpaceError | None = None) -> None:
        """The item with the row's key must satisfy ``condition``, and is not changed."""
        self._writes.append(_Write("check", row, condition, [], otherwise))

    def emit(self, event_type: str, row: Any, data: dict[str, Any]) -> Event:
        """Tell that ``event_type`` happened to ``row``, which this unit of work also creates, saves or deletes."""
        previous = int(row.event_sequence or 0)
        self._sequence_read.setdefault(id(row), previous)
        # A new life starts at the time of day, so that an aggregate that comes back under its old name goes on upwards.
        row.event_sequence = previous + 1 if previous else int(clock.timestamp() * 1000) * 1000
        cause = self._cause(row)
        tally = _tally(row, event_type)
        event_id = tally.last_id if tally else ids.number()
        event = Event(
            id=event_id,
            type=event_type,
            aggregate=row.aggregate,
            sequence=row.event_sequence,
            previous=previous,
            # A log is looked at by time, and finds it in the id.
            time=ids.moment_of(event_id) if tally else clock.now(),
            data=data,
            actor={"id": self._actor.id, "name": self._actor.name} if self._actor else None,
            hops=cause.hops if cause else 0,
            caused_by=cause.plugin if cause else None,
            tally=tally,
        )
        self._events.append(event)
        return event

    def _cause(self, row: Any) -> Cause | None:
        """What led to the event; the row keeps it for the next one."""
        keeps_cause = hasattr(type(row), "event_cause")
        cause = cause_of(self._actor, Cause.of_text(row.event_cause) if keeps_cause else None, clock.timestamp())
        if keeps_cause:
            row.event_cause = cause.text() if cause else None
        return cause

    def commit(self) -> None:
        if not self._writes:
            return
        written: list[_Write] = []
        try:
            with TransactWrite(connection=connection()) as transaction:
                # DynamoDB reports reasons in the order of the request: checks, deletes, puts, updates (pynamodb's order).
                for kind in ("check", "delete", "put", "update"):
                    for write in (write for write in self._writes if write.kind == kind):
                        self._add(transaction, write)
                        written.append(write)
                    if kind == "put":
                        for row in (row for event in self._events for row in (event.row(), *log.copies_of(event))):
                            transaction.save(row, condition=type(row).aggregate.does_not_exist())
                            written.append(_Write("put", row, None, [], None))
        except TransactWriteError as error:
            raise self._explained(error, written) from error

    def _add(self, transaction: TransactWrite, write: _Write) -> None:
        condition = write.condition
        read = self._sequence_read.get(id(write.row))
        if read is not None and write.kind in ("put", "delete") and not write.is_new:
            attribute = type(write.row).event_sequence  # type: ignore[attr-defined]
            unchanged = attribute == read if read else attribute.does_not_exist()
            condition = unchanged if condition is None else condition & unchanged
        match write.kind:
            case "check":
                hash_key, range_key = _key_of(write.row)
                transaction.condition_check(type(write.row), hash_key, range_key, condition=condition)
            case "delete":
                transaction.delete(write.row, condition=condition)
            case "put":
                transaction.save(write.row, condition=condition)
            case "update":
                transaction.update(write.row, actions=write.actions, condition=condition)

    def _explained(self, error: TransactWriteError, written: list[_Write]) -> Exception:
        reasons = list(error.cancellation_reasons or [])
        for reason, write in zip(reasons, written, strict=False):
            if reason is not None and reason.code == "ConditionalCheckFailed" and write.otherwise is not None:
                return write.otherwise
        retriable = ("ConditionalCheckFailed", "TransactionConflict")
        if any(reason is not None and reason.code in retriable for reason in reasons):
            return ConcurrentChange()
        return error


def _tally(row: Any, event_type: str) -> Tally | None:
    """The aggregate's tally with this event, which the row keeps for the next one. None where nobody reads its events as a log."""
    if not hasattr(type(row), "event_tally"):
        return None
    before = Tally.of_text(row.event_tally) or Tally(first=row.event_sequence)
    after = before.with_event(event_type, max(ids.number(), before.last_id + 1))
    row.event_tally = after.text()
    return after


def _key_of(row: Model) -> tuple[Any, Any]:
    hash_name, range_name = type(row)._hash_keyname, type(row)._range_keyname
    return getattr(row, str(hash_name)), getattr(row, range_name) if range_name else None


@contextmanager
def unit_of_work(actor: Actor | None = None) -> Iterator[UnitOfWork]:
    """Commits at the end of the block, unless it raises.

    Raises: the ``otherwise`` of a write whose condition did not hold; ConcurrentChange when another writer was faster.
    """
    work = UnitOfWork(actor)
    yield work
    work.commit()


def retried(use_case: Callable[P, R]) -> Callable[P, R]:
    """Runs the use case again, from its reads on, when another writer was faster; gives up after eight tries (about a second)."""

    @functools.wraps(use_case)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        for attempt in range(1, _TRIES):
            try:
                return use_case(*args, **kwargs)
            except ConcurrentChange:
                # Full jitter: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
                time.sleep(random.uniform(0, _BACKOFF_S * 2**attempt))  # noqa: S311
        return use_case(*args, **kwargs)

    return run
