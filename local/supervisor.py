"""Who supervises a state folder: at most one process, known by a lock that the kernel gives back however it ends."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from local.processes import StackFailed
from local.settings import Layout


class AlreadyRunning(StackFailed):
    """Another supervisor holds this state folder."""


@contextmanager
def only_one(layout: Layout) -> Iterator[None]:
    """Raises: AlreadyRunning when another supervisor holds this state folder."""
    layout.root.mkdir(parents=True, exist_ok=True)
    with layout.lock.open("a+") as lock:
        if not _taken(lock):
            raise AlreadyRunning(
                f"a local stack already runs from this checkout (process {_holder(layout) or 'unknown'}); "
                "see `make status`, stop it with `make down`"
            )
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield
        lock.truncate(0)


def holder(layout: Layout) -> int | None:
    """The supervisor's process, or None when none runs. While it holds the lock, its number cannot be another's."""
    try:
        with layout.lock.open("a+") as lock:
            if _taken(lock):
                return None
    except FileNotFoundError:
        return None
    ends = time.monotonic() + 2
    while not (found := _holder(layout)) and time.monotonic() < ends:
        time.sleep(0.02)
    return found


def _taken(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(layout: Layout) -> int | None:
    text = layout.lock.read_text().strip()
    return int(text) if text.isdigit() else None
