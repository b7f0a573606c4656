"""``python -m bench [NAME …]``: all benchmarks, or the named ones. Each has its part of ``RESULTS.md``, which it replaces."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
import time
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

from bench import stack

RESULTS = Path(__file__).parent / "RESULTS.md"
IN_PROCESS = (
    "cold_start",
    "memory",
    "warm_request",
    "aws_calls",
    "plugin_management",
    "sdk",
    "fan_out",
    "search",
    "session_start",
    "session_sweep",
)
ON_THE_STACK = ("install", "event_to_hook")


def main() -> None:
    names = sys.argv[1:] or [*IN_PROCESS, *ON_THE_STACK]
    unknown = set(names) - {*IN_PROCESS, *ON_THE_STACK}
    if unknown:
        raise SystemExit(f"no benchmark is called {', '.join(sorted(unknown))}; there are {', '.join((*IN_PROCESS, *ON_THE_STACK))}")
    began = time.monotonic()
    print(_heading(), flush=True)
    # The stack comes last: its servers would disturb the others.
    for name in IN_PROCESS:
        if name in names:
            _keep(name, _run(name))
    on_the_stack = [name for name in ON_THE_STACK if name in names]
    if on_the_stack:
        with stack.running():
            for name in on_the_stack:
                _keep(name, _run(name))
    print(f"written to bench/{RESULTS.name}; it took {time.monotonic() - began:.0f} s")


def _run(name: str) -> str:
    print(f"… {name}", file=sys.stderr, flush=True)
    text = "\n".join(table.markdown() for table in import_module(f"bench.{name}").run())
    print(text, flush=True)
    return text


def _keep(name: str, text: str) -> None:
    """Put it in the place of what the benchmark found before; at once, so that a later one's failure takes nothing away."""
    before = RESULTS.read_text() if RESULTS.exists() else ""
    parts = dict(re.findall(r"<!-- (\w+) -->\n(.*?)(?=\n<!-- |\Z)", before, re.DOTALL))
    parts[name] = f"{text}\nMeasured on {datetime.now(UTC):%Y-%m-%d} by `python -m bench {name}`.\n"
    shown = [f"<!-- {one} -->\n{parts[one]}" for one in (*IN_PROCESS, *ON_THE_STACK) if one in parts]
    RESULTS.write_text("\n".join([_heading(), *shown]))


def _heading() -> str:
    node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False).stdout.strip().lstrip("v")
    machine = (
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs, Python {platform.python_version()}, Node.js {node or 'none'}"
    )
    return "\n".join(
        [
            "# Benchmarks",
            "",
            f"Made by `make bench` ({machine}), which makes them again; `python -m bench NAME` makes one of them.",
            "",
            "Ratios of medians, both sides measured by turns in one run; the docstring of `bench/__init__.py` says how to read them.",
            "The milliseconds are this machine's, on that day, with whatever else it did.",
            "",
        ]
    )


if __name__ == "__main__":
    main()
