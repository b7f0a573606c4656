"""The paths of plugins' endpoints: which are well formed, and which of them a request is for. Pure functions.

``/items/:id`` names a part of the path; ``*`` or ``*name`` at the end takes the rest of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_PART = r"(:[A-Za-z_][A-Za-z0-9_]*|[A-Za-z0-9._~%!$&'()+,;=@-]+)"
PATTERN = rf"^/$|^(/{_PART})*(/{_PART}|/\*([A-Za-z_][A-Za-z0-9_]*)?)$(?!\n)"
RULE = "Must be a path such as '/items/:id' or '/files/*'"

Endpoint = Mapping[str, Any]


def title(endpoint: Endpoint) -> str:
    return f"{endpoint['method']} {endpoint['path']}"


def same_requests(endpoints: Sequence[Endpoint]) -> tuple[str, str] | None:
    """The first two of them that take the same requests, by title, or None. What a parameter is called makes no difference."""
    seen: dict[tuple[Any, ...], str] = {}
    for one in endpoints:
        key = (one["method"], *(part[:1] if part[:1] in (":", "*") else unquote(part) for part in _parts(one["path"])))
        if key in seen:
            return seen[key], title(one)
        seen[key] = title(one)
    return None


def at(endpoints: Sequence[Endpoint], path: str) -> list[tuple[Endpoint, dict[str, str]]]:
    """Those whose path fits, each with its decoded parameters; the most specific first, whatever their method.

    ``path`` is percent-encoded, as the client wrote it. A part that is text beats a parameter, and a parameter beats ``*``. A slash at
    the end is forgiven. The rest that ``*`` takes is the parameter ``0``, as with Express 4.
    """
    parts = _parts(path)
    found = []
    for one in endpoints:
        fit = _fit(_parts(one["path"]), parts)
        if fit is not None:
            found.append((*fit, one))
    found.sort(key=lambda each: each[0])
    return [(one, parameters) for _, parameters, one in found]


def _fit(pattern: list[str], parts: list[str]) -> tuple[tuple[int, ...], dict[str, str]] | None:
    """How specific (smaller is more), and the parameters; None where it does not fit."""
    rank: list[int] = []
    parameters: dict[str, str] = {}
    for position, wanted in enumerate(pattern):
        if wanted.startswith("*"):
            rest = parts[position:]
            if not rest:
                return None
            parameters[wanted[1:] or "0"] = "/".join(unquote(part) for part in rest)
            return (*rank, 2), parameters
        if position >= len(parts) or not parts[position]:
            return None
        part = unquote(parts[position])
        if wanted.startswith(":"):
            parameters[wanted[1:]] = part
            rank.append(1)
        elif part == unquote(wanted):
            rank.append(0)
        else:
            return None
    return (tuple(rank), parameters) if len(parts) == len(pattern) else None


def _parts(path: str) -> list[str]:
    stripped = path.strip("/")
    return stripped.split("/") if stripped else []
