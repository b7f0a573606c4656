"""What Amazon SES tells of email that did not arrive is recorded."""

from __future__ import annotations

import json
from typing import Any

from chalicelib.core import log
from chalicelib.messaging import feedback


def handle(event: dict[str, Any]) -> dict[str, Any]:
    failed = []
    for record in event["Records"]:
        try:
            # SNS puts the event, as a text, into an envelope of its own.
            told = json.loads(record["body"])
            feedback.record(feedback.of_event(json.loads(told["Message"]) if "Message" in told else told))
        except Exception:  # noqa: BLE001 the record stays on the queue, and the others are not held up
            log.logger().exception("email feedback not recorded", extra={"message_id": record["messageId"]})
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}
