"""``/email``: plugins, and administrators, send email through the platform."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from chalicelib import messaging
from chalicelib.api.http import Reply, Request, Routes
from chalicelib.core.errors import ValidationError
from chalicelib.messaging import Attachment, Email

routes = Routes()

_ADDRESS = {"type": "string", "minLength": 1, "maxLength": 500}
_ADDRESSES = {
    "anyOf": [_ADDRESS, {"type": "array", "items": _ADDRESS, "maxItems": 50}],
    "description": "Must be an address or a list of at most 50",
}
_EMAIL = {
    "type": "object",
    "additionalProperties": False,
    "required": ["to", "subject"],
    "properties": {
        "to": _ADDRESSES,
        "subject": {"type": "string", "minLength": 1, "maxLength": 500},
        "template": {"type": "string", "minLength": 1, "maxLength": 100},
        "data": {"type": "object"},
        "html": {"type": "string", "minLength": 1},
        "text": {"type": "string", "minLength": 1},
        "from": _ADDRESS,
        "cc": _ADDRESSES,
        "bcc": _ADDRESSES,
        "attachments": {
            "type": "array",
            "maxItems": 20,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["filename", "content"],
                "properties": {
                    "filename": {"type": "string", "minLength": 1, "maxLength": 255},
                    "content": {"type": "string", "description": "Base64"},
                    "contentType": {"type": "string", "minLength": 1, "maxLength": 200},
                },
            },
        },
    },
}


# 10 MB is what API Gateway takes. Lambda takes less, 6 MB: on AWS about 4 MB of attachments arrive.
@routes.post("/email", permission="email.send", scope="email", body=_EMAIL, body_limit=10 * 1024 * 1024, aws_calls=2)
def send(request: Request) -> Reply:
    """email.send(). 422 INVALID_EMAIL_ADDRESS, 404 TEMPLATE_NOT_FOUND, 503 EMAIL_NOT_CONFIGURED, 422 VALIDATION_ERROR."""
    given = request.body
    message_id = messaging.send_email(
        Email(
            to=_listed(given["to"]),
            subject=given["subject"],
            template=given.get("template"),
            data=given.get("data", {}),
            html=given.get("html"),
            text=given.get("text"),
            sender=given.get("from"),
            cc=_listed(given.get("cc", [])),
            bcc=_listed(given.get("bcc", [])),
            attachments=[_attachment(position, one) for position, one in enumerate(given.get("attachments", []))],
        )
    )
    return Reply({"message_id": message_id}, status=202)


def _listed(addresses: str | list[str]) -> list[str]:
    return [addresses] if isinstance(addresses, str) else addresses


def _attachment(position: int, given: dict[str, Any]) -> Attachment:
    try:
        content = base64.b64decode(given["content"], validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValidationError({f"attachments.{position}.content": ["Must be base64"]}) from error
    return Attachment(given["filename"], content, given.get("contentType", "application/octet-stream"))
