"""What a benchmark found, as tables that read the same in a terminal and in ``RESULTS.md``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median, quantiles
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Table:
    """``note`` says what was compared with what, in a sentence or two."""

    title: str
    note: str
    header: Sequence[str]
    rows: Sequence[Sequence[Any]] = field(default_factory=list)

    def markdown(self) -> str:
        texts = [[str(cell) for cell in row] for row in (self.header, *self.rows)]
        widths = [max(len(row[column]) for row in texts) for column in range(len(self.header))]
        lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in texts]
        lines.insert(1, "| " + " | ".join("-" * width for width in widths) + " |")
        return "\n".join([f"## {self.title}", "", self.note, "", *lines, ""])


def by_turns(rounds: int, *sides: Callable[[], T]) -> list[list[T]]:
    """What each side gave: one of the first, one of the second, the first again …; and once each before that, which does not count."""
    for side in sides:
        side()
    found: list[list[T]] = [[] for _ in sides]
    for _ in range(rounds):
        for kept, side in zip(found, sides, strict=True):
            kept.append(side())
    return found


def ratio(ours: Sequence[float], other: Sequence[float]) -> str:
    return f"{median(ours) / median(other):.2f}"


def milliseconds(seconds: Sequence[float]) -> str:
    value = median(seconds) * 1000
    return f"{value:.2f} ms" if value < 10 else f"{value:.0f} ms"


def p95(seconds: Sequence[float]) -> float:
    return quantiles(seconds, n=20, method="inclusive")[-1]
