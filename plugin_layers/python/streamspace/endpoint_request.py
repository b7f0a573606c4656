"""What an endpoint's handler gets: ``req``."""

from __future__ import annotations

import json
from binascii import a2b_base64

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .types import EndpointUser

_UNREAD = object()


class BadRequest(ValueError):
    """The request cannot be read; its sender is told, not the author."""


class Request:
    """A request to an endpoint.

    ``params`` from the path; ``query``, where a name that is there several times has a list; ``headers`` in lower case;
    ``raw_body``, the bytes as they came, of which a webhook's signature is made; ``user``, or None for a plugin or a
    stranger; ``ip``.
    """

    def __init__(self, travelling: dict[str, Any]) -> None:
        self.method: str = travelling["method"]
        self.path: str = travelling["path"]
        self.params: dict[str, str] = travelling.get("params") or {}
        self.query: dict[str, Any] = travelling.get("query") or {}
        self.headers: dict[str, str] = travelling.get("headers") or {}
        self.user: EndpointUser | None = travelling.get("user")
        self.ip: str | None = travelling.get("ip")
        self.raw_body: bytes = a2b_base64(travelling.get("body") or "")
        self._body: Any = _UNREAD

    def get(self, name: str) -> str | None:
        """A header, whatever its case."""
        return self.headers.get(name.lower())

    header = get

    @property
    def body(self) -> Any:
        """JSON and forms as values, anything else as text; None when nothing was sent."""
        if self._body is _UNREAD:
            self._body = self._parsed() if self.raw_body else None
        return self._body

    def json(self) -> Any:
        """The body as JSON, whatever its content-type says."""
        try:
            return json.loads(self.raw_body)
        except ValueError as cause:
            raise BadRequest(f"The body is not valid JSON: {cause}") from cause

    def _parsed(self) -> Any:
        media_type = (self.get("content-type") or "").partition(";")[0].strip().lower()
        if media_type == "application/json" or media_type.endswith("+json"):
            return self.json()
        if media_type == "application/x-www-form-urlencoded":
            return _form(self.raw_body)
        return self.raw_body.decode(errors="replace")


def _form(content: bytes) -> dict[str, Any]:
    """A field that is there several times is a list, as in ``query``."""
    from urllib.parse import parse_qs

    fields = parse_qs(content.decode(errors="replace"), keep_blank_values=True)
    return {name: values if len(values) > 1 else values[0] for name, values in fields.items()}
