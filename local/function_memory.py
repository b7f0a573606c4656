"""Ends a function's process that takes more memory than its function has, as Lambda does. MiniStack runs functions as plain processes,
which would otherwise take what the machine has.

What a process holds is read from ``/proc``; where there is none (macOS) nothing is ended.
Source: AWS Lambda, "Troubleshoot execution issues": an end for want of memory is ``signal: killed``.
"""

import logging
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any
from weakref import WeakSet

LOOKED_AT_EVERY_S = 0.1
ENDED = "Runtime exited with error: signal: killed"

_PROCESSES = Path("/proc")

logger = logging.getLogger("streamspace.emulator")


class MemoryWatch:
    """Looks at the processes of all workers of MiniStack's class ``Worker`` that have begun one."""

    def __init__(self) -> None:
        self._workers: WeakSet[Any] = WeakSet()
        self._ended: WeakSet[Any] = WeakSet()

    def watch_all_of(self, workers: Any) -> None:
        """Every worker of this class from now on, in a thread of its own."""
        usual_spawn, usual_invoke = workers._spawn, workers.invoke

        def spawn(worker: Any) -> None:
            self._workers.add(worker)
            self._ended.discard(worker)
            usual_spawn(worker)

        def invoke(worker: Any, *arguments: Any, **named: Any) -> dict[str, Any]:
            answer: dict[str, Any] = usual_invoke(worker, *arguments, **named)
            if answer.get("status") == "error" and worker in self._ended:
                answer["error"] = ENDED
            return answer

        workers._spawn, workers.invoke = spawn, invoke
        if _PROCESSES.is_dir():
            threading.Thread(target=self._look_for_ever, name="memory", daemon=True).start()

    def look(self) -> None:
        """End those that have too much."""
        for worker in list(self._workers):
            process, allowed_mb = worker._proc, int(worker.config.get("MemorySize", 128))
            if process is None or process.poll() is not None or _held_mb(process.pid) <= allowed_mb:
                continue
            logger.warning("%s took more than its %s MB of memory and is ended", worker.func_name, allowed_mb)
            self._ended.add(worker)
            process.send_signal(signal.SIGKILL)

    def _look_for_ever(self) -> None:
        while True:
            time.sleep(LOOKED_AT_EVERY_S)
            try:
                self.look()
            except Exception:
                logger.exception("the functions' memory could not be looked at")


def _held_mb(pid: int) -> float:
    """The resident memory of a process; 0 for one that is gone."""
    try:
        pages = int((_PROCESSES / str(pid) / "statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
