"""What of a plugin endpoint's answer goes out under the platform's own address. Pure functions.

A plugin's page opens in the browser of somebody who is signed in here. It must not be able to act as that person, nor to change how the
browser treats the platform: so headers are passed on by name, and what a browser shows is sandboxed, in an origin of its own.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.runtime.errors import PluginCrashed

PASSED_ON = frozenset(
    {
        "accept-ranges",
        "allow",
        "cache-control",
        "content-disposition",
        "content-encoding",
        "content-language",
        "content-range",
        "content-type",
        "etag",
        "expires",
        "last-modified",
        "link",
        "location",
        "retry-after",
        "vary",
    }
)
_FAMILIES = ("x-", "access-control-")
_RESERVED = (
    "x-amz",
    "x-content-type-options",
    "x-dns-prefetch-control",
    "x-forwarded",
    "x-frame-options",
    "x-permitted-cross-domain-policies",
    "x-ratelimit-",
    "x-request-id",
    "x-xss-protection",
)
SAFETY = {
    # Without allow-same-origin: the page's scripts run, and find neither the platform's storage nor its cookies.
    "Content-Security-Policy": "sandbox allow-scripts allow-forms allow-popups allow-modals allow-downloads; frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
_NAME = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]{1,100}")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
# API Gateway takes 10,240 bytes of headers, its own included.
_LARGEST_HEADERS_BYTES = 8_000
_LARGEST_BYTES = 5 * 1024 * 1024
_WITHOUT_BODY = (204, 304)

Headers = dict[str, str | list[str]]


@dataclass(frozen=True)
class Answer:
    """``content`` is text or bytes."""

    status: int
    headers: Headers
    content: str | bytes


def passed_on(slug: str, title: str, response: Any, *, is_head: bool) -> Answer:
    """The answer as it goes out. Raises PluginCrashed, naming plugin and endpoint, for one that is not as the protocol says."""

    def broken(why: str) -> PluginCrashed:
        return PluginCrashed(f"The endpoint '{title}' of '{slug}' {why}", slug=slug, call="endpoint")

    if not isinstance(response, Mapping):
        raise broken("gave no proper answer")
    status = response.get("status")
    if not isinstance(status, int) or isinstance(status, bool) or not 200 <= status <= 599:
        raise broken(f"answered the status {str(status)[:20]!r}; 200 to 599 are possible")
    headers = _headers(response.get("headers"))
    size = sum(len(name) + sum(len(value) + 4 for value in _listed(values)) for name, values in headers.items())
    if size > _LARGEST_HEADERS_BYTES:
        raise broken(f"answered with {size} bytes of headers; {_LARGEST_HEADERS_BYTES} are possible")
    try:
        content = _content(response)
    except (ValueError, TypeError) as error:
        raise broken("gave no proper answer") from error
    if len(content) > _LARGEST_BYTES:
        raise broken(f"answered {len(content)} bytes; {_LARGEST_BYTES} are possible")
    if is_head or status in _WITHOUT_BODY:
        content = ""
    if "content-type" not in headers:
        headers["content-type"] = "text/plain; charset=utf-8" if isinstance(content, str) else "application/octet-stream"
    return Answer(status, {**{_title_case(name): value for name, value in headers.items()}, **SAFETY}, content)


def _content(response: Mapping[str, Any]) -> str | bytes:
    if response.get("base64") is not None:
        return base64.b64decode(response["base64"], validate=True)
    text = response.get("text", "")
    if not isinstance(text, str):
        raise ValueError("the text is none")
    # Half of a surrogate pair, which no UTF-8 can carry, becomes U+FFFD.
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _headers(given: Any) -> Headers:
    """Those that are passed on, with lower-case names; what no header can carry is left out."""
    kept: Headers = {}
    for name, value in (given if isinstance(given, Mapping) else {}).items():
        lower = str(name).lower()
        values = [str(one) for one in (value if isinstance(value, list) else [value])]
        if _is_passed_on(lower) and values and all(_VALUE.fullmatch(one) for one in values):
            kept[lower] = values[0] if len(values) == 1 else values
    return kept


def _is_passed_on(name: str) -> bool:
    if _NAME.fullmatch(name) is None or name.startswith(_RESERVED):
        return False
    return name in PASSED_ON or name.startswith(_FAMILIES)


def _listed(values: str | list[str]) -> list[str]:
    return [values] if isinstance(values, str) else values


def _title_case(name: str) -> str:
    """``Content-Type``, as the edge's own headers are written: two spellings of one header would be two headers."""
    return "-".join(part[:1].upper() + part[1:] for part in name.split("-"))
