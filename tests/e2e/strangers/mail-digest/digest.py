"""What goes into a digest."""

from __future__ import annotations

from typing import Any


def lines_of(sessions: list[dict[str, Any]]) -> list[str]:
    return [f"{session['id']} ({session['template']})" for session in sessions]
