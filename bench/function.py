"""The deployment package, unpacked as Lambda unpacks it, and processes that serve requests from it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from bench.fake_dynamodb import FakeDynamoDB

ROOT = Path(__file__).parent.parent
_TABLES = ("ACCOUNTS", "SESSIONS", "MESSAGING", "PLUGINS", "MARKETPLACE", "RUNTIME", "JOBS", "EVENTS")


@dataclass(frozen=True)
class Function:
    """Serves requests with one unpacked package and one fake DynamoDB."""

    package: Path
    uncompiled: Path
    database: FakeDynamoDB
    token: str

    def first(self, which: str, *, compiled: bool = True) -> dict[str, Any]:
        """A fresh process until its first answer: ``wall_s``, ``cpu_s``, ``peak_kib``. Must have asked the database just once."""
        self.database.calls = 0
        found: dict[str, Any] = json.loads(self._run([], "first", which, compiled=compiled).stdout)
        if self.database.calls != 1:
            raise SystemExit(f"{which} made {self.database.calls} AWS calls; both sides must make one")
        return found

    def warm(self, rounds: int) -> dict[str, list[float]]:
        found: dict[str, list[float]] = json.loads(self._run([], "warm", str(rounds)).stdout)
        return found

    def import_times(self) -> str:
        """What ``python -X importtime`` says of a cold start."""
        return self._run(["-X", "importtime"], "first", "ours").stderr

    def _run(self, options: list[str], *arguments: str, compiled: bool = True) -> subprocess.CompletedProcess[str]:
        package = self.package if compiled else self.uncompiled
        # As on Lambda: no site-packages, nothing of the caller's environment, and nothing compiled is kept (its file system is read-only).
        command = [sys.executable, "-I", "-S", "-B", *options, str(Path(__file__).parent / "function_process.py"), str(package), *arguments]
        environment = {
            "PATH": "/usr/bin:/bin",
            "BENCH_TOKEN": self.token,
            "AWS_ACCESS_KEY_ID": "bench",
            "AWS_SECRET_ACCESS_KEY": "bench",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": self.database.url,
            # Counting a request is one call more, and the handler that ours is compared with makes one.
            "STREAMSPACE_RATE_LIMITS": "off",
            **{f"STREAMSPACE_{name}_TABLE": name.lower() for name in _TABLES},
        }
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{' '.join(arguments)} failed:\n{done.stderr[-3000:]}")
        return done


@contextmanager
def function() -> Iterator[Function]:
    """Builds the package if it is not up to date."""
    from chalicelib.accounts import token_text

    token = token_text.fresh()
    row = {
        "pk": f"TOKEN#{token_text.id_of(token_text.hash_of(token))}",
        "sk": "TOKEN",
        "token_hash": token_text.hash_of(token),
        "kind": "personal",
        "owner": "john",
        "owner_name": "John",
        "role": "user",
    }
    with tempfile.TemporaryDirectory(prefix="streamspace-bench-") as folder:
        package, uncompiled = Path(folder) / "package", Path(folder) / "uncompiled"
        with zipfile.ZipFile(_deployment_package()) as archive:
            archive.extractall(package)
        shutil.copytree(package, uncompiled, ignore=shutil.ignore_patterns("__pycache__"))
        with FakeDynamoDB({name: {"S": value} for name, value in row.items()}).serving() as database:
            yield Function(package, uncompiled, database, token)


@cache
def _deployment_package() -> Path:
    subprocess.run([sys.executable, "-m", "infra.build"], cwd=ROOT, check=True)
    (package,) = (ROOT / ".build" / "artifacts").glob("deployment-*.zip")
    return package
