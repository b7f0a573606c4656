"""The most memory that a fresh process of the API held until its first answer (VmHWM), against the bare handler of ``cold_start``."""

from __future__ import annotations

from statistics import median

from bench.function import function
from bench.report import Table, by_turns, ratio

_ROUNDS = 5


def run() -> list[Table]:
    with function() as one:
        ours, bare = by_turns(_ROUNDS, lambda: one.first("ours")["peak_kib"], lambda: one.first("bare")["peak_kib"])
    row = (ratio(ours, bare), f"{median(ours) / 1024:.1f} MiB", f"{median(bare) / 1024:.1f} MiB")
    note = "The most that the process held until it had answered its first request, Python itself included."
    return [Table("Peak memory", note, ("ratio", "API", "bare handler"), [row])]
