"""What the Python SDK writes to the log: everything it is told, within bounds, and no secret (tests/sdk/redaction.json)."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from sdk_fake_platform import FakePlatform

CASES = json.loads((Path(__file__).parents[2] / "sdk" / "redaction.json").read_text())

Read = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Read:
    return lambda: [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.fixture
def loggable(streamspace: ModuleType) -> Callable[[Any], Any]:
    found: Callable[[Any], Any] = importlib.import_module("streamspace.loggable").loggable
    return found


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["case"])
def test_a_secret(case: dict[str, Any], streamspace: ModuleType) -> None:
    redaction = importlib.import_module("streamspace.redaction")
    redaction.hide(case["secrets"])

    shown = redaction.redacted(case["text"])

    assert shown == case.get("shown", shown)
    assert not [hidden for hidden in case.get("hidden", []) if hidden in shown]


def test_whatever_is_logged_becomes_json_that_says_what_it_was(loggable: Callable[[Any], Any]) -> None:
    class Odd:
        def __str__(self) -> str:
            raise RuntimeError("no")

    circular: dict[str, Any] = {"a": 1}
    circular["self"] = circular
    error = KeyError("x")
    error.code = "E"  # type: ignore[attr-defined]

    shown = loggable({"c": circular, "b": b"abc", "s": {1}, "n": float("nan"), "odd": Odd(), "e": error, 3: (None, True), "t": Path("/x")})

    assert json.loads(json.dumps(shown)) == shown
    assert shown["c"] == {"a": 1, "self": "[Circular]"}
    assert (shown["b"], shown["s"], shown["n"], shown["odd"]) == ("<3 bytes>", [1], "nan", "[Not readable: RuntimeError]")
    assert (shown["3"], shown["t"]) == ([None, True], "/x")
    assert (shown["e"]["name"], shown["e"]["code"]) == ("KeyError", "E")


def test_what_is_too_large_or_too_deep_is_cut_and_says_so(loggable: Callable[[Any], Any]) -> None:
    deep: dict[str, Any] = {}
    at = deep
    for _ in range(100):
        at["in"] = at = {}

    assert loggable("x" * 100_000).endswith("… 50848 more characters")
    assert loggable([1] * 10_000)[-1] == "… 8000 more"
    assert '"[dict]"' in json.dumps(loggable(deep))
    assert len(json.dumps(loggable({str(n): "y" * 1000 for n in range(5000)}))) < 200_000


def test_a_plugin_that_logs_its_whole_configuration_shows_no_secret(plugin: Any, platform: FakePlatform, lines: Read) -> None:
    """Nor the old one after a change, nor in a failure."""
    started = plugin("""
        import base64, os, sys, traceback
        import streamspace
        class Plugin:
            def on_load(self):
                streamspace.log.info("loaded", {"config": self.config})
                self.first = self.config["apiKey"]
                streamspace.commands.register(name="tell", description="d", handler=self.tell)
                streamspace.commands.register(name="old", description="d", handler=lambda args: print(self.first))
            def tell(self, args):
                print("key", self.config["apiKey"], self.config)
                print(base64.b64encode(b"john:" + self.config["apiKey"].encode()), os.environ["STREAMSPACE_TOKEN"])
                try:
                    raise KeyError(self.config["apiKey"])
                except KeyError:
                    traceback.print_exc()
                raise ValueError("refused: " + self.config["apiKey"])
    """)
    settings = {"apiKey": "hunter2-first", "greeting": "hi"}
    started.call({"kind": "load", "settings": settings, "settings_version": 1, "secret_settings": ["apiKey"]})
    failed = started.command("tell")
    told = {"settings": {"apiKey": "hunter2-second"}, "settings_version": 2, "secret_settings": ["apiKey"], "platform": {}}
    platform.routes["GET /api/v1/runtime/self"] = {"data": told}
    started.command("old", version=2)
    started.command("tell", version=2)

    written = lines()
    assert not [part for part in ("hunter2", "odW50ZXIy", "h1bnRlcjIt") if part in json.dumps(written)]
    assert written[0]["data"] == {"config": {"apiKey": "[secret]", "greeting": "hi"}}
    assert failed["error"]["message"] == "refused: [secret]"
    assert "hunter2" not in json.dumps(failed)


def test_logging_warnings_and_stderr_are_lines_with_their_level(plugin: Any, record: Any, lines: Read) -> None:
    started = plugin("""
        import logging, sys, warnings
        class Plugin:
            def on_session_created(self, session):
                logging.getLogger("mine").info("synced %d", 3)
                logging.warning("slow")
                try:
                    1 / 0
                except ZeroDivisionError:
                    logging.exception("failed")
                logging.info("wrong %d", "x")
                warnings.warn("old", DeprecationWarning)
                warnings.warn("odd", UserWarning)
                print("to stderr", file=sys.stderr)
    """)
    started.load()
    started.deliver(record())

    written = [line for line in lines() if line["message"] != "DeprecationWarning: old"]
    assert [(line["level"], line["message"]) for line in written[:3]] == [("info", "synced 3"), ("warn", "slow"), ("error", "failed")]
    assert written[0]["data"] == {"logger": "mine"}
    assert written[2]["data"]["error"]["name"] == "ZeroDivisionError"
    assert written[3]["message"].startswith("wrong %d [not formatted:")
    assert [(line["level"], line["message"]) for line in written[4:]] == [("warn", "UserWarning: odd"), ("error", "to stderr")]
    assert all((line["hook"], line["event_id"]) == ("on_session_created", 7301001) for line in written)
