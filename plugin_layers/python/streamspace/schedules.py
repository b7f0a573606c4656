"""Work by the clock."""

from __future__ import annotations

from . import registry
from .arguments import need

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def schedule(expression: str, handler: Callable[..., Any], *, name: str | None = None, timezone: str | None = None) -> None:
    """Runs ``handler`` by the clock, with ``{"name", "scheduled_time"}``, which are the same in each attempt of one run.

    ``expression`` is cron with five fields (``0 3 * * *``), ``@daily`` and its kind, or EventBridge Scheduler's ``rate(1 hour)``
    or ``cron(0 3 * * ? *)``. It is read in UTC, or in ``timezone``. ``name`` is the handler's own by default, with a
    number where that is taken already. A name that is given again replaces the earlier one.
    """
    need("schedule", "expression", expression)
    need("schedule", "handler", handler, "function")
    name = _default_name(handler) if name is None else need("schedule", "name", name)
    zone = {} if timezone is None else {"timezone": need("schedule", "timezone", timezone)}
    registry.put("schedules", name, {"name": name, "expression": expression, **zone, "handler": handler})


def _default_name(handler: Callable[..., Any]) -> str:
    """The handler's own, else a number: the same in each container, since ``on_load`` is."""
    own = getattr(handler, "__name__", "")
    if own.isidentifier() and own.isascii():
        return registry.free_name("schedules", own[:60])
    return f"schedule-{len(registry.every('schedules')) + 1}"
