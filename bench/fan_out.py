"""From the events table's stream to the plugins' queues: what one event costs, and whether a thousand arrive, each session's in order.

On moto's AWS, in process, but for the queues: they only take what they are sent, since moto's look through all that they hold with each
call. So the calls are what AWS would be asked, and the events a second are the dispatcher's on this machine.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bench.aws_calls import account
from bench.report import Table

_SESSIONS, _EVENTS_EACH, _PLUGINS = 50, 20, 5
_STREAM_BATCH = 100  # as the template's event source asks for


def run() -> list[Table]:
    calls: list[str] = []
    with account(calls):
        wide = _dispatched(calls, plugins=20, sessions=1, events_each=1)
        many = _dispatched(calls, plugins=_PLUGINS, sessions=_SESSIONS, events_each=_EVENTS_EACH)
    note = (
        "One stream batch for the single event, batches of 100 for the thousand; moto in the place of AWS. Counted are the dispatcher's "
        "calls; what arrived at every queue was compared with what was committed, session by session."
    )
    header = ("", "delivered", "in order", "AWS calls", "calls per event", "calls per delivery", "events a second")
    rows = [("1 event to 20 plugins", *wide), (f"{_SESSIONS * _EVENTS_EACH} events of {_SESSIONS} sessions to {_PLUGINS} plugins", *many)]
    return [Table("Events to plugins", note, header, rows)]


def _dispatched(calls: list[str], *, plugins: int, sessions: int, events_each: int) -> tuple[str, ...]:
    from chalicelib import runtime
    from chalicelib.events import Dispatcher, unit_of_work
    from chalicelib.runtime.active import ActivePlugin

    slugs = [f"bench-{plugins}-{number}" for number in range(plugins)]
    for slug in slugs:
        with unit_of_work() as work:
            runtime.active.put(work, ActivePlugin(slug, slug, 1, {"hooks": ["session.created"]}))
    committed, records = _happened(plugins, sessions, events_each)
    calls.clear()
    with _queues(calls) as arrived:
        began = time.perf_counter()
        dispatcher = Dispatcher(runtime.active.subscribers)
        for start in range(0, len(records), _STREAM_BATCH):
            dispatcher.handle(records[start : start + _STREAM_BATCH])
        took = time.perf_counter() - began
    asked = len(calls)

    for slug in slugs:
        with unit_of_work() as work:
            runtime.active.remove(work, slug)
    wanted, events = plugins * len(records), len(records)
    count = sum(len(ids) for found in arrived.values() for ids in found.values())
    is_ordered = len(arrived) == plugins and all(found == committed for found in arrived.values())
    if count != wanted or not is_ordered:
        raise SystemExit(f"{count} of {wanted} deliveries arrived, {'in' if is_ordered else 'out of'} order")
    return f"{count} of {wanted}", "yes", str(asked), f"{asked / events:.2f}", f"{asked / wanted:.2f}", f"{events / took:.0f}"


def _happened(mark: int, sessions: int, events_each: int) -> tuple[dict[str, list[int]], list[dict[str, Any]]]:
    """What was committed, by session; and the stream's records of it, sessions mixed."""
    from pynamodb.attributes import NumberAttribute, UnicodeAttribute

    from chalicelib.core.tables import Row, TableMeta, table
    from chalicelib.events import EventSourced
    from chalicelib.events.outbox import UnitOfWork
    from chalicelib.events.records import EventRow

    class Subject(EventSourced, Row):
        class Meta(TableMeta):
            table_name = table("SESSIONS_TABLE")

        pk = UnicodeAttribute(hash_key=True)
        sk = UnicodeAttribute(range_key=True, default="bench")
        event_sequence = NumberAttribute(default=0)

        @property
        def aggregate(self) -> str:
            return f"session#{self.pk}"

    subjects = [Subject(f"bench-{mark}-{number}") for number in range(sessions)]
    committed: dict[str, list[int]] = defaultdict(list)
    records = []
    # Written in batches and not in transactions, each of which moto makes by copying all tables: what is measured comes after.
    with EventRow.batch_write() as batch:
        for turn in range(events_each):
            for subject in subjects:
                event = UnitOfWork().emit("session.created", subject, {"id": subject.pk, "turn": turn})
                committed[event.aggregate].append(event.id)
                row = event.row()
                batch.save(row)
                image = row.to_dynamodb_dict()
                keys = {name: image[name] for name in ("aggregate", "sequence")}
                records.append({"eventName": "INSERT", "dynamodb": {"Keys": keys, "NewImage": image}})
    return dict(committed), records


@contextmanager
def _queues(calls: list[str]) -> Iterator[dict[str, dict[str, list[int]]]]:
    """SQS that takes everything, for the time being: queue -> aggregate -> the events' ids, as they came."""
    from botocore.client import BaseClient

    arrived: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    call = BaseClient._make_api_call

    def taking(client: Any, operation: str, parameters: dict[str, Any]) -> Any:
        if operation not in ("SendMessage", "SendMessageBatch"):
            return call(client, operation, parameters)
        calls.append(operation)
        entries = parameters.get("Entries") or [parameters]
        for entry in entries:
            body = json.loads(entry["MessageBody"])
            arrived[parameters["QueueUrl"]][entry["MessageGroupId"]].append(body["id"])
        return {"Successful": [{"Id": entry.get("Id")} for entry in entries], "Failed": []}

    BaseClient._make_api_call = taking
    try:
        yield arrived
    finally:
        BaseClient._make_api_call = call
