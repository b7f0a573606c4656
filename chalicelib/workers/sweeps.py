"""What is done every minute, whatever happened: finding what was left behind."""

from __future__ import annotations

from typing import Any

from chalicelib import jobs, runtime, webhooks


def handle(event: dict[str, Any]) -> dict[str, Any]:
    return {
        "recovered_jobs": jobs.recover_abandoned(),
        "requeued_deliveries": webhooks.requeue_due(),
        "removed_objects": runtime.objects.sweep(),
    }
