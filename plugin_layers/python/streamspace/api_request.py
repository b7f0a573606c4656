"""``streamspace.api.request``: any request to the platform's API."""

from __future__ import annotations

import re

from .arguments import need, percent_encoded
from .awaitable import awaitable
from .client import request as send

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


@awaitable
def request(
    path: str,
    *,
    method: str = "GET",
    query: Mapping[str, Any] | None = None,
    body: Any = None,
    headers: Mapping[str, str] | None = None,
) -> Any:
    """The answer's ``data``: ``request("sessions")``, ``request("/api/v1/sessions", query={"user": "john"})``; of a plugin's endpoint,
    what that answers.

    Raises the classes of ``streamspace.errors``, as every method does.
    """
    name = "api.request"
    verb = need(name, "method", method).upper()
    if verb not in METHODS:
        raise TypeError(f"{name} needs 'method': one of {', '.join(METHODS)}, not '{method}'")
    for field, value in (("query", query), ("headers", headers)):
        if value is not None:
            need(name, field, value, "object")
    if body is not None and verb == "GET":
        raise TypeError(f"{name}: a GET has no 'body'; use 'query'")
    below = _relative(path)
    if query and "?" in below:
        raise TypeError(f"{name}: give the query in the path or as 'query', not both")
    # What a plugin's endpoint answers has no envelope.
    return send(name, verb, below, query=query, body=body, headers=headers, is_raw=below.startswith("plugins/"))


def _relative(path: str) -> str:
    """The path below ``/api/v1/``. The plugin's token goes with every request, so it must not lead anywhere else."""
    need("api.request", "path", path)
    if re.match(r"[a-z][a-z0-9+.-]*:|[/\\]{2}", path.strip(), re.IGNORECASE):
        raise TypeError(f"api.request is for the platform's own API, and sends the plugin's token; use urllib.request for '{path}'")
    below = re.sub(r"^/?api/v1(?=/|$)", "", path).lstrip("/")
    segments = re.sub("%2e", ".", below.partition("?")[0], flags=re.IGNORECASE).split("/")
    if below == "" or re.search(r"[\s\\#]", below) or ".." in segments or "." in segments:
        raise TypeError(f"api.request needs 'path': one below /api/v1, such as 'sessions', not '{path}'")
    return "".join(letter if letter.isascii() else percent_encoded(letter) for letter in below)
