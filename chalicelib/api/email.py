"""``/email``: plugins, and administrators, send email through the platform; and what became of it."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from chalicelib import messaging, plugins
from chalicelib.accounts import Caller
from chalicelib.api.http import Reply, Request, Routes
from chalicelib.core import clock, uploads
from chalicelib.core.errors import ValidationError
from chalicelib.messaging import Attachment, Email

routes = Routes()

_MOST_ATTACHMENTS = 20
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
            "maxItems": _MOST_ATTACHMENTS,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["filename"],
                "oneOf": [{"required": ["content"]}, {"required": ["upload_id"]}],
                "description": "Must have either content or upload_id",
                "properties": {
                    "filename": {"type": "string", "minLength": 1, "maxLength": 255},
                    "content": {"type": "string", "description": "Base64"},
                    "upload_id": {"type": "string", "description": "Of POST uploads", "maxLength": 100},
                    "contentType": {"type": "string", "minLength": 1, "maxLength": 200},
                },
            },
        },
    },
}


# 10 MB is what API Gateway takes. Lambda takes less, 6 MB: on AWS more than about 4 MB of attachments must be uploaded first.
@routes.post(
    "/email",
    permission="email.send",
    scope="email",
    body=_EMAIL,
    body_limit=10 * 1024 * 1024,
    returns={202: "SentEmail"},
    aws_calls=5 + _MOST_ATTACHMENTS,
)
def send(request: Request) -> Reply:
    """email.send(). 422 INVALID_EMAIL_ADDRESS, 404 TEMPLATE_NOT_FOUND, 503 EMAIL_NOT_CONFIGURED, 422 VALIDATION_ERROR.

    ``skipped`` lists recipients that were left out: earlier mail to them came back, or they complained. The budget is one call for each
    attachment that was uploaded, and five for an email from a plugin's own template.
    """
    given = request.body
    email = Email(
        to=_listed(given["to"]),
        subject=given["subject"],
        template=given.get("template"),
        data=given.get("data", {}),
        html=given.get("html"),
        text=given.get("text"),
        sender=given.get("from"),
        cc=_listed(given.get("cc", [])),
        bcc=_listed(given.get("bcc", [])),
        attachments=[_attachment(request.caller, position, one) for position, one in enumerate(given.get("attachments", []))],
    )
    sent = messaging.send_email(email, by=request.caller, own_templates=lambda: _templates_of(request.caller))
    skipped = [{"address": address, "reason": reason} for address, reason in sent.skipped.items()]
    return Reply({"message_id": sent.message_id, "skipped": skipped}, status=202)


@routes.get(
    "/admin/email/bounces",
    permission="email.send",
    query={
        "address": {"type": "string", "maxLength": 254},
        "limit": {"type": "integer", "minimum": 1, "maximum": 200, "default": 50},
        "cursor": {"type": "string", "maxLength": 1000},
    },
    returns="[Bounce]",
    meta="CursorMeta",
    aws_calls=3,
)
def bounces(request: Request) -> Reply:
    """Bounces and complaints of the last three months, newest first; ``suppressed``: nothing is sent to the address at present."""
    asked = request.query
    listed, cursor = messaging.feedback.history(address=asked["address"], limit=asked["limit"], cursor=asked["cursor"])
    return Reply([_bounce(one) for one in listed], meta={"next_cursor": cursor})


@routes.delete("/admin/email/bounces/{address}", permission="email.send", returns="Nothing", aws_calls=3)
def clear(request: Request, address: str) -> Reply:
    """Email is sent to the address again. 404 NOT_FOUND when nothing kept it from that."""
    messaging.feedback.clear(address)
    return Reply(message=f"Email is sent to {address} again")


def _bounce(listed: messaging.feedback.Listed) -> dict[str, Any]:
    one = listed.feedback
    return {
        "address": one.address,
        "kind": one.kind,
        "reason": one.reason,
        "diagnostic": one.diagnostic,
        "messageId": one.message_id,
        "sender": one.sender,
        "occurredAt": clock.rfc3339(one.occurred_at),
        "suppressed": listed.is_suppressed,
    }


def _templates_of(caller: Caller) -> messaging.templates.Sources:
    plugin = plugins.find(caller.id) if caller.is_plugin else None
    return messaging.templates.kept(plugin.slug, plugin.version) if plugin else {}


def _listed(addresses: str | list[str]) -> list[str]:
    return [addresses] if isinstance(addresses, str) else addresses


def _attachment(caller: Caller, position: int, given: dict[str, Any]) -> Attachment:
    if "upload_id" in given:
        uploaded = uploads.read(caller.id, given["upload_id"]) if caller.is_plugin else None
        if uploaded is None:
            raise ValidationError({f"attachments.{position}.upload_id": ["There is no such upload of yours; it may have expired"]})
        content = uploaded
    else:
        content = _decoded(position, given["content"])
    return Attachment(given["filename"], content, given.get("contentType", "application/octet-stream"))


def _decoded(position: int, text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValidationError({f"attachments.{position}.content": ["Must be base64"]}) from error
