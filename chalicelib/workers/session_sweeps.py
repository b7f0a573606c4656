"""What is done for sessions every minute: ending those that nobody uses, removing users, and comparing the cluster with the records."""

from __future__ import annotations

from typing import Any

from chalicelib import sessions
from chalicelib.workers.sweeping import run_each


def handle(event: dict[str, Any]) -> dict[str, Any]:
    # Imported here: this function carries the Kubernetes client.
    from chalicelib.sessions import drift

    return run_each(
        {
            "users_removed": sessions.go_on_removing,
            "sessions_ended_or_warned": sessions.end_due,
            "drifted": drift.mend,
            "nodes_measured": drift.measure_room,
        }
    )
