"""Email, as MIME, through Amazon SES."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from chalicelib.accounts import Caller, is_email
from chalicelib.core import aws, log
from chalicelib.core.config import setting
from chalicelib.core.errors import ServiceUnavailable, StreamSpaceError, ValidationError
from chalicelib.messaging import feedback, templates
from chalicelib.messaging.errors import EmailNotConfigured, EmailThrottled, InvalidEmailAddress

if TYPE_CHECKING:
    from email.headerregistry import Address
    from email.message import EmailMessage

MOST_RECIPIENTS = 50  # of one SES call
MOST_ATTACHED_BYTES = 7 * 1024 * 1024
# What SES takes, as MIME: base64 makes four bytes of three.
LARGEST_MESSAGE_BYTES = 10 * 1024 * 1024

_NAMED = re.compile(r'(?P<name>"[^"<>]*"|[^"<>]*?)\s*<(?P<address>[^<>\s]+)>')
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")
_MEDIA_TYPE = re.compile(r"(?P<main>[a-z]+)/(?P<sub>[a-z0-9][a-z0-9.+-]*)(?:\s*;\s*charset=\"?(?P<charset>[a-z0-9._-]+)\"?\s*|\s*;.*)?")
# Nested messages would need to be parsed, and their headers trusted.
_COMPOSITE = ("multipart", "message")

# SES's words for what an administrator has to see to: an address or domain that nobody verified, an account that may not send.
_NOT_CONFIGURED = (
    "AccessDenied",
    "AccessDeniedException",
    "AccountSendingPausedException",
    "ConfigurationSetDoesNotExist",
    "ConfigurationSetSendingPausedException",
    "MailFromDomainNotVerifiedException",
)
_RETRY_S = 2
_RETRY_WHEN_THE_DAY_IS_FULL_S = 3600
# What SES takes as the value of a tag.
_TAG = re.compile(r"[A-Za-z0-9_-]{1,256}")


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


@dataclass(frozen=True)
class Sent:
    """``skipped``: recipients that were left out, each with a sentence that says why."""

    message_id: str
    skipped: Mapping[str, str]


def send_email(email: Email, *, by: Caller | None = None, own_templates: Callable[[], templates.Sources] = dict) -> Sent:
    """Hand the email to SES. ``own_templates`` gives the sending plugin's; it is asked only for an email from a template.

    Recipients whose mail came back for good, or who complained, are left out; where nobody else is left, that is InvalidEmailAddress.

    Raises: EmailNotConfigured (no sender address, or SES does not know it), EmailTemplateNotFound, InvalidEmailAddress, ValidationError,
    EmailThrottled, ServiceUnavailable.
    """
    configured = setting("EMAIL_SENDER", "")
    if not configured:
        raise EmailNotConfigured()
    message = composed(email, configured, own_templates, setting("EMAIL_DOMAIN", "")).as_bytes()
    if len(message) > LARGEST_MESSAGE_BYTES:
        raise ValidationError({"email": [f"It has {len(message)} bytes when it is sent; at most {LARGEST_MESSAGE_BYTES} are possible"]})
    # The envelope, not the headers, says who gets it: so blind copies stay blind.
    recipients = list(dict.fromkeys(_address(text).addr_spec for text in _recipients(email)))
    skipped = feedback.suppressed(recipients)
    if len(skipped) == len(recipients):
        raise InvalidEmailAddress(_refusals(email, skipped), "Nothing is sent to these addresses until an administrator clears them")
    request: dict[str, Any] = {
        "Source": str(_sender(email.sender, configured, setting("EMAIL_DOMAIN", ""))),
        "Destinations": [address for address in recipients if address not in skipped],
        "RawMessage": {"Data": message},
    }
    if configuration_set := setting("EMAIL_CONFIGURATION_SET", ""):
        request["ConfigurationSetName"] = configuration_set
    if by is not None and _TAG.fullmatch(by.id):
        request["Tags"] = [{"Name": feedback.SENDER_TAG, "Value": by.id}]
    return Sent(_handed_over(request), skipped)


def _handed_over(request: dict[str, Any]) -> str:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return str(aws.client("ses").send_raw_email(**request)["MessageId"])
    except ClientError as error:
        raise _explained(aws.error_code(error), str(error.response["Error"].get("Message", ""))) from error
    except BotoCoreError as error:
        raise ServiceUnavailable("Amazon SES does not answer; try again shortly") from error


def _explained(code: str, said: str) -> StreamSpaceError:
    """SES's refusal as one of ours. Source: Amazon SES API Reference, SendRawEmail and Common Errors."""
    if code in _NOT_CONFIGURED or (code == "MessageRejected" and any(word in said for word in ("not verified", "authority"))):
        return EmailNotConfigured(f"Amazon SES refused to send: {said}")
    if code in ("Throttling", "ThrottlingException", "LimitExceededException", "TooManyRequestsException"):
        return EmailThrottled(said, _RETRY_WHEN_THE_DAY_IS_FULL_S if "daily" in said.lower() else _RETRY_S)
    if code == "InvalidParameterValue":
        return InvalidEmailAddress({"to": [f"Amazon SES says: {said}"]})
    if code == "MessageRejected":
        return ValidationError({"email": [f"Amazon SES refused it: {said}"]})
    log.logger().error("SES failed", extra={"code": code, "said": said})
    return ServiceUnavailable(f"Amazon SES could not take the email ({code}); try again shortly")


def _refusals(email: Email, skipped: Mapping[str, str]) -> dict[str, list[str]]:
    named = (("to", email.to), ("cc", email.cc), ("bcc", email.bcc))
    return {name: [f"{_address(text).addr_spec}: {skipped[_address(text).addr_spec]}" for text in texts] for name, texts in named if texts}


def composed(
    email: Email, configured_sender: str, own_templates: Callable[[], templates.Sources] = dict, own_domain: str = ""
) -> EmailMessage:
    """The MIME message: a text, its HTML beside it as an alternative, and the attachments.

    Raises: EmailTemplateNotFound, InvalidEmailAddress, ValidationError.
    """
    from email.message import EmailMessage
    from email.policy import SMTP

    _check(email)
    text, html = (email.text, email.html) if email.template is None else templates.rendered(email.template, email.data, own_templates())
    message = EmailMessage(policy=SMTP)
    message["From"] = _sender(email.sender, configured_sender, own_domain)
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
        parameters = {"charset": found["charset"]} if found["charset"] else None
        message.add_attachment(
            attachment.content, maintype=found["main"], subtype=found["sub"], filename=attachment.filename, params=parameters
        )
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
        elif "/" in attachment.filename or "\\" in attachment.filename or attachment.filename in (".", ".."):
            faults[f"attachments.{position}.filename"] = ["Must be a file's name without folders"]
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


def _sender(wanted: str | None, configured: str, own_domain: str) -> Address:
    """The address to send from: the configured one, with another display name if asked for, or any of ``own_domain``.

    Raises ValidationError for any other address.
    """
    own = _address(configured)
    if wanted is None:
        return own
    allowed = f"{own.addr_spec} only" if not own_domain else f"{own.addr_spec} and addresses of {own_domain} only"
    refusal = {"from": [f"Email is sent from {allowed}; leave it out, or write 'Your Name <{own.addr_spec}>'"]}
    if not _is_address(wanted):
        raise ValidationError(refusal)
    address = _address(wanted)
    if address.addr_spec.lower() != own.addr_spec.lower() and (not own_domain or address.domain.lower() != own_domain.lower()):
        raise ValidationError(refusal)
    return address


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
