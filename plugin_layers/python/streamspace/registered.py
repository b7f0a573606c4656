"""What ``load`` answers."""

from __future__ import annotations

from . import registry
from .declared import declares
from .places import places_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .plugin import Plugin


def registered_by(plugin: Plugin, folder: str) -> dict[str, Any]:
    """What a plugin in that folder hears and has registered, and where each function begins. What its manifest declares and the code does
    not have is logged."""
    if declares(plugin.manifest):
        from . import log
        from .missing import missing_in

        for sentence in missing_in(plugin):
            log.warn(sentence)
    found = {"hooks": plugin.hooks, **registry.describe(), "places": places_of(plugin, folder)}
    if plugin.manifest.get("type") == "theme" and (theme := plugin.theme()) is not None:
        found["theme"] = theme
    return found
