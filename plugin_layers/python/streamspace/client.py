"""The client of the platform's API, over http.client with connections that are kept."""

from __future__ import annotations

import json
import time

from . import environment, errors
from .arguments import query_string
from .call import current

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from http.client import HTTPConnection, HTTPResponse
    from ssl import SSLContext
    from typing import Any

ATTEMPTS = 3
FIRST_DELAY_S = 0.2
LONGEST_DELAY_S = 10.0  # a longer Retry-After is the author's to wait for: RateLimitedError.retry_after
READ_TIMEOUT_S = 10.0
WRITE_TIMEOUT_S = 30.0  # a POST that timed out is not repeated, so it waits for API Gateway's own 29 s
KEPT_FOR_S = 4.0  # an older connection may be closed on the other side, and a POST on it would be lost
USER_AGENT = "streamspace-sdk-python"  # firewalls refuse requests without one

IDEMPOTENT = frozenset({"GET", "PUT", "DELETE"})
TRANSIENT_STATUSES = frozenset({429, 502, 503, 504})
UNPROCESSED_STATUSES = frozenset({429, 503})
FRAMING = frozenset({"connection", "content-length", "host", "transfer-encoding"})
# 503 as well, but an answer: the next attempt would get the same.
LASTING_CODES = frozenset({"EMAIL_NOT_CONFIGURED", "INSUFFICIENT_RESOURCES", "MARKETPLACE_UNAVAILABLE"})


def _random() -> float:
    from random import random  # only a retry needs it

    return random()  # noqa: S311 - spreads retries


class _Unrepeatable(Exception):
    """An attempt that failed for good."""

    def __init__(self, error: errors.StreamSpaceError) -> None:
        self.error = error


class _Repeatable(_Unrepeatable):
    """An attempt that may be made again, not before ``after_s``."""

    def __init__(self, error: errors.StreamSpaceError, after_s: float = 0.0) -> None:
        super().__init__(error)
        self.after_s = after_s


class Client:
    """``sleep``, ``now`` (both in seconds) and ``random`` (0..1) are parameters for tests."""

    def __init__(
        self,
        *,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.monotonic,
        random: Callable[[], float] = _random,
    ) -> None:
        self._sleep, self._now, self._random = sleep, now, random
        self._idle: list[tuple[float, tuple[bool, str], HTTPConnection]] = []
        self._context: SSLContext | None = None
        # In the network's place: ``carry(method, target, headers, payload)`` gives what has ``status`` and ``headers``, and the body.
        self.carry: Callable[[str, str, dict[str, str], bytes | None], tuple[Any, bytes]] | None = None

    def request(
        self,
        call: str,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        is_raw: bool = False,
        deadline: float | None = None,
    ) -> dict[str, Any]:
        """The whole envelope of the answer (``is_raw``: one that has none, as its ``data``); raises a class of :mod:`streamspace.errors`.

        Repeats what is safe to repeat: GET, PUT and DELETE after network errors and 429, 502, 503, 504; POST and PATCH
        only when they certainly were not processed. Never outlasts ``deadline`` (seconds of ``time.monotonic``), by
        default that of the call that it belongs to.
        """
        end = current.get().deadline if deadline is None else deadline
        target = f"/api/v1/{path}{query_string(query)}"
        payload = None if body is None else to_json(call, body)
        attempt = 1
        while True:
            try:
                return self._attempt(call, method, target, payload, end, headers or {}, is_raw)
            except _Repeatable as failed:
                delay = max(self._backoff(attempt), failed.after_s)
                if attempt == ATTEMPTS or delay > LONGEST_DELAY_S or self._now() + delay >= end:
                    raise failed.error from failed.error.__cause__
            except _Unrepeatable as failed:
                raise failed.error from failed.error.__cause__
            self._sleep(delay)
            attempt += 1

    def _backoff(self, attempt: int) -> float:
        """Jitter between half and all of a delay that doubles: 0.1-0.2 s, then 0.2-0.4 s."""
        return FIRST_DELAY_S * 2.0 ** (attempt - 1) * (0.5 + self._random() / 2)

    def _attempt(
        self, call: str, method: str, target: str, payload: bytes | None, end: float, more: Mapping[str, str], is_raw: bool
    ) -> dict[str, Any]:
        from http.client import HTTPException

        if self.carry is not None:
            return _read(call, method, *self.carry(method, target, _headers(payload, more), payload), is_raw)
        own_limit = READ_TIMEOUT_S if method in IDEMPOTENT else WRITE_TIMEOUT_S
        timeout_s = max(0.001, min(own_limit, end - self._now()))
        is_sent = False
        try:
            key, prefix, connection = self._connect(timeout_s)
            is_sent = True
            connection.request(method, prefix + target, body=payload, headers=_headers(payload, more))
            response = connection.getresponse()
            text = response.read()
        except (OSError, HTTPException) as cause:
            is_timeout = isinstance(cause, TimeoutError)
            reason = f"no answer within {timeout_s:g} s" if is_timeout else str(cause) or type(cause).__name__
            error = errors.PlatformUnreachableError(f"{call}: the platform could not be reached: {reason}")
            error.__cause__ = cause
            if method in IDEMPOTENT or not is_sent:
                raise _Repeatable(error) from cause
            raise _Unrepeatable(error) from cause
        if response.will_close:
            connection.close()
        else:
            # By the time of day: other clocks may stand still while the function sleeps.
            self._idle.append((time.time(), key, connection))
        return _read(call, method, response, text, is_raw)

    def _connect(self, timeout_s: float) -> tuple[tuple[bool, str], str, HTTPConnection]:
        """An open connection: a kept one, or a new one."""
        from http.client import HTTPConnection, HTTPSConnection

        scheme, _, rest = environment.api_url().partition("://")
        host, slash, prefix = rest.partition("/")
        key = (scheme == "https", host)
        while self._idle:
            since, kept_key, connection = self._idle.pop()
            if kept_key == key and time.time() - since < KEPT_FOR_S and _is_open(connection):
                connection.sock.settimeout(timeout_s)
                return key, slash + prefix, connection
            connection.close()
        connection = HTTPSConnection(host, timeout=timeout_s, context=self._tls()) if key[0] else HTTPConnection(host, timeout=timeout_s)
        connection.connect()
        return key, slash + prefix, connection

    def _tls(self) -> SSLContext:
        """One for all connections: to read the authorities' certificates takes longer than a request."""
        if self._context is None:
            import ssl

            self._context = ssl.create_default_context()
            self._context.set_alpn_protocols(["http/1.1"])
        return self._context


