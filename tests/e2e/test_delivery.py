"""Every event reaches its plugins, in order, though their functions' processes are killed again and again."""

from __future__ import annotations

import os
import signal
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from local import settings
from tests.e2e.aws import Account
from tests.e2e.client import Api, eventually
from tests.e2e.plugins import WrittenPlugin

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

USERS, CHANGES = 6, 8
# An event whose delivery killed the function three times would be set aside, and rightly so.
KILLS = 2
# A batch whose function died comes again after its queue's visibility time-out of 35 s, and each kill may hit the same batch.
WITHIN_S = KILLS * 35 + 60


@pytest.fixture
def crowd(api: Api) -> Iterator[list[str]]:
    names = [f"e2e-{uuid.uuid4().hex[:10]}" for _ in range(USERS)]
    for name in names:
        api.post("/users", {"username": name, "fullName": "Number 0", "email": f"{name}@example.com"})
    yield names
    for name in names:
        api.delete(f"/users/{name}")


def test_killed_processes_lose_no_event_and_keep_the_order(api, account, plugin, crowd):
    recorders = [plugin.recorder(runtime) for runtime in ("nodejs", "python")]

    def change(username: str) -> None:
        for number in range(1, CHANGES + 1):
            api.patch(f"/users/{username}", {"fullName": f"Number {number}"})

    def everything_was_heard() -> bool:
        return all(len({event["id"] for event in events}) == CHANGES for one in recorders for events in heard(account, one, crowd))

    with killing(recorders) as killed:
        with ThreadPoolExecutor(USERS) as threads:
            list(threads.map(change, crowd))
        eventually(everything_was_heard, WITHIN_S, lambda: f"killed {killed}, heard {counts(account, recorders, crowd)}", every_s=1)

    assert all(len(processes) >= 2 for processes in killed.values()), f"too few were killed to show anything: {killed}"
    for recorder in recorders:
        for events in heard(account, recorder, crowd):
            first_times = list(dict.fromkeys(event["sequence"] for event in events))
            assert first_times == sorted(first_times), f"out of order: {events}"
        assert api.dead_letters(recorder.slug) == []


@contextmanager
def killing(recorders: list[WrittenPlugin]) -> Iterator[dict[str, list[int]]]:
    """Kills a worker of each plugin, a little after there is one, until it was done often enough; yields who was killed."""
    killed: dict[str, list[int]] = {recorder.slug: [] for recorder in recorders}
    is_over = threading.Event()

    def hunt() -> None:
        while not is_over.wait(0.7):
            for recorder in recorders:
                for process in workers_of(recorder)[:1] if len(killed[recorder.slug]) < KILLS else []:
                    with suppress(ProcessLookupError):
                        os.kill(process, signal.SIGKILL)
                        killed[recorder.slug].append(process)

    hunter = threading.Thread(target=hunt)
    hunter.start()
    try:
        yield killed
    finally:
        is_over.set()
        hunter.join()


def workers_of(recorder: WrittenPlugin) -> list[int]:
    """The processes of this stack in which the emulator runs the plugin's function, each given once."""
    mark = f"ministack-lambda-{settings.STACK_NAME}-plugin-{recorder.slug}-"
    emulator = str(settings.layout().emulator)
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            line = (process / "cmdline").read_bytes().decode(errors="replace")
            if mark in line and emulator in line and (process / "stat").read_text().rpartition(") ")[2][:1] != "Z":
                found.append(int(process.name))
    return found


def heard(account: Account, recorder: WrittenPlugin, crowd: list[str]) -> list[list[dict[str, Any]]]:
    """For each user, what the recorder heard. Read from its storage: asking the plugin would need a process that is not killed."""
    stored = account.stored_by(recorder.slug)
    return [stored.get(f"heard:user#{username}", []) for username in crowd]


def counts(account: Account, recorders: list[WrittenPlugin], crowd: list[str]) -> dict[str, list[int]]:
    return {recorder.slug: [len(events) for events in heard(account, recorder, crowd)] for recorder in recorders}
