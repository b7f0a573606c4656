"""Numbered steps on the terminal, each with the time it took."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

SAID_AFTER_S = 1.0


class Progress:
    """Prints ``[3] building the deployment package … 12.3 s`` when a step is done, and, if that takes more than a
    moment, what is being done meanwhile. Steps may overlap; the numbers follow the order in which they began."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._begun = 0
        self._out = out or sys.stdout
        self._lock = threading.Lock()

    @contextmanager
    def step(self, doing: str) -> Iterator[None]:
        """A step that fails prints no time; its exception goes on."""
        with self._lock:
            self._begun += 1
            label = f"[{self._begun}] {doing} …"
        began = time.monotonic()
        reminder = threading.Timer(SAID_AFTER_S, self.say, (label,))
        reminder.daemon = True
        reminder.start()
        try:
            yield
        finally:
            reminder.cancel()
        self.say(f"{label} {time.monotonic() - began:.1f} s")

    def say(self, text: str) -> None:
        with self._lock:
            print(text, file=self._out, flush=True)
