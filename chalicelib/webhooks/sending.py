"""One HTTP request to a receiver: bounded in time and size, to an address that was looked at, following no redirect."""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from chalicelib.core import clock, config, outgoing
from chalicelib.core.outgoing import OutOfTime
from chalicelib.webhooks import addresses
from chalicelib.webhooks.addresses import AddressRefused
from chalicelib.webhooks.delivery import Attempt

DEADLINE_S = 15.0
# A receiver that takes longer is served apart from the others from then on.
SLOW_S = 3.0
_KEPT_RESPONSE_BYTES = 1000


def post(url: str, content: bytes, headers: Mapping[str, str], *, deadline_s: float = DEADLINE_S) -> Attempt:
    """Try once. Whatever happens is in the attempt; nothing is raised."""
    at = clock.rfc3339(clock.now())
    started = time.monotonic()
    status_code, error, text, retry_after_s = None, None, "", None
    try:
        status_code, text, retry_after_s = _post(url, content, headers, started + deadline_s)
    except AddressRefused as refused:
        error = str(refused)
    except OutOfTime:
        error = f"No answer within {deadline_s:g} s"
    except socket.gaierror:
        error = f"There is no host {urlsplit(url).hostname}"
    except ssl.SSLError as failure:
        error = f"TLS failed: {failure.reason or failure}"
    except (OSError, http.client.HTTPException) as failure:
        error = f"{type(failure).__name__}: {failure}" if str(failure) else type(failure).__name__
    return Attempt(at, status_code, error, round((time.monotonic() - started) * 1000), text, retry_after_s)


def _post(url: str, content: bytes, headers: Mapping[str, str], ends_at: float) -> tuple[int, str, int | None]:
    def look_up(host: str, port: int) -> list[str]:
        return addresses.resolve(host, port, allows_loopback=config.is_local())

    answer = outgoing.request("POST", url, headers, content=content, ends_at=ends_at, read_bytes=_KEPT_RESPONSE_BYTES, look_up=look_up)
    return answer.status, answer.body.decode("utf-8", "replace"), _retry_after(answer.headers.get("retry-after"))


def _retry_after(text: str | None) -> int | None:
    """Seconds, or a date. Source: RFC 9110 §10.2.3."""
    if not text:
        return None
    if text.strip().isdigit():
        return int(text.strip()[:9])
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0, round((moment - datetime.fromtimestamp(clock.timestamp(), UTC)).total_seconds()))
