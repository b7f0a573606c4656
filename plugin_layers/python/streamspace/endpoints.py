"""The plugin's own HTTP endpoints, served under ``/api/v1/plugins/{slug}/…``."""

from __future__ import annotations

import re

from . import registry
from .arguments import need
from .declared import endpoints as endpoints_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from .plugin import Plugin

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_SEGMENT = r"(:[A-Za-z_][A-Za-z0-9_]*|[A-Za-z0-9._~%!$&'()+,;=@-]+)"
_REST = r"\*([A-Za-z_][A-Za-z0-9_]*)?"


def register_endpoint(
    *,
    path: str,
    handler: Callable[..., Any],
    method: str = "GET",
    permissions: Sequence[str] | None = None,
    public: bool = False,
    description: str | None = None,
) -> None:
    """``handler(req, res)`` answers what comes to ``/api/v1/plugins/{slug}{path}``: by ``res``, or by what it returns.

    ``path`` may have parameters (``/items/:id``) and end in ``*``. A caller needs one of ``permissions``; without any, being
    signed in is enough. ``public`` asks for no token: for webhooks of others, whose signature the handler verifies itself.
    """
    name = "api.register_endpoint"
    _checked_path(need(name, "path", path))
    endpoint: dict[str, Any] = {
        "method": _checked_method(need(name, "method", method)),
        "path": path,
        "permissions": list(need(name, "permissions", [] if permissions is None else permissions, "texts")),
    }
    if need(name, "public", public, "flag") and endpoint["permissions"]:
        raise TypeError(f"{name}: '{path}' is public, so nobody is asked for 'permissions': leave one of the two out")
    if public:
        endpoint["public"] = True
    if description is not None:
        endpoint["description"] = need(name, "description", description)
    need(name, "handler", handler, "function")
    key = key_of(endpoint)
    earlier = registry.find("endpoints", key)
    if earlier is not None:
        raise TypeError(f"{name}: '{title_of(endpoint)}' is registered already, as '{title_of(earlier)}'; a request could be for either")
    registry.put("endpoints", key, {**endpoint, "handler": handler})


def key_of(endpoint: Mapping[str, Any]) -> str:
    """The same for endpoints that take the same requests: what a parameter is called makes no difference."""
    return f"{endpoint['method']} " + re.sub(r"/(:|\*)[^/]*", r"/\1", endpoint["path"])


def title_of(endpoint: Mapping[str, Any]) -> str:
    return f"{endpoint['method']} {endpoint['path']}"


def take_declared(plugin: Plugin) -> None:
    """Registers what the manifest declares with a ``handler`` that is a method of the plugin, unless the code did itself."""
    for declared in endpoints_of(plugin.manifest):
        if not isinstance(declared.get("path"), str):
            continue
        handler = plugin.method(plugin.spelt(declared.get("handler")))
        if handler is None:
            continue
        kept = {name: declared[name] for name in ("path", "permissions", "public", "description") if declared.get(name) is not None}
        method = _checked_method(declared.get("method") or "GET")
        if registry.find("endpoints", key_of({"method": method, "path": declared["path"]})) is None:
            register_endpoint(method=method, handler=handler, **kept)


def _checked_method(given: str) -> str:
    method = given.upper()
    if method not in METHODS:
        raise TypeError(f"api.register_endpoint needs 'method': one of {', '.join(METHODS)}, not '{given}'")
    return method


def _checked_path(path: str) -> None:
    fault = _fault_of(path)
    if fault is not None:
        raise TypeError(f"api.register_endpoint needs 'path': such as '/items/:id' or '/files/*'; '{path}' {fault}")


def _fault_of(path: str) -> str | None:
    if not path.startswith("/"):
        return "does not start with '/'"
    segments = [] if path == "/" else path[1:].split("/")
    for at, segment in enumerate(segments):
        if segment == "":
            return "has an empty part"
        if not re.fullmatch(_SEGMENT, segment) and not (at == len(segments) - 1 and re.fullmatch(_REST, segment)):
            return f"has the part '{segment}', which is no text, no ':name', and no '*' at the end"
    names = [segment[1:] for segment in segments if re.match(r"[:*].", segment)]
    twice = [name for name in names if names.count(name) > 1]
    return f"names ':{twice[0]}' twice" if twice else None
