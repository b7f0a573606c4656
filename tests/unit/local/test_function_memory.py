"""A function's process that takes too much memory ends as on Lambda; others live."""

import contextlib
import subprocess
import sys

import pytest

from local import function_memory
from local.function_memory import ENDED, MemoryWatch

pytestmark = pytest.mark.skipif(not function_memory._PROCESSES.is_dir(), reason="memory is read from /proc")

GREEDY = "x = bytearray(200 * 2**20); print('has it', flush=True); input(); print('answer', flush=True); input()"
DIES = "print('has it', flush=True)"
DIED = {"status": "error", "error": "Worker process died"}


class Worker:
    """What the watch knows of MiniStack's own. Its process says what it holds, and answers when it is asked to."""

    def __init__(self, code, memory_mb):
        self.func_name, self.config, self._proc = "some-function", {"MemorySize": memory_mb}, None
        self.code, self.meanwhile = code, lambda: None

    def _spawn(self):
        self._proc = subprocess.Popen([sys.executable, "-c", self.code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def invoke(self, event, request_id, *, depth=None):
        if self._proc is None or self._proc.poll() is not None:
            self._spawn()
        assert self._proc.stdout.readline() == b"has it\n"
        self.meanwhile()
        with contextlib.suppress(BrokenPipeError):
            self._proc.stdin.write(b"\n")
            self._proc.stdin.flush()
        if self._proc.stdout.readline() == b"answer\n":
            return {"status": "ok", "error": None, "event": event, "depth": depth}
        self._proc.wait(10)
        return dict(DIED)


@pytest.fixture
def watch(monkeypatch):
    """A watch that looks when it is told to."""
    monkeypatch.setattr(MemoryWatch, "_look_for_ever", lambda self: None)
    return MemoryWatch()


@pytest.fixture
def watched(watch):
    """Makes a worker whose memory is looked at while it works."""
    made = []

    class Watched(Worker):
        def __init__(self, code, memory_mb):
            super().__init__(code, memory_mb)
            self.meanwhile = watch.look
            made.append(self)

    watch.watch_all_of(Watched)
    yield Watched
    for worker in made:
        worker._proc.kill()
        worker._proc.communicate()


def test_a_process_that_takes_more_than_its_function_has_is_killed_and_its_call_says_so(watched):
    worker = watched(GREEDY, 128)

    assert worker.invoke({}, "r") == {"status": "error", "error": ENDED}
    assert worker._proc.returncode == -9


def test_one_that_takes_less_is_left_alone(watched):
    assert watched(GREEDY, 256).invoke({"a": 1}, "r", depth=2) == {"status": "ok", "error": None, "event": {"a": 1}, "depth": 2}


def test_a_later_process_of_the_same_function_that_dies_otherwise_is_not_said_to_have_run_out(watched):
    worker = watched(GREEDY, 128)
    worker.invoke({}, "r")
    worker.code = DIES

    assert worker.invoke({}, "r") == DIED


def test_nor_is_one_whose_forerunner_was_ended_after_its_answer(watched, watch):
    worker = watched(GREEDY, 128)
    worker.meanwhile = lambda: None
    assert worker.invoke({}, "r")["status"] == "ok"
    watch.look()
    assert worker._proc.wait(10) == -9
    worker.code = DIES

    assert worker.invoke({}, "r") == DIED


def test_a_process_that_is_gone_holds_nothing():
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()

    assert function_memory._held_mb(ended.pid) == 0
