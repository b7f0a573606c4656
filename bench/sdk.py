"""What the SDKs cost a plugin: a cold start against a hello world's, a first command, a warm hook against the bare request, size.

The cold start is a fresh process until it has answered ``load``, the process's own start included, as Lambda's is, with AWS's own runtime
client in it (``lambda_runtime``); the hello world answers the same call with a constant. The platform is a server on loopback that answers
at once.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from bench import lambda_runtime
from bench.report import Table, by_turns, milliseconds, ratio
from infra import sdk_bundle

_HERE = Path(__file__).parent
_LAYERS = _HERE.parent / "plugin_layers"
_SDKS = {"JavaScript": _LAYERS / "nodejs/node_modules/streamspace", "Python": _LAYERS / "python/streamspace"}
# Kept from one run to the next.
_CLIENTS = _HERE.parent / ".build/lambda-runtime-clients"
_COLD_ROUNDS, _WARM_ROUNDS = 60, 400
_LOAD = {"kind": "load", "settings": {}, "settings_version": 1}
_COMMAND = {"kind": "command", "name": "one", "args": {}, "settings_version": 1}
_MANIFEST = {"name": "bench", "version": "1.0.0", "permissions": ["storage", "commands"]}
_FILES: dict[str, dict[str, dict[str, str]]] = {
    "JavaScript": {
        "hello": {"streamspace_shim.js": "exports.handler = async () => ({ ok: true });"},
        "plugin": {
            "streamspace_shim.js": "exports.handler = require('streamspace/runtime').createHandler(__dirname);",
            "index.js": "module.exports = { onLoad() { streamspace.commands.register({ name: 'one', description: 'd',"
            " handler: () => streamspace.storage.get('k') }); } };",
        },
    },
    "Python": {
        "hello": {"streamspace_shim.py": "def handler(event, context):\n    return {'ok': True}\n"},
        "plugin": {
            "streamspace_shim.py": "from streamspace.runtime import create_handler\nhandler = create_handler(__file__)\n",
            "plugin.py": "import streamspace\n\ndef on_load():\n    streamspace.commands.register("
            "name='one', description='d', handler=lambda args: streamspace.storage.get('k'))\n",
        },
    },
}


def run() -> list[Table]:
    with tempfile.TemporaryDirectory(prefix="streamspace-bench-") as folder, _platform() as url:
        cold, first, warm = [], [], []
        clients = lambda_runtime.fetched(_CLIENTS)
        _ship_javascript(Path(folder))
        for language in _FILES:
            folders = {kind: _packed(Path(folder) / language / kind, language, kind) for kind in ("hello", "plugin")}
            plugin, command, hello = by_turns(
                _COLD_ROUNDS,
                partial(_first_s, language, folders["plugin"], clients, url, _LOAD),
                partial(_first_s, language, folders["plugin"], clients, url, _COMMAND),
                partial(_first_s, language, folders["hello"], clients, url, _LOAD),
            )
            wall, command_wall, bare_wall = ([each[0] for each in side] for side in (plugin, command, hello))
            cpu, command_cpu, bare_cpu = ([each[1] for each in side] for side in (plugin, command, hello))
            cold.append(
                (language, ratio(wall, bare_wall), ratio(cpu, bare_cpu), milliseconds(wall), milliseconds(bare_wall), _size(language))
            )
            first.append((language, ratio(command_wall, bare_wall), ratio(command_cpu, bare_cpu), milliseconds(command_wall)))
            found = _warm(language, folders["plugin"], url)
            warm.append((language, ratio(found["hook"], found["bare"]), milliseconds(found["hook"]), milliseconds(found["bare"])))
    return [
        Table(
            "Cold start of a plugin",
            "A fresh process with Lambda's runtime client until it has answered `load`, against a handler without the SDK; and the SDK's "
            "files (at most 200 KB). The goal is 1.2.",
            ("SDK", "ratio", "ratio of CPU time", "plugin", "hello world", "size"),
            cold,
        ),
        Table(
            "The first command in a new container",
            "The same process until it has answered a command with one storage call: it asks the platform twice, since it first asks for "
            "the plugin's settings. Against the same hello world.",
            ("SDK", "ratio", "ratio of CPU time", "command"),
            first,
        ),
        Table(
            "A warm hook with one storage call",
            f"`storage.get` in a command, p50 of {_WARM_ROUNDS}, by turns with the same request made by hand on a kept connection.",
            ("SDK", "ratio", "hook", "bare request"),
            warm,
        ),
    ]


def _ship_javascript(folder: Path) -> None:
    """As the layer has it: in one file."""
    sdk = folder / "layer/node_modules/streamspace"
    sdk.mkdir(parents=True)
    for name, text in sdk_bundle.bundled(_SDKS["JavaScript"]):
        (sdk / name).write_text(text)


def _packed(folder: Path, language: str, kind: str) -> Path:
    folder.mkdir(parents=True)
    for name, text in _FILES[language][kind].items():
        (folder / name).write_text(text)
    (folder / "manifest.json").write_text(json.dumps({**_MANIFEST, "runtime": {"JavaScript": "nodejs"}.get(language, "python")}))
    return folder


def _first_s(language: str, folder: Path, clients: Path, url: str, event: dict[str, Any]) -> tuple[float, float]:
    """Until the first event is answered: wall time, and the process's own time: what else the machine does is not in that."""
    command, more = lambda_runtime.command(language, clients, folder, _LAYERS / "python")
    environment = {**_environment(folder, url), **more, "BENCH_EVENT": json.dumps(event)}
    began, used = time.perf_counter(), _children_s()
    answer = _answered(command, environment, f"{language}, {folder.name}")
    took = time.perf_counter() - began, _children_s() - used
    if not answer["ok"]:
        raise SystemExit(f"{language}, {folder.name} answered {answer}")
    return took


def _children_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _warm(language: str, folder: Path, url: str) -> dict[str, list[float]]:
    script = ["node", "sdk_process.js"] if language == "JavaScript" else [sys.executable, "-S", "-E", "sdk_process.py"]
    command = [*script[:-1], str(_HERE / script[-1]), str(folder), str(_WARM_ROUNDS), url]
    found: dict[str, list[float]] = _answered(command, _environment(folder, url), f"{language}, warm")["found"]
    return found


def _environment(folder: Path, url: str) -> dict[str, str]:
    """Nothing of the caller's; layers lie where the language looks."""
    return {
        "PATH": os.environ["PATH"],
        "NODE_PATH": str(folder.parents[1] / "layer/node_modules"),
        "BENCH_LAYER": str(_LAYERS / "python"),
        "STREAMSPACE_API_URL": url,
        "STREAMSPACE_TOKEN": "ss_bench",
        "STREAMSPACE_PLUGIN": "bench",
    }


def _answered(command: list[str], environment: dict[str, str], what: str) -> Any:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{what} failed:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def _size(language: str) -> str:
    """Of what the layer carries: not the kit for authors' tests."""
    left_out = {"__pycache__", "testing"}
    files = [path for path in _SDKS[language].rglob("*") if path.is_file() and not left_out & set(path.parts)]
    return f"{sum(path.stat().st_size for path in files) / 1024:.0f} KB"


@contextmanager
def _platform() -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            body = b'{"success": true, "data": {"n": 1}, "meta": {}}'
            self.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
