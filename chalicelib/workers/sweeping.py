"""Sweeps that come together, and do not depend on each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from chalicelib.core import log


def run_each(tasks: Mapping[str, Callable[[], int]]) -> dict[str, int]:
    """What each did, by its name. What one of them cannot do keeps the others from nothing, and is tried again a minute later."""
    done: dict[str, int] = {}
    for name, task in tasks.items():
        try:
            done[name] = task()
        except Exception:  # noqa: BLE001 see above
            log.logger().exception("sweep failed", extra={"sweep": name})
    return done
