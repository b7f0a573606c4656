"""Runs the JavaScript suites, so that one command runs all; and what holds of both SDKs as they are packed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from infra import sdk_bundle
from tests import npm_packages

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
@pytest.mark.parametrize("suite", ["logging", "misbehaviour", "timers"])
def test_the_sdk_as_it_is_shipped_does_the_same(suite: str, tmp_path: Path) -> None:
    """These reach most of it, and what a start leaves unread. End to end everything runs on the shipped one."""
    for name, text in sdk_bundle.bundled(NODE_SDK):
        (tmp_path / name).write_text(text)
    environment = {**os.environ, "SDK": str(tmp_path / "runtime.js")}
    ran = subprocess.run(["node", "--test", str(HERE / f"{suite}.test.js")], capture_output=True, text=True, timeout=120, env=environment)

    assert ran.returncode == 0, ran.stdout[-20_000:] + ran.stderr[-2_000:]


@needs_node
@pytest.mark.parametrize("suite", ["elsewhere", "runtime"])
def test_plugins_run_on_the_node_of_lambda(suite: str) -> None:
    """Which has other ways with ES modules than the one of this machine may have: newer, and with two features switched off."""
    modules = npm_packages.fetched(ROOT / "tests/sdk/node", "PLUGINS ARE NOT RUN ON LAMBDA'S NODE.JS")
    node = next(modules.glob("node-linux-*/bin/node"), None)
    if node is None:
        pytest.skip("npm has Lambda's Node.js for Linux alone")
    options = "--no-experimental-require-module --no-experimental-detect-module"
    environment = {**os.environ, "PATH": f"{node.parent}{os.pathsep}{os.environ['PATH']}", "NODE_OPTIONS": options}
    ran = subprocess.run([node, "--test", str(HERE / f"{suite}.test.js")], capture_output=True, text=True, timeout=120, env=environment)

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
