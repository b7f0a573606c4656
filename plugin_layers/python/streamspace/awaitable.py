"""Lets each API method be called both ways: ``session = get_session(x)`` and ``session = await get_session(x)``.

A plugin handles one thing at a time, so the methods are plain blocking functions. Called from plain code they return
plain values. Called from an ``async def`` they return the same value in a form that can be awaited too: a real
``dict``, ``list``, ``str``, ``int`` or ``float``; None and booleans cannot be extended, and come as a stand-in that is
falsy or truthy, equal to them, and them once awaited. So in an ``async def``, await ``storage.get(key)`` before asking
whether it ``is None``.

Type checkers see the plain functions.
"""

from __future__ import annotations

import sys
from functools import wraps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator
    from types import FrameType
    from typing import Any, ParamSpec, TypeVar

    P = ParamSpec("P")
    R = TypeVar("R")

_RUNS_IN_A_LOOP = 0x80 | 0x200  # inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR, without importing inspect
_INLINE = frozenset({"<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>", "<lambda>"})


class Pending:
    """What a method answers that is itself a coroutine, to be run on the loop that runs already: where the caller cannot await it, a
    thread runs it to its end."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        self.coroutine = coroutine

    def given_to(self, *, awaits: bool) -> Any:
        return self.coroutine if awaits else self._run_elsewhere()

    def _run_elsewhere(self) -> Any:
        import asyncio
        from contextvars import copy_context
        from threading import Thread

        outcome: list[tuple[Any, BaseException | None]] = []

        def run() -> None:
            try:
                outcome.append((asyncio.run(self.coroutine), None))
            except BaseException as error:  # noqa: BLE001 - raised again where it belongs
                outcome.append((None, error))

        thread = Thread(target=copy_context().run, args=(run,))
        thread.start()
        thread.join()
        value, error = outcome[0]
        if error is not None:
            raise error
        return value


def awaitable(method: Callable[P, R]) -> Callable[P, R]:
    """Makes a blocking function's answer awaitable where the caller is a coroutine."""

    @wraps(method)
    def either_way(*args: P.args, **kwargs: P.kwargs) -> R:
        value = method(*args, **kwargs)
        awaits = _is_coroutine(sys._getframe(1))
        shaped: R = value.given_to(awaits=awaits) if isinstance(value, Pending) else _awaitable(value) if awaits else value
        return shaped

    return either_way


def _is_coroutine(frame: FrameType | None) -> bool:
    while frame is not None and frame.f_code.co_name in _INLINE:
        frame = frame.f_back
    return frame is not None and bool(frame.f_code.co_flags & _RUNS_IN_A_LOOP)


def _done(value: Any) -> Generator[Any, None, Any]:
    """An await that is over at once."""
    return value
    yield


class _Dict(dict[object, object]):
    __hash__ = object.__hash__  # type: ignore[assignment]  # asyncio.gather keeps what it waits for in a dict

    def __await__(self) -> Generator[Any, None, Any]:
        return _done(dict(self))


class _List(list[object]):
    __hash__ = object.__hash__  # type: ignore[assignment]

    def __await__(self) -> Generator[Any, None, Any]:
        return _done(list(self))


class _Str(str):
    def __await__(self) -> Generator[Any, None, Any]:
        return _done(str(self))


class _Int(int):
    def __await__(self) -> Generator[Any, None, Any]:
        return _done(int(self))


class _Float(float):
    def __await__(self) -> Generator[Any, None, Any]:
        return _done(float(self))


class _Constant:
    """Stands for None, True or False until it is awaited."""

    def __init__(self, value: bool | None) -> None:
        self._value = value

    def __await__(self) -> Generator[Any, None, Any]:
        return _done(self._value)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return bool(self._value == (other._value if isinstance(other, _Constant) else other))

    def __hash__(self) -> int:
        return hash(self._value)

    def __repr__(self) -> str:
        return repr(self._value)


_FORMS: dict[type, Callable[[Any], Any]] = {dict: _Dict, list: _List, str: _Str, int: _Int, float: _Float}


def _awaitable(value: Any) -> Any:
    return _FORMS.get(type(value), _Constant)(value)
