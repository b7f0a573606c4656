"""Sessions and templates as documented JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from chalicelib.sessions import Session, Template, session_object, template_object


def sessions(found: Iterable[Session]) -> list[dict[str, Any]]:
    return [session_object(session) for session in found]


def templates(found: Iterable[Template]) -> list[dict[str, Any]]:
    return [template_object(template) for template in found]
