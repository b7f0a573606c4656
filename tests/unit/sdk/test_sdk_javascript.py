"""Runs the JavaScript suites, so that one command runs all; and what holds of both SDKs as they are packed."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
NODE_SDK = ROOT / "plugin_layers" / "nodejs" / "node_modules" / "streamspace"
PYTHON_SDK = ROOT / "plugin_layers" / "python" / "streamspace"
SUITES = sorted(HERE.glob("*.test.js"))

needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")


def snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z])[A-Z]", lambda letter: f"_{letter[0].lower()}", name)


@needs_node
@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.name)
def test_javascript_suite(suite: Path) -> None:
    ran = subprocess.run(["node", "--test", str(suite)], capture_output=True, text=True, timeout=120)

    assert ran.returncode == 0, ran.stdout[-20_000:] + ran.stderr[-2_000:]


@needs_node
def test_both_sdks_have_the_same_errors_and_events(streamspace: ModuleType) -> None:
    script = "const e = require('./errors'); console.log(JSON.stringify([e.CODES, require('./events').HOOKS]))"
    codes, hooks = json.loads(subprocess.run(["node", "-e", script], cwd=NODE_SDK, capture_output=True).stdout)
    from streamspace.errors import BY_CODE
    from streamspace.events import HOOKS

    assert set(codes) == set(BY_CODE)
    assert {event: re.sub(r"(?<=[a-z])[A-Z]", lambda at: f"_{at[0].lower()}", hook) for event, hook in hooks.items()} == HOOKS


def test_the_type_declarations_name_every_error(streamspace: ModuleType) -> None:
    declared = set(re.findall(r"\| '(\w+Error)'", (NODE_SDK / "index.d.ts").read_text()))

    assert declared == {found.__name__ for found in streamspace.errors.BY_CODE.values()} | {"StreamSpaceError"}


@pytest.mark.parametrize("folder", [NODE_SDK, PYTHON_SDK], ids=["nodejs", "python"])
def test_an_sdk_is_small(folder: Path) -> None:
    files = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    # The kit for tests stays with authors: no layer carries it.
    kit = [path for path in files if path.parts[0] == "testing"]

    assert sum((folder / path).stat().st_size for path in files if path not in kit) <= 200 * 1024
    assert sum((folder / path).stat().st_size for path in kit) <= 115 * 1024


def test_importing_the_python_sdk_loads_nothing_heavy() -> None:
    script = "import sys, streamspace.runtime; print(*sorted(sys.modules))"
    # -S: without what this environment's own .pth files import at every start.
    ran = subprocess.run([sys.executable, "-S", "-c", script], cwd=PYTHON_SDK.parent, capture_output=True, text=True)

    heavy = {"asyncio", "http.client", "urllib", "ssl", "typing", "inspect", "email.message", "logging", "traceback"}
    assert ran.stderr == ""
    assert heavy & set(ran.stdout.split()) == set()
