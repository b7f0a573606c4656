"""Plugin API, "Command API". Scope: ``commands``."""

from __future__ import annotations

from . import registry
from .arguments import need, segment
from .awaitable import awaitable
from .client import request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any


def register(*, name: str, description: str, handler: Callable[..., Any], permissions: Sequence[str] | None = None) -> None:
    """``handler(args)`` or ``handler(args, context)``, ``def`` or ``async def``; ``context`` tells the caller."""
    command = {
        "name": need("commands.register", "name", name),
        "description": need("commands.register", "description", description),
        "permissions": list(permissions or []),
        "handler": need("commands.register", "handler", handler, "function"),
    }
    registry.put("commands", name, command)


@awaitable
def execute(name: str, args: Any = None) -> Any:
    """What the command's handler returned. The command may be another plugin's.

    Raises CommandFailedError when its handler raises.
    """
    encoded = segment("commands.execute", "name", name)
    body = {"args": {} if args is None else args}
    answer = request("commands.execute", "POST", f"commands/{encoded}/execute", body=body)
    return (answer or {}).get("result")
