"""Interrupts code that never comes back: ``while True: pass`` would else take the whole function's time, and nobody would say where."""

from __future__ import annotations

import time

from . import environment
from .call import FOREVER, Call

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any


class OutOfTime(BaseException):
    """Not an Exception: an ``except Exception`` in the author's loop must not keep it going."""


class Alarm:
    """The code inside is interrupted ``grace_s`` after the call's deadline. Elsewhere than in a main thread it does nothing."""

    def __init__(self, call: Call, grace_s: float) -> None:
        self._call = call
        self._grace_s = grace_s
        self._before: Any = None
        self._is_set = False

    def __enter__(self) -> Alarm:
        if self._call.deadline == FOREVER:
            return self
        import signal

        left = max(0.001, self._call.deadline - time.monotonic() + self._grace_s)
        try:
            self._before = signal.signal(signal.SIGALRM, self._ring)
            # Again and again: the author's code may catch even this.
            signal.setitimer(signal.ITIMER_REAL, left, 0.1)
            self._is_set = True
        except (ValueError, AttributeError):
            pass  # not the main thread, or a system without alarms: the function's own timeout has to do
        return self

    def __exit__(self, *_exception: Any) -> None:
        if self._is_set:
            import signal

            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, self._before)

    def _ring(self, _number: int, _frame: FrameType | None) -> None:
        said = "did not finish in time: does it loop, or wait, without end?"
        raise OutOfTime(f"{self._call.hook} of the plugin '{environment.plugin()}' {said}")
