"""Which of a plugin's endpoints a request is for: a part that is text beats a parameter, and a parameter beats ``*``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote


def find(endpoints: Sequence[Mapping[str, Any]], method: str, path: str) -> tuple[Mapping[str, Any], dict[str, str]] | None:
    """The endpoint, and the parameters of its path; None when nothing answers there."""
    fitting = []
    for endpoint in endpoints:
        fit = _fit(_parts(endpoint["path"]), _parts(path)) if endpoint["method"] == method else None
        if fit is not None:
            fitting.append((fit[0], endpoint, fit[1]))
    if not fitting:
        return None
    _, endpoint, parameters = min(fitting, key=lambda each: each[0])
    return endpoint, parameters


def _fit(pattern: list[str], parts: list[str]) -> tuple[list[int], dict[str, str]] | None:
    rank: list[int] = []
    parameters: dict[str, str] = {}
    for position, wanted in enumerate(pattern):
        if position >= len(parts) or not parts[position]:
            return None
        if wanted.startswith("*"):
            parameters[wanted[1:] or "0"] = "/".join(unquote(part) for part in parts[position:])
            return [*rank, 2], parameters
        part = unquote(parts[position])
        if wanted.startswith(":"):
            parameters[wanted[1:]] = part
        elif part != unquote(wanted):
            return None
        rank.append(int(wanted.startswith(":")))
    return (rank, parameters) if len(parts) == len(pattern) else None


def _parts(path: str) -> list[str]:
    stripped = path.strip("/")
    return stripped.split("/") if stripped else []
