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
    or ``cron(0 3 * * ? *)``. It is read in UTC, or in ``timezone``. ``name`` is the handler's own by default: two schedules of
    one plugin need two names.
    """
    need("schedule", "expression", expression)
    need("schedule", "handler", handler, "function")
    name = name or getattr(handler, "__name__", None)
    need("schedule", "name", name)
    zone = {} if timezone is None else {"timezone": need("schedule", "timezone", timezone)}
    registry.put("schedules", str(name), {"name": name, "expression": expression, **zone, "handler": handler})
