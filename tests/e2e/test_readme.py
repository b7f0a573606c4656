"""The README's first ten minutes, run as they stand there."""

from __future__ import annotations

import os
import re
import subprocess
import uuid
from pathlib import Path

import pytest

from local import settings

ROOT = Path(__file__).parents[2]


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)


def streamspace(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([ROOT / ".venv/bin/streamspace", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def _a_fresh_story(stack):
    """Nobody has been through it yet: what an earlier run left is removed."""
    for slug in ("welcome-mailer", "usage-report", "audit-trail"):
        streamspace("plugins", "uninstall", "--yes", "--no-backup", slug)
    streamspace("users", "delete", "--yes", "jane")
    yield
    for slug in ("usage-report", "audit-trail"):
        streamspace("plugins", "uninstall", "--yes", "--no-backup", slug)
    streamspace("users", "delete", "--yes", "jane")


@pytest.mark.usefixtures("_a_fresh_story")
def test_the_first_ten_minutes_run_word_for_word():
    # This worker's stack is the reader's.
    script = "\n".join(blocks("sh")).replace(".local/stack.json", str(settings.layout().description))

    told = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=ROOT,
        env={**os.environ, "STREAMSPACE_TOKEN": "", "STREAMSPACE_API_URL": ""},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert told.returncode == 0, told.stdout + told.stderr
    assert "Installed welcome-mailer 1.0.0, active" in told.stdout
    assert told.stdout.count('"success": true') == script.count('curl -s "$API')
    assert "Welcome to StreamSpace" in told.stdout
    assert "Uninstalled welcome-mailer" in told.stdout


@pytest.mark.usefixtures("stack")
def test_the_first_plugin_is_written_published_and_used_as_it_says(tmp_path):
    # A name and a command of its own: what was published once under a version stays so.
    word = f"hello-{uuid.uuid4().hex[:8]}"
    folder = tmp_path / word
    folder.mkdir()
    manifest = next(block for block in blocks("json") if "hello-sessions" in block)
    (folder / "manifest.json").write_text(manifest.replace("hello-sessions", word))
    (folder / "index.js").write_text(blocks("javascript")[0].replace("name: 'hello'", f"name: '{word}'"))

    published = streamspace("publish", str(folder))
    installed = streamspace("plugins", "install", word)
    answered = streamspace("commands", "run", word, "name=Jane")
    streamspace("plugins", "uninstall", "--yes", "--no-backup", word)

    assert published.returncode == installed.returncode == answered.returncode == 0, published.stderr + installed.stderr + answered.stderr
    assert answered.stdout.strip().strip('"') == "Hello, Jane!"
