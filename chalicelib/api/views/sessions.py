"""Sessions and templates as documented JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from chalicelib.sessions import Session, Template, Usage, session_object, template_object


def sessions(found: Iterable[Session]) -> list[dict[str, Any]]:
    return [session_object(session) for session in found]


def usage(found: Usage) -> dict[str, Any]:
    limits = found.limits
    return {
        "sessions": {"used": found.used.sessions, "allowed": limits.sessions},
        "memory": {"used": found.used.memory_bytes, "allowed": limits.memory_bytes},
        "storage": {"used": found.home_bytes, "allowed": limits.storage_bytes},
    }


def templates(found: Iterable[Template]) -> list[dict[str, Any]]:
    return [template_object(template) for template in found]
