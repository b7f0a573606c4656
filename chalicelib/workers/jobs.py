"""One Lambda task of a job's state machine."""

from __future__ import annotations

from typing import Any

from chalicelib import jobs


def handle(event: dict[str, Any]) -> dict[str, Any]:
    jobs.run_step(event)
    return {}
