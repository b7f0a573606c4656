"""Setting a plugin aside that takes no event any more.

Promises
    It happens once for each time that the circuit opens, however many notice it: the plugin is marked, with its own last error; its token
    dies; nothing is delivered any more, and its queue keeps what is there and what comes; the administrators are told.
    It is never half done for long: until all of it is done, the plugin stays on the runtime's list of failing ones, which is looked through
    every minute. (Who is killed between telling the administrators and leaving the list tells them twice.)
    While another operation works on the plugin, that one has its way, and the list is looked at again afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence

from chalicelib import messaging, runtime
from chalicelib.core import clock, log
from chalicelib.events import Actor, retried, unit_of_work
from chalicelib.plugins import lifecycle, locks, registry
from chalicelib.plugins.errors import PluginBusy
from chalicelib.plugins.registry import FAILED_TO_START, FAILED_TO_STAY_UP, FailureReason, InstalledPlugin
from chalicelib.runtime.dead_letters import DeadLetter

_PLATFORM = Actor("platform", "StreamSpace")
# What ran when it failed: before any event can be taken.
_STARTING = ("onLoad", "on_load", "module")


def _set_aside_if_failing(slug: str) -> bool:
    if not runtime.circuit.is_failing(slug):
        return False
    try:
        with locks.held(slug, "set aside"):
            return _set_aside(slug)
    except PluginBusy:
        return False


def set_aside_failing(*slugs: str) -> int:
    """Set aside those of ``slugs``, by default of all, that are on the list; how many. What cannot be done now stays on the list."""
    count = 0
    for slug in slugs or runtime.circuit.failing():
        try:
            count += _set_aside_if_failing(slug)
        except Exception:  # noqa: BLE001 nobody waits for it: it stays on the list
            log.logger().exception("failing plugin not set aside", extra={"plugin": slug})
    return count


def _set_aside(slug: str) -> bool:
    plugin = registry.find(slug)
    if plugin is not None and plugin.is_active:
        plugin = _mark(slug, runtime.circuit.streak(slug))
    if plugin is None or not runtime.circuit.is_marked(slug):
        # It was uninstalled, switched off, has taken an event since, or was set aside while this one's event was still dying.
        runtime.circuit.settle(slug)
        return False
    lifecycle.stop(slug)
    messaging.notify(
        messaging.ADMINS,
        title=f"{plugin.name} was taken out of service",
        message=f"{plugin.error} What happens meanwhile is kept for it; activating it again resumes.",
        type="error",
        actions=[{"label": "Show the plugin", "url": f"/admin/plugins/{slug}"}],
    )
    runtime.circuit.settle(slug)
    return True


@retried
def _mark(slug: str, streak: Sequence[DeadLetter]) -> InstalledPlugin:
    """The plugin as it is now: in error; or active still, where the circuit has closed again."""
    before = registry.get(slug)
    if not before.is_active or not runtime.circuit.is_open(streak):
        return before
    message, reason = explained(streak)
    plugin = before.failed(message, reason, clock.now())
    with unit_of_work(_PLATFORM) as work:
        row = registry.save(work, plugin)
        runtime.active.set_aside(work, slug)
        runtime.circuit.mark(work, slug)
        work.emit("plugin.failed", row, {"plugin": plugin.summary(), "error": message, "reason": reason})
    return plugin


def explained(streak: Sequence[DeadLetter]) -> tuple[str, FailureReason]:
    """What administrators are told, and which of the two it is; ``streak`` is latest first. Pure."""
    events = len({letter.event_id for letter in streak})
    latest = streak[0].error
    where = f" ({latest['location']})" if latest.get("location") else ""
    said = f"{latest.get('message', 'no message')}{where}"
    if latest.get("hook") in _STARTING:
        return f"Failed to start, for {events} events one after another: {said}", FAILED_TO_START
    return f"Failed to stay up: {events} events failed one after another, the last one with: {said}", FAILED_TO_STAY_UP
