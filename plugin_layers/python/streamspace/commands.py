"""Plugin API, "Command API". Scope: ``commands``."""

from __future__ import annotations

import json

from . import environment, registry
from .arguments import may_have, need, segment
from .awaitable import Pending, awaitable
from .call import current

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from typing import Any

    from .errors import CommandFailedError


def register(*, name: str, description: str, handler: Callable[..., Any], permissions: Sequence[str] | None = None) -> None:
    """``handler(args)`` or ``handler(args, context)``, ``def`` or ``async def``; ``context`` tells the caller."""
    may_have("commands.register", "texts", permissions=permissions)
    command = {
        "name": need("commands.register", "name", name),
        "description": need("commands.register", "description", description),
        "permissions": list(permissions or []),
        "handler": need("commands.register", "handler", handler, "function"),
    }
    registry.put("commands", name, command)


@awaitable
def execute(name: str, args: Any = None) -> Any:
    """What the command's handler returned. The command may be another plugin's; the plugin's own runs in place, so that ``on_load`` can
    execute what it has just registered, and a plugin never waits for itself.

    Raises CommandFailedError when its handler raises.
    """
    encoded = segment("commands.execute", "name", name)
    args = {} if args is None else args
    own = registry.find("commands", name)
    if own is not None:
        return _execute_own(own, args)
    from .client import request  # most plugins register commands, and few execute any

    answer = request("commands.execute", "POST", f"commands/{encoded}/execute", body={"args": args})
    return (answer or {}).get("result")


def _execute_own(command: dict[str, Any], args: Any) -> Any:
    """As the platform would run it: arguments and result are JSON, and the plugin is the caller."""
    from .hooks import call_with, settled

    context = {"caller": {"username": environment.plugin()}}
    try:
        result = call_with(command["handler"], (_as_json(args), context))
        if not hasattr(result, "__await__"):
            return _as_json(result)
    except Exception as error:
        raise _failed(command["name"], error) from error
    finishing = _finished(command["name"], result)
    return Pending(finishing) if _is_in_a_loop() else settled(finishing, current.get())


async def _finished(name: str, result: Awaitable[Any]) -> Any:
    try:
        return _as_json(await result)
    except Exception as error:
        raise _failed(name, error) from error


def _is_in_a_loop() -> bool:
    import asyncio

    return asyncio._get_running_loop() is not None


def _failed(name: str, error: Exception) -> CommandFailedError:
    slug = environment.plugin()
    message = str(error) or type(error).__name__
    facts = {"plugin": slug, "name": type(error).__name__, "message": message, "code": getattr(error, "code", None)}
    facts["details"] = getattr(error, "details", None)
    details = {key: value for key, value in facts.items() if value is not None}
    from .errors import CommandFailedError

    return CommandFailedError(f"The command '{name}' of '{slug}' failed: {message}", details=details)


def _as_json(value: Any) -> Any:
    return json.loads(json.dumps(value))
