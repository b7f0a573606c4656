"""The AWS emulator (MiniStack) with the memory that it lacks: what it holds survives ``kill -9``.

Runs in an environment of its own, so that the functions it executes find only what their packages and layers carry.
MiniStack saves its state at a clean stop only, and never saves DynamoDB's stream records, though it does save how far
their readers have come: after a restart they would skip that many new records. Here a thread takes a snapshot every few
seconds, of the streams too.

``python -m local.emulator STATE_FOLDER``, with MiniStack's settings in the environment (``environment`` makes them).
"""

import asyncio
import copy
import json
import logging
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from local import lifeline, settings
from local.function_memory import MemoryWatch
from local.snapshots import SnapshotStore, encoded

SNAPSHOT_INTERVAL_S = 8.0
"""Another interval may be set in the environment, under this name."""
LONGEST_INTERVAL_S = 20.0
"""A snapshot may take one twentieth of the time; with a very full store they become rarer, up to this."""

CONSUMERS_FIRST = ("lambda", "sqs", "stepfunctions", "scheduler")
"""Read before everything else: a mark of how far a reader came must never be newer than what the reader did. The worst
that a crash can then do is to deliver something twice, which everything here expects, and never to lose it."""

STREAMS = "dynamodb_stream_records"

FIRST_LOG_LINE_S = 0.01
"""After a function has answered, MiniStack waits for the first line of its log, 50 ms if it wrote none. What it wrote
is in the pipe before the answer, so that less will do; a line that is late comes with the next invocation."""

LONGEST_DEPLOYMENT_S = 120
"""While CloudFormation is at work no snapshot is taken, so that a kill leaves the stack as it was before, and never one
that is in progress for ever. An operation that takes longer than this is no longer waited for."""

logger = logging.getLogger("streamspace.emulator")


def environment(port: int, state: Path, search_path: str) -> dict[str, str]:
    """All that the emulator, and with it every function, finds in its environment: nothing of the caller's own."""
    return {
        "GATEWAY_PORT": str(port),
        "BIND_HOST": settings.HOST,
        "MINISTACK_HOST": "localhost",
        "MINISTACK_REGION": settings.REGION,
        "AUTH": "true",
        "PERSIST_STATE": "1",
        "S3_PERSIST": "1",
        "STATE_DIR": str(state / "state" / "current"),
        "S3_DATA_DIR": str(state / "s3"),
        "IOT_MTLS_ENABLED": "false",
        "SFTP_ENABLED": "0",
        "DOCKER_HOST": "unix:///nonexistent",
        "LAMBDA_EXECUTOR": "local",
        "LOG_LEVEL": "INFO",
        "HOME": str(state / "home"),
        "TMPDIR": str(state / "tmp"),
        "PATH": search_path,
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "PYTHONUNBUFFERED": "1",
    }


