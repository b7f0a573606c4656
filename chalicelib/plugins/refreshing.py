"""After a deployment: the platform may have another address, and newer SDKs. The functions of installed plugins learn of it."""

from __future__ import annotations

import time

from chalicelib import runtime
from chalicelib.core import log
from chalicelib.plugins import locks, registry
from chalicelib.plugins.errors import PluginBusy

_PAUSE_S = 2.0


def refresh_functions(patience_s: float = 75.0) -> list[str]:
    """Give each installed plugin's function the present address, SDK and configuration, where it has others; the slugs of those changed.

    Its token and settings stay. A plugin that somebody works on is waited for, for longer than a switching on or off may take. May be done
    twice.
    """
    deadline = time.monotonic() + patience_s
    changed: list[str] = []
    waiting = registry.all_installed()
    while waiting:
        busy = []
        for plugin in waiting:
            try:
                with locks.held(plugin.slug, "refresh"):
                    if runtime.provisioning.refresh_function(plugin.slug, plugin.manifest.runtime):
                        changed.append(plugin.slug)
            except PluginBusy:
                busy.append(plugin)
        if not busy:
            break
        if time.monotonic() + _PAUSE_S > deadline:
            log.logger().warning("busy plugins are not refreshed", extra={"plugins": [plugin.slug for plugin in busy]})
            break
        time.sleep(_PAUSE_S)
        waiting = busy
    return changed
