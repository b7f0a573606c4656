"""Email, as MIME, through Amazon SES."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from chalicelib.accounts import is_email
from chalicelib.core import aws
from chalicelib.core.config import setting
from chalicelib.core.errors import ValidationError
from chalicelib.messaging import templates
from chalicelib.messaging.errors import EmailNotConfigured, InvalidEmailAddress

if TYPE_CHECKING:
    from email.headerregistry import Address
    from email.message import EmailMessage

MOST_RECIPIENTS = 50  # of one SES call
# SES takes 10 MB of MIME, and base64 makes four bytes of three.
MOST_ATTACHED_BYTES = 7 * 1024 * 1024

_NAMED = re.compile(r'(?P<name>"[^"<>]*"|[^"<>]*?)\s*<(?P<address>[^<>\s]+)>')
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")
_MEDIA_TYPE = re.compile(r"(?P<main>[a-z]+)/(?P<sub>[a-z0-9][a-z0-9.+-]*)(?:\s*;.*)?")
# Nested messages would need to be parsed, and their headers trusted.
_COMPOSITE = ("multipart", "message")

# SES's words for an address or a domain that nobody verified.
_NOT_VERIFIED = ("MessageRejected", "MailFromDomainNotVerifiedException", "AccountSendingPausedException")


@dataclass(frozen=True)
class Attachment:
    filename: str
    content: bytes
    content_type: str = "application/octet-stream"


@dataclass(frozen=True)
class Email:
    """What to send: a named ``template`` with its ``data``, or ``html``, ``text`` or both. ``sender`` None is the configured one."""

    to: Sequence[str]
    subject: str
    template: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    html: str | None = None
    text: str | None = None
    sender: str | None = None
    cc: Sequence[str] = ()
    bcc: Sequence[str] = ()
    attachments: Sequence[Attachment] = ()


def send_email(email: Email) -> str:
    """Hand the email to SES; its message id.

    Raises: EmailNotConfigured (no sender address, or SES does not know it), EmailTemplateNotFound, InvalidEmailAddress, ValidationError.
    """
    configured = setting("EMAIL_SENDER", "")
    if not configured:
        raise EmailNotConfigured()
    message = composed(email, configured)
    ses = aws.client("ses")
    try:
        answer = ses.send_raw_email(
            Source=str(message["From"]),
            # The envelope, not the headers, says who gets it: so blind copies stay blind.
            Destinations=[_address(text).addr_spec for text in _recipients(email)],
            RawMessage={"Data": message.as_bytes()},
        )
    except ses.exceptions.ClientError as error:
        if aws.error_code(error) in _NOT_VERIFIED:
            raise EmailNotConfigured(f"Amazon SES refused to send: {error.response['Error'].get('Message', '')}") from error
        raise
    return str(answer["MessageId"])


def composed(email: Email, configured_sender: str) -> EmailMessage:
    """The MIME message: a text, its HTML beside it as an alternative, and the attachments. Pure.

    Raises: EmailTemplateNotFound, InvalidEmailAddress, ValidationError.
    """
    from email.message import EmailMessage
    from email.policy import SMTP

    _check(email)
    text, html = templates.rendered(email.template, email.data) if email.template is not None else (email.text, email.html)
    message = EmailMessage(policy=SMTP)
    message["From"] = _sender(email.sender, configured_sender)
    message["To"] = [_address(one) for one in email.to]
    if email.cc:
        message["Cc"] = [_address(one) for one in email.cc]
    message["Subject"] = email.subject
    if text is not None:
        message.set_content(text)
    if html is not None and text is not None:
        message.add_alternative(html, subtype="html")
    elif html is not None:
        message.set_content(html, subtype="html")
    for attachment in email.attachments:
        found = _MEDIA_TYPE.fullmatch(attachment.content_type.lower())
        assert found is not None, "_check refuses the others"
        message.add_attachment(attachment.content, maintype=found["main"], subtype=found["sub"], filename=attachment.filename)
    return message


def _check(email: Email) -> None:
    """Raises InvalidEmailAddress with every bad address, ValidationError with every other fault."""
    faults: dict[str, list[str]] = {}
    if (email.template is not None) == (email.html is not None or email.text is not None):
        faults["template"] = ["Give either a template, or html, text or both"]
    if _CONTROL.search(email.subject):
        faults["subject"] = ["Must be a single line"]
    if not email.to:
        faults["to"] = ["Must have at least one address"]
    if len(_recipients(email)) > MOST_RECIPIENTS:
        faults["to"] = [f"An email goes to at most {MOST_RECIPIENTS} addresses, to, cc and bcc together"]
    for position, attachment in enumerate(email.attachments):
        if not attachment.filename or _CONTROL.search(attachment.filename):
            faults[f"attachments.{position}.filename"] = ["Must be a single line"]
        found = _MEDIA_TYPE.fullmatch(attachment.content_type.lower())
        if found is None or found["main"] in _COMPOSITE:
            faults[f"attachments.{position}.contentType"] = ["Must be a media type of one part, such as 'text/plain'"]
    if sum(len(attachment.content) for attachment in email.attachments) > MOST_ATTACHED_BYTES:
        faults["attachments"] = [f"Must not have more than {MOST_ATTACHED_BYTES} bytes together"]
    if faults:
        raise ValidationError(faults)
    bad = {
        name: [f"'{text[:100]}' is not an address such as 'jane@example.com'" for text in texts if not _is_address(text)]
        for name, texts in (("to", email.to), ("cc", email.cc), ("bcc", email.bcc))
    }
    if any(bad.values()):
        raise InvalidEmailAddress({name: sentences for name, sentences in bad.items() if sentences})


def _sender(wanted: str | None, configured: str) -> Address:
    """The address to send from, with the display name that was asked for. Raises ValidationError for any other address."""
    own = _address(configured)
    if wanted is None:
        return own
    if not _is_address(wanted) or _address(wanted).addr_spec.lower() != own.addr_spec.lower():
        raise ValidationError({"from": [f"Email is sent from {own.addr_spec} only; leave it out, or write 'Your Name <{own.addr_spec}>'"]})
    return _address(wanted)


def _recipients(email: Email) -> list[str]:
    return [*email.to, *email.cc, *email.bcc]


def _parts(text: str) -> tuple[str, str]:
    """The display name and the address of ``jane@example.com`` or ``Jane <jane@example.com>``."""
    named = _NAMED.fullmatch(text.strip(" "))
    return (named["name"].strip('" '), named["address"]) if named else ("", text.strip(" "))


def _is_address(text: str) -> bool:
    return not _CONTROL.search(text) and is_email(_parts(text)[1])


def _address(text: str) -> Address:
    from email.headerregistry import Address

    name, address = _parts(text)
    return Address(display_name=name, addr_spec=address)
