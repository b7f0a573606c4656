"""One HTTP request to a receiver: bounded in time and size, to an address that was looked at, following no redirect."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from urllib.parse import urlsplit

from chalicelib.core import clock, config
from chalicelib.webhooks import addresses
from chalicelib.webhooks.addresses import AddressRefused
from chalicelib.webhooks.delivery import Attempt

DEADLINE_S = 15.0
# A receiver that takes longer is served apart from the others from then on.
SLOW_S = 3.0
_CONNECT_S = 5.0
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
    except _OutOfTime:
        error = f"No answer within {deadline_s:g} s"
    except socket.gaierror:
        error = f"There is no host {urlsplit(url).hostname}"
    except ssl.SSLError as failure:
        error = f"TLS failed: {failure.reason or failure}"
    except (OSError, http.client.HTTPException) as failure:
        error = f"{type(failure).__name__}: {failure}" if str(failure) else type(failure).__name__
    return Attempt(at, status_code, error, round((time.monotonic() - started) * 1000), text, retry_after_s)


class _OutOfTime(Exception):
    pass


def _post(url: str, content: bytes, headers: Mapping[str, str], deadline: float) -> tuple[int, str, int | None]:
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    found = addresses.resolve(host, port, allows_loopback=config.is_local())
    connection = _Connection(host, port, found, _tls() if parts.scheme == "https" else None, deadline)
    # A receiver that sends a byte now and then would outlive every timeout of a socket; the watchdog does not listen to it.
    watchdog = threading.Timer(max(deadline - time.monotonic(), 0), connection.abort)
    watchdog.daemon = True
    watchdog.start()
    try:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("POST", path, body=content, headers=dict(headers))
        answer = connection.getresponse()
        text = answer.read(_KEPT_RESPONSE_BYTES).decode("utf-8", "replace")
        return answer.status, text, _retry_after(answer.getheader("Retry-After"))
    except (OSError, http.client.HTTPException, ValueError, AttributeError):
        if connection.was_aborted or time.monotonic() >= deadline:
            raise _OutOfTime from None
        raise
    finally:
        watchdog.cancel()
        connection.close()


class _Connection(http.client.HTTPConnection):
    """A connection to one of the addresses that were looked at, whatever the name means by now."""

    def __init__(self, host: str, port: int, found: list[str], tls: ssl.SSLContext | None, deadline: float) -> None:
        super().__init__(host, port)
        self._found = found
        self._tls = tls
        self._deadline = deadline
        self.was_aborted = False
        if tls is not None:
            self.default_port = 443

    def connect(self) -> None:
        failure: OSError | None = None
        for address in self._found:
            left_s = self._deadline - time.monotonic()
            if left_s <= 0 or self.was_aborted:
                raise TimeoutError
            try:
                self.sock = socket.create_connection((address, self.port), timeout=min(_CONNECT_S, left_s))
                break
            except OSError as error:
                failure = error
        else:
            raise failure or OSError("the name has no address")
        self.sock.settimeout(max(self._deadline - time.monotonic(), 0.1))
        if self._tls is not None:
            self.sock = self._tls.wrap_socket(self.sock, server_hostname=self.host)

    def abort(self) -> None:
        self.was_aborted = True
        if self.sock is not None:
            try:
                self.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                return  # it had ended by itself


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


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
