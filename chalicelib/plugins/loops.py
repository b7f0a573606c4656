"""Telling administrators of plugins that cause each other's events, or their own, without end."""

from __future__ import annotations

from chalicelib import messaging, runtime
from chalicelib.core import log
from chalicelib.events import Actor, retried, unit_of_work
from chalicelib.plugins import registry
from chalicelib.runtime.loops import Loop

_PLATFORM = Actor("platform", "StreamSpace")


def tell_of_loops() -> int:
    """Of each plugin at most once in an hour, in its log and to the administrators; how many."""
    count = 0
    for loop in runtime.loops.untold():
        try:
            _tell(loop)
            runtime.loops.note_told(loop)
            count += 1
        except Exception:  # noqa: BLE001 the others are told, and this one next time
            log.logger().exception("loop not told", extra={"plugin": loop.plugin})
    return count


@retried
def _tell(loop: Loop) -> None:
    plugin = registry.find(loop.plugin)
    if plugin is None:
        return
    what = {"event_id": loop.event_id, "event_type": loop.event_type, "aggregate": loop.aggregate, "hops": loop.hops, "count": loop.count}
    with unit_of_work(_PLATFORM) as work:
        row = registry.save(work, plugin)
        work.emit("plugin.loop_stopped", row, {"plugin": plugin.summary(), **what})
    events = "an event was" if loop.count == 1 else f"{loop.count} events were"
    messaging.notify(
        messaging.ADMINS,
        title=f"{plugin.name} is part of a loop",
        message=(
            f"It caused {loop.event_type} of {loop.aggregate} after {loop.hops - 1} hooks, each caused by the one before; "
            f"{events} therefore told to no plugin. What it did was done."
        ),
        type="warning",
        actions=[{"label": "Show the plugin", "url": f"/admin/plugins/{loop.plugin}"}],
    )
