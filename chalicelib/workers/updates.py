"""The check for updates, by the clock."""

from __future__ import annotations

from typing import Any

from chalicelib import plugins
from chalicelib.core import log
from chalicelib.marketplace import MarketplaceUnavailable


def handle(_event: dict[str, Any]) -> dict[str, Any]:
    """A marketplace that is away is asked again the next time."""
    try:
        return {"updates_available": len(plugins.updates.check())}
    except MarketplaceUnavailable as error:
        log.logger().warning("could not look for updates", extra={"reason": error.message})
        return {"updates_available": None}
