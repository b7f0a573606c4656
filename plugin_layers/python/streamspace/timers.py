"""Timers of a plugin whose Lambda function sleeps between calls: they are schedules of the platform.

When the time has come the platform calls the function; in a cold container ``on_load`` supplies the function to call again,
under the same name. ``asyncio``'s and ``threading``'s own timers are not touched: they end with the call that set them.
"""

from __future__ import annotations

import math

from . import log, registry
from .arguments import need, segment
from .call import current

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

LEAST_S = 60
_LOADING = (None, "module", "on_load")


class ScheduledTimer:
    """Cancelled by ``clear_interval`` or ``clear_timeout``."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"<ScheduledTimer {self.name}>"


def set_interval(handler: Callable[..., Any], seconds: float, *given: Any) -> ScheduledTimer:
    """Calls ``handler(*given)`` every ``seconds``: a minute or more, in whole minutes. For ``on_load``."""
    _check("set_interval", handler, seconds)
    minutes = max(1, round(seconds / LEAST_S))
    name = _name_for(handler, f"interval-{minutes}m")
    unit = "minute" if minutes == 1 else "minutes"
    if minutes * LEAST_S != seconds:
        log.warn(f"set_interval of {seconds} s runs every {minutes} {unit}: schedules count in whole minutes", {"name": name})
    return _registered({"name": name, "expression": f"rate({minutes} {unit})"}, handler, given)


def set_timeout(handler: Callable[..., Any], seconds: float, *given: Any) -> ScheduledTimer:
    """Calls ``handler(*given)`` once, ``seconds`` (a minute or more) after the plugin's activation. For ``on_load``."""
    _check("set_timeout", handler, seconds)
    name = _name_for(handler, f"timeout-{max(1, round(seconds / LEAST_S))}m")
    return _registered({"name": name, "after_s": math.ceil(seconds)}, handler, given)


def clear_interval(timer: ScheduledTimer | None) -> None:
    """Ends it. In ``on_load`` it was never made; ``on_unload`` need not do it; anywhere else the platform is told."""
    _cancel("clear_interval", timer)


def clear_timeout(timer: ScheduledTimer | None) -> None:
    """As ``clear_interval``."""
    _cancel("clear_timeout", timer)


def _check(method: str, handler: Any, seconds: Any) -> None:
    need(method, "handler", handler, "function")
    if not isinstance(seconds, (int, float)) or not LEAST_S <= seconds < math.inf:
        raise TypeError(f"{method} needs at least {LEAST_S} s, a minute, not {seconds!r}: schedules know no less")
    hook = current.get().hook
    if hook not in _LOADING:
        raise RuntimeError(f"{method} belongs into on_load: what {hook} sets would be unknown to the next container")


def _name_for(handler: Callable[..., Any], fallback: str) -> str:
    """The function's own name, else its period; with a number where that is taken. The same in each container, since ``on_load`` is."""
    own = getattr(handler, "__name__", "")
    name = f"timer-{own[:40]}" if own.isidentifier() and own.isascii() else fallback
    return registry.free_name("schedules", name)


def _registered(schedule: dict[str, Any], handler: Callable[..., Any], given: tuple[Any, ...]) -> ScheduledTimer:
    def run() -> Any:
        return handler(*given)

    registry.put("schedules", schedule["name"], {**schedule, "handler": run})
    return ScheduledTimer(schedule["name"])


def _cancel(method: str, timer: ScheduledTimer | None) -> None:
    if not isinstance(timer, ScheduledTimer):
        return
    hook = current.get().hook
    if hook in _LOADING:
        registry.remove("schedules", timer.name)
    elif hook != "on_unload":
        from .client import request

        kept = registry.find("schedules", timer.name) or {"name": timer.name}
        registry.put("schedules", timer.name, {**kept, "handler": _nothing})
        request(method, "DELETE", f"runtime/schedules/{segment(method, 'timer', timer.name)}")


def _nothing() -> None:
    """What runs when a schedule was on its way already."""
