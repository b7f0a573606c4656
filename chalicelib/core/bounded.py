"""Runs what a stranger wrote in a process of its own, which may use so much time, memory and output, and no more.

A sandbox keeps a template from reaching Python, not from asking for ``'a' * 10**9`` or for ten nested loops; and a pattern such as
``(a+)+$`` can be made to run for ever. No list of what is too much would be complete; the operating system's bounds are.
"""

from __future__ import annotations

import os
import select
import signal
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

_MOST_CPU_S = 2
_MOST_WALL_S = 5.0
# Beside what the process has already, which the child shares with it.
_MOST_MEMORY_BYTES = 96 * 1024 * 1024
_CHUNK = 64 * 1024


class TooMuch(Exception):
    """It needed more time, memory or output than it may have."""


def run(work: Callable[[], bytes], *, most_bytes: int) -> bytes:
    """What ``work`` returns. It sees all that its caller has and changes none of it: it runs in a copy of this process.

    Raises: TooMuch. ``work`` itself must not raise.
    """
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        # Python warns of threads, which the copy does not have; the work takes no lock that one of them could hold.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        _as_child(work, reader, writer)
    os.close(writer)
    try:
        return _read(reader, most_bytes)
    finally:
        os.close(reader)
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _as_child(work: Callable[[], bytes], reader: int, writer: int) -> None:
    """Never returns, and runs nothing of the parent's on its way out."""
    try:
        os.close(reader)
        _limit()
        answer = work()
        # The first byte tells a whole answer from none.
        view = memoryview(b"\x01" + answer)
        while view:
            view = view[os.write(writer, view) :]
    finally:
        os._exit(0)


def _limit() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_CPU, (_MOST_CPU_S, _MOST_CPU_S))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError, ValueError):
        # Linux only; elsewhere the time has to do.
        present = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        most = present + _MOST_MEMORY_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _read(reader: int, most_bytes: int) -> bytes:
    deadline = time.monotonic() + _MOST_WALL_S
    found = bytearray()
    while True:
        ready, _, _ = select.select([reader], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            raise TooMuch
        chunk = os.read(reader, _CHUNK)
        if not chunk:
            break
        found += chunk
        if len(found) > most_bytes + 1:
            raise TooMuch
    if not found:
        raise TooMuch
    return bytes(found[1:])
