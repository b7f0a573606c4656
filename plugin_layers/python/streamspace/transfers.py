"""Large values travel to and from addresses that the platform gives out for one of them each: without token, without envelope."""

from __future__ import annotations

import time
from http.client import HTTPConnection, HTTPException, HTTPSConnection

from . import errors
from .call import current

ATTEMPTS = 3
DELAY_S = 0.3
TIMEOUT_S = 20.0


def send(call: str, url: str, content: bytes) -> None:
    """Puts the bytes there. Doing so twice is doing it once."""
    _transfer(call, "PUT", url, content)


def receive(call: str, url: str) -> bytes:
    """The bytes that lie there."""
    return _transfer(call, "GET", url, None)


def _transfer(call: str, method: str, url: str, content: bytes | None) -> bytes:
    end = current.get().deadline
    attempt = 1
    while True:
        cause: Exception | None = None
        try:
            status, text = _once(method, url, content, max(0.001, min(TIMEOUT_S, end - time.monotonic())))
            if 200 <= status < 300:
                return text
            reason, is_repeatable = f"the storage answered {status}", status >= 500 or status == 429
        except (OSError, HTTPException) as failed:
            cause, reason, is_repeatable = failed, str(failed) or type(failed).__name__, True
        if not is_repeatable or attempt == ATTEMPTS or time.monotonic() + DELAY_S * attempt >= end:
            raise errors.PlatformUnreachableError(f"{call}: a large value could not be transferred: {reason}") from cause
        time.sleep(DELAY_S * attempt)
        attempt += 1


def _once(method: str, url: str, content: bytes | None, timeout_s: float) -> tuple[int, bytes]:
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    connection = (HTTPSConnection if scheme == "https" else HTTPConnection)(host, timeout=timeout_s)
    try:
        connection.request(method, slash + path, body=content)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()
