"""What npm brings for tests alone: fetched once for a folder, however many workers of a run ask for it at the same time."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
from pathlib import Path

import pytest

# npm writes it last: without it, a killed or running installation left a half.
_WRITTEN_LAST = "node_modules/.package-lock.json"


def fetched(project: Path, purpose: str) -> Path:
    """The ``node_modules`` of a folder with a lock file of npm's; without npm the test is skipped, and says what it leaves unchecked."""
    if shutil.which("npm") is None:
        pytest.skip(f"npm is not installed: {purpose}")
    with (project / "package-lock.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (project / _WRITTEN_LAST).exists():
            command = ["npm", "ci", "--ignore-scripts", "--no-audit"]
            try:
                subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=240, check=True)
            except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as failed:
                pytest.skip(f"npm brings nothing ({failed}: {str(failed.stderr)[-300:]}): {purpose}")
    return project / "node_modules"
