"""A function's process as Lambda starts it: AWS's own runtime interface clients, each with a stand-in for the part that speaks HTTP.

The clients are what a hello world on Lambda loads, too: how they import, wrap the console, and find the handler. Their native parts would
long-poll for events; the stand-ins (:file:`boot.py`, :file:`boot.mjs`) give one event and end the process with its answer. Sources:
https://github.com/aws/aws-lambda-python-runtime-interface-client and https://github.com/aws/aws-lambda-nodejs-runtime-interface-client
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
from pathlib import Path

# As of the runtimes that the template names. Nothing but the benchmark uses them.
_PYTHON, _NODE = "awslambdaric==4.2.2", "aws-lambda-ric@3.3.0"
_HERE = Path(__file__).parent


def fetched(folder: Path) -> Path:
    """The folder with both clients in it, brought from their registries when they are not there."""
    python, node = folder / "python", folder / "node"
    if not (python / "awslambdaric").exists():
        _run([sys.executable, "-m", "pip", "install", "--quiet", "--only-binary", ":all:", "--target", str(python), _PYTHON])
    if not (node / "package").exists():
        node.mkdir(parents=True, exist_ok=True)
        _run(["npm", "pack", "--silent", "--pack-destination", str(node), _NODE])
        with tarfile.open(next(node.glob("*.tgz"))) as archive:
            archive.extractall(node, filter="data")
        # Its native module is built where it is installed; a stand-in takes its place (:file:`stand_in.cjs`).
        (node / "package/dist/rapid-client.node").touch()
    return folder


def command(language: str, clients: Path, function: Path, layer: Path) -> tuple[list[str], dict[str, str]]:
    """What to start, and its environment besides: ``BENCH_EVENT`` is the event. As on Lambda: none of the caller's site-packages."""
    environment = {"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9", "AWS_EXECUTION_ENV": "AWS_Lambda_bench"}
    if language == "JavaScript":
        client = clients / "node/package/dist/index.mjs"
        return ["node", "--require", str(_HERE / "stand_in.cjs"), str(_HERE / "boot.mjs"), str(client), str(function)], environment
    path = [str(function), str(layer), str(_HERE), str(clients / "python")]
    return [sys.executable, "-S", "-E", str(_HERE / "boot.py"), *path], environment


def _run(arguments: list[str]) -> None:
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments[:4])} failed:\n{done.stderr[-1000:]}")
