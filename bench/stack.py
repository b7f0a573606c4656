"""The local stack: the one of this checkout that runs, or one that is started for the benchmarks and stopped after them."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from cli.client import Client
from local import settings


@contextmanager
def running() -> Iterator[None]:
    if settings.layout().description.exists() and _stack("status"):
        yield
        return
    if not _stack("up", "--port", str(_free_port())):
        raise SystemExit("the local stack did not start; `make logs` says why")
    try:
        yield
    finally:
        _stack("down")


@cache
def description() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(settings.layout().description.read_text())
    return found


def administrator() -> Client:
    """Signed in, and not slowed: what is measured is the platform, and not its limits."""
    client = Client(description()["api_url"], description()["admin"]["token"])
    groups = client.get("/platform/settings").data["rate_limits"]
    client.patch("/platform/settings", {"rate_limits": dict.fromkeys(groups, 1_000_000)})
    return client


def _stack(*arguments: str) -> bool:
    command = [sys.executable, "-m", "local.stack", *arguments]
    return subprocess.run(command, cwd=settings.CHECKOUT, env=dict(os.environ), stdout=sys.stderr, check=False).returncode == 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((settings.HOST, 0))
        return int(probe.getsockname()[1])
