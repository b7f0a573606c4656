"""From a committed event to the first line of a plugin's hook, on the local stack, warm, one event at a time.

The hook writes down ``Date.now()``; the event's ``time`` is that of the transaction which committed it. Between them lie the table's
stream, the dispatcher, the plugin's queue and its function. The other side, by turns with it, is the smallest request that the stack
answers.
"""

from __future__ import annotations

import time
import uuid
from datetime import datetime
from statistics import median
from typing import Any

from bench import plugins, stack
from bench.report import Table, milliseconds, p95
from cli.client import Client

_EVENTS, _WARM_UP = 20, 3
_PATIENCE_S = 60
_SLUG = "bench-recorder"
_MAIN = """
module.exports = {
  onLoad() {
    streamspace.commands.register({
      name: 'bench-heard', description: 'When an event was heard', permissions: [],
      handler: async ({ of }) => streamspace.storage.get(`heard:${of}`),
    });
  },
  async onUserUpdated(user, event) {
    const at = Date.now();
    await streamspace.storage.set(`heard:${user.fullName}`, { at, time: event.time });
  },
};
"""


def run() -> list[Table]:
    client = stack.administrator()
    user = f"bench-{uuid.uuid4().hex[:8]}"
    client.post("/users", {"username": user, "fullName": "Bench", "email": f"{user}@example.com"})
    try:
        with plugins.installed(client, _SLUG, _MAIN, ["read:users", "storage", "commands"]):
            for _ in range(_WARM_UP):
                _delay_s(client, user)
            delays, requests = [], []
            for _ in range(_EVENTS):
                delays.append(_delay_s(client, user))
                requests.append(_request_s(client))
    finally:
        client.delete(f"/users/{user}")
    rows = [
        ("p50", f"{median(delays) / median(requests):.1f}", milliseconds(delays), milliseconds(requests)),
        ("p95", f"{p95(delays) / p95(requests):.1f}", milliseconds([p95(delays)]), milliseconds([p95(requests)])),
    ]
    note = (
        f"{_EVENTS} events `user.updated`, one after another, against `GET /health` by turns. On AWS, DynamoDB's stream adds its own time."
    )
    return [Table("From an event to the hook's first line", note, ("", "ratio", "event to hook", "GET /health"), rows)]


def _delay_s(client: Client, user: str) -> float:
    mark = uuid.uuid4().hex
    client.patch(f"/users/{user}", {"fullName": mark})
    ends = time.monotonic() + _PATIENCE_S
    while time.monotonic() < ends:
        heard: dict[str, Any] | None = client.post("/commands/bench-heard/execute", {"args": {"of": mark}}).data["result"]
        if heard:
            return heard["at"] / 1000 - datetime.fromisoformat(heard["time"]).timestamp()
        time.sleep(0.3)
    raise SystemExit(f"the hook did not run within {_PATIENCE_S} s")


def _request_s(client: Client) -> float:
    began = time.perf_counter()
    client.get("/health")
    return time.perf_counter() - began
