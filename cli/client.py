"""The REST API as the commands see it: a request gives the envelope's parts, or raises its error."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

import urllib3

from cli.errors import ApiError, NetworkError

_CONNECT_TIMEOUT_S = 5.0
_READ_TIMEOUT_S = 60.0
"""The API answers within 30 s, as its gateway demands; a server under a debugger may take longer."""
_LONGEST_WAIT_S = 90.0
_TRIES_WHEN_LIMITED = 4
_PAGE_SIZE = 100

BASE_PATH = "/api/v1"


@dataclass(frozen=True)
class Answer:
    """The envelope of a success. Source: REST, Success Response."""

    status: int
    data: Any
    message: str | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)
    links: Mapping[str, Any] = field(default_factory=dict)


class Client:
    """Talks to one platform with one token. Redirects are not followed: the token is for that address alone."""

    def __init__(
        self,
        api_url: str,
        token: str | None,
        *,
        hint: str = "",
        sleep: Callable[[float], None] | None = None,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.api_url = api_url.rstrip("/")
        self.sleep = sleep or time.sleep
        self._token = token
        self._hint = hint
        self._tell = tell
        self._http = urllib3.PoolManager(timeout=urllib3.Timeout(connect=_CONNECT_TIMEOUT_S, read=_READ_TIMEOUT_S), retries=False)

    def get(self, path: str, **query: Any) -> Answer:
        return self.request("GET", path, query=query)

    def post(self, path: str, body: Any = None, *, headers: Mapping[str, str] | None = None) -> Answer:
        return self.request("POST", path, body=body, headers=headers)

    def put(self, path: str, body: Any) -> Answer:
        return self.request("PUT", path, body=body)

    def patch(self, path: str, body: Any) -> Answer:
        return self.request("PATCH", path, body=body)

    def delete(self, path: str, *, headers: Mapping[str, str] | None = None, **query: Any) -> Answer:
        return self.request("DELETE", path, query=query, headers=headers)

    def everything(self, path: str, *, at_most: int | None = None, **query: Any) -> Iterator[Any]:
        """Each item of a list, page after page: by ``cursor`` where the API gives one, else by ``page``."""
        size = {} if "limit" in query or "per_page" in query else self._page_size(path)
        given, step = 0, dict(size)
        while True:
            answer = self.get(path, **query, **step)
            for item in answer.data or []:
                if at_most is not None and given >= at_most:
                    return
                given += 1
                yield item
            page = answer.meta.get("current_page")
            if cursor := answer.meta.get("next_cursor"):
                step = {**size, "cursor": cursor}
            elif page and page < answer.meta.get("total_pages", 0):
                step = {**size, "page": page + 1}
            else:
                return

    @staticmethod
    def _page_size(path: str) -> dict[str, int]:
        # Plugin management counts in pages, everything else in offsets. Source: REST §1, Plugin API getSessions().
        return {"per_page": _PAGE_SIZE} if path.startswith("/admin/plugins") else {"limit": _PAGE_SIZE}

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        raw: tuple[str, bytes] | None = None,
    ) -> Answer:
        """Send and wait for the answer. ``raw`` is (media type, bytes) in the place of a JSON ``body``.

        A request that was refused because of its rate is sent again when the platform says so.

        Raises: ApiError with the platform's own code; NetworkError naming the URL.
        """
        content_type, content = raw or ("application/json", None if body is None else json.dumps(body).encode())
        sent = {"Accept": "application/json", **(headers or {})}
        if content is not None:
            sent["Content-Type"] = content_type
        url = self._url(path, query)
        response = self._send(method, url, content, sent)
        return _answer(method, url, response)

    def send_to(self, method: str, url: str, content: bytes, headers: Mapping[str, str]) -> None:
        """Send bytes to an address that the platform gave out, without its token, and once. Raises NetworkError."""
        where = url.partition("?")[0]  # the rest is as good as a password
        try:
            response = self._http.request(method, url, body=content, headers=dict(headers), redirect=False)
        except (urllib3.exceptions.HTTPError, ValueError) as error:
            raise NetworkError(f"No answer from {method} {where}: {_reason(error)}") from error
        if response.status >= 300:
            raise NetworkError(f"{method} {where} answered {response.status}")

    def events(self, path: str, last_event_id: str | None) -> str:
        """The text of a buffered event stream. Source: HTML Living Standard, Server-sent events.

        Raises: as `request` does.
        """
        headers = {"Accept": "text/event-stream"}
        if last_event_id:
            headers["Last-Event-ID"] = last_event_id
        url = self._url(path, None)
        response = self._send("GET", url, None, headers)
        if response.status != 200:
            _answer("GET", url, response)
            raise NetworkError(f"GET {url} answered {response.status} in the place of events")
        return response.data.decode("utf-8", "replace")

    def _url(self, path: str, query: Mapping[str, Any] | None) -> str:
        given = {name: _as_text(value) for name, value in (query or {}).items() if value is not None}
        base = "" if path.startswith(BASE_PATH + "/") else BASE_PATH
        return f"{self.api_url}{base}{path}" + (f"?{urlencode(given)}" if given else "")

    def _send(self, method: str, url: str, content: bytes | None, headers: dict[str, str]) -> urllib3.BaseHTTPResponse:
        if not url.startswith(("http://", "https://")):
            raise NetworkError(f"{url} is not an http or https address{self._hint}")
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        for tries_left in reversed(range(_TRIES_WHEN_LIMITED)):
            try:
                response = self._http.request(method, url, body=content, headers=headers, redirect=False)
            except (urllib3.exceptions.HTTPError, ValueError) as error:
                raise NetworkError(f"No answer from {method} {url}: {_reason(error)}{self._hint}") from error
            wait_s = _wait_s(response)
            if wait_s is None or not tries_left:
                break
            self._tell(f"The platform is asked too often; going on in {wait_s:.0f} s")
            self.sleep(wait_s)
        return response


def segment(text: str) -> str:
    """A name as one part of a path, whatever it contains."""
    return quote(text, safe="")


def _as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _wait_s(response: urllib3.BaseHTTPResponse) -> float | None:
    """How long to wait before asking again; None if the answer stands."""
    if response.status != 429:
        return None
    given = response.headers.get("Retry-After", "1")
    wait_s = float(given) if given.isdigit() else 1.0
    return wait_s if wait_s <= _LONGEST_WAIT_S else None


def _answer(method: str, url: str, response: urllib3.BaseHTTPResponse) -> Answer:
    try:
        envelope = json.loads(response.data) if response.data else {}
    except ValueError:
        envelope = None
    if not isinstance(envelope, dict):
        raise NetworkError(f"{method} {url} answered {response.status} with something that is not the API's JSON")
    if response.status >= 300 or envelope.get("success") is False:
        error = envelope.get("error")
        error = error if isinstance(error, dict) else {}
        raise ApiError(
            str(error.get("code") or f"HTTP_{response.status}"),
            str(error.get("message") or envelope.get("message") or f"{method} {url} answered {response.status}"),
            error.get("details"),
            status=response.status,
        )
    return Answer(
        response.status,
        envelope.get("data"),
        envelope.get("message"),
        envelope.get("meta") or {},
        envelope.get("links") or {},
    )


def _reason(error: Exception) -> str:
    # urllib3 puts a connection's representation before the cause: "<…HTTPConnection object at 0x…>: Failed to …"
    return str(error).rsplit("object at 0x", 1)[-1].partition(">: ")[2] or str(error)
