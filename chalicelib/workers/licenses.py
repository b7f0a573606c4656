"""The check of the licences, by the clock."""

from __future__ import annotations

from typing import Any

from chalicelib import plugins


def handle(_event: dict[str, Any]) -> dict[str, Any]:
    return plugins.licenses.check()
