"""One HTTP request to somebody else's server: bounded in time and in what is read, following no redirect."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from urllib.parse import urlsplit

_CONNECT_S = 5.0


@dataclass(frozen=True)
class Answer:
    """``body`` is cut after the bytes that were to be read; ``headers`` have lower-case names."""

    status: int
    body: bytes
    headers: Mapping[str, str]


class OutOfTime(Exception):
    """The whole answer was not there in time."""


FAILURES = (OutOfTime, OSError, http.client.HTTPException, ValueError)


def request(
    method: str,
    url: str,
    headers: Mapping[str, str],
    *,
    content: bytes | None = None,
    ends_at: float,
    read_bytes: int,
    look_up: Callable[[str, int], list[str]] = lambda host, _port: [host],
) -> Answer:
    """``ends_at`` is a time of ``time.monotonic``. ``look_up`` gives the addresses of a host, of which the first that answers is used.

    Raises: one of FAILURES: OutOfTime; OSError (with ssl.SSLError and socket.gaierror), http.client.HTTPException, or ValueError for an
    address that is none; and what ``look_up`` raises.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    connection = _Connection(host, port, look_up(host, port), _tls() if parts.scheme == "https" else None, ends_at)
    # A server that sends a byte now and then would outlive every timeout of a socket; the watchdog does not listen to it.
    watchdog = threading.Timer(max(ends_at - time.monotonic(), 0), connection.abort)
    watchdog.daemon = True
    watchdog.start()
    try:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request(method, path, body=content, headers=dict(headers))
        answer = connection.getresponse()
        body = answer.read(read_bytes)
        return Answer(answer.status, body, _joined(answer.getheaders()))
    except (OSError, http.client.HTTPException, ValueError, AttributeError):
        if connection.was_aborted or time.monotonic() >= ends_at:
            raise OutOfTime from None
        raise
    finally:
        watchdog.cancel()
        connection.close()


def _joined(headers: list[tuple[str, str]]) -> dict[str, str]:
    """A name that comes twice has both values, as one list. Source: RFC 9110 §5.3."""
    found: dict[str, str] = {}
    for name, value in headers:
        key = name.lower()
        found[key] = f"{found[key]}, {value}" if key in found else value
    return found


class _Connection(http.client.HTTPConnection):
    """A connection to one of the addresses that were looked at, whatever the name means by now."""

    def __init__(self, host: str, port: int, found: list[str], tls: ssl.SSLContext | None, ends_at: float) -> None:
        super().__init__(host, port)
        self._found = found
        self._tls = tls
        self._ends_at = ends_at
        self.was_aborted = False
        if tls is not None:
            self.default_port = 443

    def connect(self) -> None:
        failure: OSError | None = None
        for address in self._found:
            left_s = self._ends_at - time.monotonic()
            if left_s <= 0 or self.was_aborted:
                raise TimeoutError
            try:
                self.sock = socket.create_connection((address, self.port), timeout=min(_CONNECT_S, left_s))
                break
            except OSError as error:
                failure = error
        else:
            raise failure or OSError("the name has no address")
        self.sock.settimeout(max(self._ends_at - time.monotonic(), 0.1))
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
