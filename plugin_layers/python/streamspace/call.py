"""The call that author code is running in. It follows the code into tasks: a late log line still names its hook."""

from __future__ import annotations

from contextvars import ContextVar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FOREVER = float("inf")


class Call:
    """``deadline`` is in the seconds of ``time.monotonic``: what is done for this call ends before it.

    ``person`` is the username that it runs for, ``hops`` how many plugins' hooks, one causing the next, led to it.
    """

    __slots__ = ("deadline", "event_id", "hook", "hops", "lines", "person")

    def __init__(
        self, hook: str | None = None, event_id: Any = None, deadline: float = FOREVER, person: str | None = None, hops: int = 0
    ) -> None:
        self.hook = hook
        self.event_id = event_id
        self.deadline = deadline
        self.person = person
        self.hops = hops
        self.lines = 0  # logged


current: ContextVar[Call] = ContextVar("streamspace_call", default=Call())  # noqa: B039 - never changed
