"""Both SDKs against the real routes: the API on a simulated AWS, behind a web server of this process."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from chalicelib import accounts
from chalicelib.api import application
from tests.sdk.importing import imported_anew

ROOT = Path(__file__).parents[3]
NODE_SDK = ROOT / "plugin_layers" / "nodejs" / "node_modules" / "streamspace"
SCOPES = frozenset(f"{verb}:{thing}" for verb in ("read", "write") for thing in ("sessions", "users", "templates")) | {
    "notifications",
    "email",
    "storage",
    "ui",
    "commands",
}

# What a call came to: {"returned": …} or {"name", "code", "message", "details", "is_own_class", "is_stream_space_error", "is_error"}.
Outcome = dict[str, Any]
Run = Callable[..., list[Outcome]]

_NODE = """
const streamspace = require(process.argv[1]);
const outcome = async (call) => {
  try {
    return { returned: (await new Function('streamspace', `return ${call}`)(streamspace)) ?? null };
  } catch (error) {
    const { errors } = streamspace;
    return {
      name: error.name, code: error.code, message: error.message, details: error.details ?? null,
      is_own_class: error instanceof (errors[error.name] ?? Array), is_stream_space_error: error instanceof errors.StreamSpaceError,
      is_error: error instanceof Error,
    };
  }
};
(async () => {
  const outcomes = [];
  for (const call of JSON.parse(require('node:fs').readFileSync(0, 'utf8'))) outcomes.push(await outcome(call));
  console.log(JSON.stringify(outcomes));
})();
"""


@pytest.fixture(scope="session")
def whole_app() -> Any:
    return application.build().include_everything()


@pytest.fixture
def api_url(whole_app: Any, aws: Any) -> Iterator[str]:
    """The platform as a plugin reaches it."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1

        def _serve(self) -> None:
            text = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
            asked = urlsplit(self.path)
            event = {
                "httpMethod": self.command,
                "path": asked.path,
                "headers": dict(self.headers.items()),
                "multiValueHeaders": {name: [value] for name, value in self.headers.items()},
                "multiValueQueryStringParameters": parse_qs(asked.query) or None,
                "body": text or None,
                "isBase64Encoded": False,
                "requestContext": {"requestId": "request-1", "identity": {"sourceIp": "192.0.2.1"}},
                "stageVariables": None,
            }
            answer = whole_app(event, None)
            body = answer["body"].encode()
            self.send_response(answer["statusCode"])
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def _javascript(calls: list[str], environment: dict[str, str]) -> list[Outcome]:
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", **environment}
    command = ["node", "-e", _NODE, str(NODE_SDK)]
    ran = subprocess.run(command, env=environment, input=json.dumps(calls), capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)  # type: ignore[no-any-return]


def _python(calls: list[str], streamspace: Any) -> list[Outcome]:
    def outcome(call: str) -> Outcome:
        try:
            return {"returned": eval(call, {"streamspace": streamspace})}
        except streamspace.StreamSpaceError as error:
            return {
                **{name: getattr(error, name) for name in ("name", "code", "message", "details")},
                "is_own_class": type(error) is getattr(streamspace.errors, error.name),
                "is_stream_space_error": True,
                "is_error": isinstance(error, Exception),
            }
        except TypeError as error:
            return {"name": "TypeError", "message": str(error)}

    return [outcome(call) for call in calls]


@pytest.fixture(params=["js", "python"])
def run(request: pytest.FixtureRequest, api_url: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    """``run([{"js": …, "python": …}, …], scopes=…)``: what each call came to, made by a plugin with these scopes."""

    def calls(rows: list[dict[str, Any]], *, scopes: frozenset[str] = SCOPES) -> list[Outcome]:
        environment = {
            "STREAMSPACE_API_URL": api_url,
            "STREAMSPACE_TOKEN": accounts.issue_plugin_token("my-plugin", scopes),
            "STREAMSPACE_PLUGIN": "my-plugin",
        }
        texts = [row[request.param] for row in rows]
        if request.param == "js":
            return _javascript(texts, environment)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        with imported_anew() as streamspace:
            return _python(texts, streamspace)

    return calls
