"""What led to an event: how many plugins' hooks, one causing the next. So that no circle of plugins goes round for ever.

A plugin's SDK says with each call how many hooks led to the one that makes it (``X-StreamSpace-Hops``), from the event that it handles; the
event that the call causes has one more. Above a limit (``STREAMSPACE_HOP_LIMIT``) an event is written, and told to no plugin.

A plugin that does not say so (a call around the SDK) is taken to answer to what last happened to the same session or user, if that was less
than a minute ago. What it does beyond that, its rate limits bound.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal

_ANSWERS_WITHIN_S = 60
MOST_HOPS = 1000


@dataclass(frozen=True)
class Actor:
    """Who caused an event, as the log shows it: ``{"id", "name"}``. Source: REST §15.

    ``hops`` is a plugin's: how many hooks led to what it does, its own included; None where it does not say. ``platform`` is the platform
    itself, which goes on with what somebody else began.
    """

    id: str
    name: str
    kind: Literal["person", "plugin", "platform"] = "person"
    hops: int | None = None


@dataclass(frozen=True)
class Cause:
    """``plugin`` is the last one of the ``hops``; ``at`` is when, in seconds since the epoch."""

    hops: int
    plugin: str
    at: float

    def text(self) -> str:
        return json.dumps(vars(self))

    @classmethod
    def of_text(cls, text: str | None) -> Cause | None:
        return cls(**json.loads(text)) if text else None


def cause_of(actor: Actor | None, last: Cause | None, now_s: float) -> Cause | None:
    """The cause of what ``actor`` does; ``last`` is that of the latest event of the same session or user. Pure."""
    if actor is None or actor.kind == "person":
        return None
    if actor.kind == "platform":
        return last
    hops = actor.hops
    if hops is None:
        answers = last is not None and now_s - last.at < _ANSWERS_WITHIN_S
        hops = last.hops + 1 if last is not None and answers else 1
    return Cause(min(hops, MOST_HOPS), actor.id, now_s)
