"""The tutorial, from its first command to its last, as it stands there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from local import settings
from tests.e2e.client import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/tutorial.md").read_text()
BLOCKS = re.findall(r"^```([^\n]*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
# `text` is what only a person in a checkout types; the test's own PATH stands for it.
FILES = {"javascript": "index.js", "javascript test": "tests/session-greeter.test.js"}


@pytest.fixture
def terminal(stack, tmp_path) -> Iterator[dict[str, str]]:
    """What the reader's shell has: the command, Node, and the stack of this checkout."""
    command = tmp_path / "bin" / "streamspace"
    command.parent.mkdir()
    command.write_text(f"#!{sys.executable} -u\nimport sys\nsys.path.insert(0, {str(ROOT)!r})\nfrom cli.main import cli\ncli()\n")
    command.chmod(0o755)
    places = {"STREAMSPACE_LOCAL": str(settings.layout().root), "HOME": str(tmp_path)}
    return {**os.environ, **places, "PATH": f"{command.parent}:{os.environ['PATH']}"}


class Reader:
    """Does what the page says, and waits where a person would: until ``plugin dev`` has brought the change."""

    def __init__(self, folder: Path, terminal: dict[str, str]) -> None:
        self.folder, self.terminal = folder, terminal
        self.told: list[str] = []
        self._said = folder.parent / "dev.txt"
        self._developing: subprocess.Popen[str] | None = None
        self._versions = 0

    def types(self, script: str) -> None:
        if "publish" in script:
            self.ends_dev()
        place = self.folder if self.folder.exists() else self.folder.parent
        command = ["bash", "-euo", "pipefail", "-c", script]
        ran = subprocess.run(command, cwd=place, env=self.terminal, capture_output=True, text=True, timeout=150, check=False)
        assert ran.returncode == 0, script + ran.stdout + ran.stderr
        self.told.append(ran.stdout)
        if "sed -i" in script:
            self.sees_another_version()

    def develops(self, command: str) -> None:
        shell = ["bash", "-c", f"exec {command}"]
        self._developing = subprocess.Popen(shell, cwd=self.folder, env=self.terminal, stdout=self._said.open("w"), text=True)
        self.sees_another_version()

    def writes(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)
        if not name.startswith("tests/"):
            self.sees_another_version()

    def sees_another_version(self) -> None:
        self._versions += 1
        eventually(lambda: self.dev_said().count("is active") == self._versions, 60, self.dev_said)

    def dev_said(self) -> str:
        return self._said.read_text()

    def ends_dev(self) -> None:
        if self._developing is not None:
            self._developing.terminate()
            self._developing.wait(30)


def test_the_tutorial_runs_word_for_word(terminal, tmp_path):
    # A name of its own: what was published once under a version stays so.
    slug = f"greeter-{uuid.uuid4().hex[:8]}"
    reader = Reader(tmp_path / slug, terminal)

    try:
        for language, text in BLOCKS:
            text = text.replace("session-greeter", slug)
            if language == "sh":
                reader.types(text)
            elif language == "sh background":
                reader.develops(text)
            elif language in FILES:
                reader.writes(FILES[language].replace("session-greeter", slug), text)
            else:
                assert language == "text"
    finally:
        reader.ends_dev()
        remove = ["streamspace", "plugins", "uninstall", "--yes", "--no-backup", slug]
        subprocess.run(remove, env=terminal, capture_output=True, check=False)

    _, hello, missing, valid, tested, published, removed = reader.told
    assert "Hello, Jane!" in hello
    assert "needs the scope 'storage'" in missing
    assert "needs the scope 'storage'" in reader.dev_said()
    assert "The plugin is valid" in valid
    assert "# pass 1" in tested
    assert "Hello, jane! You started 0 sessions." in tested
    assert re.search(rf"{slug} .* 1\.0\.0 +active", published)
    assert "Uninstalled" in removed
