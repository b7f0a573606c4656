"""Puts bytes that are too many for a request where the platform can read them (docs/runtime-protocol.md, "Uploads")."""

from __future__ import annotations

import time

from .call import current
from .client import client, request
from .errors import PlatformUnreachableError

ATTEMPTS = 3
DELAY_S = 0.3
TIMEOUT_S = 30.0


def upload_bytes(call: str, content: bytes) -> str:
    """The upload's id, to be named in the request that is about it. For the caller's own use, for about a day."""
    place = request(call, "POST", "uploads", body={"size_bytes": len(content)})
    deadline = current.get().deadline
    for attempt in range(1, ATTEMPTS + 1):
        reason, is_repeatable = _put(place, content, max(0.001, min(TIMEOUT_S, deadline - time.monotonic())))
        if reason is None:
            break
        if attempt == ATTEMPTS or not is_repeatable or time.monotonic() + DELAY_S * attempt >= deadline:
            raise PlatformUnreachableError(f"{call}: the upload failed: {reason}")
        time.sleep(DELAY_S * attempt)
    return str(place["upload_id"])


def _put(place: dict[str, object], content: bytes, timeout_s: float) -> tuple[str | None, bool]:
    """Why the bytes have not arrived, None when they have, and whether to try again.

    The URL itself says who may write: our token is for the platform alone.
    """
    if client.carry is not None:
        answer, _ = client.carry(str(place["method"]), str(place["url"]), {}, content)
        return None if answer.status == 200 else f"it was answered with {answer.status}", False
    from http.client import HTTPConnection, HTTPException, HTTPSConnection

    scheme, _, rest = str(place["url"]).partition("://")
    host, _, target = rest.partition("/")
    connection = (HTTPSConnection if scheme == "https" else HTTPConnection)(host, timeout=timeout_s)
    try:
        connection.request(str(place["method"]), f"/{target}", body=content, headers=place["headers"])  # type: ignore[arg-type]
        response = connection.getresponse()
        response.read()
    except (OSError, HTTPException) as cause:
        return str(cause) or type(cause).__name__, True
    finally:
        connection.close()
    if 200 <= response.status < 300:
        return None, False
    return f"it was answered with {response.status}", response.status >= 500
