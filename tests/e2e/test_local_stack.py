"""The launcher: one start after another, killed at any moment, with a miniature platform in place of the real one."""

import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from local import settings
from local.processes import _marked

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

STANDIN = Path(__file__).parent / "standin"


class Checkout:
    """A copy of the launcher with the miniature platform, on a port of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.local = folder / ".local"
        shutil.copytree(settings.CHECKOUT / "local", folder / "local", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copytree(STANDIN / "infra", folder / "infra", ignore=shutil.ignore_patterns("__pycache__"))
        # The miniature has no templates to import.
        (folder / "examples" / "templates").mkdir(parents=True)
        with socket.socket() as probe:
            probe.bind((settings.HOST, 0))
            self.port = probe.getsockname()[1]

    def command(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "local.stack", *arguments],
            cwd=self.folder,
            env=self.environment() | environment,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def run(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "local.stack", "run"],
            cwd=self.folder,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name not in ("STREAMSPACE_LOCAL", "KUBECONFIG")}
        return kept | {"PORT": str(self.port)}

    def description(self) -> dict:
        return json.loads((self.local / "stack.json").read_text())

    def get(self, path: str) -> dict:
        with urllib.request.urlopen(f"{self.description()['api_url']}{path}", timeout=30) as answer:
            return json.load(answer)

    def processes(self) -> list[int]:
        return _marked(self.local)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    made = Checkout(tmp_path_factory.mktemp("checkout"))
    yield made
    made.command("down")


@pytest.fixture
def running(checkout):
    started = checkout.command("up")
    assert started.returncode == 0, started.stdout + started.stderr
    yield checkout
    checkout.command("down")


def wait_for(process: subprocess.Popen, timeout_s: float = 60) -> str:
    output, _ = process.communicate(timeout=timeout_s)
    return output


def until(question, timeout_s: float = 60):
    ends = time.monotonic() + timeout_s
    while not (answer := question()):
        assert time.monotonic() < ends, "it did not become so in time"
        time.sleep(0.05)
    return answer


def test_a_start_that_is_killed_while_it_installs_can_be_begun_again(tmp_path):
    checkout = Checkout(tmp_path)

    kill_after(checkout, 4)
    again = checkout.command("up")

    try:
        assert again.returncode == 0, again.stdout + again.stderr
        assert checkout.get("/api/v1/health")["path"] == "/api/v1/health"
    finally:
        checkout.command("down")
    assert checkout.processes() == []


@pytest.mark.parametrize("after_s", [0.3, 1.0, 1.5, 1.9, 2.3, 2.7, 3.1])
def test_a_first_start_that_is_killed_at_any_moment_can_be_begun_again(checkout, after_s):
    for name in ("emulator", "keys"):
        shutil.rmtree(checkout.local / name, ignore_errors=True)

    kill_after(checkout, after_s)
    again = checkout.command("up")

    assert again.returncode == 0, again.stdout + again.stderr
    assert checkout.get("/api/v1/health")["path"] == "/api/v1/health"
    checkout.command("down")
    assert checkout.processes() == []


def kill_after(checkout: Checkout, seconds: float) -> None:
    process = checkout.run()
    time.sleep(seconds)
    process.kill()
    process.wait()


def test_when_ready_it_says_where_everything_is(running):
    file = running.local / "stack.json"
    described = running.description()

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert set(described) == {
        "api_url",
        "console_url",
        "aws_endpoint_url",
        "marketplace_url",
        "kubernetes_url",
        "admin",
    }
    assert described["api_url"] == f"http://127.0.0.1:{running.port}"
    assert described["admin"]["token"] == "ss_token"
    assert running.get("/api/v1/health")["url"] == described["api_url"]
    status = running.command("status")
    assert (status.returncode, status.stdout.count(" well")) == (0, 3)


def test_a_second_start_keeps_the_data_and_deploys_nothing(running):
    login = running.description()["admin"]
    running.command("down")
    began = time.monotonic()

    again = running.command("up")

    assert time.monotonic() - began < 15
    assert "keeping the deployed platform" in again.stdout
    assert running.description()["admin"] == login


def test_a_changed_build_is_deployed(running):
    running.command("down")
    build = running.folder / "infra" / "build.py"
    build.write_text(build.read_text().replace('"Timeout": 10', '"Timeout": 11'))

    again = running.command("up")

    assert again.returncode == 0, again.stdout
    assert "deploying the platform" in again.stdout


def test_only_one_stack_runs_from_a_checkout(running):
    second = running.command("run")
    up = running.command("up")

    assert second.returncode == 1
    assert "already runs from this checkout" in second.stderr
    assert up.returncode == 0
    assert running.description()["api_url"] in up.stdout


def test_a_killed_supervisor_leaves_nothing_that_stands_in_the_way(running):
    supervisor = int((running.local / "stack.lock").read_text())
    before = running.processes()

    os.kill(supervisor, signal.SIGKILL)
    again = running.command("up")

    assert again.returncode == 0, again.stdout
    assert not set(before) & set(running.processes())
    assert running.get("/api/v1/health")


def test_a_part_that_dies_is_named_with_its_last_words_and_all_stop(checkout):
    process = checkout.run()
    until(lambda: (checkout.local / "stack.json").exists())
    (emulator,) = [each for each in checkout.processes() if b"local.emulator" in cmdline(each)]

    os.kill(emulator, signal.SIGKILL)
    output = wait_for(process)

    assert process.returncode == 1
    assert "the emulator ended by itself (signal SIGKILL); the end of" in output
    assert checkout.processes() == []
    assert not (checkout.local / "stack.json").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_cleanly_when_told_to(checkout, number):
    process = checkout.run()
    until(lambda: (checkout.local / "stack.json").exists())

    process.send_signal(number)
    output = wait_for(process)

    assert process.returncode == 0
    assert "the data is kept" in output
    assert checkout.processes() == []


def test_a_start_that_is_interrupted_stops_at_once(checkout):
    process = checkout.run()
    until(lambda: (checkout.local / "logs" / "build.log").exists())

    process.send_signal(signal.SIGINT)

    wait_for(process, 20)
    assert checkout.processes() == []


def test_a_port_that_is_taken_is_named_with_what_to_do(checkout):
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind((settings.HOST, checkout.port))
        taken.listen()

        refused = checkout.command("run")

    assert refused.returncode == 1
    expected = f"port {checkout.port} is taken by another program; choose another one: make run PORT={checkout.port + 1}"
    assert expected in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_build_that_fails_is_shown_and_stops_everything(checkout):
    build = checkout.folder / "infra" / "build.py"
    whole = build.read_text()
    build.write_text("raise SystemExit('requirements.txt names a package that does not exist')")

    try:
        failed = checkout.command("run")
    finally:
        build.write_text(whole)

    assert failed.returncode == 1
    assert "requirements.txt names a package that does not exist" in failed.stderr
    assert checkout.processes() == []


def cmdline(process: int) -> bytes:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return b""
