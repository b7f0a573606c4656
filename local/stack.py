"""Starts, stops and shows the local stack: ``python -m local.stack run|up|down|status|logs``.

One supervisor per state folder, which holds a lock as long as it lives; the kernel gives the lock back however it ends.
Its servers end with it (`local.lifeline`), and a start first ends what may still be left of an earlier one.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

from local import deployment, emulator, marketplace, ports, private_files, settings
from local.processes import Processes, StackFailed, Stopped, end_leftovers, tail
from local.progress import Progress
from local.settings import CHECKOUT, HOST, Layout
from local.supervisor import holder, only_one

ADMINISTRATOR = "admin"
EXAMPLES = CHECKOUT / "examples" / "plugins"
TEMPLATES = settings.CHECKOUT / "examples" / "templates"


class Stack:
    """One start of the local stack, from nothing to ready, and its end."""

    def __init__(self, layout: Layout, port: int, progress: Progress) -> None:
        self._layout = layout
        self._port = port
        self._progress = progress
        self._processes = Processes(layout.root, layout.logs)
        self._kubeconfig = os.environ.get("KUBECONFIG", "")

    def run(self) -> None:
        """Start everything, say where it is, and stay until told to stop or until a part of it ends by itself.

        Raises: StackFailed.
        """
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: self._processes.stopping.set())
        try:
            with ThreadPoolExecutor(max_workers=6) as pool:
                try:
                    self._start(pool)
                except BaseException:
                    self._processes.stop()
                    raise
            print(introduction(self._layout), flush=True)
            self._stay()
        except Stopped:
            pass
        finally:
            self._layout.description.unlink(missing_ok=True)
            self._progress.say("stopping …")
            self._processes.stop()
            self._progress.say("stopped; the data is kept for the next start")

    def _start(self, pool: ThreadPoolExecutor) -> None:
        layout, step = self._layout, self._progress.step
        layout.routes.unlink(missing_ok=True)
        if not ports.is_free(self._port):
            raise StackFailed(f"port {self._port} is taken by another program; choose another one: make run PORT={self._port + 1}")
        chosen = ports.chosen(layout.ports, ("emulator", "cluster"))
        aws_url, cluster_url = f"http://{HOST}:{chosen['emulator']}", f"http://{HOST}:{chosen['cluster']}"
        api_url = f"http://{HOST}:{self._port}"
        key = private_files.kept(layout.keys / "marketplace", marketplace.new_key)
        private_files.kept(layout.keys / "publisher", marketplace.new_key)
        license_key = private_files.kept(layout.keys / "licenses", marketplace.new_key)
        password = private_files.kept(layout.keys / "administrator", private_files.password).decode()
        platform = deployment.Deployment(self._processes, aws_url, self._parameters(api_url, cluster_url, key, license_key))

        def start_emulator() -> None:
            with step("preparing the emulator's environment"):
                self._prepare_environments(pool)
            with step("starting the AWS emulator"):
                self._start_emulator(chosen["emulator"])

        def start_cluster() -> None:
            if self._kubeconfig:
                with step(f"using the cluster of {self._kubeconfig}"):
                    return
            with step("starting the simulated Kubernetes cluster"):
                self._start_cluster(chosen["cluster"])

        def start_gateway() -> None:
            with step("starting the gateway"):
                self._start_gateway(aws_url)

        def build() -> None:
            with step("building the deployment package"):
                platform.build()

        def publish() -> None:
            with step("publishing the demo marketplace"):
                self._publish()

        self._all(pool, build, start_emulator, start_cluster, start_gateway, publish)
        is_new = self._deploy(platform, password)
        with step("logging in through the gateway"):
            token = self._log_in(api_url, password)
        if is_new:
            with step("importing the session templates"):
                platform.import_templates(TEMPLATES, api_url, token)
                platform.note_as_complete()
        description = {
            "api_url": api_url,
            "console_url": f"{api_url}/",
            "aws_endpoint_url": aws_url,
            "marketplace_url": f"{api_url}/marketplace",
            "kubernetes_url": _server_of(self._kubeconfig) if self._kubeconfig else cluster_url,
            "admin": {"username": ADMINISTRATOR, "password": password, "token": token},
        }
        private_files.write(layout.description, json.dumps(description, indent=2).encode())

    def _parameters(self, api_url: str, cluster_url: str, key: bytes, license_key: bytes) -> dict[str, str]:
        cluster = {"KubernetesKubeconfig": self._kubeconfig} if self._kubeconfig else {"KubernetesUrl": cluster_url}
        return {
            "PublicApiUrl": api_url,
            "MarketplaceUrl": f"{api_url}/marketplace",
            "MarketplacePublicKey": marketplace.public_key(key),
            "LicenseServiceUrl": f"{api_url}/licenses",
            "LicensePublicKey": marketplace.public_key(license_key),
            "IngressDomain": "streamspace.local",
            "Environment": "local",
            "EmailSender": "noreply@streamspace.local",
            "IamIsEmulated": "true",
            **cluster,
        }

    def _all(self, pool: ThreadPoolExecutor, *tasks: Callable[[], None]) -> None:
        """Run tasks at the same time. The first failure is raised, after the others were told to stop."""
        futures: list[Future[None]] = [pool.submit(task) for task in tasks]
        while True:
            done, pending = wait(futures, timeout=0.2, return_when=FIRST_EXCEPTION)
            failures = [future.exception() for future in done if future.exception()]
            if failures or self._processes.stopping.is_set():
                self._processes.stop()
                raise next((each for each in failures if each and not isinstance(each, Stopped)), Stopped())
            if not pending:
                return

    def _prepare_environments(self, pool: ThreadPoolExecutor) -> None:
        def prepare(folder: Path, requirements: str) -> None:
            command: list[str | Path] = [sys.executable, "local/environment.py", folder, f"local/{requirements}"]
            self._processes.run(folder.name, command, deployment.tool_environment())

        other = pool.submit(prepare, self._layout.lambda_venv, "lambda-requirements.txt")
        prepare(self._layout.emulator_venv, "emulator-requirements.txt")
        other.result()

    def _start_emulator(self, port: int) -> None:
        folder = self._layout.emulator
        environment = emulator.environment(port, folder, _search_path())
        environment["LAMBDA_PYTHON"] = str(self._layout.lambda_venv / "bin" / "python")
        python = self._layout.emulator_venv / "bin" / "python"
        self._processes.serve("emulator", [python, "-m", "local.emulator", folder], environment)
        self._processes.wait_until(lambda: _answers(f"http://{HOST}:{port}/_ministack/ready"), "emulator")

    def _start_cluster(self, port: int) -> None:
        command: list[str | Path] = [sys.executable, "-m", "local.cluster", "--port", str(port)]
        command += ["--state", self._layout.cluster_state]
        self._processes.serve("cluster", command, _server_environment())
        self._processes.wait_until(lambda: _answers(f"http://{HOST}:{port}/healthz"), "cluster")

    def _start_gateway(self, aws_url: str) -> None:
        command: list[str | Path] = [sys.executable, "-m", "local.gateway", "--port", str(self._port)]
        command += ["--emulator", aws_url, "--routes", self._layout.routes, "--marketplace", self._layout.marketplace]
        command += ["--licenses", self._layout.licenses, "--license-key", self._layout.keys / "licenses"]
        self._processes.serve("gateway", command, _server_environment())
        self._processes.wait_until(lambda: _answers(f"http://{HOST}:{self._port}/_gateway/health"), "gateway")

    def _publish(self) -> None:
        layout = self._layout
        command: list[str | Path] = [sys.executable, "-m", "local.marketplace"]
        command += [EXAMPLES, layout.marketplace, layout.keys / "marketplace", layout.keys / "publisher"]
        said = self._processes.run("marketplace", command, deployment.tool_environment())
        for line in said.splitlines():
            self._progress.say(f"      {line}")

    def _deploy(self, platform: deployment.Deployment, password: str) -> bool:
        """Whether anything had to be deployed."""
        step = self._progress.step
        if platform.is_current():
            with step("keeping the deployed platform, which is up to date"):
                deployment.write_routes(self._layout.routes, platform.outputs())
            return False
        with step("deploying the platform"):
            deployment.write_routes(self._layout.routes, platform.deploy())
        with step("creating the administrator"):
            platform.create_administrator(ADMINISTRATOR, password)
        return True

    def _log_in(self, api_url: str, password: str, patience_s: float = 60) -> str:
        """A token, fetched as anyone would: the last proof that all parts work together."""
        body = json.dumps({"username": ADMINISTRATOR, "password": password}).encode()
        ends = time.monotonic() + patience_s
        while True:
            if self._processes.stopping.is_set():
                raise Stopped
            self._processes.must_all_run()
            status, answer = _post(f"{api_url}/api/v1/auth/login", body)
            if status == 200:
                return str(answer["data"]["token"])
            if time.monotonic() > ends or status in (400, 401, 403, 404, 422):
                raise StackFailed(f"the administrator could not log in: {status} {json.dumps(answer)}")
            time.sleep(0.3)

    def _stay(self) -> None:
        rounds = 0
        while not self._processes.stopping.wait(0.5):
            self._processes.must_all_run()
            rounds += 1
            if rounds % 20 == 0:
                self._processes.keep_logs_small()


def introduction(layout: Layout) -> str:
    """What a person wants to know first."""
    described = json.loads(layout.description.read_text())
    admin = described["admin"]
    return "\n".join(
        [
            "",
            "StreamSpace runs.",
            f"  web          {described['console_url']}",
            f"  API          {described['api_url']}/api/v1",
            f"  marketplace  {described['marketplace_url']}/index.json",
            f"  AWS          {described['aws_endpoint_url']}",
            f"  Kubernetes   {described['kubernetes_url']}",
            f"  log in as    {admin['username']}  {admin['password']}",
            "",
        ]
    )


def run(layout: Layout, port: int) -> int:
    with only_one(layout):
        layout.description.unlink(missing_ok=True)
        layout.emulator.mkdir(parents=True, exist_ok=True)
        count = end_leftovers(layout.root)
        progress = Progress()
        if count:
            progress.say(f"ended {count} processes that a killed start had left behind")
        Stack(layout, port, progress).run()
    return 0


def up(layout: Layout, port: int) -> int:
    """Start in the background and come back when all is ready; nothing more to do when it is already."""
    log = layout.logs / "stack.log"
    process = None
    if not holder(layout):
        layout.description.unlink(missing_ok=True)
        layout.logs.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "local.stack", "run", "--port", str(port)],
                cwd=CHECKOUT,
                env={**os.environ, "STREAMSPACE_LOCAL": str(layout.root)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
    with log.open() if log.exists() else open(os.devnull) as following:  # noqa: PTH123
        while not layout.description.exists():
            print(following.read(), end="", flush=True)
            ended = process.poll() is not None if process else not holder(layout)
            if ended:
                print(following.read(), end="", flush=True)
                return 1
            time.sleep(0.1)
        if process:
            print(following.read().split("\nStreamSpace runs.")[0], end="")
    print(introduction(layout))
    print("It runs in the background; `make down` stops it.")
    return 0


def down(layout: Layout) -> int:
    process = holder(layout)
    if process is None:
        count = end_leftovers(layout.root)
        print(f"no local stack was running{f'; ended {count} leftover processes' if count else ''}")
        return 0
    os.kill(process, signal.SIGTERM)
    ends = time.monotonic() + 40
    while holder(layout) == process:
        if time.monotonic() > ends:
            print(f"error: the local stack (process {process}) did not stop in time; see `make logs`", file=sys.stderr)
            return 1
        time.sleep(0.1)
    print("the local stack was stopped; its data is kept (`make clean` removes it)")
    return 0


def status(layout: Layout) -> int:
    process = holder(layout)
    if process is None:
        print("no local stack is running; `make run` or `make up` starts one")
        return 1
    if not layout.description.exists():
        print(f"the local stack (process {process}) is still starting:\n{tail(layout.logs / 'stack.log', 3)}")
        return 1
    described = json.loads(layout.description.read_text())
    print(introduction(layout))
    checks = {
        "platform": f"{described['api_url']}/api/v1/health",
        "emulator": f"{described['aws_endpoint_url']}/_ministack/ready",
    }
    if described["kubernetes_url"].startswith(f"http://{HOST}:"):  # a real cluster may want credentials even for this
        checks["cluster"] = f"{described['kubernetes_url']}/healthz"
    well = True
    for name, url in checks.items():
        answers = _answers(url)
        well = well and answers
        print(f"  {name:<12} {'well' if answers else 'does not answer'}")
    return 0 if well else 1


def logs(layout: Layout) -> int:
    files = sorted(str(file) for file in layout.logs.glob("*.log"))
    if not files:
        print("there are no logs yet; `make run` or `make up` starts the stack")
        return 1
    return subprocess.run(["tail", "-n", "20", "-F", *files]).returncode


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 our own loopback addresses
            return bool(answer.status == 200)
    except (OSError, ValueError):
        return False


def _post(url: str, body: bytes) -> tuple[int, Any]:
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refusal:
        text = refusal.read().decode(errors="replace")
        try:
            return refusal.code, json.loads(text)
        except ValueError:
            return refusal.code, text
    except OSError as problem:
        return 503, str(problem)


def _search_path() -> str:
    """Where the emulator looks for programs: the system's folders, and Node.js for JavaScript functions."""
    node = shutil.which("node")
    found = [str(Path(node).resolve().parent), str(Path(node).parent)] if node else []
    return os.pathsep.join([*found, "/usr/local/bin", "/usr/bin", "/bin"])


def _server_environment() -> dict[str, str]:
    names = ("PATH", "HOME", "LANG", "TMPDIR")
    return {name: os.environ[name] for name in names if name in os.environ} | {"PYTHONUNBUFFERED": "1"}


def _server_of(kubeconfig: str) -> str:
    """The address of the cluster that a kubeconfig file's current context names."""
    import yaml

    read = yaml.safe_load(Path(kubeconfig).read_text())
    context = next(each["context"] for each in read["contexts"] if each["name"] == read["current-context"])
    return str(next(each["cluster"]["server"] for each in read["clusters"] if each["name"] == context["cluster"]))


def main() -> int:
    parser = argparse.ArgumentParser(description="The local stack.")
    parser.add_argument("command", choices=("run", "up", "down", "status", "logs"))
    parser.add_argument("--port", type=int, default=int(os.environ.get("PORT") or 8080))
    chosen = parser.parse_args()
    layout = settings.layout()
    try:
        if chosen.command == "run":
            return run(layout, chosen.port)
        if chosen.command == "up":
            return up(layout, chosen.port)
        return {"down": down, "status": status, "logs": logs}[chosen.command](layout)
    except StackFailed as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    threading.current_thread().name = "supervisor"
    sys.exit(main())
