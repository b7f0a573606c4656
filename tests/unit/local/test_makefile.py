"""What the Makefile decides before anything runs."""

import os
import shutil
import subprocess
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_an_activated_environment_never_makes_itself_anew(tmp_path):
    venv.create(tmp_path / "active", symlinks=True, with_pip=False)
    path = f"{tmp_path / 'active' / 'bin'}{os.pathsep}{os.environ['PATH']}"

    said = subprocess.run(
        ["make", "-n", "ready"], cwd=ROOT, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=True
    ).stdout

    command = next(line for line in said.splitlines() if "environment.py" in line)
    assert str(tmp_path) not in command
