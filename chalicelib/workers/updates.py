"""The check for updates, by the clock."""

from __future__ import annotations

from typing import Any

from chalicelib import jobs, plugins
from chalicelib.core import log
from chalicelib.marketplace import MarketplaceUnavailable


def handle(_event: dict[str, Any]) -> dict[str, Any]:
    """A marketplace that is away is asked again the next time; how the updates of the last time ended is told all the same."""
    told = jobs.tell_of_ended()
    try:
        checked = plugins.updates.check()
    except MarketplaceUnavailable as error:
        log.logger().warning("could not look for updates", extra={"reason": error.message})
        return {"updates_available": None, "begun": 0, "told": told}
    return {"updates_available": len(checked.found), "begun": len(jobs.install_due(checked.due)), "told": told}
