"""From a path to its route.

API Gateway passes every request on (one ``/{proxy+}`` resource), and the path is matched here: so an unknown path and a wrong method
get the documented envelope, a plugin's endpoints can have any depth, and the API stays far from API Gateway's limit of 300 resources.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

BASE_PATH = "/api/v1"


@dataclass
class _Node:
    fixed: dict[str, _Node] = field(default_factory=dict)
    named: tuple[str, _Node] | None = None
    # A pattern's last segment {name+} takes the rest of the path.
    rest: tuple[str, str] | None = None
    pattern: str | None = None


class PathMatcher:
    """Finds a path's pattern. A fixed segment beats a named one, and a named one beats the rest of a path."""

    def __init__(self) -> None:
        self._root = _Node()

    def add(self, pattern: str) -> None:
        node = self._root
        for segment in pattern.strip("/").split("/"):
            if segment.endswith("+}"):
                node.rest = (segment[1:-2], pattern)
                return
            if segment.startswith("{"):
                name = segment[1:-1]
                if node.named is None:
                    node.named = (name, _Node())
                elif node.named[0] != name:
                    raise ValueError(f"{pattern}: this segment is called {node.named[0]!r} in another route")
                node = node.named[1]
            else:
                node = node.fixed.setdefault(segment, _Node())
        node.pattern = pattern

    def match(self, path: str) -> tuple[str, dict[str, str]] | None:
        """The pattern and its decoded parameters, or None. A trailing slash is forgiven; an empty parameter is no match."""
        segments = path.strip("/").split("/")
        return self._walk(self._root, segments, 0, {})

    def _walk(self, node: _Node, segments: list[str], at: int, found: dict[str, str]) -> tuple[str, dict[str, str]] | None:
        if at == len(segments):
            return (node.pattern, found) if node.pattern else None
        segment = segments[at]
        if (child := node.fixed.get(segment)) and (hit := self._walk(child, segments, at + 1, found)):
            return hit
        if node.named and segment:
            name, child = node.named
            if hit := self._walk(child, segments, at + 1, {**found, name: unquote(segment)}):
                return hit
        if node.rest and segment:
            name, pattern = node.rest
            return pattern, {**found, name: "/".join(unquote(part) for part in segments[at:])}
        return None


def path_of(event: dict[str, Any]) -> str:
    """The request's path as the client wrote it: without the stage's name, percent-encoded."""
    return str(event.get("path") or "/")
