from __future__ import annotations

import importlib
import itertools
import json
import logging
import sys
import textwrap
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from sdk_fake_platform import FakePlatform, serve

from tests import npm_packages
from tests.sdk.importing import imported_anew


@pytest.fixture(scope="session")
def typescript() -> Path:
    """The folder of the TypeScript compiler, which npm brings the first time."""
    return npm_packages.fetched(Path(__file__).parents[2] / "sdk" / "typescript", "THE TYPES ARE NOT CHECKED") / "typescript"


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakePlatform]:
    """A platform that this process's environment points to, as a plugin's does."""
    fake = FakePlatform()
    server = serve(fake)
    monkeypatch.setenv("STREAMSPACE_API_URL", fake.url)
    monkeypatch.setenv("STREAMSPACE_TOKEN", "ss_plugin")
    monkeypatch.setenv("STREAMSPACE_PLUGIN", "my-plugin")
    monkeypatch.setenv("STREAMSPACE_VERSION", "1.0.0")
    config = {"namespace": "streamspace", "ingressDomain": "streamspace.local", "hibernationEnabled": True}
    monkeypatch.setenv("STREAMSPACE_CONFIG", json.dumps(config))
    yield fake
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def _own_logging(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A container's logging and warnings are its own; this process has others."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    root.handlers = list(handlers)
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    yield
    root.handlers, root.level = handlers, level


@pytest.fixture
def streamspace(platform: FakePlatform) -> Iterator[ModuleType]:
    """The SDK as a cold container imports it."""
    with imported_anew() as fresh:
        yield fresh


class Context:
    """Lambda's context with that much time left, in ms."""

    def __init__(self, left_ms: int = 30_000) -> None:
        self.left_ms = left_ms

    def get_remaining_time_in_millis(self) -> int:
        return self.left_ms


class Container:
    """A cold container with a plugin in it."""

    def __init__(self, handler: Callable[[dict[str, Any], Any], Any]) -> None:
        self._handler = handler

    def call(self, payload: dict[str, Any], left_ms: int = 30_000) -> Any:
        return json.loads(json.dumps(self._handler(payload, Context(left_ms))))

    def load(self, settings: dict[str, Any] | None = None, version: int = 1) -> Any:
        return self.call({"kind": "load", "settings": settings or {}, "settings_version": version})

    def command(self, name: str, args: Any = None, version: int = 1) -> Any:
        payload = {"kind": "command", "name": name, "args": args, "caller": {"username": "ann"}}
        return self.call({**payload, "settings_version": version})

    def deliver(self, *records: dict[str, Any], left_ms: int = 30_000) -> list[str]:
        """The messages that are given back."""
        answer = self.call({"Records": list(records)}, left_ms)
        assert set(answer) == {"batchItemFailures"}
        return [item["itemIdentifier"] for item in answer["batchItemFailures"]]


@pytest.fixture
def plugin(streamspace: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Container]:
    """Packs a plugin from its source and starts a container with it."""
    numbers = itertools.count(1)

    def start(source: str, *, manifest: dict[str, Any] | None = None, **files: str) -> Container:
        folder = tmp_path / f"task{next(numbers)}"
        folder.mkdir()
        main = (manifest or {}).get("entrypoints", {}).get("main", "plugin.py")
        about = {"name": "my-plugin", "version": "1.0.0", "permissions": ["read:sessions"], **(manifest or {})}
        (folder / "manifest.json").write_text(json.dumps(about))
        for name, text in {main: source, **{f"{stem}.py": text for stem, text in files.items()}}.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(textwrap.dedent(text))
        monkeypatch.setattr(sys, "path", list(sys.path))
        for name in ["plugin", *files]:
            monkeypatch.delitem(sys.modules, name, raising=False)
        create_handler = importlib.import_module("streamspace.runtime").create_handler
        return Container(create_handler(str(folder / "streamspace_shim.py")))

    return start


@pytest.fixture
def record() -> Callable[..., dict[str, Any]]:
    """One SQS record with an event."""
    numbers = itertools.count(1)

    def make(
        data: dict[str, Any] | None = None,
        *,
        type: str = "session.created",
        group: str = "session#john-firefox",
        received: int = 1,
        settings_version: int = 1,
    ) -> dict[str, Any]:
        number = next(numbers)
        event = {
            "id": 7301000 + number,
            "type": type,
            "aggregate": group,
            "sequence": number,
            "time": "2026-01-02T03:04:05Z",
            "data": data or {"id": "john-firefox"},
            "settings_version": settings_version,
        }
        return {
            "messageId": f"m{number}",
            "receiptHandle": f"r{number}",
            "body": json.dumps(event),
            "attributes": {"MessageGroupId": group, "ApproximateReceiveCount": str(received)},
        }

    return make
