"""What became of email that did not arrive: bounces and complaints, as Amazon SES tells of them.

An address that bounced for good, or whose owner called our mail spam, is sent nothing more until an administrator clears it: SES closes
accounts that go on sending. Source of the events: SES Developer Guide, "Examples of event data that Amazon SES publishes to Amazon SNS".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from chalicelib.core import clock
from chalicelib.core.errors import NotFound, ValidationError
from chalicelib.core.pagination import decode_cursor, encode_cursor
from chalicelib.messaging import models

_KEPT = timedelta(days=90)
_LONGEST_TEXT = 500

# The tag on an outgoing email that says who sent it, and comes back with the event.
SENDER_TAG = "sender"


@dataclass(frozen=True)
class Feedback:
    """One recipient's. ``kind`` is ``bounce`` or ``complaint``; ``is_final`` when nothing should be sent there again.

    ``sender`` is the plugin's slug or the user's name, None where SES did not say.
    """

    address: str
    kind: str
    is_final: bool
    reason: str
    diagnostic: str | None
    message_id: str
    sender: str | None
    occurred_at: datetime


@dataclass(frozen=True)
class Listed:
    """``is_suppressed``: nothing is sent to the address at present."""

    feedback: Feedback
    is_suppressed: bool


def of_event(event: Mapping[str, Any]) -> list[Feedback]:
    """One for each recipient that a bounce or complaint names; none for events of other kinds. Pure."""
    told = event.get("eventType") or event.get("notificationType")
    mail = event.get("mail") or {}
    tagged = (mail.get("tags") or {}).get(SENDER_TAG) or [None]
    common = {"message_id": str(mail.get("messageId", "")), "sender": tagged[0]}
    if told == "Bounce":
        bounce = event["bounce"]
        is_final = bounce.get("bounceType") == "Permanent"
        reason = f"{bounce.get('bounceType', 'Undetermined')}: {bounce.get('bounceSubType', 'Undetermined')}"
        return [
            Feedback(
                address=normal(one["emailAddress"]),
                kind="bounce",
                is_final=is_final,
                reason=reason,
                diagnostic=str(one["diagnosticCode"])[:_LONGEST_TEXT] if one.get("diagnosticCode") else None,
                occurred_at=clock.parse_rfc3339(bounce["timestamp"]),
                **common,
            )
            for one in bounce.get("bouncedRecipients", [])
        ]
    if told == "Complaint":
        complaint = event["complaint"]
        said = complaint.get("complaintFeedbackType") or "abuse"
        return [
            Feedback(
                address=normal(one["emailAddress"]),
                kind="complaint",
                # The one kind of complaint that is a compliment. Source: RFC 5965 §7.3, IANA's registry of feedback types.
                is_final=said != "not-spam",
                reason=f"Complaint: {said}",
                diagnostic=None,
                occurred_at=clock.parse_rfc3339(complaint["timestamp"]),
                **common,
            )
            for one in complaint.get("complainedRecipients", [])
        ]
    return []


def record(feedback: Iterable[Feedback]) -> None:
    """Keep it for three months, and send no more to the addresses of what is final. May be done twice."""
    for one in feedback:
        occurred_at = clock.rfc3339(one.occurred_at)
        if one.is_final:
            models.suppressed_row(one.address, kind=one.kind, reason=one.reason, since=occurred_at).save()
        models.feedback_row(
            f"{occurred_at}#{one.message_id}#{one.address}",
            one.address,
            kind=one.kind,
            is_final=one.is_final,
            reason=one.reason,
            diagnostic=one.diagnostic,
            message_id=one.message_id,
            sender=one.sender,
            occurred_at=occurred_at,
            expires_at=int((clock.now() + _KEPT).timestamp()),
        ).save()


def suppressed(addresses: Iterable[str]) -> dict[str, str]:
    """Those of the addresses that nothing is sent to, as they were given, each with a sentence that says why. One call."""
    given = {normal(address): address for address in addresses}
    if not given:
        return {}
    found = models.suppressed_of(given)
    verb = {"bounce": "Mail to it came back", "complaint": "Its owner called our mail unwanted"}
    return {given[address]: f"{verb.get(row.kind, row.kind)} ({row.reason}, {row.since})" for address, row in found.items()}


def history(*, address: str | None = None, limit: int = 50, cursor: str | None = None) -> tuple[Sequence[Listed], str | None]:
    """Newest first, of one address or of all, and the cursor of what follows. Two calls."""
    before = decode_cursor(cursor).get("before") if cursor else None
    if cursor and not isinstance(before, str):
        raise ValidationError({"cursor": ["The cursor is not one that this list gave out"]})
    rows = models.feedback(normal(address) if address else None, before, limit + 1)
    page = rows[:limit]
    stopped = models.suppressed_of({row.address for row in page}) if page else {}
    listed = [Listed(_feedback(row), row.address in stopped) for row in page]
    return listed, encode_cursor({"before": page[-1].sk}) if len(rows) > limit else None


def clear(address: str) -> None:
    """Send to the address again. Raises: NotFound for one that is not suppressed."""
    row = models.suppressed_row(normal(address))
    if not models.suppressed_of([normal(address)]):
        raise NotFound(f"Nothing keeps email from being sent to '{address[:254]}'")
    row.delete()


def normal(address: str) -> str:
    """An address as it is compared: few servers tell a capital from a small letter, and none should."""
    return address.strip().lower()


def _feedback(row: models.FeedbackRow) -> Feedback:
    return Feedback(
        address=row.address,
        kind=row.kind,
        is_final=row.is_final,
        reason=row.reason,
        diagnostic=row.diagnostic,
        message_id=row.message_id,
        sender=row.sender,
        occurred_at=clock.parse_rfc3339(row.occurred_at),
    )
