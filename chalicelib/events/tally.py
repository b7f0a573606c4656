"""How many events of each type an aggregate has had: what makes any page of its log as cheap as the first. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Tally:
    """``of``: by type, up to and with the event that carries the tally, over all lives of the aggregate. ``first`` is the sequence of the
    first of them, ``last_id`` the id of the last: ids grow along the log, whatever the clocks of those who write it say.
    """

    first: int
    last_id: int = 0
    of: Mapping[str, int] = field(default_factory=dict)

    def count(self, type: str | None = None) -> int:
        return sum(self.of.values()) if type is None else self.of.get(type, 0)

    def with_event(self, type: str, id: int) -> Tally:
        return Tally(self.first, id, {**self.of, type: self.count(type) + 1})

    def sequence_at(self, position: int) -> int:
        """The sequence of the ``position``-th event, counted from 1: there are no gaps."""
        return self.first + position - 1

    def text(self) -> str:
        return json.dumps(vars(self), separators=(",", ":"))

    @classmethod
    def of_text(cls, text: str | None) -> Tally | None:
        return cls(**json.loads(text)) if text else None
