"""Reads a large value from the address that the platform gave for it (docs/runtime-protocol.md)."""

from __future__ import annotations

import time

from .call import current
from .errors import PlatformUnreachableError

ATTEMPTS = 3
DELAY_S = 0.3
TIMEOUT_S = 20.0


def download_bytes(call: str, url: str) -> bytes:
    """What lies there. The address itself says who may read: our token is for the platform alone."""
    deadline = current.get().deadline
    for attempt in range(1, ATTEMPTS + 1):
        content, reason, is_repeatable = _get(url, max(0.001, min(TIMEOUT_S, deadline - time.monotonic())))
        if reason is None:
            break
        if attempt == ATTEMPTS or not is_repeatable or time.monotonic() + DELAY_S * attempt >= deadline:
            raise PlatformUnreachableError(f"{call}: a large value could not be read: {reason}")
        time.sleep(DELAY_S * attempt)
    return content


def _get(url: str, timeout_s: float) -> tuple[bytes, str | None, bool]:
    """The content, why there is none, and whether to try again."""
    from http.client import HTTPConnection, HTTPException, HTTPSConnection

    scheme, _, rest = url.partition("://")
    host, _, target = rest.partition("/")
    connection = (HTTPSConnection if scheme == "https" else HTTPConnection)(host, timeout=timeout_s)
    try:
        connection.request("GET", f"/{target}")
        response = connection.getresponse()
        content = response.read()
    except (OSError, HTTPException) as cause:
        return b"", str(cause) or type(cause).__name__, True
    finally:
        connection.close()
    if 200 <= response.status < 300:
        return content, None, False
    return b"", f"it was answered with {response.status}", response.status >= 500
