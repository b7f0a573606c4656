"""What an endpoint's handler answers with: ``res``."""

from __future__ import annotations

import json
import re
from binascii import b2a_base64

from . import log

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

_TYPES = {
    "html": "text/html",
    "text": "text/plain",
    "txt": "text/plain",
    "json": "application/json",
    "xml": "application/xml",
    "csv": "text/csv",
    "css": "text/css",
    "js": "text/javascript",
    "svg": "image/svg+xml",
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
    "pdf": "application/pdf",
    "zip": "application/zip",
    "bin": "application/octet-stream",
    "form": "application/x-www-form-urlencoded",
}
_IS_TEXT = re.compile(r"text/|application/(json|xml|javascript)$|.*[+](json|xml)$")


class Response:
    """The answer of an endpoint. Everything but ``get`` gives ``res`` back, for chains: ``res.status(201).json({…})``."""

    def __init__(self, method: str) -> None:
        self.status_code = 200
        self.is_answered = False
        self._is_head = method == "HEAD"
        self._headers: dict[str, str | list[str]] = {}
        self._final: dict[str, Any] = {}

    def status(self, code: int) -> Response:
        if not isinstance(code, int) or isinstance(code, bool) or not 200 <= code <= 599:
            raise TypeError(f"res.status needs a whole number from 200 to 599, not {code!r}")
        self.status_code = int(code)
        return self

    def set(self, name: str | Mapping[str, Any], value: Any = None) -> Response:
        """``set("X-Total", 3)``, ``set("Link", ["<…>", "<…>"])``, or several at once: ``set({"ETag": "…"})``."""
        if not isinstance(name, str):
            for each, its in name.items():
                self.set(each, its)
            return self
        key = _header_name(name)
        self._headers[key] = [_header_value(name, one) for one in value] if isinstance(value, (list, tuple)) else _header_value(name, value)
        return self

    header = set
    set_header = set

    def append(self, name: str, value: str | Sequence[str]) -> Response:
        before = self.get(name)
        return self.set(name, [*_listed(before), *_listed(value)])

    def get(self, name: str) -> str | list[str] | None:
        return self._headers.get(_header_name(name))

    def type(self, type: str) -> Response:
        """``type("html")``, or a whole media type."""
        media_type = type if "/" in type else _TYPES.get(type.removeprefix("."), _TYPES["bin"])
        needs_charset = _IS_TEXT.match(media_type) and ";" not in media_type
        return self.set("content-type", f"{media_type}; charset=utf-8" if needs_charset else media_type)

    def json(self, value: Any) -> Response:
        try:
            return self._answer(json.dumps(value, ensure_ascii=False, allow_nan=False), "json")
        except (TypeError, ValueError) as cause:
            raise TypeError(f"res.json needs what JSON can hold: {cause}") from cause

    def send(self, value: Any = None) -> Response:
        """A text is HTML unless the type says otherwise, bytes are bytes, anything else is JSON."""
        if value is None:
            return self.end()
        if isinstance(value, str):
            return self._answer(value, "html")
        if isinstance(value, (bytes, bytearray, memoryview)):
            return self._answer(bytes(value), "bin")
        return self.json(value)

    def end(self, value: str | bytes = "") -> Response:
        return self._answer(value, None)

    def send_status(self, code: int) -> Response:
        return self.status(code)._answer(_phrase(code), "text")

    def redirect(self, *given: Any) -> Response:
        """``redirect("/there")``, with 302, or ``redirect(301, "/there")``."""
        from urllib.parse import quote

        status, url = given if len(given) > 1 else (302, given[0])
        self.status(status).set("location", quote(url, safe="%/:=&?~#+!$,;'@()*[]"))
        return self._answer(f"{_phrase(status)}: {url}", "text")

    def _answer(self, body: str | bytes, type: str | None) -> Response:
        if self.is_answered:
            log.warn("An endpoint answers a second time; only the first answer counts", {"status": self.status_code})
            return self
        if type is not None and self.get("content-type") is None:
            self.type(type)
        has_body = not self._is_head and self.status_code not in (204, 304)
        content = _travelling(body) if has_body else {"text": ""}
        self._final = {"status": self.status_code, "headers": dict(self._headers), **content}
        self.is_answered = True
        return self

    def travelling(self) -> dict[str, Any]:
        """``{status, headers, text | base64}``."""
        return self._final


def _travelling(body: str | bytes) -> dict[str, str]:
    if isinstance(body, str):
        # Half of a surrogate pair, which no UTF-8 can carry, becomes U+FFFD.
        return {"text": body.encode("utf-16", "surrogatepass").decode("utf-16", "replace")}
    return {"base64": b2a_base64(body, newline=False).decode()}


def _phrase(status: int) -> str:
    """What a status is called: ``Not Found``."""
    from http import HTTPStatus

    return next((one.phrase for one in HTTPStatus if one == status), str(status))


def _listed(value: str | Sequence[str] | None) -> list[str]:
    if value is None:
        return []
    return [value] if isinstance(value, str) else list(value)


def _header_name(name: str) -> str:
    if not isinstance(name, str) or re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name) is None:
        raise TypeError(f"{name!r} is no name of a header")
    return name.lower()


def _header_value(name: str, value: Any) -> str:
    text = str(value)
    if re.search(r"[^\t\x20-\x7e\x80-\xff]", text):
        raise TypeError(f"the header '{name}' has a character that no header can carry")
    return text
