"""What is done every minute, whatever happened: finding what was left behind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chalicelib import jobs, plugins, runtime, webhooks
from chalicelib.core import log


def handle(event: dict[str, Any]) -> dict[str, Any]:
    tasks: dict[str, Callable[[], int]] = {
        "recovered_jobs": jobs.recover_abandoned,
        "requeued_deliveries": webhooks.requeue_due,
        "removed_objects": runtime.objects.sweep,
        "plugins_set_aside": plugins.set_aside_failing,
        "safe_mode_followed": plugins.safe_mode.settle,
        "loops_told": plugins.tell_of_loops,
        "events_replayed": runtime.replaying.go_on,
    }
    done: dict[str, int] = {}
    for name, task in tasks.items():
        try:
            done[name] = task()
        except Exception:  # noqa: BLE001 what one of them cannot do keeps the others from nothing, and is tried again in a minute
            log.logger().exception("sweep failed", extra={"sweep": name})
    return done
