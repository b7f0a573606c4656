"""What the Python SDK writes to the log: everything it is told, within bounds, and no secret (tests/sdk/redaction.json)."""

from __future__ import annotations

import importlib
import json
import os
import sys
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


def test_what_is_written_past_the_log_becomes_lines_of_it_and_shows_no_secret(plugin: Any, record: Any, lines: Read) -> None:
    started = plugin("""
        import os, sys, threading
        class Plugin:
            def on_session_created(self, session):
                key = self.config["apiKey"]
                sys.stdout.write(f"a stream: {key}\\n")
                sys.stdout.write("in ")
                sys.stdout.buffer.write(key[:4].encode())
                sys.stdout.buffer.write(key[4:].encode() + b"\\n")
                sys.stderr.writelines([f"an error: {key}\\n"])
                sys.__stdout__.write(f"the original: {key}\\n")
                sys.__stderr__.write(f"its error: {key}\\n")
                assert os.write(1, f"os: {key}\\n".encode()) == len(key) + 5
                os.write(2, f"os error: {key}\\n".encode())
                sys.stdout.buffer.write("ä".encode()[:1])
                sys.stdout.buffer.write("ä".encode()[1:])
                sys.stdout.flush()
                print(" and no end", end="", flush=True)
    """)
    settings = {"settings": {"apiKey": "hunter2-first"}, "settings_version": 1, "secret_settings": ["apiKey"]}
    before = sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__, os.write
    started.call({"kind": "load", **settings})
    started.deliver(record())

    written = lines()
    assert [(line["level"], line["message"]) for line in written] == [
        ("info", "a stream: [secret]"),
        ("info", "in [secret]"),
        ("error", "an error: [secret]"),
        ("info", "the original: [secret]"),
        ("error", "its error: [secret]"),
        ("info", "os: [secret]"),
        ("error", "os error: [secret]"),
        ("info", "ä and no end"),
    ]
    assert {line["hook"] for line in written} == {"on_session_created"}
    assert (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__, os.write) == before


def test_other_files_are_written_as_ever_and_a_text_without_an_end_is_a_line_before_it_takes_the_memory(
    plugin: Any, lines: Read, tmp_path: Path
) -> None:
    started = plugin(
        """
        import os, subprocess, sys
        class Plugin:
            def on_load(self):
                place = os.open(self.manifest["place"], os.O_WRONLY | os.O_CREAT)
                os.write(place, b"kept")
                os.close(place)
                assert subprocess.run(["cat"], input=b"through a pipe", stdout=subprocess.PIPE).stdout == b"through a pipe"
                for number in range(100):
                    sys.stdout.write("x" * 1000)
    """,
        manifest={"place": str(tmp_path / "own")},
    )

    assert started.load()["ok"] is True, lines()

    assert (tmp_path / "own").read_text() == "kept"
    assert [len(line["message"]) for line in lines()] == [33_000, 33_000, 33_000, 1000]


def test_a_child_process_can_be_given_the_streams(plugin: Any, capfd: pytest.CaptureFixture[str]) -> None:
    started = plugin("""
        import subprocess, sys
        def on_load():
            subprocess.run(["echo", "from a child"], stdout=sys.stdout, check=True)
    """)

    assert started.load()["ok"] is True

    assert capfd.readouterr().out.splitlines() == ["from a child"]
