"""Two thousand sessions started in the simulated cluster: what each costs, and whether the last ones cost more than the first.

The requests and the worker run here, on moto's AWS; the cluster is a process of its own, spoken to by the official client. Sessions come in
waves, as from a queue: created, looked at once (objects are asked for), and looked at again (the pod is ready).
"""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.aws_calls import account
from bench.report import Table

SESSIONS, WAVE, PER_USER = 2000, 50, 5
_COMPARED = 200
_TEMPLATE: dict[str, Any] = {
    "name": "firefox",
    "displayName": "Firefox",
    "description": "A browser",
    "category": "Browsers",
    "baseImage": "lscr.io/linuxserver/firefox:latest",
    "defaultResources": {"memory": "1Gi", "cpu": "250m"},
    "ports": [{"name": "vnc", "containerPort": 3000}],
}


def run() -> list[Table]:
    calls: list[str] = []
    with account(calls), isolated_transactions(), _in_aws() as in_aws, _cluster() as url:
        waves = _started(calls, in_aws, url)
    compared = _COMPARED // WAVE
    first, last, whole = _sum(waves[:compared]), _sum(waves[-compared:]), _sum(waves)
    rows: list[tuple[Any, ...]] = []
    for name, (sessions, took_s, cpu_s, aws, kubernetes) in ((f"first {_COMPARED}", first), (f"last {_COMPARED}", last), ("all", whole)):
        each = (f"{cpu_s * 1000 / sessions:.0f} ms", f"{aws / sessions:.2f}", f"{kubernetes / sessions:.2f}")
        rows.append((name, sessions, f"{sessions / took_s:.1f}", *each))
    rows.append(("last to first (cost)", "", "", *(f"{last[column] / first[column]:.2f}" for column in (2, 3, 4))))
    note = (
        f"{SESSIONS} sessions of {SESSIONS // PER_USER} users, one worker, one after the other; moto in the place of AWS. A user's first "
        "session makes the home, too. The last row compares what a session costs in calls and in this process' CPU time, without moto's: "
        "moto looks at every item of a table for each query."
    )
    return [Table("Starting sessions", note, ("", "sessions", "a second", "CPU each", "AWS calls each", "Kubernetes calls each"), rows)]


Wave = tuple[int, float, float, int, int]
"""Sessions, seconds, seconds of this process' CPU, AWS calls, Kubernetes calls."""


@contextmanager
def _in_aws() -> Iterator[list[float]]:
    """Seconds of CPU that went by inside of AWS calls, one for each."""
    from botocore.client import BaseClient

    spent: list[float] = []
    call = BaseClient._make_api_call

    def timed(client: Any, operation: str, parameters: dict[str, Any]) -> Any:
        began = time.process_time()
        try:
            return call(client, operation, parameters)
        finally:
            spent.append(time.process_time() - began)

    BaseClient._make_api_call = timed
    try:
        yield spent
    finally:
        BaseClient._make_api_call = call


def _started(calls: list[str], in_aws: list[float], url: str) -> list[Wave]:
    from chalicelib import accounts, sessions
    from chalicelib.accounts import Caller
    from chalicelib.core import config
    from chalicelib.sessions.cluster import KubernetesCluster, cluster
    from chalicelib.sessions.worker import Worker

    admin = Caller("user", "root", "Root", "admin", None)
    for number in range(PER_USER):
        sessions.create_template({**_TEMPLATE, "name": f"app-{number}"}, by=admin)
    quotas = {"max_sessions": PER_USER, "memory": "16Gi"}
    for number in range(SESSIONS // PER_USER):
        name = f"user-{number}"
        accounts.create_user(username=name, full_name=name, email=f"{name}@example.com", quotas=quotas, by=None)
    asked = [0]
    call = KubernetesCluster._call

    def counted(self: Any, *arguments: Any, **more: Any) -> Any:
        asked[0] += 1
        return call(self, *arguments, **more)

    waves = []
    KubernetesCluster._call = counted  # type: ignore[method-assign]
    try:
        with config.overridden(KUBERNETES_URL=url, API_URL=url, SESSION_CHECKS_QUEUE_URL="none"):
            cluster.cache_clear()
            worker = Worker(patience_s=0)
            for begin in range(0, SESSIONS, WAVE):
                calls.clear()
                in_aws.clear()
                asked[0] = 0
                began, cpu_began = time.perf_counter(), time.process_time()
                ids = []
                for number in range(begin, begin + WAVE):
                    # A user's sessions are of different templates: a second one of the same would need another id, and one more call.
                    app, user = divmod(number, SESSIONS // PER_USER)
                    wanted = {"user": f"user-{user}", "template": f"app-{app}"}
                    ids.append(sessions.create_session(wanted, by=admin).id)
                # As re-checks do, each look knows what the one before has asked for.
                begun: dict[str, dict[str, str]] = {one: {} for one in ids}
                while begun:
                    begun = {one: asked_for for one, asked_for in begun.items() if not worker.reconcile(one, begun=asked_for)}
                cpu_s = time.process_time() - cpu_began - sum(in_aws)
                waves.append((WAVE, time.perf_counter() - began, cpu_s, len(calls), asked[0]))
    finally:
        KubernetesCluster._call = call  # type: ignore[method-assign]
        cluster.cache_clear()
    return waves


def _sum(waves: list[Wave]) -> Wave:
    sessions, took_s, cpu_s, aws, kubernetes = map(sum, zip(*waves, strict=True))
    return int(sessions), float(took_s), float(cpu_s), int(aws), int(kubernetes)


@contextmanager
def isolated_transactions() -> Iterator[None]:
    """moto copies whole tables before each transaction, to put them back should it fail. So its cost grows, and DynamoDB's does not.

    Here none fails, and nothing is copied.
    """
    from importlib import import_module

    from moto.dynamodb.models.table import Table as MotoTable

    models: Any = import_module("moto.dynamodb.models")

    class Copying:
        def __getattr__(self, name: str) -> Any:
            return getattr(copied, name)

        def deepcopy(self, value: Any, *arguments: Any) -> Any:
            return value if isinstance(value, MotoTable) else copied.deepcopy(value, *arguments)

    copied = models.copy
    models.copy = Copying()
    try:
        yield
    finally:
        models.copy = copied


@contextmanager
def _cluster() -> Iterator[str]:
    """The simulated cluster, with room for all of them, in a process of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "local.cluster", "--port", str(port), "--state", str(Path(folder) / "state.json")]
        command += ["--nodes", "40", "--cpu", "64", "--memory", "256Gi", "--start-delay", "0"]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            _wait_for(port)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait()


def _wait_for(port: int) -> None:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the simulated cluster does not start")
