"""Events for webhooks, and their deliveries."""

from __future__ import annotations

import json
from typing import Any

from chalicelib import webhooks
from chalicelib.core import log


def handle_events(event: dict[str, Any]) -> dict[str, Any]:
    """From the FIFO queue: after a failure the rest of its group is given back with it."""
    failed: list[dict[str, str]] = []
    blocked: set[str] = set()
    for record in event["Records"]:
        group = (record.get("attributes") or {}).get("MessageGroupId", record["messageId"])
        try:
            if group not in blocked:
                webhooks.fan_out(json.loads(record["body"]))
                continue
        except Exception:  # noqa: BLE001 the record stays on the queue, and other groups are not held up
            log.logger().exception("event not fanned out", extra={"message_id": record["messageId"]})
            blocked.add(group)
        failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}


def handle_deliveries(event: dict[str, Any]) -> dict[str, Any]:
    """A failed attempt is written on its delivery and is no failure here; what went wrong on our own side is."""
    records = event["Records"]
    outcomes = webhooks.deliver([json.loads(record["body"]) for record in records])
    failed = [record["messageId"] for record, error in zip(records, outcomes, strict=True) if error is not None]
    return {"batchItemFailures": [{"itemIdentifier": one} for one in failed]}
