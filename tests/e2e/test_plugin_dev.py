"""``streamspace plugin dev``: a change of the folder is what runs, within seconds."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.client import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-u", "-c", "from cli.main import cli; cli()"]


class Developing:
    """A plugin's folder, and the command that watches it."""

    def __init__(self, folder: Path, slug: str, environment: dict[str, str]) -> None:
        self.folder, self.slug, self._environment = folder, slug, environment
        self.said = folder.parent / "said.txt"
        self._process = subprocess.Popen(
            [*COMMAND, "plugin", "dev", folder, "--remove"],
            env=environment,
            stdout=self.said.open("w"),
            stderr=subprocess.STDOUT,
        )

    def streamspace(self, *arguments: str) -> str:
        return subprocess.run([*COMMAND, *arguments], env=self._environment, capture_output=True, text=True, timeout=100).stdout

    def hello(self) -> str:
        return self.streamspace("commands", "run", f"{self.slug}-hello", "name=Ann")

    def change(self, edit: Callable[[str], str]) -> None:
        main = self.folder / "index.js"
        main.write_text(edit(main.read_text()))

    def says(self, pattern: str) -> None:
        eventually(lambda: re.search(pattern, self.said.read_text()), 60, lambda: f"{pattern!r} is not in: {self.said.read_text()}")

    def end(self) -> None:
        self._process.send_signal(signal.SIGINT)
        self._process.wait(60)


@pytest.fixture
def developing(stack, tmp_path) -> Iterator[Developing]:
    slug = f"dev-{uuid.uuid4().hex[:8]}"
    about = {"STREAMSPACE_API_URL": stack.api_url, "STREAMSPACE_TOKEN": stack.admin["token"], "PYTHONPATH": str(ROOT)}
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(tmp_path), "LC_ALL": "C.UTF-8", **about}
    folder = tmp_path / slug
    subprocess.run([*COMMAND, "plugin", "init", slug, "--language", "js", "--directory", folder], env=environment, check=True)
    running = Developing(folder, slug, environment)
    yield running
    running.end()


def test_a_change_runs_within_seconds_and_what_is_wrong_is_said_with_its_line(developing):
    developing.says(r"1\.0\.0\+dev\.\d+ is active")
    assert "Hello, Ann!" in developing.hello()

    changed_at = time.monotonic()
    developing.change(
        lambda text: text.replace("Hello, ", "Salut, ").replace("async onLoad() {", "async onLoad() {\n    console.log('anew');")
    )
    eventually(lambda: "Salut, Ann!" in developing.hello(), 60, "it says what it said before")
    took_s = time.monotonic() - changed_at
    developing.says(r"info   onLoad  anew")

    developing.change(lambda text: text.replace("async onLoad() {", "async onLoad( {"))
    developing.says(r"index\.js:\d+: JavaScript cannot read it")
    developing.change(lambda text: text.replace("async onLoad( {", "async onLoad() {\n    throw new Error('no key');"))
    developing.says(r"index\.js:3: .*no key")
    assert "Salut, Ann!" in developing.hello(), "the version before it runs on"

    developing.end()
    assert developing.slug not in json.dumps(json.loads(developing.streamspace("plugins", "list", "--json")))
    # About six on a quiet machine; this one is busy with the rest of the suite.
    assert took_s < 30


def test_only_a_local_stack_is_developed_on(tmp_path):
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(tmp_path),
        "STREAMSPACE_API_URL": "https://plugins.example.com",
        "PYTHONPATH": str(ROOT),
    }

    ran = subprocess.run([*COMMAND, "plugin", "dev", tmp_path], env=environment, capture_output=True, text=True, timeout=60)

    assert ran.returncode == 1
    assert "is not a local stack" in ran.stderr
