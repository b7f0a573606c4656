"""Plugin API, "Email API". Scope: ``email``."""

from __future__ import annotations

from .arguments import given, need
from .awaitable import awaitable
from .client import request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from .types import EmailAttachment


@awaitable
def send(
    to: str | Sequence[str],
    subject: str,
    *,
    template: str | None = None,
    data: Mapping[str, Any] | None = None,
    html: str | None = None,
    text: str | None = None,
    from_: str | None = None,
    cc: str | Sequence[str] | None = None,
    bcc: str | Sequence[str] | None = None,
    attachments: Sequence[EmailAttachment] | None = None,
) -> None:
    """``template`` with ``data``, or ``html`` and ``text``. ``from_`` is the platform's own address by default.

    Raises: EmailNotConfiguredError, InvalidEmailAddressError, TemplateNotFoundError.
    """
    body = given(
        to=need("email.send", "to", to, "addresses"),
        subject=need("email.send", "subject", subject),
        template=template,
        data=data,
        html=html,
        text=text,
        cc=cc,
        bcc=bcc,
    )
    if from_ is not None:
        body["from"] = from_
    if attachments is not None:
        listed = need("email.send", "attachments", attachments, "array")
        body["attachments"] = [_encoded(attachment, index) for index, attachment in enumerate(listed)]
    request("email.send", "POST", "email", body=body)


def _encoded(attachment: Any, index: int) -> dict[str, Any]:
    """An attachment as it travels: ``content`` is base64 always, of the bytes or of the text's UTF-8."""
    from binascii import b2a_base64

    field = f"attachments[{index}]"
    need("email.send", field, attachment, "object")
    need("email.send", f"{field}.filename", attachment.get("filename"))
    content = attachment.get("content")
    if isinstance(content, str):
        content = content.encode()
    if not isinstance(content, (bytes, bytearray, memoryview)):
        raise TypeError(f"email.send needs '{field}.content': text or bytes, not {type(content).__name__}")
    return {**attachment, "content": b2a_base64(content, newline=False).decode()}
