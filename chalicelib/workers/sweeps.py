"""What is done every minute, whatever happened: finding what was left behind."""

from __future__ import annotations

from typing import Any

from chalicelib import jobs, plugins, runtime, webhooks
from chalicelib.workers.sweeping import run_each


def handle(event: dict[str, Any]) -> dict[str, Any]:
    return run_each(
        {
            "recovered_jobs": jobs.recover_abandoned,
            "requeued_deliveries": webhooks.requeue_due,
            "removed_objects": runtime.objects.sweep,
            "plugins_set_aside": plugins.set_aside_failing,
            "safe_mode_followed": plugins.safe_mode.settle,
            "loops_told": plugins.tell_of_loops,
            "events_replayed": runtime.replaying.go_on,
        }
    )
