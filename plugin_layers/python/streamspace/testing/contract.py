"""The real platform's routes and rules, as ``contract.json`` has them: made from the platform's own code, and tested to be like it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote

CONTRACT: dict[str, Any] = json.loads(Path(__file__).with_name("contract.json").read_text(encoding="utf-8"))


class Refusal(Exception):
    """What the platform answers instead of doing what was asked: a code of its errors."""

    def __init__(self, code: str, message: str | None = None, details: dict[str, Any] | None = None) -> None:
        status, sentence = CONTRACT["errors"].get(code, (500, code))
        self.code, self.status = code, int(status)
        self.message = message or str(sentence)
        self.details = details or {}
        super().__init__(self.message)


def route_of(method: str, path: str) -> tuple[dict[str, Any], list[str]]:
    """The route and its decoded parameters. Raises Refusal (NOT_FOUND, METHOD_NOT_ALLOWED). ``path`` is below ``/api/v1/``."""
    fitting = [(route, found) for route in CONTRACT["routes"] if (found := _parameters(route["path"], path)) is not None]
    if not fitting:
        raise Refusal("NOT_FOUND", details={"path": f"/api/v1/{path}"})
    for route, found in fitting:
        if route["method"] == method:
            return route, found
    allowed = sorted(route["method"] for route, _ in fitting)
    raise Refusal("METHOD_NOT_ALLOWED", f"This path takes {', '.join(allowed)}, not {method}", {"allowed": allowed})


def _parameters(pattern: str, path: str) -> list[str] | None:
    wanted, given = pattern.split("/"), path.split("/")
    if wanted[-1].endswith("+}"):
        given = [*given[: len(wanted) - 1], "/".join(given[len(wanted) - 1 :])]
    if len(wanted) != len(given):
        return None
    found = []
    for part, text in zip(wanted, given, strict=True):
        if part.startswith("{"):
            if not text:
                return None
            found.append(unquote(text))
        elif part != text:
            return None
    return found
