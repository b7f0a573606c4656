"""A child process that ends when its supervisor does, however the supervisor ended.

The supervisor keeps the writing end of a pipe whose reading end is the child's standard input. The kernel closes it
even after ``kill -9``; the child then reads the end of the file and stops in its usual, orderly way. Works on every
Unix, without polling.
"""

import os
import signal
import sys
import threading


def stop_with_supervisor() -> None:
    """Send this process SIGTERM once standard input ends. Only for processes that read nothing else from it."""
    threading.Thread(target=_wait, name="lifeline", daemon=True).start()


def _wait() -> None:
    descriptor = sys.stdin.fileno()
    while os.read(descriptor, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
