"""A receiver on this machine, and queues whose messages are handed on when the test says so."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from chalicelib import webhooks
from chalicelib.accounts import Caller
from chalicelib.core import ids

ADMIN = Caller("user", "ann", "Ann", "admin", None)


class Receiver:
    """``answers`` are used up one by one, each ``(status, headers)`` or a function; then it answers 204."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[Any] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                receiver.got.append(({name.lower(): value for name, value in self.headers.items()}, content))
                answer = receiver.answers.pop(0) if receiver.answers else (204, {})
                if callable(answer):
                    answer = answer(self)
                if answer is None:
                    return
                status, headers = answer
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(content) for _, content in self.got]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    one = Receiver()
    yield one
    one.server.shutdown()
    one.server.server_close()


class Queues:
    """The two delivery queues of moto."""

    def __init__(self, aws: Any, urls: dict[str, str]) -> None:
        self.sqs = aws.client("sqs")
        self.urls = urls

    def take(self, name: str = "deliveries") -> list[dict[str, Any]]:
        """All messages that are there now; they are gone from the queue."""
        found = []
        while messages := self.sqs.receive_message(QueueUrl=self.urls[name], MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                self.sqs.delete_message(QueueUrl=self.urls[name], ReceiptHandle=message["ReceiptHandle"])
                found.append(json.loads(message["Body"]))
        return found

    def waiting(self, name: str = "deliveries") -> int:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesDelayed"]
        counts = self.sqs.get_queue_attributes(QueueUrl=self.urls[name], AttributeNames=names)["Attributes"]
        return sum(int(counts[one]) for one in names)


@pytest.fixture
def queues(aws: Any, monkeypatch: pytest.MonkeyPatch) -> Queues:
    sqs = aws.client("sqs")
    urls = {name: sqs.create_queue(QueueName=f"test-webhook-{name}")["QueueUrl"] for name in ("deliveries", "slow")}
    urls["events"] = sqs.create_queue(QueueName="test-webhook-events.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    monkeypatch.setenv("STREAMSPACE_WEBHOOK_DELIVERIES_QUEUE_URL", urls["deliveries"])
    monkeypatch.setenv("STREAMSPACE_WEBHOOK_SLOW_QUEUE_URL", urls["slow"])
    monkeypatch.setenv("STREAMSPACE_WEBHOOK_EVENTS_QUEUE_URL", urls["events"])
    key = aws.client("kms").create_key()["KeyMetadata"]["KeyId"]
    monkeypatch.setenv("STREAMSPACE_SECRETS_KEY_ID", key)
    return Queues(aws, urls)


@pytest.fixture
def webhook(queues: Queues, receiver: Receiver) -> webhooks.Webhook:
    """One that wants everything, and whose receiver is on this machine."""
    made, _ = webhooks.create(receiver.url, ["*"], secret="your_webhook_secret", by=ADMIN)
    return made


@pytest.fixture
def happen() -> Callable[..., dict[str, Any]]:
    """An event, as the dispatcher sends it, is fanned out."""

    def tell(event_type: str = "plugin.installed", **data: Any) -> dict[str, Any]:
        message = {
            "id": ids.number(),
            "type": event_type,
            "aggregate": "plugin#x",
            "sequence": 1,
            "time": "2024-12-15T10:30:00Z",
            "data": data or {"plugin": {"slug": "invoice-manager", "name": "Invoice Manager", "version": "2.1.0"}},
        }
        webhooks.fan_out(message)
        return message

    return tell