def _is_open(connection: HTTPConnection) -> bool:
    """Whether the other side has not hung up meanwhile: then there would be something to read, its end."""
    import select

    return bool(connection.sock) and not select.select([connection.sock], [], [], 0)[0]


def _headers(payload: bytes | None, more: Mapping[str, str]) -> dict[str, str]:
    """The author's headers, but for those that frame the request, and ours in their place where they have the same name."""
    headers = {"user-agent": USER_AGENT}
    headers |= {name.lower(): value for name, value in more.items() if name.lower() not in FRAMING}
    headers |= {"accept": "application/json", "authorization": f"Bearer {environment.token()}"}
    headers["x-streamspace-hops"] = str(current.get().hops)
    if payload is not None:
        headers["content-type"] = "application/json"
    return headers


def _read(call: str, method: str, response: HTTPResponse, text: bytes, is_raw: bool) -> dict[str, Any]:
    if is_raw and 200 <= response.status < 300:
        return {"data": _parsed_or_text(text)}
    envelope = _parsed(text)
    is_success = text == b"" if envelope is None else envelope.get("success") is not False
    # 303: the answer is whole, and says where a large value lies.
    if (200 <= response.status < 300 or (response.status == 303 and envelope)) and is_success:
        return envelope or {}
    retry_after_s = _seconds_of(response.headers.get("retry-after"))
    request_id = response.headers.get("x-request-id") or response.headers.get("x-amzn-requestid")
    reported = (envelope or {}).get("error")
    error = errors.from_answer(
        call,
        response.status,
        reported if isinstance(reported, dict) else {},
        request_id=request_id,
        retry_after_s=retry_after_s,
    )
    statuses = TRANSIENT_STATUSES if method in IDEMPOTENT else UNPROCESSED_STATUSES
    if response.status in statuses and error.code not in LASTING_CODES:
        raise _Repeatable(error, retry_after_s or 0.0)
    raise _Unrepeatable(error)


def _parsed(text: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except ValueError:
        return None  # not ours: the status says what happened
    return value if isinstance(value, dict) else None


def _parsed_or_text(text: bytes) -> Any:
    """For answers that are not in the platform's envelope."""
    try:
        return json.loads(text)
    except ValueError:
        return text.decode(errors="replace")


def _seconds_of(header: str | None) -> float | None:
    """Retry-After in seconds; its other form is a date (RFC 9110 §10.2.3)."""
    if header is None:
        return None
    try:
        return max(0.0, float(header))
    except ValueError:
        from email.utils import parsedate_to_datetime

        try:
            return max(0.0, parsedate_to_datetime(header).timestamp() - time.time())
        except ValueError:
            return None


def to_json(call: str, body: Any) -> bytes:
    try:
        return json.dumps(body, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError) as cause:
        raise TypeError(f"{call}: this value cannot be sent as JSON: {cause}") from cause


client = Client()
request_envelope = client.request


def request(call: str, method: str, path: str, **options: Any) -> Any:
    """Sends one request for an API method and returns the envelope's ``data``."""
    return request_envelope(call, method, path, **options).get("data")
