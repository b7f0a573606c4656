"""Runs author code, ``def`` or ``async def``, to its end."""

from __future__ import annotations

import time

from . import environment
from .alarm import Alarm, OutOfTime
from .call import FOREVER, Call, current
from .printing import Prints

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Awaitable, Callable
    from typing import Any

_VARARGS = 0x04  # inspect.CO_VARARGS

_GRACE_S = 0.05  # a coroutine's own timeout, at the deadline, comes first: it leaves the event loop in order

_loop: AbstractEventLoop | None = None


class HookFailed(Exception):
    """Author code failed; ``failure`` is what the platform is told."""

    def __init__(self, failure: dict[str, Any]) -> None:
        super().__init__(failure["message"])
        self.failure = failure


def run_hook(call: Call, folder: str, work: Callable[[], Any]) -> Any:
    """What ``work`` returned, or what it returned became when awaited. Raises HookFailed for whatever it raised.

    It ends at the call's deadline, also when it blocks or loops without end: an alarm interrupts it where it is. Only what holds on to
    the interpreter itself (a single call into C) ends with the function's own timeout.
    """
    token = current.set(call)
    try:
        with Alarm(call, _GRACE_S), Prints():
            result = work()
            return settled(result, call) if hasattr(result, "__await__") else result
    except SystemExit as left:
        raise _failed(_leaving(left), call, folder) from left
    except BaseException as error:
        if isinstance(error, OutOfTime):
            _forget_loop()
        raise _failed(error, call, folder) from error
    finally:
        current.reset(token)


def _failed(error: BaseException, call: Call, folder: str) -> HookFailed:
    from . import log
    from .failure import describe_failure  # what is seldom needed costs a cold start nothing

    failure = describe_failure(error, folder, call.hook)
    log.error(f"{call.hook} failed: {failure['message']}", failure)
    return HookFailed(failure)


def settled(result: Awaitable[Any], call: Call) -> Any:
    """Runs to its end on the container's one event loop: connections that ``on_load`` opened live on it."""
    import asyncio

    global _loop
    if _loop is None or _loop.is_closed():
        _loop = asyncio.new_event_loop()
        asyncio.set_event_loop(_loop)
    left = None if call.deadline == FOREVER else max(0.0, call.deadline - time.monotonic())

    async def to_its_end() -> Any:
        return await asyncio.wait_for(_as_coroutine(result), left)

    try:
        return _loop.run_until_complete(to_its_end())
    except asyncio.CancelledError as error:  # not an Exception: it would look like the function's own end
        raise RuntimeError(f"{call.hook} of the plugin '{environment.plugin()}' was cancelled") from error
    except TimeoutError as error:
        if time.monotonic() < call.deadline:
            raise  # the author's own
        said = "did not finish in time: does it await something endless?"
        raise TimeoutError(f"{call.hook} of the plugin '{environment.plugin()}' {said}") from error


def _forget_loop() -> None:
    """An interrupted loop may have lost what it was about to do; the next hook gets another."""
    global _loop
    _loop = None


async def _as_coroutine(result: Awaitable[Any]) -> Any:
    try:
        return await result
    except SystemExit as left:  # let through, it would break the loop for the next hook as well
        raise _leaving(left) from left


def _leaving(left: SystemExit) -> RuntimeError:
    """``sys.exit`` would end the container and tell nobody why."""
    who = f"{current.get().hook} of the plugin '{environment.plugin()}'"
    return RuntimeError(f"{who} called sys.exit({left.code!r}); raise an error instead").with_traceback(left.__traceback__)


def call_with(method: Callable[..., Any], given: tuple[Any, ...]) -> Any:
    """Calls with as many arguments as the method takes: ``on_session_created(self, session)`` leaves the event out."""
    return method(*given[: _positions(method, len(given))])


def _positions(method: Callable[..., Any], most: int) -> int:
    function = getattr(method, "__func__", method)
    code = getattr(function, "__code__", None)
    if code is None or hasattr(function, "__wrapped__"):
        return _positions_by_signature(method, most)
    if code.co_flags & _VARARGS:
        return most
    return int(code.co_argcount) - (function is not method)


def _positions_by_signature(method: Callable[..., Any], most: int) -> int:
    import inspect  # slow to import, and seldom needed: for decorated functions and callable objects

    kinds = [parameter.kind for parameter in inspect.signature(method).parameters.values()]
    if inspect.Parameter.VAR_POSITIONAL in kinds:
        return most
    return sum(kind in (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD) for kind in kinds)
