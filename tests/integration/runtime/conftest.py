"""Active plugins with queues, and events that really happened."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from pynamodb.attributes import NumberAttribute, UnicodeAttribute

from chalicelib.core.tables import Row, TableMeta, table
from chalicelib.events import Event, EventSourced, unit_of_work
from chalicelib.runtime import active
from chalicelib.runtime.active import ActivePlugin
from tests.integration.jobs.conftest import platform, repository

__all__ = ["platform", "repository"]


class Subject(EventSourced, Row):
    """Something that events happen to."""

    class Meta(TableMeta):
        table_name = table("ACCOUNTS_TABLE")

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True, default="subject")
    event_sequence = NumberAttribute(default=0)

    @property
    def aggregate(self) -> str:
        return f"subject#{self.pk}"


@pytest.fixture(autouse=True)
def _functions_without_docker(monkeypatch: pytest.MonkeyPatch) -> None:
    from moto.core.config import default_user_config

    monkeypatch.setitem(default_user_config, "lambda", {"use_docker": False})


@pytest.fixture
def happened(aws: Any) -> Callable[..., list[Event]]:
    """``happened("a", 3)``: three events in the life of a."""

    def make(name: str, count: int = 1, event_type: str = "session.created") -> list[Event]:
        subject = Subject(name)
        events = []
        for number in range(count):
            with unit_of_work() as work:
                work.save(subject) if number else work.create(subject)
                events.append(work.emit(event_type, subject, {"n": number}))
        return events

    return make


class PluginQueue:
    """The queue of one active plugin, seen as its function sees it."""

    def __init__(self, aws: Any, slug: str) -> None:
        self.sqs = aws.client("sqs")
        attributes = {"FifoQueue": "true", "VisibilityTimeout": "600"}
        self.url = self.sqs.create_queue(QueueName=f"test-plugin-{slug}.fifo", Attributes=attributes)["QueueUrl"]

    def put(self, *bodies: str, group: str = "g") -> None:
        for body in bodies:
            self.sqs.send_message(QueueUrl=self.url, MessageBody=body, MessageGroupId=group, MessageDeduplicationId=body)

    def receive(self, wait_s: int = 0) -> list[dict[str, Any]]:
        wanted = {"MaxNumberOfMessages": 10, "WaitTimeSeconds": wait_s}
        return self.sqs.receive_message(QueueUrl=self.url, **wanted).get("Messages", [])  # type: ignore[no-any-return]

    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(message["Body"]) for message in self.receive()]


@pytest.fixture
def plugin_queue(aws: Any) -> Callable[..., PluginQueue]:
    """``plugin_queue("watcher", hooks=[…])``: the queue of a plugin that is active with that registration."""

    def make(slug: str, *, is_active: bool = True, settings_version: int = 1, **registered: Any) -> PluginQueue:
        queue = PluginQueue(aws, slug)
        if is_active:
            with unit_of_work() as work:
                active.put(work, ActivePlugin(slug, queue.url, settings_version, registered))
        return queue

    return make
