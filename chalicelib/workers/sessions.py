"""Both of the session worker's queues: events of sessions, and sessions to look at again."""

from __future__ import annotations

from typing import Any


def handle(event: dict[str, Any]) -> dict[str, Any]:
    # Imported here: this is the one function that carries the Kubernetes client.
    from chalicelib.sessions import worker

    is_fifo = event["Records"][0]["eventSourceARN"].endswith(".fifo")
    return worker.handle_events(event) if is_fifo else worker.handle_checks(event)
