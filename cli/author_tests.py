"""Runs a plugin's own tests, with the SDK and its in-memory platform where they look for it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from cli.errors import CliError

_SDKS = Path(__file__).parents[1] / "plugin_layers"
# ES modules do not look where NODE_PATH says.
_REGISTER = _SDKS / "nodejs/node_modules/streamspace/testing/register.mjs"
_NODE_TESTS = ("*.test.js", "*.test.mjs", "*.test.cjs")
_PYTHON_TESTS = ("test_*.py", "*_test.py")


class NoTests(CliError):
    code = "NO_TESTS"


def run_tests(folder: Path, runtime: str, arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """The runner's exit code. Its output is its own.

    JavaScript tests are ``tests/**/*.test.js``, run by Node's own runner. Python tests are ``tests/**/test_*.py``, run by pytest
    where it is installed, else by unittest. ``arguments`` are the runner's.

    Raises: NoTests when there are none, or nothing that could run them.
    """
    if runtime == "python":
        _found(folder, _PYTHON_TESTS)
        command = [*_python_command(folder), *arguments]
        place = {"PYTHONPATH": _first(_SDKS / "python", environment.get("PYTHONPATH"))}
    else:
        node = shutil.which("node")
        if node is None:
            raise NoTests("Node.js is not installed; tests of JavaScript plugins need version 20 or newer")
        command = [node, "--test", *arguments, *map(str, _found(folder, _NODE_TESTS))]
        place = {
            "NODE_PATH": _first(_SDKS / "nodejs/node_modules", environment.get("NODE_PATH")),
            # Node's runner gives each file of tests a process of its own, which has its options from here.
            "NODE_OPTIONS": " ".join([*filter(None, [environment.get("NODE_OPTIONS")]), f"--import={_REGISTER.as_uri()}"]),
        }
    ran = subprocess.run(command, cwd=folder, env={**environment, **place}, check=False)  # noqa: S603 the author's own tests
    return ran.returncode


def _found(folder: Path, patterns: Sequence[str]) -> list[Path]:
    tests = sorted(path for pattern in patterns for path in (folder / "tests").rglob(pattern) if "node_modules" not in path.parts)
    if not tests:
        raise NoTests(f"There are no tests in {folder / 'tests'}: write {' or '.join(patterns[:2])}")
    return tests


def _python_command(folder: Path) -> list[str]:
    if find_spec("pytest") is None:
        return [sys.executable, "-m", "unittest", "discover", "-s", "tests"]
    own = any((folder / name).exists() for name in ("pytest.ini", "pyproject.toml", "tox.ini", "setup.cfg"))
    # Without a configuration of its own, a plugin must not get that of a project which it happens to lie in.
    return [sys.executable, "-m", "pytest", *([] if own else ["-c", os.devnull]), f"--rootdir={folder}", "-p", "no:cacheprovider", "tests"]


def _first(ours: Path, theirs: str | None) -> str:
    return os.pathsep.join([str(ours), *([theirs] if theirs else [])])
