"""What the plugins' backstop queue caught is listed as dead letters."""

from __future__ import annotations

import json
from typing import Any

from chalicelib import runtime
from chalicelib.core import log


def handle(event: dict[str, Any]) -> dict[str, Any]:
    failed = []
    for record in event["Records"]:
        try:
            message = json.loads(record["body"])
            runtime.deliveries.record_undeliverable(message["subscriber"], message)
        except Exception:  # noqa: BLE001 the record stays on the queue, and the others are not held up
            log.logger().exception("dead letter not recorded", extra={"message_id": record["messageId"]})
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}
