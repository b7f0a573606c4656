"""Plugin API, "Email API". Scope: ``email``."""

from __future__ import annotations

from . import log
from .arguments import given, need
from .awaitable import awaitable
from .client import request
from .errors import ValidationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from .types import EmailAttachment

MOST_ATTACHED_BYTES = 7 * 1024 * 1024
# Of attachments in the request itself: Lambda takes 6 MB, and base64 makes four bytes of three.
MOST_INLINE_BYTES = 3 * 1024 * 1024


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
        body["attachments"] = _sendable(need("email.send", "attachments", attachments, "array"))
    answer = request("email.send", "POST", "email", body=body)
    for skipped in (answer or {}).get("skipped") or []:
        log.warn(f"email.send left out {skipped['address']}: {skipped['reason']}")


def _sendable(attachments: Sequence[Any]) -> list[dict[str, Any]]:
    """The attachments as they travel: ``content`` in base64, or the ``upload_id`` of what is too large for the request."""
    from binascii import b2a_base64

    contents = [_bytes_of(attachment, index) for index, attachment in enumerate(attachments)]
    total = sum(map(len, contents))
    if total > MOST_ATTACHED_BYTES:
        sentence = f"Must not have more than {MOST_ATTACHED_BYTES} bytes together, and have {total}"
        raise ValidationError(f"email.send: attachments: {sentence}", details={"attachments": [sentence]})
    uploaded = _too_large_ones(contents, total)
    travelling = []
    for index, attachment in enumerate(attachments):
        rest = {name: value for name, value in attachment.items() if name != "content"}
        if index in uploaded:
            from .uploads import upload_bytes  # loaded by the few that need it

            travelling.append({**rest, "upload_id": upload_bytes("email.send", contents[index])})
        else:
            travelling.append({**rest, "content": b2a_base64(contents[index], newline=False).decode()})
    return travelling


def _too_large_ones(contents: Sequence[bytes], total: int) -> set[int]:
    """The indices of the largest, until the rest fits into the request."""
    chosen: set[int] = set()
    for index in sorted(range(len(contents)), key=lambda one: -len(contents[one])):
        if total <= MOST_INLINE_BYTES:
            break
        chosen.add(index)
        total -= len(contents[index])
    return chosen


def _bytes_of(attachment: Any, index: int) -> bytes:
    """An attachment's bytes, or its text's in UTF-8."""
    field = f"attachments[{index}]"
    need("email.send", field, attachment, "object")
    need("email.send", f"{field}.filename", attachment.get("filename"))
    content = attachment.get("content")
    if isinstance(content, str):
        return content.encode()
    if not isinstance(content, (bytes, bytearray, memoryview)):
        raise TypeError(f"email.send needs '{field}.content': text or bytes, not {type(content).__name__}")
    return bytes(content)
