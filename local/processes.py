"""The processes of a local stack: each one marked as its own, logged, and never left behind."""

import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from local import settings

LARGEST_LOG_BYTES = 20 * 1024 * 1024
GRACE_S = 15.0
"""How long a process has for an orderly end. The emulator writes its state then."""


class StackFailed(Exception):
    """Carries one sentence that says what went wrong, and maybe the end of a log."""


class Stopped(Exception):
    """Someone asked the stack to stop while it was still starting."""


@dataclass
class Processes:
    """All that one local stack has started. Safe to use from several threads."""

    root: Path
    logs: Path
    stopping: threading.Event = field(default_factory=threading.Event)
    _servers: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _tools: set[subprocess.Popen[bytes]] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def serve(self, name: str, command: Sequence[str | Path], environment: Mapping[str, str]) -> None:
        """Start a server. Its standard input is its lifeline (`local.lifeline`), its output goes to its log."""
        self._server(name, command, environment)

    def run(self, name: str, command: Sequence[str | Path], environment: Mapping[str, str]) -> str:
        """Run a tool to its end and give its standard output; the rest goes to its log.

        Raises: StackFailed with the last lines of the log; Stopped.
        """
        log = self._fresh_log(name)
        with log.open("ab") as errors:
            tool = self._begin(command, environment, subprocess.DEVNULL, subprocess.PIPE, errors)
        with self._lock:
            self._tools.add(tool)
        try:
            output = tool.communicate()[0].decode(errors="replace")
        finally:
            with self._lock:
                self._tools.discard(tool)
        if self.stopping.is_set():
            raise Stopped
        if tool.returncode:
            said = (tail(log) + "\n" + "\n".join(output.splitlines()[-10:])).strip()
            raise StackFailed(f"{name} failed (exit {tool.returncode}); the end of {log}:\n{said}")
        return output

    def wait_until(self, is_ready: Callable[[], bool], name: str, timeout_s: float = 60) -> None:
        """Raises: StackFailed when the server ``name`` ended or is not ready in time; Stopped."""
        ends = time.monotonic() + timeout_s
        while not is_ready():
            if self.stopping.is_set():
                raise Stopped
            self.must_run(name)
            if time.monotonic() > ends:
                raise StackFailed(f"the {name} was not ready after {timeout_s:.0f} s; see {self.logs / name}.log")
            time.sleep(0.05)

    def must_run(self, name: str) -> None:
        """Raises: StackFailed with the last lines of its log when the server has ended."""
        code = self._servers[name].poll()
        if code is not None:
            log = self.logs / f"{name}.log"
            how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit {code}"
            raise StackFailed(f"the {name} ended by itself ({how}); the end of {log}:\n{tail(log)}")

    def must_all_run(self) -> None:
        for name in list(self._servers):
            self.must_run(name)

    def stop(self) -> None:
        """End everything, the servers in reverse order of their start, each in its own orderly way if it has one."""
        self.stopping.set()
        with self._lock:
            tools = list(self._tools)
        for tool in tools:
            _signal_group(tool, signal.SIGTERM)
        for name in reversed(list(self._servers)):
            _signal_group_leader(self._servers[name])
        ends = time.monotonic() + GRACE_S
        for process in [*tools, *self._servers.values()]:
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=max(0.1, ends - time.monotonic()))
            _signal_group(process, signal.SIGKILL)

    def keep_logs_small(self) -> None:
        """Move a log that has grown large aside, once, without its writer's noticing."""
        for log in self.logs.glob("*.log"):
            if log.stat().st_size > LARGEST_LOG_BYTES:
                shutil.copyfile(log, log.with_suffix(".log.1"))
                os.truncate(log, 0)

    def _server(self, name: str, command: Sequence[str | Path], environment: Mapping[str, str]) -> None:
        with self._fresh_log(name).open("ab") as log:
            self._servers[name] = self._begin(command, environment, subprocess.PIPE, log, subprocess.STDOUT)

    def _begin(
        self, command: Sequence[str | Path], environment: Mapping[str, str], stdin: int, stdout: object, stderr: object
    ) -> "subprocess.Popen[bytes]":
        if self.stopping.is_set():
            raise Stopped
        return subprocess.Popen(
            [str(part) for part in command],
            cwd=settings.CHECKOUT,
            env={**environment, settings.OWNER_VARIABLE: str(self.root)},
            stdin=stdin,
            stdout=stdout,  # type: ignore[call-overload]
            stderr=stderr,
            start_new_session=True,  # Ctrl-C reaches the supervisor only, which stops the others in order
        )

    def _fresh_log(self, name: str) -> Path:
        self.logs.mkdir(parents=True, exist_ok=True)
        log = self.logs / f"{name}.log"
        log.write_bytes(b"")
        return log


def tail(log: Path, lines: int = 15) -> str:
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 32 * 1024))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


def end_leftovers(root: Path) -> int:
    """End what a killed supervisor of this state folder left running, and nothing else; gives how many there were.

    They are known by the folder's path in the environment that they were started with. Linux only: elsewhere the
    lifeline alone ends them.
    """
    leftovers = _marked(root)
    for process in leftovers:
        _signal_if_marked(process, root, signal.SIGTERM)
    ends = time.monotonic() + GRACE_S
    while (alive := _marked(root)) and time.monotonic() < ends:
        time.sleep(0.05)
    for process in alive:
        _signal_if_marked(process, root, signal.SIGKILL)
    return len(leftovers)


def _marked(root: Path) -> list[int]:
    own = _own_ancestry()
    return [int(entry.name) for entry in Path("/proc").glob("[0-9]*") if int(entry.name) not in own and _is_marked(int(entry.name), root)]


def _is_marked(process: int, root: Path) -> bool:
    try:
        if Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
            return False
        variables = Path(f"/proc/{process}/environ").read_bytes().split(b"\0")
    except (OSError, IndexError):
        return False
    return f"{settings.OWNER_VARIABLE}={root}".encode() in variables


def _signal_if_marked(process: int, root: Path, number: int) -> None:
    try:
        handle = os.pidfd_open(process)
    except OSError:
        return
    try:
        # Looked at again with the process held fast: its number cannot have gone to another one meanwhile.
        if _is_marked(process, root):
            signal.pidfd_send_signal(handle, number)
    except ProcessLookupError:
        pass
    finally:
        os.close(handle)


def _own_ancestry() -> set[int]:
    found, process = set(), os.getpid()
    while process > 0 and process not in found:
        found.add(process)
        try:
            process = int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, IndexError):
            break
    return found


def _signal_group_leader(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.terminate()


def _signal_group(process: "subprocess.Popen[bytes]", number: int) -> None:
    """To the process and all that it started: it leads a group of its own."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
