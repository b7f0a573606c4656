"""A function's process that takes too much memory ends as on Lambda; others live."""

import subprocess
import sys

import pytest

from local import function_memory
from local.function_memory import ENDED, MemoryWatch

pytestmark = pytest.mark.skipif(not function_memory._PROCESSES.is_dir(), reason="memory is read from /proc")

GREEDY = "x = bytearray(200 * 2**20); print('has it', flush=True); input()"
MODEST = "print('has it', flush=True); input()"


class Worker:
    """What the watch knows of MiniStack's own."""

    def __init__(self, code, memory_mb):
        self.func_name, self.config, self._proc = "some-function", {"MemorySize": memory_mb}, None
        self.code = code

    def _spawn(self):
        self._proc = subprocess.Popen([sys.executable, "-c", self.code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def invoke(self, event, request_id, *, depth=None):
        if self._proc is None or self._proc.poll() is not None:
            self._spawn()
        assert self._proc.stdout.readline() == b"has it\n"
        during()
        if self._proc.poll() is None:
            return {"status": "ok", "error": None, "event": event, "depth": depth}
        return {"status": "error", "error": "Worker process died"}


def during():
    """What happens while a function runs."""


@pytest.fixture
def watch(monkeypatch):
    class Watched(Worker):
        made = []

        def __init__(self, *arguments):
            super().__init__(*arguments)
            self.made.append(self)

    watch = MemoryWatch()
    monkeypatch.setattr(MemoryWatch, "_look_for_ever", lambda self: None)
    watch.watch_all_of(Watched)

    def look():
        watch.look()
        for worker in Watched.made:
            if function_memory._held_mb(worker._proc.pid) > worker.config["MemorySize"]:
                worker._proc.wait(10)

    monkeypatch.setattr(sys.modules[__name__], "during", look)
    yield Watched
    for worker in Watched.made:
        worker._proc.kill()
        worker._proc.wait()
        worker._proc.stdin.close()
        worker._proc.stdout.close()


def test_a_process_that_takes_more_than_its_function_has_is_killed_and_its_call_says_so(watch):
    worker = watch(GREEDY, 128)

    assert worker.invoke({}, "r") == {"status": "error", "error": ENDED}
    assert worker._proc.returncode == -9


def test_one_that_takes_less_is_left_alone(watch):
    assert watch(GREEDY, 256).invoke({"a": 1}, "r", depth=2) == {"status": "ok", "error": None, "event": {"a": 1}, "depth": 2}


def test_a_later_process_of_the_same_function_that_dies_otherwise_is_not_said_to_have_run_out(watch, monkeypatch):
    worker = watch(GREEDY, 128)
    worker.invoke({}, "r")
    worker.code = "print('has it', flush=True)"

    monkeypatch.setattr(sys.modules[__name__], "during", lambda: worker._proc.wait(10))

    assert worker.invoke({}, "r") == {"status": "error", "error": "Worker process died"}


def test_a_process_that_is_gone_holds_nothing():
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()

    assert function_memory._held_mb(ended.pid) == 0