class Emulator:
    """MiniStack in this process, its state kept in ``folder``."""

    def __init__(self, folder: Path) -> None:
        from ministack import app
        from ministack.core import lambda_runtime, persistence
        from ministack.services import cloudformation, dynamodb, lambda_svc

        self._app: Any = app
        self._dynamodb: Any = dynamodb
        self._persistence: Any = persistence
        self._store = SnapshotStore(folder / "state")
        self._cloudformation: Any = cloudformation
        self._writing = threading.Lock()
        self._deploying_since: float | None = None
        self._code_in_use: set[str] = set()
        self._reported: set[str] = set()
        usual = lambda_runtime.Worker._drain_stderr_bounded.__defaults__
        lambda_runtime.Worker._drain_stderr_bounded.__defaults__ = (FIRST_LOG_LINE_S, *usual[1:])
        MemoryWatch().watch_all_of(lambda_runtime.Worker)
        lambda_svc.CODE_BLOB_DIR = str(self._store.code)
        lambda_svc._prune_orphan_code_blobs = self._remember_code_in_use
        app.save_all = lambda _services: self.save()
        app._load_persisted_state = self._load(app._load_persisted_state)

    def serve(self, port: int) -> None:
        """Answer requests until SIGTERM, then save once more."""
        from hypercorn.asyncio import serve
        from hypercorn.config import Config

        config = Config()
        config.bind = [f"{settings.HOST}:{port}"]
        config.keep_alive_timeout = 75
        config.graceful_timeout = 2
        config.accesslog = None
        config.errorlog = "-"

        async def until_stopped() -> None:
            stopped = asyncio.Event()
            for number in (signal.SIGTERM, signal.SIGINT):
                asyncio.get_running_loop().add_signal_handler(number, stopped.set)
            await serve(self._app.app, config, shutdown_trigger=stopped.wait)

        asyncio.run(until_stopped())

    def save_repeatedly(self) -> None:
        """Snapshots for as long as the process lives, in a thread of their own."""
        threading.Thread(target=self._save_repeatedly, name="snapshots", daemon=True).start()

    def save(self) -> None:
        """Write a snapshot of everything as it is at one moment, if anything changed and no stack is being changed."""
        with self._writing:
            if self._is_deploying():
                return
            states = self._states()
            files = {}
            for name, state in states.items():
                try:
                    files[name] = encoded(self._wrapped(name, state), self._encode)
                except (TypeError, ValueError, RuntimeError) as problem:
                    self._report_once(f"the state of {name} was not saved: {problem}")
            self._store.write(files)
            self._store.prune_code(self._code_in_use)

    def _save_repeatedly(self) -> None:
        usual_s = interval_s = float(os.environ.get("SNAPSHOT_INTERVAL_S", SNAPSHOT_INTERVAL_S))
        while True:
            time.sleep(interval_s)
            began = time.monotonic()
            try:
                self.save()
            except Exception:
                logger.exception("the snapshot failed; the one before stays in force")
            interval_s = min(max(usual_s, 20 * (time.monotonic() - began)), LONGEST_INTERVAL_S)

    def _is_deploying(self) -> bool:
        statuses = {stack.get("StackStatus", "") for stack in list(self._cloudformation._stacks._data.values())}
        under_way = any(status.endswith("_IN_PROGRESS") for status in statuses - {"REVIEW_IN_PROGRESS"})
        if not under_way:
            self._deploying_since = None
            return False
        self._deploying_since = self._deploying_since or time.monotonic()
        return time.monotonic() - self._deploying_since < LONGEST_DEPLOYMENT_S

    def _states(self) -> dict[str, Any]:
        readers: dict[str, Callable[[], Any]] = self._app._build_persistence_save_dict()
        first = {name: readers[name] for name in CONSUMERS_FIRST if name in readers}
        states = {}
        with undisturbed():
            for name, read in {**first, **readers}.items():
                try:
                    state = read()
                except Exception as problem:  # noqa: BLE001 one service's fault must not cost the others their snapshot
                    self._report_once(f"the state of {name} could not be read: {problem}")
                    continue
                if state is not None:
                    states[name] = state
            states[STREAMS] = self._stream_records()
        return states

    def _stream_records(self) -> dict[str, Any]:
        dynamodb = self._dynamodb
        return {
            "records": copy.deepcopy(dynamodb._stream_records),
            "trimmed": copy.deepcopy(dynamodb._stream_trimmed),
            "sequence": dynamodb._stream_seq_counter,
        }

    def _load(self, load_services: Callable[[], None]) -> Callable[[], None]:
        def load() -> None:
            # The streams before their readers: the event source mappings begin to poll as soon as they are loaded.
            streams = self._persistence.load_state(STREAMS)
            if streams:
                self._dynamodb._stream_records.update(streams["records"])
                self._dynamodb._stream_trimmed.update(streams["trimmed"])
                self._dynamodb._stream_seq_counter = streams["sequence"]
            load_services()

        return load

    def _wrapped(self, name: str, state: Any) -> dict[str, Any]:
        return {"__ministack_format__": self._persistence._state_format_version(name), "payload": state}

    def _encode(self, state: object) -> str:
        return json.dumps(state, default=self._persistence._json_default)

    def _remember_code_in_use(self, referenced: set[str]) -> None:
        self._code_in_use = set(referenced)

    def _report_once(self, message: str) -> None:
        if message not in self._reported:
            self._reported.add(message)
            logger.error("%s", message)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Let no other thread of this process run meanwhile, as long as the body does no I/O: what it copies belongs to one
    moment."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(60)
    try:
        time.sleep(2 * usual)  # threads that already wait for their turn get it; later ones wait for us
        yield
    finally:
        sys.setswitchinterval(usual)


def set_aside(folder: Path, leftovers: Path) -> None:
    """Out of the way at once: what many functions unpacked takes longer to remove than a start may."""
    if folder.exists():
        leftovers.mkdir(parents=True, exist_ok=True)
        folder.rename(leftovers / uuid.uuid4().hex)


def main() -> None:
    folder = Path(sys.argv[1])
    logging.basicConfig(level=logging.INFO, format="%(asctime)s [%(name)s] %(levelname)s %(message)s")
    for temporary in (folder / "tmp", folder / "home"):
        set_aside(temporary, folder / "leftovers")
        temporary.mkdir(parents=True)
    threading.Thread(target=shutil.rmtree, args=(folder / "leftovers", True), name="leftovers", daemon=True).start()
    tempfile.tempdir = None
    lifeline.stop_with_supervisor()
    emulator = Emulator(folder)
    # Python functions are run by this interpreter, which has AWS's SDK and nothing else.
    if interpreter := os.environ.pop("LAMBDA_PYTHON", None):
        sys.executable = interpreter
    emulator.save_repeatedly()
    emulator.serve(int(os.environ["GATEWAY_PORT"]))


if __name__ == "__main__":
    main()
