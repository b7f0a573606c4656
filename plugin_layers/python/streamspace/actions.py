"""The handlers of notifications' buttons.

A function lives in this container only: the platform gets an id for it, and with a click the id comes back to this
container or to another one, which then does not know it.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_PREFIX = "fn:"
_MOST = 1000  # the longest unused one goes first

_handlers: dict[str, Callable[..., Any]] = {}


def keep(handler: Callable[..., Any]) -> str:
    """The id to send in the function's place."""
    import os

    key = _PREFIX + os.urandom(16).hex()
    _handlers[key] = handler
    if len(_handlers) > _MOST:
        del _handlers[next(iter(_handlers))]
    return key


def find(key: str) -> Callable[..., Any] | None:
    """The function, if this container has it."""
    handler = _handlers.pop(key, None)
    if handler is not None:
        _handlers[key] = handler
    return handler


def name_of(key: str) -> str | None:
    """A handler of the author's own naming, for ``on_notification_action``; ours mean nothing there."""
    return None if key.startswith(_PREFIX) else key
