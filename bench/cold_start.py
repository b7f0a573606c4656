"""A fresh process of the API until its first answer, against a bare boto3 handler out of the same package.

Both make one client and read one item. Not counted is Python's own start, which is the same for both. The package carries compiled
modules (``infra/build.py``); "compiled at each start" is the same package without them. The table of imports is of ours: the modules whose
own code takes longest (``self``), with what each costs together with all that it imports first; ``-X importtime`` makes everything slower.
"""

from __future__ import annotations

import re
from functools import partial

from bench.function import Function, function
from bench.report import Table, by_turns, milliseconds, ratio

_ROUNDS = 25
_ROUNDS_UNCOMPILED = 5
_SLOWEST = 15
_LINE = re.compile(r"import time:\s+(\d+) \|\s+(\d+) \|\s+(\S+)")


def run() -> list[Table]:
    with function() as one:
        return [_first_answers(one), _imports(one)]


def _first_answers(one: Function) -> Table:
    rows = []
    for title, compiled, rounds in (("as shipped: compiled", True, _ROUNDS), ("compiled at each start", False, _ROUNDS_UNCOMPILED)):
        ours, bare = by_turns(rounds, partial(one.first, "ours", compiled=compiled), partial(one.first, "bare", compiled=compiled))
        wall, bare_wall = [each["wall_s"] for each in ours], [each["wall_s"] for each in bare]
        cpu, bare_cpu = [each["cpu_s"] for each in ours], [each["cpu_s"] for each in bare]
        rows.append((title, ratio(wall, bare_wall), ratio(cpu, bare_cpu), milliseconds(wall), milliseconds(bare_wall), rounds))
    return Table(
        "Cold start",
        "A fresh process until it has answered one request with a token (one GetItem), against a handler with nothing but a boto3 client "
        "(one GetItem), from the same package.",
        ("package", "ratio", "ratio of CPU time", "API", "bare handler", "pairs"),
        rows,
    )


def _imports(one: Function) -> Table:
    lines = [(int(found[1]), int(found[2]), found[3]) for found in map(_LINE.match, one.import_times().splitlines()) if found]
    total = sum(own for own, _, _ in lines)
    slowest = sorted(lines, reverse=True)[:_SLOWEST]
    return Table(
        f"Imports of a cold start: the {_SLOWEST} slowest of {len(lines)} modules",
        "Shares of the time of all imports.",
        ("module", "itself", "with what it imports"),
        [(f"`{name}`", f"{own / total:.1%}", f"{cumulative / total:.1%}") for own, cumulative, name in slowest],
    )
